"""Handles as people draw them, on photographs whose objects were outlined by hand."""
