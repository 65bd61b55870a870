"""How far a handle's surroundings reach into it before an edge stops them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.spreading import spread

__all__ = ["firmness", "reach_of_surroundings"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

FIRM = 2.0
LEAST = 1.5  # grey levels over two pixels that any edge has, and as many times more as it must be firm
NEARBY = 0.2  # of the window's side, within which "usual" is told
SHUT = 1e-4  # what the firmest edge lets through
FADE = 3e-4  # lost on the way with each pixel


def reach_of_surroundings(rgb: Pixels, handle: Bool, object_: Bool, firm: float = FIRM) -> Float:
    """(h, w) float32 in [0, 1]: 1 around the handle, near 0 where only an edge leads to, 0 in the object.

    The steady state of a flow from outside the handle that edges hold back (an edge-aware membrane: the
    random walks of Grady, Random walks for image segmentation, 2006, with one seed). An edge is a slope that
    is steep for the surroundings nearby: grass has many and none of them counts.

    Parameters
    ----------
    rgb
        (h, w, 3) uint8.
    handle, object_
        (h, w) bool, the object within the handle.
    firm
        How many times as steep as usual around a slope must be to count for an edge.
    """
    slope = _slope(rgb)
    passing = (
        np.exp(-((slope / np.maximum(LEAST * max(1.0, firm), firm * _usual(slope, ~handle))) ** 2)) + SHUT
    )
    around = np.asarray(~handle, np.float32)
    return spread(around[..., None], ~handle, handle & ~object_, passing, FADE)[..., 0]


def firmness(rgb: Pixels, handle: Bool, object_: Bool) -> float:
    """How many times as steep as usual around the slopes are along an object's outline, in the median.

    Parameters
    ----------
    rgb
        (h, w, 3) uint8.
    handle, object_
        (h, w) bool. Where the outline is the handle's own nothing is asked; infinite where that is all of it.
    """
    shrunk = cv2.erode(object_.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) > 0
    core = cv2.erode(handle.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=1) > 0
    outline = object_ & ~shrunk & core
    if not outline.any() or handle.all():
        return float("inf")
    slope = _slope(rgb)
    steepest = cv2.dilate(slope, np.ones((3, 3), np.uint8))
    return float(np.median((steepest / np.maximum(_usual(slope, ~handle), 1.0))[outline]))


def _slope(rgb: Pixels) -> Float:
    """(h, w) grey levels over two pixels, in the steepest channel."""
    smooth = cv2.GaussianBlur(rgb.astype(np.float32), (0, 0), 0.8)
    across, down = (np.abs(cv2.Sobel(smooth, cv2.CV_32F, *d)).max(-1) / 4 for d in ((1, 0), (0, 1)))
    return np.asarray(np.hypot(across, down), np.float32)


def _usual(slope: Float, known: Bool) -> Float:
    """The mean slope of the known pixels near each."""
    size = max(9, round(NEARBY * max(slope.shape))) | 1
    share = cv2.blur(known.astype(np.float32), (size, size))
    mean = cv2.blur(slope * known, (size, size)) / np.maximum(share, 1e-4)
    return np.where(share > 0.02, mean, float(slope[known].mean())).astype(np.float32)
