"""How well a map carries one region onto another."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from regiondrag_widget.regions import matrix as mx
from regiondrag_widget.regions.region import Region


def coverage(matrix: mx.Matrix, handle: Region, target: Region) -> tuple[float, float]:
    """Return the share of the target that comes from the handle, and of the handle that lands in it."""
    inverse = mx.inverse(matrix)
    from_handle = handle.contains(mx.apply(inverse, target.sample)).mean()
    into_target = target.contains(mx.apply(matrix, handle.sample)).mean()
    return float(from_handle), float(into_target)


def overlap(matrix: mx.Matrix, handle: Region, target: Region) -> float:
    """Return the intersection over union, in [0, 1], of the target and the handle carried by the matrix."""
    return pooled_overlap([(matrix, handle, target)])


def pooled_overlap(parts: Iterable[tuple[mx.Matrix, Region, Region]]) -> float:
    """Return the intersection over union of several parts together, each carried by its own matrix."""
    parts = list(parts)
    shares = np.array([coverage(*part) for part in parts])
    handles = np.array([handle.area for _, handle, _ in parts], dtype=np.float64)
    targets = np.array([target.area for _, _, target in parts], dtype=np.float64)
    from_handle = float((shares[:, 0] * targets).sum() / targets.sum())
    into_target = float((shares[:, 1] * handles).sum() / handles.sum())
    if from_handle == 0 or into_target == 0:
        return 0.0
    # With I the intersection: |target| = I / from_handle and |carried handle| = I / into_target.
    return 1.0 / (1.0 / from_handle + 1.0 / into_target - 1.0)
