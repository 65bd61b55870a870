"""Scanline map: bounding box to bounding box in x, then each column stretched from top to bottom in y.

The idea of RegionDrag (ECCV 2024, section 3.1) for two free masks. It follows outlines that change shape, but
ignores rotation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.regions.mask import Points
from regiondrag_widget.regions.region import Region


def scanline_map(handle: Region, target: Region, points: Points) -> Points:
    """Map target points (n, 2) to handle points (n, 2), finite for every pair of regions."""
    x = np.clip(points[:, 0], target.x0 - 0.5, target.x0 + target.width - 0.5)
    along = (x - (target.x0 - 0.5)) / target.width  # in [0, 1] across the bounding box
    source_x = handle.x0 - 0.5 + along * handle.width

    top_t, bottom_t = _extents(target, x)
    top_h, bottom_h = _extents(handle, source_x)
    down = np.clip((points[:, 1] - top_t) / (bottom_t - top_t), 0.0, 1.0)
    return np.stack([source_x, top_h + down * (bottom_h - top_h)], axis=1)


def _extents(region: Region, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Upper and lower edge (n,) of the column nearest to each x; a gap takes those of the nearest column."""
    filled = np.flatnonzero(region.mask.any(axis=0))
    column = np.clip(np.floor(x + 0.5).astype(np.int64) - region.x0, 0, region.width - 1)
    after = np.clip(np.searchsorted(filled, column), 0, filled.size - 1)
    before = np.maximum(after - 1, 0)
    nearer_before = np.abs(filled[before] - column) <= np.abs(filled[after] - column)
    nearest = np.where(nearer_before, filled[before], filled[after])
    top = region.mask.argmax(axis=0)
    bottom = region.height - region.mask[::-1].argmax(axis=0)
    return region.y0 - 0.5 + top[nearest], region.y0 - 0.5 + bottom[nearest]
