"""The bundled photographs, each with a region to move and a place to move it to.

>>> import regiondrag_widget as rd
>>> duck = rd.examples.load("rubber-duck")
>>> rd.edit(duck.image, [duck.pair])
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from regiondrag_widget.regions.pair import RegionPair


@dataclass(frozen=True, eq=False)
class Example:
    """A photograph with a suggested edit.

    Attributes
    ----------
    name
        As in `names`.
    title
        What it shows, in a few words.
    image
        The photograph, RGB.
    handle
        (H, W) bool, what to move, outlined a few pixels outside as by hand.
    move
        (dx, dy) in pixels, x to the right, y down.
    scale, rotate
        Resize and turn (degrees, counter-clockwise) about the handle's centre.
    credit
        Author, licence and source, to be shown with the photograph.
    """

    name: str
    title: str
    image: Image.Image
    handle: np.ndarray
    move: tuple[float, float]
    scale: float
    rotate: float
    credit: str

    @property
    def pair(self) -> RegionPair:
        """The handle and the suggested target, ready for `edit`."""
        from regiondrag_widget.regions.pair import RegionPair

        return RegionPair.move(self.handle, *self.move, self.scale, self.rotate, name=self.name)


def names() -> list[str]:
    """Return the names of the bundled photographs; the first is the one to start with."""
    return list(_index())


def load(name: str | None = None) -> Example:
    """Return one bundled photograph with its handle; without a name, the first.

    Raises
    ------
    ValueError
        There is no photograph of that name.
    """
    entries = _index()
    name = next(iter(entries)) if name is None else name
    if name not in entries:
        raise ValueError(f"there is no example {name!r}: the bundled ones are {', '.join(entries)}")
    entry = entries[name]
    folder = resources.files(__name__)
    with (folder / f"{name}.jpg").open("rb") as file, Image.open(file) as photograph:
        image = photograph.convert("RGB")
    with (folder / f"{name}-handle.png").open("rb") as file, Image.open(file) as mask:
        handle = np.array(mask.convert("1"), dtype=bool)
    handle.setflags(write=False)
    dx, dy = entry["move"]
    credit = f"{entry['author']}, {entry['licence']}, {entry['source']}"
    return Example(name, entry["title"], image, handle, (dx, dy), entry["scale"], entry["rotate"], credit)


@cache
def _index() -> dict[str, dict[str, Any]]:
    text = (resources.files(__name__) / "examples.json").read_text("utf-8")
    entries: dict[str, dict[str, Any]] = json.loads(text)
    return entries
