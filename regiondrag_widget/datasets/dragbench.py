"""DragBench: DragBench-SR (of SDE-Drag), DragBench-DR (of DragDiffusion), and copies of them with masks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.datasets.densepoints import pairs_of_points
from regiondrag_widget.datasets.pictures import read_mask, read_rgb
from regiondrag_widget.datasets.places import require_folder, sample_folders
from regiondrag_widget.datasets.sample import Dataset, Points, Sample, SampleError
from regiondrag_widget.datasets.unpickle import read_pickle
from regiondrag_widget.regions import RegionPair, RegionPairs

__all__ = ["load_dragbench"]

PICTURES = tuple(f"original_image.{ending}" for ending in ("png", "jpg", "jpeg", "webp"))
POINTS, REGIONS = "meta_data.pkl", "meta_data_region.pkl"
HANDLE, TARGET = "source_mask.png", "target_mask.png"


def load_dragbench(folder: str | os.PathLike[str]) -> Dataset:
    """Open DragBench-SR, DragBench-DR, or any folder in their layout.

    A sample is a folder, at any depth, with ``original_image.png`` and ``meta_data.pkl``: a dict of
    ``prompt``, ``points`` (x, y of handle, target, handle, target ...) and ``mask`` (H, W), not zero where
    the picture may change. Regions come from ``source_mask.png`` and ``target_mask.png``, else from
    ``meta_data_region.pkl``, whose points are a dense map; without either a sample has points alone. The
    pickles are read as plain data: nothing in them is run.

    Raises
    ------
    ValueError, OSError
        The folder is not there or holds no such samples.
    """
    root = require_folder(folder)
    known = {*PICTURES, POINTS, REGIONS}
    places = list(sample_folders(root, known))
    if not places:
        raise ValueError(
            f"{root} holds no DragBench samples: each is a folder with original_image.png and {POINTS}"
        )
    return Dataset(root.name, root, places, _read)


def _read(name: str, folder: Path) -> Sample:
    picture = next((folder / file for file in PICTURES if (folder / file).is_file()), None)
    if picture is None:
        raise SampleError("original_image.png is missing")
    if not (folder / POINTS).is_file() and not (folder / REGIONS).is_file():
        raise SampleError(f"{POINTS} is missing: it holds the points")
    image = read_rgb(picture)
    shape = image.shape[:2]
    entry = _entry(folder / (POINTS if (folder / POINTS).is_file() else REGIONS))
    points = _points(entry) if (folder / POINTS).is_file() else np.zeros((0, 2, 2))
    return Sample(
        name,
        image,
        str(entry.get("prompt") or ""),
        _pairs(folder, (shape[0], shape[1])),
        points,
        _editable(entry.get("mask")),
    )


def _pairs(folder: Path, shape: tuple[int, int]) -> RegionPairs:
    if (folder / HANDLE).is_file() and (folder / TARGET).is_file():
        return RegionPairs([RegionPair(read_mask(folder / HANDLE, shape), read_mask(folder / TARGET, shape))])
    if not (folder / REGIONS).is_file():
        return RegionPairs([])
    dense = _points(_entry(folder / REGIONS))
    if not len(dense):
        raise SampleError(f"{REGIONS} holds no points")
    limit = np.array([shape[1], shape[0]]) - 0.5
    if ((dense < -0.5) | (dense > limit)).any():
        raise SampleError(f"{REGIONS} has points outside the picture of {shape[1]}x{shape[0]}")
    return pairs_of_points(dense[:, 0], dense[:, 1], shape)


def _entry(path: Path) -> dict[str, Any]:
    entry = read_pickle(path)
    if not isinstance(entry, dict) or "points" not in entry:
        raise SampleError(f"{path.name} is no dict with points")
    return entry


def _points(entry: dict[str, Any]) -> Points:
    """(N, 2, 2): the flat list holds handle, target, handle, target ..."""
    given = entry["points"]
    try:
        flat = np.asarray(given, dtype=np.float64).reshape(-1, 2) if len(given) else np.zeros((0, 2))
    except (TypeError, ValueError, OverflowError):
        raise SampleError("the points are not pairs of numbers x, y") from None
    if len(flat) % 2:
        raise SampleError(f"there are {len(flat)} points, and each handle needs a target")
    if not np.isfinite(flat).all():
        raise SampleError("a point is not finite: each is x, y in pixels")
    return flat.reshape(-1, 2, 2)


def _editable(mask: Any) -> NDArray[np.bool_] | None:
    if mask is None:
        return None
    array = np.asarray(mask)
    if array.dtype.kind not in "biuf" or array.ndim not in (2, 3) or not array.size:
        raise SampleError("the mask is no array (H, W) of numbers")
    if array.ndim == 3:
        array = array.max(axis=2)
    found = np.asarray(array != 0)
    return found if found.any() else None  # DragBench marks nothing where everything may change
