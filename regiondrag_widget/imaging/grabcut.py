"""GrabCut of a drawn handle: a first guess at the object in it, and a last word at its outline."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.depth import depth_inside

__all__ = ["grabcut", "recut"]

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

RIM_PIXELS = 10.0  # how much background a person draws along at most
ROUNDS, ROUNDS_AGAIN = 4, 3
# opacities below and above which the cut is not asked again
CLEAR, SOLID = 0.05, 0.95


def grabcut(rgb: Pixels, handle: Bool) -> Bool | None:
    """The object (h, w) bool inside a handle (Rother, Kolmogorov, Blake: GrabCut, 2004).

    rgb : (h, w, 3) uint8; handle : (h, w) bool

    Surely object deep inside the handle, surely background outside, unsure along the rim. None where the
    handle is too thin, or too little surrounds it, to tell the two apart.
    """
    depth = depth_inside(handle)
    deepest = float(depth.max())
    if deepest < 3 or int((~handle).sum()) < 50:
        return None
    rim = min(RIM_PIXELS, 0.5 * deepest)
    labels = np.full(handle.shape, cv2.GC_BGD, np.uint8)
    labels[handle] = cv2.GC_PR_BGD
    labels[depth > 0.35 * rim] = cv2.GC_PR_FGD
    labels[depth > rim] = cv2.GC_FGD
    return _cut(rgb, handle, labels, ROUNDS)


def recut(rgb: Pixels, handle: Bool, opacity: Float) -> Bool | None:
    """The object (h, w) bool again, by colours, where a matte (h, w) in [0, 1] leaves it open.

    None where the matte leaves no object or no background.
    """
    labels = np.full(handle.shape, cv2.GC_BGD, np.uint8)
    labels[handle & (opacity >= CLEAR)] = cv2.GC_PR_BGD
    labels[handle & (opacity > 0.5)] = cv2.GC_PR_FGD
    labels[handle & (opacity > SOLID)] = cv2.GC_FGD
    return _cut(rgb, handle, labels, ROUNDS_AGAIN)


def _cut(rgb: Pixels, handle: Bool, labels: Pixels, rounds: int) -> Bool | None:
    models = np.zeros((1, 65)), np.zeros((1, 65))
    try:
        cv2.setRNGSeed(0)  # GrabCut's k-means draws from OpenCV's own generator
        cv2.grabCut(
            np.ascontiguousarray(rgb[..., ::-1]), labels, None, *models, rounds, cv2.GC_INIT_WITH_MASK
        )
    except cv2.error:  # it does not take labels of one kind alone
        return None
    return np.asarray(((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)) & handle)
