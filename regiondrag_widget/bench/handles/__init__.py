"""Handles as people draw them, on real photographs: what arrives of the object, and what comes along."""
