"""Parts of an object that a matte missed: what plainly is not the surroundings of the handle going on."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["missed_parts"]

Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

# grey levels by which a pixel must at least differ from what would continue the surroundings, and how many
# times what the surroundings nearby differ from their own mean
LEAST_STEP, SPREADS = 10.0, 5.0
NEARBY = 31  # pixels across
EDGE = 2.0  # pixels from the object that belong to its soft edge
JOINED = 7  # pixels across within which a part is completed by what stands out beside it


def missed_parts(rgb: Pixels, surroundings: Pixels, handle: Bool, found: Bool) -> Bool:
    """(h, w) bool: what stands out in the handle and hangs together with the object found in it, less that.

    rgb : (h, w, 3) uint8; surroundings : (h, w, 3) uint8, `rgb` with its handle filled by what surrounds it
    handle, found : (h, w) bool

    A mast against the sky: too thin, or too near to the handle's edge, for a matte to take it for the object.
    Against a lively background nothing stands out.
    """
    if not found.any():
        return np.zeros_like(handle)
    plain = _stands_out(rgb, surroundings, handle)
    beyond_edge = cv2.distanceTransform((~found).astype(np.uint8), cv2.DIST_L2, 5) > EDGE
    _, labels = cv2.connectedComponents((plain | found).astype(np.uint8), connectivity=8)
    parts = plain & beyond_edge & np.isin(labels, np.unique(labels[found]))
    parts = cv2.morphologyEx(parts.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    return np.asarray(plain & ~found & (cv2.dilate(parts, np.ones((JOINED, JOINED), np.uint8)) > 0))


def _stands_out(rgb: Pixels, surroundings: Pixels, handle: Bool) -> Bool:
    picture = rgb.astype(np.float32)
    known = (~handle).astype(np.float32)
    share = cv2.blur(known, (NEARBY, NEARBY))
    near = share > 0.02  # where there are surroundings to compare with
    share = np.maximum(share, 1e-4)
    mean = cv2.blur(picture * known[..., None], (NEARBY, NEARBY)) / share[..., None]
    spread = np.sqrt(cv2.blur(((picture - mean) ** 2).max(-1) * known, (NEARBY, NEARBY)) / share)
    difference = np.abs(picture - surroundings).max(-1)
    return np.asarray(handle & near & (difference > np.maximum(LEAST_STEP, SPREADS * spread)))
