"""GrabCut of a drawn handle: a first guess at the object in it, from colours alone."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.engine.depth import depth_inside

__all__ = ["grabcut"]

Bool = npt.NDArray[np.bool_]

RIM_PIXELS = 10.0  # how much background a person draws along at most
ROUNDS = 4


def grabcut(rgb: npt.NDArray[np.uint8], handle: Bool) -> Bool | None:
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
    models = np.zeros((1, 65)), np.zeros((1, 65))
    try:
        cv2.setRNGSeed(0)  # GrabCut's k-means draws from OpenCV's own generator
        cv2.grabCut(
            np.ascontiguousarray(rgb[..., ::-1]), labels, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK
        )
    except cv2.error:
        return None
    return np.asarray(((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)) & handle)
