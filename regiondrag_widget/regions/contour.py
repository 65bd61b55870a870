"""A smooth map that carries one outline onto another: for a target that was drawn by hand and bent.

An affine map fits what moved, turned or was scaled. Where it does not bring the outlines together, a cubic
map is fitted to them by iterated closest points (Besl and McKay 1992): points are matched by place and by
direction of the outline, moved fully across it and slightly along it, and the bending terms are kept small,
as in a thin plate.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from regiondrag_widget.regions import matrix as mx
from regiondrag_widget.regions.mask import Points
from regiondrag_widget.regions.region import Region

__all__ = ["ContourMap", "contour_map"]

POINTS = 128  # of each outline
ROUNDS = 40
SMOOTHING = 2.0  # pixels by which a drawn outline is smoothed
DIRECTION = 0.5  # weight of the direction, relative to places in units of the region's size
SLIDE = 0.1  # how far a point follows its match along the outline
STIFFNESS = (0.001, 0.002)  # of quadratic and cubic terms
LEAST_STRETCH = 0.05  # share of the regions' ratio of areas below which the map counts as folded

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ContourMap:
    """Target points (n, 2) -> source points (n, 2); a cubic polynomial in x and y."""

    centre: Float
    size: float
    terms: Float

    def __call__(self, points: Points) -> Points:
        """Map target points (n, 2) to source points (n, 2)."""
        return np.asarray(_basis((points - self.centre) / self.size) @ self.terms)

    def stretch(self, points: Points) -> Float:
        """Return (n,) by what factor areas at the points grow on their way back; negative where it folds."""
        across, down = (
            (self(points + d) - self(points - d)) for d in (np.array([0.5, 0]), np.array([0, 0.5]))
        )
        return np.asarray(across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0])

    def overlap(self, handle: Region, target: Region) -> float:
        """Return the intersection over union of handle and target mapped back; 0 if the map folds."""
        points = target.sample
        stretch = self.stretch(points)
        if stretch.min() <= LEAST_STRETCH * handle.area / target.area:
            return 0.0
        areas = stretch * (target.area / len(points))
        common = float(areas[handle.contains(self(points))].sum())
        return common / (handle.area + float(areas.sum()) - common)


def contour_map(handle: Region, target: Region, start: mx.Matrix) -> ContourMap:
    """Fit the target's outline to the handle's.

    Parameters
    ----------
    handle, target
        The two regions.
    start
        (3, 3) affine map of handle onto target, the initial guess.
    """
    theirs, ours = _outline(target), _outline(handle)
    centre = theirs.mean(0)
    size = max(float(np.abs(theirs - centre).max()), 1.0)
    basis = _basis((theirs - centre) / size)
    carried = mx.apply(mx.inverse(start), theirs)
    terms = np.zeros((basis.shape[1], 2))
    terms[:3] = np.linalg.lstsq(basis[:, :3], carried, rcond=None)[0]
    first, stiff = terms.copy(), np.diag([1e-9] * 3 + [STIFFNESS[0]] * 3 + [STIFFNESS[1]] * 4)
    spread = max(float(np.linalg.norm(ours - ours.mean(0), axis=1).mean()), 1.0)
    normals = _normals(ours)
    sought = np.hstack([ours / spread, DIRECTION * normals])
    tree = cKDTree(sought)
    for _ in range(ROUNDS):
        placed = np.hstack([carried / spread, DIRECTION * _normals(carried)])
        _, to_ours = tree.query(placed)
        _, to_theirs = cKDTree(placed).query(sought)
        rows = np.vstack([basis, basis[to_theirs]])
        at = np.vstack([carried, carried[to_theirs]])
        step = np.vstack([ours[to_ours], ours]) - at
        normal = np.vstack([normals[to_ours], normals])
        across = (step * normal).sum(1, keepdims=True) * normal
        goal = at + across + SLIDE * (step - across)
        terms = np.linalg.solve(rows.T @ rows / len(rows) + stiff, rows.T @ goal / len(rows) + stiff @ first)
        carried = basis @ terms
    return ContourMap(centre, size, terms)


def _basis(points: Points) -> Float:
    """(n, 10): all powers of x and y up to the third."""
    x, y = points.T
    one = np.ones_like(x)
    return np.stack([one, x, y, x * x, x * y, y * y, x**3, x * x * y, x * y * y, y**3], axis=1)


def _outline(region: Region) -> Float:
    """(POINTS, 2) the largest outline, counter-clockwise as seen, evenly spaced, smoothed."""
    padded = np.pad(region.mask.astype(np.uint8), 1)
    found, _ = cv2.findContours(padded, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    longest = max(found, key=len)[:, 0] + np.array([region.x0 - 1.0, region.y0 - 1.0])
    dense, length = _evenly(longest, max(4 * POINTS, len(longest)))
    smooth = gaussian_filter1d(dense, SMOOTHING * len(dense) / max(length, 1.0), axis=0, mode="wrap")
    return _evenly(smooth, POINTS)[0]


def _evenly(closed: Float, count: int) -> tuple[Float, float]:
    """`count` points at equal distances along a closed line, and its length."""
    line = np.vstack([closed, closed[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0, along[-1], count, endpoint=False)
    return np.stack([np.interp(at, along, line[:, k]) for k in (0, 1)], axis=1), float(along[-1])


def _normals(closed: Float) -> Float:
    tangents = np.roll(closed, -1, 0) - np.roll(closed, 1, 0)
    tangents = tangents / np.maximum(np.linalg.norm(tangents, axis=1, keepdims=True), 1e-9)
    return np.stack([tangents[:, 1], -tangents[:, 0]], axis=1)
