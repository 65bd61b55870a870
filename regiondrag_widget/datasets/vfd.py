"""VFD-Bench (of FlowDrag): frames of videos with points, and the true frame."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from regiondrag_widget.datasets.folders import read_json, read_points
from regiondrag_widget.datasets.pictures import read_mask, read_rgb
from regiondrag_widget.datasets.places import require_folder, sample_folders
from regiondrag_widget.datasets.sample import Dataset, Points, Sample, SampleError
from regiondrag_widget.regions import RegionPairs

__all__ = ["load_vfd"]

PICTURE, TRUTH, EDITABLE, POINTS, PROMPT = "input.png", "gt.png", "mask.png", "points.json", "prompt.json"


def load_vfd(folder: str | os.PathLike[str]) -> Dataset:
    """Open VFD: folders, at any depth, with ``input.png`` and ``points.json``.

    Also read are ``gt.png``, the right answer, ``mask.png``, set where the picture may change, and
    ``prompt.json``. The points are a list of [[x, y], [x, y]], a flat list of handle, target, handle ..., or
    an object with ``handle_points`` and ``target_points``, or ``points``. There are no regions: `expand`
    makes them.

    Raises
    ------
    ValueError, OSError
        The folder is not there or holds no such samples.
    """
    root = require_folder(folder)
    places = list(sample_folders(root, {POINTS}))
    if not places:
        raise ValueError(f"{root} holds no samples of VFD: each is a folder with {PICTURE} and {POINTS}")
    return Dataset(root.name, root, places, _read)


def _read(name: str, folder: Path) -> Sample:
    if not (folder / POINTS).is_file():
        raise SampleError(f"{POINTS} is missing")
    image = read_rgb(folder / PICTURE)
    shape = int(image.shape[0]), int(image.shape[1])
    prompt: Any = read_json(folder / PROMPT) if (folder / PROMPT).is_file() else ""
    if isinstance(prompt, dict):
        prompt = prompt.get("prompt") or ""
    editable, truth = folder / EDITABLE, folder / TRUTH
    return Sample(
        name,
        image,
        prompt if isinstance(prompt, str) else "",
        RegionPairs([]),
        _points(read_json(folder / POINTS)),
        read_mask(editable, shape) if editable.is_file() else None,
        read_rgb(truth) if truth.is_file() else None,
    )


def _points(told: Any) -> Points:
    if isinstance(told, dict) and "handle_points" in told:
        ends = [_flat(told.get(key)) for key in ("handle_points", "target_points")]
        if len(ends[0]) != len(ends[1]):
            raise SampleError(f"{POINTS}: {len(ends[0])} handle points and {len(ends[1])} target points")
        return np.stack(ends, axis=1)
    given = told.get("points") if isinstance(told, dict) else told
    points = read_points(given or [], POINTS)
    if not len(points):
        raise SampleError(f"{POINTS} holds no points")
    return points


def _flat(given: Any) -> Points:
    """(N, 2) of a list of [x, y]; raises `SampleError` for anything else."""
    try:
        return np.asarray(given, dtype=np.float64).reshape(-1, 2)
    except (TypeError, ValueError, OverflowError):
        raise SampleError(f"{POINTS}: points are no list of [x, y]") from None
