"""Boxes of whole pixels."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from regiondrag_widget.regions.mask import Mask

__all__ = ["Box", "bounding_box", "slices_of"]

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
