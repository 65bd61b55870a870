"""Boxes of whole pixels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np

from regiondrag_widget.regions.mask import Mask

__all__ = ["Box", "bounding_box", "grown", "slices_of", "union_of", "within_box"]

Box: TypeAlias = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels; x1 and y1 are one past the last."""


def bounding_box(mask: Mask) -> Box:
    """Return x0, y0, x1, y1 of the smallest box that holds the mask (H, W), which has at least one pixel."""
    rows = np.flatnonzero(mask.any(axis=1))
    y0, y1 = int(rows[0]), int(rows[-1]) + 1
    columns = np.flatnonzero(mask[y0:y1].any(axis=0))
    return int(columns[0]), y0, int(columns[-1]) + 1, y1


def slices_of(box: Box) -> tuple[slice, slice]:
    """Return the rows and columns of a box, to index a picture with."""
    x0, y0, x1, y1 = box
    return slice(y0, y1), slice(x0, x1)


def union_of(boxes: Iterable[Box]) -> Box:
    """Return the smallest box that holds all of these; an empty box counts for nothing."""
    filled = [box for box in boxes if box[0] < box[2] and box[1] < box[3]]
    if not filled:
        return 0, 0, 0, 0
    x0, y0, x1, y1 = zip(*filled, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def grown(box: Box, by: int, shape: tuple[int, int]) -> Box:
    """Return the box with so many pixels more on every side, as far as a picture (H, W) goes."""
    x0, y0, x1, y1 = box
    return max(0, x0 - by), max(0, y0 - by), min(shape[1], x1 + by), min(shape[0], y1 + by)


def within_box(box: Box, outer: Box) -> tuple[slice, slice]:
    """Return the rows and columns of a box in an array that fills an outer one."""
    x0, y0, x1, y1 = box
    return slice(y0 - outer[1], y1 - outer[1]), slice(x0 - outer[0], x1 - outer[0])
