"""Our own folders: what `save_regions` writes, with a prompt, points and a truth beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from regiondrag_widget.datasets.pictures import read_mask, read_rgb
from regiondrag_widget.datasets.places import require_folder, sample_folders
from regiondrag_widget.datasets.sample import Dataset, Points, Sample, SampleError
from regiondrag_widget.regions import load_regions
from regiondrag_widget.regions.limits import MAX_INDEX_BYTES

__all__ = ["load_folders", "read_json", "read_points"]

INDEX, ABOUT = "regions.json", "sample.json"


def load_folders(folder: str | os.PathLike[str]) -> Dataset:
    """Open a folder of folders that `save_regions` or ``regiondrag dataset expand`` wrote.

    Each holds ``regions.json`` with its PNGs, and as far as they are known ``sample.json`` (``prompt``;
    ``points``, a list of [[x, y], [x, y]]: handle and target), ``editable.png`` and ``truth.png``.

    Raises
    ------
    ValueError, OSError
        The folder is not there or holds no such samples.
    """
    root = require_folder(folder)
    places = list(sample_folders(root, {INDEX}))
    if not places:
        raise ValueError(f"{root} holds no saved regions: each sample is a folder with {INDEX}")
    return Dataset(root.name, root, places, _read)


def _read(name: str, folder: Path) -> Sample:
    if not (folder / INDEX).is_file():
        raise SampleError(f"{INDEX} is missing")
    picture, pairs = load_regions(folder)
    image = np.asarray(picture.convert("RGB"), np.uint8)
    shape = int(image.shape[0]), int(image.shape[1])
    about: Any = read_json(folder / ABOUT) if (folder / ABOUT).is_file() else {}
    if not isinstance(about, dict):
        raise SampleError(f"{ABOUT} is no object")
    editable, truth = folder / "editable.png", folder / "truth.png"
    return Sample(
        name,
        image,
        str(about.get("prompt") or ""),
        pairs,
        read_points(about.get("points") or [], ABOUT),
        read_mask(editable, shape) if editable.is_file() else None,
        read_rgb(truth) if truth.is_file() else None,
    )


def read_json(path: Path) -> Any:
    """Read a small JSON file; raises `SampleError` for one that is damaged or large, and ``OSError``."""
    if path.stat().st_size > MAX_INDEX_BYTES:
        raise SampleError(f"{path.name} has more than {MAX_INDEX_BYTES} bytes")
    try:
        return json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise SampleError(f"{path.name} is damaged: {error}") from error


def read_points(given: Any, where: str) -> Points:
    """(N, 2, 2) of a list of [[x, y], [x, y]]; raises `SampleError` for anything else."""
    try:
        points = np.asarray(given, dtype=np.float64)
        return points.reshape(0, 2, 2) if not points.size else points.reshape(-1, 2, 2)
    except (TypeError, ValueError, OverflowError):
        raise SampleError(f"{where}: points are no list of [[x, y], [x, y]]") from None
