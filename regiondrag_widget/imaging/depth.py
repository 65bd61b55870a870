"""How deep inside a region each of its pixels lies."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["depth_inside"]


def depth_inside(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """(h, w) bool -> (h, w) float32: pixels to the mask's rim, 0 outside it; the picture's edge is no rim."""
    framed = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)
