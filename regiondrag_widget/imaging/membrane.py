"""Bring the rim of what is moved to its new surroundings, and leave the object alone.

What the new surroundings differ by along the moved handle's outline is spread inwards, and edges hold it back
(the membrane of Perez, Gangnet, Blake: Poisson image editing, 2003, made edge-aware).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.nearness import depth
from regiondrag_widget.imaging.spreading import spread

__all__ = ["rim_correction"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

WORK_SIDE = 128  # a moved handle is looked at no larger
EDGE = 6.0  # grey levels over two pixels of a slope that holds the correction back
SHUT = 1e-6  # what the steepest edge lets through
FADE = 1e-3  # of the correction lost on the way with each pixel, squared
BAND = 2.0  # pixels along the outline, at the size looked at, in which the two surroundings are compared
LEAST_PLAIN = 0.8  # of the rim, that no edge lies along
MOST_REACH, LEAST_OBJECT = 0.095, 0.1  # of the rim into an object, and the share of the middle that it has


def rim_correction(moved: Float, content: Bool, target: Bool, under: Float) -> Float | None:
    """What to add to moved content so that it meets its new surroundings where it was cut along the handle.

    Parameters
    ----------
    moved
        (h, w, 3) float32 in 0..255, the moved content and what lay around it.
    content
        (h, w) bool, the moved content, in the target.
    target
        (h, w) bool, the moved handle; the array's own edge is no rim of it.
    under
        (h, w, 3) float32, what the content is laid over.

    Returns
    -------
    (h, w, 3) float32 or None
        Zero outside the content. None where nothing was cut along the handle, where edges lie along the cut
        (as of a part, drawn along its own edge), or where no edge keeps the rim from all of the middle: then
        what is moved has no edge of its own, and arrives as it is.
    """
    height, width = target.shape
    scale = min(1.0, WORK_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    deep = depth(target)
    band = content & (deep <= BAND / scale)
    if not band.any():
        return None
    inside = _smaller(content.astype(np.float32), size) > 0.5
    share = _smaller(band.astype(np.float32), size)
    apart = _smaller(np.where(band[..., None], under - moved, 0).astype(np.float32), size)
    rim = inside & (share > 0.25)
    free = inside & ~rim
    if not free.any() or not rim.any():
        return None
    share, apart = cv2.blur(share, (5, 5)), cv2.blur(apart, (5, 5))  # grain is no difference
    wanted = apart / np.maximum(share, 1e-3)[..., None]
    passing = _passing(_smaller(moved, size))
    if float((passing[rim] > 0.5).mean()) < LEAST_PLAIN:
        return None
    values = np.dstack([wanted, np.ones(inside.shape, np.float32)])  # the last is how far the rim reaches
    found = spread(values, rim, free, passing, FADE / scale**2)
    core = _smaller(depth(content), size)
    middle = found[..., 3][free & (core > 0.5 * core[free].max())]
    if float(np.quantile(middle, LEAST_OBJECT)) > MOST_REACH:
        return None
    full = cv2.resize(found[..., :3], (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(content[..., None], full, 0).astype(np.float32)


def _smaller(a: Float, size: tuple[int, int]) -> Float:
    if (a.shape[1], a.shape[0]) == size:
        return a
    return np.asarray(cv2.resize(a, size, interpolation=cv2.INTER_AREA), np.float32)


def _passing(rgb: Float) -> Float:
    """(h, w) what each pixel lets through: 1 where it is flat, next to nothing at an edge."""
    smooth = cv2.GaussianBlur(rgb, (0, 0), 0.8)
    across, down = (np.abs(cv2.Sobel(smooth, cv2.CV_32F, *d)).max(-1) / 4 for d in ((1, 0), (0, 1)))
    return np.asarray(np.exp(-((np.hypot(across, down) / EDGE) ** 2)) + SHUT, np.float32)
