"""The objects of the handles benchmark: outlined by hand on real photographs, whole ones and parts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DATA = Path(__file__).resolve().parent / "data"
SPLITS = ("train", "test", "extra", "fresh")

Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False)
class HandObject:
    """An object on a photograph, outlined by hand.

    Attributes
    ----------
    name : what it is; no two objects share one.
    photo : the photograph's file.
    kind : ``"whole"``, an object with its own ground around it, or ``"part"``, a piece of a larger object.
    split : ``"train"``, ``"test"``, and of those outlined later ``"extra"``, to fit on, and ``"fresh"``,
        that nothing was fitted on. All objects of one photograph are on the same side.
    tags : what makes it hard, e.g. ``"hair"`` or ``"white-on-white"``.
    move : (dx, dy) in whole pixels, x to the right, y down: where a person might take it.
    rings : closed polygons of (x, y), pixel (i, j) being the square from (j, i) to (j + 1, i + 1).
    note : what the outline takes in or leaves out, where that is a choice.
    """

    name: str
    photo: Path
    kind: Literal["whole", "part"]
    split: Literal["train", "test", "extra", "fresh"]
    tags: tuple[str, ...]
    move: tuple[int, int]
    rings: tuple[Ring, ...]
    note: str = ""

    def image(self) -> Image.Image:
        """The photograph, RGB."""
        with Image.open(self.photo) as picture:
            return picture.convert("RGB")

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """The object's pixels: (H, W) bool, read-only, the size of the photograph."""
        with Image.open(self.photo) as picture:
            width, height = picture.size
        mask = rasterise(self.rings, (height, width))
        mask.setflags(write=False)
        return mask


def load_objects(split: str | None = None) -> list[HandObject]:
    """The outlined objects, by name; those of one split only when it is given.

    Raises
    ------
    ValueError
        When ``split`` is neither None nor one of ``SPLITS``.
    """
    if split is not None and split not in SPLITS:
        raise ValueError(f"there is no split {split!r}: give {', '.join(map(repr, SPLITS))}, or None for all")
    entries = json.loads((DATA / "objects.json").read_text("utf-8"))["objects"]
    objects = [
        HandObject(
            name=entry["name"],
            photo=DATA / "photos" / entry["photo"],
            kind=entry["kind"],
            split=entry["split"],
            tags=tuple(entry["tags"]),
            move=(entry["move"][0], entry["move"][1]),
            rings=tuple(tuple((x, y) for x, y in ring) for ring in entry["rings"]),
            note=entry.get("note", ""),
        )
        for entry in entries
        if split is None or entry["split"] == split
    ]
    return sorted(objects, key=lambda item: item.name)


def rasterise(rings: Sequence[Sequence[tuple[float, float]]], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels whose centres lie within the rings, by the even-odd rule: a ring within a ring is a hole.

    OpenCV's and Pillow's polygons take whole pixels and their own border in, half a pixel too much all round;
    an outline drawn to a pixel deserves better.

    Parameters
    ----------
    rings
        Closed polygons of (x, y) in pixels; the last point joins the first.
    size
        (height, width) of the mask.

    Returns
    -------
    ndarray
        (height, width) bool.
    """
    height, width = size
    mask = np.zeros(size, dtype=bool)
    across = np.arange(width) + 0.5
    down = np.arange(height) + 0.5
    for ring in rings:
        for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], ring[0]], strict=True):
            rows = (down < y0) != (down < y1)
            if rows.any():
                crossing = x0 + (down[rows] - y0) * (x1 - x0) / (y1 - y0)
                mask[rows] ^= across >= crossing[:, None]
    return mask
