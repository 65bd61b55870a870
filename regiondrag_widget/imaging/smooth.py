"""Smooth fills: a hole's surroundings continued into it, with nothing copied."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.scaling import hole_window, shrink

__all__ = ["inpainted", "low_frequencies", "smooth_fill"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

SMOOTH_SIDE = 512  # larger places are continued smoothly at this size


def smooth_fill(rgb: Float | npt.NDArray[np.uint8], hole: Bool) -> Float:
    """Telea's inpainting (2004, by OpenCV): rgb (H, W, 3) in 0..255, hole (H, W) bool -> float32 as rgb.

    Large holes are filled at a reduced size: what is smooth loses nothing.
    """
    filled = np.array(rgb, np.float32)
    if not hole.any():
        return filled
    window = hole_window(hole, 16, 0.1)
    filled[window] = inpainted(filled[window], hole[window], cv2.INPAINT_TELEA)
    return filled


def inpainted(rgb: Float, hole: Bool, how: int) -> Float:
    """One of OpenCV's inpaintings, at a reduced size where the window is large.

    Parameters
    ----------
    rgb
        (H, W, 3) float32 in 0..255.
    hole
        (H, W) bool.
    how
        `cv2.INPAINT_TELEA` or `cv2.INPAINT_NS`.
    """
    if hole.all():
        return np.full_like(rgb, 127.5)
    height, width = hole.shape
    ratio = max(height, width) / SMOOTH_SIDE
    if ratio <= 1:
        filled = cv2.inpaint(rgb.clip(0, 255).astype(np.uint8), hole.astype(np.uint8), 5, how)
        return np.where(hole[..., None], filled, rgb).astype(np.float32)
    size = max(1, round(width / ratio)), max(1, round(height / ratio))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    filled = inpainted(np.asarray(small, np.float32), shrink(hole, size), how)
    filled = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(hole[..., None], filled, rgb).astype(np.float32)


def low_frequencies(difference: Float, hole: Bool, sigma: float) -> Float:
    """The low frequencies of a difference, of the hole alone."""
    difference = np.where(hole[..., None], difference, 0).astype(np.float32)
    share = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), sigma)[..., None]
    return np.asarray(cv2.GaussianBlur(difference, (0, 0), sigma) / np.maximum(share, 1e-3), np.float32)
