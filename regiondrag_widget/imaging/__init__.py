"""Composing an edit without a network: cut out, carry, blend, fill; NumPy and OpenCV only."""
