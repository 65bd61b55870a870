"""Selecting by clicks, compared with outlines drawn by hand."""
