"""What surrounds a handle: its colours, and how far from them each pixel is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Surroundings", "distance_to_colours", "surroundings_of"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

KINDS = 16  # of colours told apart in the window
COMPONENTS = 6  # of the mixture that describes the surroundings
SAMPLES = 6000
OWN = float(np.log(2.0))  # a colour twice as common in the handle as around it is the object's
RARE = 0.002  # share that every colour has at least
VARIANCE = 1.5  # of CIELAB units squared, that every colour has at least
OUTLYING, LEAST = (
    0.97,
    2.5,
)  # the quantile of the surroundings' own distances that stands out, and at least this
FEW = 50  # pixels that are too few to learn from


@dataclass(frozen=True)
class Surroundings:
    """How a window's pixels compare with what surrounds its handle.

    Attributes
    ----------
    own
        (h, w) bool, colours that are at home in the handle more than around it.
    outlying
        (h, w) bool, colours that the surroundings do not have.
    """

    own: Bool
    outlying: Bool


def surroundings_of(rgb: Pixels, handle: Bool) -> Surroundings | None:
    """Compare the colours in a handle with those around it; None where too little surrounds it.

    A colour that is at home in the handle does not count for the surroundings, though some of it lie there:
    where the handle misses a piece of its object the piece must not pass for background.

    Parameters
    ----------
    rgb
        (h, w, 3) uint8, a window.
    handle
        (h, w) bool.
    """
    ring = ~handle
    if ring.sum() < FEW:
        return None
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    kinds = _kinds(lab)
    count = int(kinds.max()) + 1
    inside = np.bincount(kinds[handle], minlength=count) / handle.sum()
    around = np.bincount(kinds[ring], minlength=count) / ring.sum()
    own = (np.log((inside + RARE) / (around + RARE)) > OWN)[kinds]
    sure = ring & ~own
    if sure.sum() < FEW:
        return None
    distance = distance_to_colours(lab, lab[sure])
    limit = max(LEAST, float(np.quantile(distance[sure], OUTLYING)))
    return Surroundings(own, distance > limit)


def _kinds(lab: Float) -> npt.NDArray[np.int64]:
    """(h, w) which of a few colours each pixel is nearest to (k-means)."""
    _, centres = _means(_sample(lab.reshape(-1, 3), 8000), KINDS)
    flat = lab.reshape(-1, 3)
    nearest = (flat @ (-2 * centres.T) + (centres**2).sum(1)).argmin(1)
    return np.asarray(nearest.reshape(lab.shape[:2]), np.int64)


def distance_to_colours(lab: Float, known: Float) -> Float:
    """(h, w) smallest Mahalanobis distance to the components of a mixture fitted to `known` (n, 3)."""
    known = _sample(known, SAMPLES)
    labels, centres = _means(known, COMPONENTS)
    best = np.full(lab.shape[:2], np.inf, np.float32)
    for i, centre in enumerate(centres):
        members = known[labels == i]
        if len(members) < 12:
            continue
        covariance = np.cov(members.T) + VARIANCE * np.eye(3)
        root = np.linalg.cholesky(np.linalg.inv(covariance)).astype(np.float32)
        best = np.minimum(best, (((lab - centre) @ root) ** 2).sum(-1))
    return np.sqrt(best)


def _sample(values: Float, most: int) -> Float:
    if len(values) <= most:
        return values
    return values[np.random.default_rng(0).choice(len(values), most, replace=False)]


def _means(values: Float, count: int) -> tuple[npt.NDArray[np.int32], Float]:
    """K-means: labels (n,) and centres (k, 3)."""
    count = min(count, max(1, len(values) // 40))
    cv2.setRNGSeed(0)  # k-means draws from OpenCV's own generator
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 15, 0.5)
    _, labels, centres = cv2.kmeans(values, count, np.zeros((0, 1), np.int32), stop, 1, cv2.KMEANS_PP_CENTERS)
    return np.asarray(labels[:, 0], np.int32), np.asarray(centres, np.float32)
