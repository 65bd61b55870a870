"""Deformations in saved regions: pins as JSON, dense maps as plain float32 files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from regiondrag_widget.regions.bend import Bend
from regiondrag_widget.regions.densemap import DenseMap
from regiondrag_widget.regions.kept import KeptMask
from regiondrag_widget.regions.target import Deformation

__all__ = ["deformation_as_json", "read_deformation"]


def deformation_as_json(deformation: Deformation, file: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return a pair's entry of a deformation, and the files that it names.

    A dense map is stored as little-endian float32, x and y of each pixel of its box, row by row.

    Parameters
    ----------
    deformation
        What to save.
    file
        How a file would be called.
    """
    if isinstance(deformation, Bend):
        pins = {"from": deformation.from_points.tolist(), "to": deformation.to_points.tolist()}
        return {"bend": {**pins, "matrix": deformation.matrix.tolist()}}, {}
    height, width = deformation.source.shape[:2]
    box = [deformation.x0, deformation.y0, deformation.x0 + width, deformation.y0 + height]
    return {"map": {"file": file, "box": box}}, {file: deformation.source.astype("<f4").tobytes()}


def read_deformation(
    entry: dict[str, Any], handle: KeptMask, read: Callable[[Any, int], bytes]
) -> Deformation | None:
    """Return the deformation of a pair's entry, or None where it has none.

    Parameters
    ----------
    entry
        As `deformation_as_json` made it.
    handle
        The pair's handle.
    read
        Returns the content of a file by its name, given the most bytes allowed.

    Raises
    ------
    ValueError
        Something in it is wrong.
    """
    if entry.get("bend") is not None:
        bend = entry["bend"]
        if not isinstance(bend, dict):
            raise ValueError("its bend is no object with from, to and matrix")
        return Bend(bend.get("from"), bend.get("to"), bend.get("matrix"), region=handle.region())
    if entry.get("map") is None:
        return None
    described = entry["map"]
    box = described.get("box") if isinstance(described, dict) else None
    if not (isinstance(box, list) and len(box) == 4 and all(type(n) is int for n in box)):
        raise ValueError("its map has no box [x0, y0, x1, y1]")
    x0, y0, x1, y1 = box
    shape = handle.shape
    if not (0 <= x0 < x1 <= shape[1] and 0 <= y0 < y1 <= shape[0]):
        raise ValueError(f"its map has the box {box}, outside its {shape[1]}x{shape[0]} pixels")
    size = 8 * (x1 - x0) * (y1 - y0)
    data = read(described.get("file"), size)
    if len(data) != size:
        raise ValueError(f"its map is cut short: {len(data)} of {size} bytes are there")
    source = np.full((*shape, 2), np.nan, dtype=np.float32)
    source[y0:y1, x0:x1] = np.frombuffer(data, dtype="<f4").reshape(y1 - y0, x1 - x0, 2)
    return DenseMap(source)
