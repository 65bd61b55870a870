"""What every row edits: a bundled photograph at the requested size, and drags of an object in it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from regiondrag_widget import assets
from regiondrag_widget.bench.truth.scene import Scene, ScenePair
from regiondrag_widget.bench.truth.transforms import Homography
from regiondrag_widget.regions import RegionPair, RegionPairs

__all__ = ["DRAGS", "Case", "make_case", "make_pairs_case"]

DRAGS = 24
"""Different targets of the same handle: more than a session remembers."""


@dataclass(frozen=True)
class Case:
    """A square picture (S, S, 3) uint8 and the drags tried on it, each a set of pairs."""

    picture: NDArray[np.uint8]
    drags: tuple[RegionPairs, ...]

    def drag(self, i: int) -> RegionPairs:
        """The drag of repetition ``i``: another one than the last few."""
        return self.drags[i % len(self.drags)]

    def scene(self, i: int = 0) -> Scene:
        """A drag as the methods of the ground-truth benchmark take it; the truth itself is not known."""
        pairs = tuple(
            ScenePair(p.handle, p.target, None if p.matrix is None else Homography(p.matrix))
            for p in self.drag(i)
        )
        return Scene("latency", "photograph", "translation", self.picture, self.picture, pairs)


def make_case(size: int) -> Case:
    """The bundled wren, dragged about a third of the picture away: its suggested edit and others."""
    example = assets.load("canyon-wren")
    scale = size / example.image.width
    picture = _resized(np.asarray(example.image), size)
    handle = _resized(example.handle.astype(np.uint8) * 255, size) > 127
    dx, dy = (step * scale for step in example.move)
    angles = np.linspace(0, 0.6, DRAGS)
    moves = [(dx * np.cos(a) - dy * np.sin(a), dx * np.sin(a) + dy * np.cos(a)) for a in angles]
    return Case(picture, tuple(RegionPairs([RegionPair.move(handle, *move)]) for move in moves))


def make_pairs_case(size: int, count: int) -> Case:
    """The same area in all, shared by ``count`` discs (at most 8) that move by a tenth of the picture."""
    picture = _resized(np.asarray(assets.load("canyon-wren").image), size)
    y, x = np.mgrid[:size, :size]
    radius = 0.11 * size / count**0.5
    discs = [
        np.hypot(x - (0.2 + 0.5 * (i % 2)) * size, y - (0.14 + 0.24 * (i // 2)) * size) < radius
        for i in range(count)
    ]
    steps = 0.1 * size + np.arange(DRAGS) * size / 256
    return Case(
        picture,
        tuple(RegionPairs([RegionPair.move(disc, step, 0) for disc in discs]) for step in steps),
    )


def _resized(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    how = cv2.INTER_AREA if size <= picture.shape[0] else cv2.INTER_CUBIC
    return np.ascontiguousarray(cv2.resize(picture, (size, size), interpolation=how))
