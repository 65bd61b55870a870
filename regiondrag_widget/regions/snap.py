"""Move source points into the handle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from regiondrag_widget.regions.mask import Points
from regiondrag_widget.regions.region import Region

_WITHIN = 0.49  # stay this near a pixel's centre, so that any rounding finds the same pixel


def snap(points: Points, handle: Region) -> NDArray[np.float32]:
    """Return the points (n, 2) float32, those outside the handle moved to its nearest pixel."""
    inside = handle.contains(points)
    outside = ~inside
    snapped = points.copy()
    if outside.any():
        rim = handle.boundary
        _, nearest = cKDTree(rim).query(points[outside], workers=-1)
        snapped[outside] = rim[nearest]
    centre = np.floor(snapped + 0.5)
    return (centre + np.clip(snapped - centre, -_WITHIN, _WITHIN)).astype(np.float32)
