"""The affine map between two regions from their moments: the default when only two masks are given.

Axis-aligned scale and translation, unless turning the principal axes fits clearly better: the
principal axes of a roundish hand-drawn region point anywhere, and using them would invent rotations. It never
mirrors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.regions import matrix as mx
from regiondrag_widget.regions.overlap import overlap
from regiondrag_widget.regions.region import Region

MIN_ELONGATION = 1.4  # of both regions, long over short axis, before their axes mean anything
MIN_GAIN = 0.05  # in overlap, before a rotation is accepted
MIN_SQUASH = 3.0  # of the upright map, from which a turn that hardly squashes is accepted without a gain
MAX_TURNED_SQUASH = 1.3
_HALF_TURN_GAIN = 0.05  # in overlap, before the larger of the two turns that fit the axes is taken


def moments_matrix(handle: Region, target: Region) -> mx.Matrix:
    """Return the (3, 3) affine map of ``handle`` onto ``target``, always finite and invertible."""
    upright = axis_aligned(handle, target)
    if min(elongation(handle), elongation(target)) < MIN_ELONGATION:
        return upright
    turned = principal_axes(handle, target)
    gain = overlap(turned, handle, target) - overlap(upright, handle, target)
    return turned if gain >= MIN_GAIN or _crushes(upright, turned, gain) else upright


def axis_aligned(handle: Region, target: Region) -> mx.Matrix:
    """Scale in x, scale in y and translation that carry centroid and spread (standard deviation)."""
    scale = np.sqrt(np.diag(target.covariance) / np.diag(handle.covariance))
    return mx.affine(np.diag(scale), handle.centroid, target.centroid)


def principal_axes(handle: Region, target: Region) -> mx.Matrix:
    """Turn and scale the handle's principal axes into the target's.

    Axes have no direction, so two turns fit, half a turn apart: the one with the better overlap, or the
    smaller one when both overlap equally (a bar).
    """
    handle_spread, handle_axes = _axes(handle)
    target_spread, target_axes = _axes(target)
    stretch = np.diag(target_spread / handle_spread)
    candidates = []
    for sign in (1.0, -1.0):
        linear = sign * target_axes @ stretch @ handle_axes.T
        rotation = sign * target_axes @ handle_axes.T
        cost = mx.turn_cost(float(np.arctan2(rotation[1, 0], rotation[0, 0])))
        candidates.append((cost, mx.affine(linear, handle.centroid, target.centroid)))
    candidates.sort(key=lambda candidate: candidate[0])
    smaller, larger = (matrix for _, matrix in candidates)
    gain = overlap(larger, handle, target) - overlap(smaller, handle, target)
    return larger if gain > _HALF_TURN_GAIN else smaller


def elongation(region: Region) -> float:
    """Long over short principal axis, 1 for a disc or a square."""
    spread, _ = _axes(region)
    return float(spread[0] / spread[1])


def _crushes(upright: mx.Matrix, turned: mx.Matrix, gain: float) -> bool:
    """Whether a flat bar was redrawn upright: squashing fits as well as a quarter turn, but is not meant."""
    return gain > -MIN_GAIN and _squash(upright) >= MIN_SQUASH and _squash(turned) <= MAX_TURNED_SQUASH


def _squash(matrix: mx.Matrix) -> float:
    """Largest over smallest stretch of an affine matrix, 1 for a similarity."""
    stretches = np.linalg.svd(matrix[:2, :2], compute_uv=False)
    return float(stretches[0] / stretches[1])


def _axes(region: Region) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Standard deviations (2,), larger first, and right-handed unit axes as columns (2, 2)."""
    values, vectors = np.linalg.eigh(region.covariance)
    axes = vectors[:, ::-1]
    if np.linalg.det(axes) < 0:
        axes = axes * np.array([1.0, -1.0])
    return np.sqrt(values[::-1]), axes
