"""Copies brought to the picture at a hole's rim, so that its outline does not show as a line."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["BESIDE", "to_rim"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

BESIDE = 5  # pixels around a hole that are needed
RING = 2.5  # pixels beside the hole where copies are compared with the picture
STEP = 40.0  # grey levels of a step that is half believed to be an edge, which tints nothing


def to_rim(picture: Float, copies: Float, hole: Bool, known: Bool, reach: int) -> Float:
    """What is to be added to copies near the rim of a hole; zero elsewhere.

    Parameters
    ----------
    picture
        (h, w, 3) float32 in 0..255.
    copies
        (h, w, 3) float32, those of the hole, going on `BESIDE` pixels outside it.
    hole, known
        (h, w) bool; the second is compared with.
    reach
        Pixels within which steps are averaged, and twice within which the correction fades.
    """
    away = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, 5)
    ring = known & ~hole & (away <= RING)
    miss = np.where(ring[..., None], picture - copies, 0).astype(np.float32)  # in the hole is what was there
    far = np.abs(_mean(miss, ring, 1.0)).max(-1)
    weight = np.where(ring, 1 / (1 + (far / STEP) ** 4), 0).astype(np.float32)
    step = _mean(miss * weight[..., None], ring, reach)
    deep = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(step * (np.exp(-deep / (2 * reach)) * hole)[..., None], np.float32)


def _mean(values: Float, where: Bool, sigma: float) -> Float:
    """The mean nearby of values (h, w, 3) that are zero elsewhere."""
    share = np.maximum(cv2.GaussianBlur(where.astype(np.float32), (0, 0), sigma), 1e-3)
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma) / share[..., None], np.float32)
