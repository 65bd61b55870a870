"""Copies that pass into one another where they meet: a cut in grass or gravel is seen as a line."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["agreement", "crossfaded"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.uint8]

LEAST = 0.2  # of the weights, that must be of copies that reach a known pixel
FEW = 0.05  # of the pixels nearby: less of a copy is not compared
NEAR = 2.0  # searched pixels within which the colours of two copies are compared
STEP = 24.0  # grey levels between them that are half believed to be an edge, which stays sharp


def agreement(rgb: Float, labels: Labels) -> Float:
    """How much of one colour, (h, w) float32 in [0, 1], the copies are that meet near each pixel.

    Gravel and gravel are, cut anywhere; a roof and the sky are not, and are told apart by their edge.

    Parameters
    ----------
    rgb
        (h, w, 3) float32 in 0..255, the copies at a small size.
    labels
        (h, w) uint8, which copy a pixel is of; 0 for none.
    """
    apart = np.zeros(labels.shape, np.float32)
    lowest, highest = np.full_like(rgb, np.inf), np.full_like(rgb, -np.inf)
    for label in np.unique(labels[labels > 0]):
        own = (labels == label).astype(np.float32)
        share = cv2.GaussianBlur(own, (0, 0), NEAR)
        mean = cv2.GaussianBlur(rgb * own[..., None], (0, 0), NEAR) / np.maximum(share, 1e-6)[..., None]
        here = share > FEW
        lowest[here] = np.minimum(lowest[here], mean[here])
        highest[here] = np.maximum(highest[here], mean[here])
    met = highest[..., 0] >= lowest[..., 0]
    apart[met] = (highest - lowest)[met].max(-1)
    return np.asarray(1 / (1 + (apart / STEP) ** 4), np.float32)


def crossfaded(
    rgb: Float | npt.NDArray[np.uint8],
    sources: Float,
    labels: Labels,
    strip: tuple[slice, slice],
    margin: int,
    hole: Bool,
    unknown: Bool,
    shifts: Float,
    reach: int,
    agreed: Float,
) -> Float:
    """The sources of a strip's pixels, mixed with those of other copies that are near.

    Parameters
    ----------
    rgb
        (H, W, 3) uint8, or float32 in 0..255.
    sources
        (h, w, 3) float32 of the strip, as they are without mixing.
    labels
        (h + m, w) uint8, which copy a pixel is of; its first `margin` rows lie above the strip.
    strip
        Rows and columns.
    margin
        Rows.
    hole, unknown
        (H, W) bool, the second with what must not be copied.
    shifts
        (n, 2) float32 x, y, of all copies.
    reach
        Pixels from a seam to where a copy stands alone.
    agreed
        (h, w) float32 of the strip: the `agreement` of copies that meet.
    """
    disc = np.ones((2 * reach + 1,) * 2, np.uint8)
    height = strip[0].stop - strip[0].start
    inner = slice(margin, margin + height)
    near = (cv2.dilate(labels, disc) != cv2.erode(labels, disc))[inner] & hole[strip]
    y, x = np.nonzero(near)
    if not len(y):
        return sources
    own = labels[inner][y, x]
    total, mixed = np.zeros(len(y), np.float32), np.zeros((len(y), 3), np.float32)
    last_y, last_x = hole.shape[0] - 1, hole.shape[1] - 1
    for label in np.flatnonzero(np.bincount(labels[inner][near])):
        share = cv2.GaussianBlur((labels == label).astype(np.float32), disc.shape, reach / 2)[inner][y, x]
        share *= np.where(own == label, 1, agreed[y, x])
        at = np.flatnonzero(share > 0)
        from_x = np.clip(x[at] + strip[1].start + int(shifts[label, 0]), 0, last_x)
        from_y = np.clip(y[at] + strip[0].start + int(shifts[label, 1]), 0, last_y)
        known = ~unknown[from_y, from_x]
        at, from_y, from_x = at[known], from_y[known], from_x[known]
        total[at] += share[at]
        mixed[at] += share[at, None] * rgb[from_y, from_x]
    good = total > LEAST
    faded = sources.copy()
    faded[y[good], x[good]] = mixed[good] / total[good, None]
    return faded
