"""Diffusion networks behind one face: encode, decode, predict, keys and values."""
