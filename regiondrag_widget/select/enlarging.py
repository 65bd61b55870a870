"""Masks of the working size in the whole picture."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["enlarged"]

Bool = npt.NDArray[np.bool_]

SMALL = 0.1  # of the picture: a larger part is enlarged sooner with all the rest, by a quicker function


def enlarged(small: Bool, shape: tuple[int, int]) -> Bool:
    """Return a mask (h, w) bool at a picture's (height, width).

    Where a small part is selected only that is worked on, which counts in a large picture.
    """
    if small.shape == shape:
        return small
    full = np.zeros(shape, bool)
    if not small.any():
        return full
    rows, columns = np.flatnonzero(small.any(1)), np.flatnonzero(small.any(0))
    top, bottom, y0, y1 = _part(rows, small.shape[0], shape[0])
    left, right, x0, x1 = _part(columns, small.shape[1], shape[1])
    if (y1 - y0) * (x1 - x0) > SMALL * full.size:
        grey = cv2.resize(small.view(np.uint8) * 255, shape[::-1], interpolation=cv2.INTER_LINEAR)
        np.greater(grey, 127, out=full)
        return full
    sy, sx = small.shape[0] / shape[0], small.shape[1] / shape[1]
    # from a pixel of the picture's part to one of the small mask's
    back = np.array([[sx, 0, (x0 + 0.5) * sx - 0.5 - left], [0, sy, (y0 + 0.5) * sy - 0.5 - top]])
    soft = cv2.warpAffine(
        small[top:bottom, left:right].view(np.uint8) * 255,
        back,
        (x1 - x0, y1 - y0),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    np.greater(soft, 127, out=full[y0:y1, x0:x1])
    return full


def _part(found: npt.NDArray[np.intp], small: int, full: int) -> tuple[int, int, int, int]:
    """Where selected rows or columns begin and end, one more on each side: small, and in the picture."""
    start, stop = max(0, int(found[0]) - 1), min(small, int(found[-1]) + 2)
    return start, stop, start * full // small, min(full, -(-stop * full // small))
