"""ReD (of DragFlow): a folder for each sample, regions as pairs of masks."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from regiondrag_widget.datasets.folders import read_json, read_points
from regiondrag_widget.datasets.pictures import read_mask, read_rgb
from regiondrag_widget.datasets.places import require_folder, sample_folders
from regiondrag_widget.datasets.sample import Dataset, Sample, SampleError
from regiondrag_widget.regions import RegionPair, RegionPairs

__all__ = ["load_red"]

INDEX, PICTURE, EDITABLE = "instruction.json", "original_image.png", "mask.png"
PROMPTS = ("prompt", "target_prompt", "source_prompt")


def load_red(folder: str | os.PathLike[str]) -> Dataset:
    """Open ReD: folders, at any depth, with ``instruction.json``.

    Its ``region_operations`` has for each region ``centroids``, two points: where it is and where it goes.
    ``temp/mask_orig__N.png`` and ``temp/mask_proc__N.png`` are the handle and the target of region N, and
    ``mask.png`` is set where the picture may change.

    Raises
    ------
    ValueError, OSError
        The folder is not there or holds no such samples.
    """
    root = require_folder(folder)
    places = list(sample_folders(root, {INDEX}))
    if not places:
        raise ValueError(f"{root} holds no samples of ReD: each is a folder with {INDEX}")
    return Dataset(root.name, root, [place for place in places if place[1].name != "temp"], _read)


def _read(name: str, folder: Path) -> Sample:
    if not (folder / INDEX).is_file():
        raise SampleError(f"{INDEX} is missing")
    told: Any = read_json(folder / INDEX)
    operations = told.get("region_operations") if isinstance(told, dict) else None
    if not isinstance(operations, dict) or not all(isinstance(o, dict) for o in operations.values()):
        raise SampleError(f"{INDEX} has no region_operations")
    image = read_rgb(folder / PICTURE)
    shape = int(image.shape[0]), int(image.shape[1])
    pairs = [
        RegionPair(
            read_mask(folder / "temp" / f"mask_orig__{number}.png", shape),
            read_mask(folder / "temp" / f"mask_proc__{number}.png", shape),
            name=str(operations[number].get("task") or ""),
        )
        for number in sorted(operations, key=_number)
    ]
    if not pairs:
        raise SampleError(f"{INDEX} names no region")
    centroids = [operations[number].get("centroids") for number in sorted(operations, key=_number)]
    editable = folder / EDITABLE
    return Sample(
        name,
        image,
        next((str(told[key]) for key in PROMPTS if told.get(key)), ""),
        RegionPairs(pairs),
        read_points([two for two in centroids if two], INDEX) if any(centroids) else np.zeros((0, 2, 2)),
        read_mask(editable, shape) if editable.is_file() else None,
    )


def _number(text: str) -> int:
    if not re.fullmatch(r"\d{1,4}", str(text)):
        raise SampleError(f"{INDEX}: {str(text)[:20]!r} is no number of a region")
    return int(text)
