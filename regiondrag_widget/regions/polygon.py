"""Polygon map: the corners of one region's minimum-area polygon onto the other's, affine (3) or perspective (4)."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from . import matrix as mx
from .overlap import overlap
from .region import Region

_TIE = 0.02  # in overlap: below this two ways to match the corners fit alike, and the smaller turn is taken


def polygon_map_matrix(handle: Region, target: Region) -> mx.Matrix:
    """Return the (3, 3) map of handle to target by 3 or 4 corners, whichever number fits both regions better."""
    best: tuple[float, mx.Matrix] | None = None
    for sides in (4, 3):
        corners_h, corners_t = polygon_corners(handle, sides), polygon_corners(target, sides)
        if corners_h is None or corners_t is None:
            continue
        tightness = handle.area / _area(corners_h) + target.area / _area(corners_t)
        matrix = _matched(corners_h, corners_t, handle, target)
        if matrix is not None and (best is None or tightness > best[0] + _TIE):
            best = (tightness, matrix)
    if best is None:  # both reduce to something without area between their corners
        from .moments import axis_aligned

        return axis_aligned(handle, target)
    return best[1]


def polygon_matrix(source_corners: Any, target_corners: Any) -> mx.Matrix:
    """Return the (3, 3) matrix that carries 3 corners (affine) or 4 corners (perspective) to as many others.

    Parameters
    ----------
    source_corners, target_corners
        (3, 2) or (4, 2) points x, y in matching order.

    Raises
    ------
    ValueError
        Another number of corners, not finite, or three of them on one line.
    """
    source, target = (np.asarray(c, dtype=np.float64) for c in (source_corners, target_corners))
    if source.shape != target.shape or source.shape not in ((3, 2), (4, 2)):
        raise ValueError(
            f"corners have shapes {source.shape} and {target.shape}: give 3 or 4 points (x, y) for each side"
        )
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise ValueError("corners hold nan or infinity: every coordinate must be finite")
    if _degenerate(source) or _degenerate(target):
        raise ValueError("three corners lie on one line: they span no area")
    # OpenCV takes float32: measured from their first corners, large coordinates lose nothing.
    origin_s, origin_t = source.mean(axis=0), target.mean(axis=0)
    a, b = (source - origin_s).astype(np.float32), (target - origin_t).astype(np.float32)
    matrix = np.eye(3)
    if len(a) == 3:
        matrix[:2] = cv2.getAffineTransform(a, b)
    else:
        matrix[:] = cv2.getPerspectiveTransform(a, b)
    matrix = mx.affine(np.eye(2), np.zeros(2), origin_t) @ matrix @ mx.affine(np.eye(2), origin_s, np.zeros(2))
    return mx.as_matrix(matrix, "the corners' matrix")


def polygon_corners(region: Region, sides: int) -> NDArray[np.float64] | None:
    """Corners (sides, 2) of the region's smallest enclosing polygon, clockwise as seen, or None if it has none."""
    rim = region.boundary
    edges = np.concatenate([rim + np.array([dx, dy]) for dx in (-0.5, 0.5) for dy in (-0.5, 0.5)])
    hull = cv2.convexHull((edges - [region.x0, region.y0]).astype(np.float32))
    if len(hull) < sides:
        return None
    corners = np.asarray(cv2.approxPolyN(hull, sides), dtype=np.float64).reshape(-1, 2)
    if len(corners) != sides or not np.isfinite(corners).all() or _degenerate(corners):
        return None
    corners = corners if _signed_area(corners) > 0 else corners[::-1]
    return np.asarray(corners + [region.x0, region.y0], dtype=np.float64)


def _matched(
    corners_h: NDArray[np.float64], corners_t: NDArray[np.float64], handle: Region, target: Region
) -> mx.Matrix | None:
    """Try every start of the cycle (no mirroring): the best overlap wins, the smaller turn where that is a tie."""
    tried = []
    for start in range(len(corners_t)):
        rolled = np.roll(corners_t, -start, axis=0)
        try:
            matrix = polygon_matrix(corners_h, rolled)
        except ValueError:
            continue
        if mx.weights(matrix, handle.boundary.astype(np.float64)).min() <= 0:
            continue
        turn = np.linalg.norm((rolled - rolled.mean(axis=0)) - (corners_h - corners_h.mean(axis=0)))
        tried.append((overlap(matrix, handle, target), float(turn), start, matrix))
    if not tried:
        return None
    best = max(fit for fit, *_ in tried)
    return min((entry for entry in tried if entry[0] >= best - _TIE), key=lambda entry: entry[1:3])[3]


def _signed_area(corners: NDArray[np.float64]) -> float:
    x, y = corners.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def _area(corners: NDArray[np.float64]) -> float:
    return abs(_signed_area(corners))


def _degenerate(corners: NDArray[np.float64]) -> bool:
    size = float(np.ptp(corners, axis=0).max())
    triples = [np.delete(corners, i, axis=0) for i in range(4)] if len(corners) == 4 else [corners]
    return size == 0 or any(_area(triple) < 1e-6 * size * size for triple in triples)
