"""PRDBench (of ICRDrag): pairs of frames, regions as colours that pair up, true targets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.datasets.folders import read_json, read_points
from regiondrag_widget.datasets.pictures import read_planes, read_rgb
from regiondrag_widget.datasets.places import require_folder
from regiondrag_widget.datasets.sample import Dataset, Sample, SampleError
from regiondrag_widget.regions import RegionPair, RegionPairs

__all__ = ["load_prdbench", "pairs_of_colours"]

INDEX = "drag_data.json"
GROUND, OFF = 128, 5  # grey of what is no region, and how far from it a region's colour is
SAME = 60.0  # distance of two colours, at most, that mean one region
ALONG = 0.98  # cosine above which one colour is a blend of the other with the ground
LEAST = 0.005  # share of the marked pixels that a colour needs: less is an edge's blend

Colours = NDArray[np.uint8]


def load_prdbench(folder: str | os.PathLike[str]) -> Dataset:
    """Open PRDBench: its folder, or the folder ``test`` in it.

    ``drag_data.json`` lists samples with ``src_img_path``, ``src_mask_path``, ``tgt_mask_path`` and
    ``points``, each a ``handle_point`` and a ``target_point``. Pictures are in ``source_images`` and
    ``target_images``, masks in ``source_masks_color`` and ``target_masks_color``: grey 128 is no region, and
    equal colours pair up.

    Raises
    ------
    ValueError, OSError
        The folder is not there, or holds no such list.
    """
    given = require_folder(folder)
    root = next((place for place in (given, given / "test") if (place / INDEX).is_file()), None)
    if root is None:
        raise ValueError(f"{given} holds no PRDBench: it needs {INDEX}")
    listed = read_json(root / INDEX)
    entries = list(listed.values()) if isinstance(listed, dict) else listed
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{root / INDEX} lists no samples")
    places: dict[str, _Place] = {}
    for number, entry in enumerate(entries):
        given_name = str(entry.get("src_img_path", "")) if isinstance(entry, dict) else ""
        name = Path(_base(given_name)).stem.strip(" .") or f"sample-{number}"
        while name in places:
            name += "+"
        places[name] = _Place(root, entry)
    return Dataset(given.name, given, list(places.items()), _read, lambda place: place.files)


def pairs_of_colours(source: Colours, target: Colours) -> RegionPairs:
    """Make a pair for each colour that occurs in both masks (H, W, 3) uint8.

    Raises
    ------
    SampleError
        No colour does.
    """
    before, after = _regions(source), _regions(target)
    pairs = []
    for colour, handle in before:
        near = [(float(np.linalg.norm(colour - other)), mask) for other, mask in after]
        distance, goal = min(near, key=lambda item: item[0], default=(np.inf, handle))
        if distance <= SAME:
            pairs.append(RegionPair(handle, goal))
    if not pairs:
        raise SampleError("no colour of the source mask occurs in the target mask")
    return RegionPairs(pairs)


class _Place:
    """A sample's entry, and the files that it names."""

    def __init__(self, root: Path, entry: Any) -> None:
        self.root, self.entry = root, entry

    def __reduce__(self) -> tuple[Any, ...]:
        return _Place, (self.root, self.entry)

    def file(self, folder: str, key: str, colour: bool = False) -> Path:
        """The file of an entry's field: its base name alone counts, so that no path leads elsewhere."""
        named = self.entry.get(key) if isinstance(self.entry, dict) else None
        if not isinstance(named, str) or not named:
            raise SampleError(f"{INDEX} names no {key}")
        base = _base(named)
        return self.root / folder / (base.replace("mask", "color") if colour else base)

    @property
    def picture(self) -> Path:
        """The picture before."""
        return self.file("source_images", "src_img_path")

    @property
    def truth(self) -> Path:
        """The true picture after; of the same name where the entry gives none."""
        named = isinstance(self.entry, dict) and self.entry.get("tgt_img_path")
        return self.file("target_images", "tgt_img_path" if named else "src_img_path")

    @property
    def masks(self) -> tuple[Path, Path]:
        """The masks of source and target."""
        return (
            self.file("source_masks_color", "src_mask_path", colour=True),
            self.file("target_masks_color", "tgt_mask_path", colour=True),
        )

    @property
    def files(self) -> list[Path]:
        """All files of the sample that are there."""
        return [path for path in (self.picture, self.truth, *self.masks) if path.is_file()] + [
            self.root / INDEX
        ]


def _base(path: str) -> str:
    """The last part of a path of any system."""
    return path.replace("\\", "/").rsplit("/", 1)[-1]


def _read(name: str, place: _Place) -> Sample:
    image = read_rgb(place.picture)
    shape = int(image.shape[0]), int(image.shape[1])
    source, target = (read_planes(path, shape) for path in place.masks)
    try:
        given = [[point["handle_point"], point["target_point"]] for point in place.entry.get("points", [])]
    except (TypeError, KeyError):
        raise SampleError("the points are no list of handle_point and target_point") from None
    return Sample(
        name,
        image,
        str(place.entry.get("prompt") or ""),
        pairs_of_colours(source, target),
        read_points(given, INDEX),
        truth=read_rgb(place.truth) if place.truth.is_file() else None,
    )


def _same(colour: NDArray[np.float64], known: NDArray[np.float64]) -> bool:
    """Whether a colour, as it differs from the ground, is a known one or a blend of it with the ground."""
    lengths = float(np.linalg.norm(colour) * np.linalg.norm(known))
    return bool(np.linalg.norm(colour - known) <= SAME or colour @ known > ALONG * lengths)


def _regions(mask: Colours) -> list[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """Each colour that marks a region, with its pixels; blends at the edges go to the nearest colour."""
    marked = (np.abs(mask.astype(np.int16) - GROUND) > OFF).any(axis=2)
    if not marked.any():
        return []
    colours, counts = np.unique(mask[marked].reshape(-1, 3), axis=0, return_counts=True)
    kept: list[NDArray[np.float64]] = []
    for colour in colours[np.argsort(-counts)][: int((counts >= LEAST * marked.sum()).sum()) or 1]:
        if not any(_same(colour - float(GROUND), other - GROUND) for other in kept):
            kept.append(colour.astype(np.float64))
    nearest = np.stack([np.linalg.norm(mask - colour, axis=2) for colour in kept]).argmin(axis=0)
    return [(colour, np.asarray(marked & (nearest == index))) for index, colour in enumerate(kept)]
