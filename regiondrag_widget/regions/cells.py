"""Latent cells: which ones belong to a region, and which one a point lies in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.regions.mask import Points
from regiondrag_widget.regions.region import Region

_NUDGE = 1e-6  # in cells: points halfway between two cells all go to the same side, despite rounding


def check_grid(grid: tuple[int, int], shape: tuple[int, int]) -> tuple[int, int]:
    """Return (h, w) as integers; raise ``ValueError`` unless 1 <= h <= H and 1 <= w <= W."""
    h, w = grid
    if not (1 <= h <= shape[0] and 1 <= w <= shape[1]):
        raise ValueError(
            f"grid ({h}, {w}) does not fit a picture of {shape[1]}x{shape[0]}: give (h, w) in cells"
        )
    return int(h), int(w)


def cell_centres(cells: NDArray[np.int64], grid: tuple[int, int], shape: tuple[int, int]) -> Points:
    """Pixel positions (n, 2) of the centres of cells (n, 2), columns x, y."""
    return (cells + 0.5) * _cell_size(grid, shape) - 0.5


def cells_at(points: Points, grid: tuple[int, int], shape: tuple[int, int]) -> NDArray[np.int64]:
    """Cells (n, 2), columns x, y, in which pixel positions lie; outside the picture the nearest cell."""
    cells = np.floor((points + 0.5) / _cell_size(grid, shape) + _NUDGE).astype(np.int64)
    return np.clip(cells, 0, [grid[1] - 1, grid[0] - 1])


def region_cells(region: Region, grid: tuple[int, int], shape: tuple[int, int]) -> NDArray[np.int64]:
    """The region's cells (n, 2), columns x, y, row by row: those whose centre lies in it.

    A region too thin to hold any centre has the cells it overlaps most.
    """
    corners = np.array(
        [[region.x0, region.y0], [region.x0 + region.width - 1, region.y0 + region.height - 1]]
    )
    (x0, y0), (x1, y1) = cells_at(corners.astype(np.float64), grid, shape)
    x, y = np.meshgrid(np.arange(x0, x1 + 1), np.arange(y0, y1 + 1))
    cells = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.int64)
    held = region.contains(cell_centres(cells, grid, shape))
    if not held.any():
        of_pixel = cells_at(region.pixels.astype(np.float64), grid, shape) - [x0, y0]
        flat = of_pixel[:, 1] * (x1 - x0 + 1) + of_pixel[:, 0]
        counts = np.bincount(flat, minlength=len(cells))
        held = counts * 2 > counts.max()  # a thin line fills many cells about equally
    return cells[held]


def _cell_size(grid: tuple[int, int], shape: tuple[int, int]) -> NDArray[np.float64]:
    return np.array([shape[1] / grid[1], shape[0] / grid[0]])
