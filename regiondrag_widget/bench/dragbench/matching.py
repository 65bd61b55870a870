"""Mean distance: where in the edited picture the features of the handle points are found.

Two figures of this name are in the literature and must not be mixed. MD-RD (RegionDrag, Inpaint4Drag)
searches two discs and divides by the picture's sides; MD-px (DragDiffusion) searches the whole picture and is
in pixels. Both take the features, and where to look, from what they are given here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["MIN_RADIUS", "discs", "matched_bilinear", "matched_nearest", "md_px", "md_rd"]

Features = NDArray[np.float32]  # (C, h, w), of any resolution
Points = NDArray[np.float64]  # (N, 2, 2): handle and target as x, y
Mask = NDArray[np.bool_]

MIN_RADIUS = 5.0  # pixels of a search disc
ROWS = 64  # of a picture that are compared at once


def md_rd(before: Features, after: Features, points: Points, shape: tuple[int, int]) -> float:
    """Mean distance as RegionDrag's evaluation has it, as a share of the picture's sides.

    Papers print it times 100. Features are brought to the picture's size by the nearest cell. Each point is
    sought within two discs, round its handle and its target; its distance is the length of (target - match)
    with x divided by the width and y by the height.

    Parameters
    ----------
    before, after
        (C, h, w), the features of the picture and of the edited one.
    points
        (N, 2, 2), at least one.
    shape
        (H, W) of the picture.
    """
    matches = matched_nearest(before, after, points, shape)
    size = np.array([shape[1], shape[0]], dtype=np.float64)
    return float(np.linalg.norm((_whole(points)[:, 1] - matches) / size, axis=1).mean())


def md_px(before: Features, after: Features, points: Points, shape: tuple[int, int]) -> float:
    """Mean distance as DragDiffusion's evaluation has it, in pixels.

    Features are brought to the picture's size bilinearly, and each point is sought in the whole picture. The
    paper's mean is over all points of all pictures: weigh this mean by the number of points. Parameters as
    for `md_rd`.
    """
    matches = matched_bilinear(before, after, points, shape)
    return float(np.linalg.norm(_whole(points)[:, 1] - matches, axis=1).mean())


def discs(handle: NDArray[np.int64], target: NDArray[np.int64], shape: tuple[int, int]) -> Mask:
    """(H, W) bool: nearer to handle or target than the search's radius.

    The radius is their distance over the square root of 2, and at least 5.
    """
    radius = max(MIN_RADIUS, float(np.linalg.norm(handle - target)) / 2**0.5)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    near = [np.hypot(x - point[0], y - point[1]) < radius for point in (handle, target)]
    return np.asarray(near[0] | near[1])


def matched_nearest(
    before: Features, after: Features, points: Points, shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Find each point within its discs, features at the nearest cell -> (N, 2) x, y.

    Of equal places the first counts, row by row: all pixels of a cell are equal.
    """
    rows, columns = _nearest_cells(shape[0], before.shape[1]), _nearest_cells(shape[1], before.shape[2])
    goal_rows, goal_columns = (
        _nearest_cells(shape[0], after.shape[1]),
        _nearest_cells(shape[1], after.shape[2]),
    )
    cells = _unit(after)
    found = []
    for handle, target in _whole(points):
        query = _unit(before[:, rows[handle[1]], columns[handle[0]]])
        alike = np.tensordot(query, cells, axes=(0, 0))[goal_rows[:, None], goal_columns[None, :]]
        best = int(np.where(discs(handle, target, shape), alike, -np.inf).argmax())
        found.append((best % shape[1], best // shape[1]))
    return np.array(found, dtype=np.float64).reshape(-1, 2)


def matched_bilinear(
    before: Features, after: Features, points: Points, shape: tuple[int, int]
) -> NDArray[np.float64]:
    """Find each point in the whole picture, features between cells by bilinear mixing -> (N, 2) x, y."""
    whole = _whole(points)
    handle_y, handle_x = whole[:, 0, 1], whole[:, 0, 0]
    queries = _unit(
        np.stack(
            [
                _rows_of(before, np.array([y]), shape)[:, 0, x]
                for y, x in zip(handle_y, handle_x, strict=True)
            ],
            axis=1,
        )
    )  # (C, N)
    best = np.full(len(whole), -np.inf)
    places = np.zeros((len(whole), 2))
    for first in range(0, shape[0], ROWS):
        rows = np.arange(first, min(first + ROWS, shape[0]))
        part = _unit(_rows_of(after, rows, shape)).reshape(len(after), -1)
        alike = queries.T @ part  # (N, pixels)
        at = alike.argmax(axis=1)
        value = alike[np.arange(len(whole)), at]
        better = value > best
        best = np.where(better, value, best)
        found = np.stack([at % shape[1], first + at // shape[1]], axis=1)
        places = np.where(better[:, None], found, places)
    return np.asarray(places, dtype=np.float64)


def _whole(points: Points) -> NDArray[np.int64]:
    """Whole pixels, as the papers' code cuts them."""
    return np.asarray(np.maximum(points, 0), dtype=np.int64)


def _unit(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features of length 1 along the first axis."""
    length = np.linalg.norm(features, axis=0, keepdims=True)
    return np.asarray(features / np.maximum(length, 1e-12), dtype=np.float32)


def _nearest_cells(pixels: int, cells: int) -> NDArray[np.int64]:
    """The cell that each pixel of a side takes, as torch's nearest interpolation chooses."""
    return np.minimum(np.arange(pixels) * cells // pixels, cells - 1)


def _rows_of(features: Features, rows: NDArray[np.int64], shape: tuple[int, int]) -> Features:
    """(C, n, W): rows of the features at the picture's size, bilinearly, cell centres half a cell in."""
    low_y, high_y, share_y = _between(rows, shape[0], features.shape[1])
    low_x, high_x, share_x = _between(np.arange(shape[1]), shape[1], features.shape[2])
    mixed = features[:, low_y] * (1 - share_y)[None, :, None] + features[:, high_y] * share_y[None, :, None]
    return np.asarray(mixed[..., low_x] * (1 - share_x) + mixed[..., high_x] * share_x, dtype=np.float32)


def _between(
    pixels: NDArray[np.int64], size: int, cells: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    at = np.maximum((pixels + 0.5) * cells / size - 0.5, 0)
    low = np.minimum(at.astype(np.int64), cells - 1)
    return low, np.minimum(low + 1, cells - 1), np.asarray(at - low, dtype=np.float32)
