"""Polygon map: corners of one region's smallest polygon onto the other's, affine (3) or perspective (4)."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.regions import matrix as mx
from regiondrag_widget.regions.moments import axis_aligned
from regiondrag_widget.regions.overlap import overlap
from regiondrag_widget.regions.region import Region

_TIE = 0.02  # matches of the corners that differ by less count as equal
_TIGHTER = (
    0.97  # of the smallest rectangle's area: round shapes have many smallest quadrilaterals, all skewed
)
_FOURTH_CORNER = 0.2  # in the two regions' tightness: what a fourth corner must gain


def polygon_map_matrix(handle: Region, target: Region) -> mx.Matrix:
    """Return the (3, 3) map of handle to target by 3 or 4 corners, whichever fits both better."""
    fits = []
    for sides, handicap in ((3, 0.0), (4, _FOURTH_CORNER)):
        corners_h, corners_t = polygon_corners(handle, sides), polygon_corners(target, sides)
        matrix = _matched(corners_h, corners_t, handle, target)
        if matrix is not None:
            tightness = handle.area / _area(corners_h) + target.area / _area(corners_t)
            fits.append((tightness - handicap, matrix))
    if not fits:  # every perspective between them flips part of the handle
        return axis_aligned(handle, target)
    return max(fits, key=lambda fit: fit[0])[1]


def polygon_matrix(source_corners: Any, target_corners: Any) -> mx.Matrix:
    """Return the (3, 3) matrix that carries 3 corners (affine) or 4 corners (perspective) to as many others.

    Parameters
    ----------
    source_corners, target_corners
        (3, 2) or (4, 2) points x, y in matching order.

    Raises
    ------
    ValueError
        There are not 3 or 4 corners on each side, a coordinate is not finite, or three corners lie on one
        line.
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
    # OpenCV takes float32: measured from their middle, large coordinates lose nothing.
    origin_s, origin_t = source.mean(axis=0), target.mean(axis=0)
    a, b = (source - origin_s).astype(np.float32), (target - origin_t).astype(np.float32)
    matrix = np.eye(3)
    if len(a) == 3:
        matrix[:2] = cv2.getAffineTransform(a, b)
    else:
        matrix[:] = cv2.getPerspectiveTransform(a, b)
    matrix = (
        mx.affine(np.eye(2), np.zeros(2), origin_t) @ matrix @ mx.affine(np.eye(2), origin_s, np.zeros(2))
    )
    return mx.as_matrix(matrix, "the corners' matrix")


def polygon_corners(region: Region, sides: int) -> NDArray[np.float64]:
    """Corners (sides, 2) of the smallest triangle or quadrilateral round the region, clockwise as seen.

    Pixels count as unit squares, so even a single one has corners.
    """
    rim = region.boundary - np.array([region.x0, region.y0])
    outline = np.concatenate([rim + np.array([dx, dy]) for dx in (-0.5, 0.5) for dy in (-0.5, 0.5)])
    hull = cv2.convexHull(outline.astype(np.float32))
    if sides == 3:
        corners = _as_corners(cv2.minEnclosingTriangle(hull)[1])
    else:
        x, y, width, height = -0.5, -0.5, region.width, region.height
        corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])
        turned = _as_corners(cv2.boxPoints(cv2.minAreaRect(hull)))
        if _area(turned) < _TIGHTER * _area(corners):
            corners = turned
        free = _as_corners(cv2.approxPolyN(hull, 4)) if len(hull) >= 4 else corners
        encloses = len(free) == 4 and not _degenerate(free) and _area(free) > 0.98 * cv2.contourArea(hull)
        if encloses and _area(free) < _TIGHTER * _area(corners):
            corners = free
    if _signed_area(corners) < 0:
        corners = corners[::-1]
    return np.asarray(corners + np.array([region.x0, region.y0]), dtype=np.float64)


def _matched(
    corners_h: NDArray[np.float64], corners_t: NDArray[np.float64], handle: Region, target: Region
) -> mx.Matrix | None:
    """Try every start of the cycle, without mirroring.

    The best overlap wins; among equals the one that distorts least, and among those the smaller turn.
    """
    tried = []
    for start in range(len(corners_t)):
        rolled = np.roll(corners_t, -start, axis=0)
        try:
            matrix = polygon_matrix(corners_h, rolled)
        except ValueError:
            continue
        if mx.weights(matrix, handle.boundary.astype(np.float64)).min() > 0:
            tried.append((overlap(matrix, handle, target), *_similarity(corners_h, rolled), matrix))
    if not tried:
        return None
    best_overlap = max(entry[0] for entry in tried)
    tried = [entry for entry in tried if entry[0] >= best_overlap - _TIE]
    least_distortion = min(entry[1] for entry in tried)
    tried = [entry for entry in tried if entry[1] <= least_distortion + _TIE]
    return min(tried, key=lambda entry: entry[2])[3]


def _similarity(a: NDArray[np.float64], b: NDArray[np.float64]) -> tuple[float, float]:
    """How far corners b are from a turned and scaled copy of a, in [0, 1], and the cost of the turn."""
    p, q = ((c - c.mean(axis=0)) @ np.array([1, 1j]) for c in (a, b))
    product = np.vdot(p, q)
    residual = 1.0 - abs(product) ** 2 / float(np.vdot(p, p).real * np.vdot(q, q).real)
    return float(residual), mx.turn_cost(float(np.angle(product)))


def _as_corners(corners: Any) -> NDArray[np.float64]:
    return np.asarray(corners, dtype=np.float64).reshape(-1, 2)


def _signed_area(corners: NDArray[np.float64]) -> float:
    x, y = corners.T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def _area(corners: NDArray[np.float64]) -> float:
    return abs(_signed_area(corners))


def _degenerate(corners: NDArray[np.float64]) -> bool:
    size = float(np.ptp(corners, axis=0).max())
    triples = [np.delete(corners, i, axis=0) for i in range(4)] if len(corners) == 4 else [corners]
    return size == 0 or any(_area(triple) < 1e-6 * size * size for triple in triples)
