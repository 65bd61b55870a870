"""Points given by a user: checked, and where they lie."""

from __future__ import annotations

from typing import Any

import numpy as np

from regiondrag_widget.regions.mask import Mask, Points
from regiondrag_widget.regions.region import Region

__all__ = ["as_points", "is_convex", "on_mask"]


def on_mask(region: Region, points: Points) -> Mask:
    """Return (n,) whether a point lies on the region, or within a pixel of it: it may be on its very edge."""
    around = [region.contains(points + np.array([dx, dy])) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
    return np.asarray(np.logical_or.reduce(around), dtype=np.bool_)


def as_points(value: Any, name: str) -> Points:
    """Return a new (n, 2) float64 array of finite numbers, or raise ``ValueError``."""
    try:
        points = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} are not numbers: give (n, 2), columns x, y") from None
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"{name} have shape {points.shape}: give (n, 2), columns x, y")
    if not np.isfinite(points).all():
        raise ValueError(f"{name} hold nan or infinity: every coordinate must be finite")
    return points


def is_convex(corners: Points) -> bool:
    """Whether four corners turn the same way all round."""
    sides = np.roll(corners, -1, axis=0) - corners
    after = np.roll(sides, -1, axis=0)
    turns = sides[:, 0] * after[:, 1] - sides[:, 1] * after[:, 0]
    return bool((turns > 0).all() or (turns < 0).all())
