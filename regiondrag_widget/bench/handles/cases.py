"""The cases of the handles benchmark: an object, a handle as people draw them, and a movement."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.bench.handles.handles import KINDS, PART_KINDS, Mask, handle_of, shifted
from regiondrag_widget.bench.handles.measure import Measures, Moved, measure
from regiondrag_widget.bench.handles.objects import HandObject
from regiondrag_widget.regions import RegionPair

Pixels = NDArray[np.uint8]

# movement -> scale and degrees about the handle's centroid, besides the object's own move
MOVEMENTS = {"move": (1.0, 0.0), "scale": (0.8, 0.0), "turn": (1.0, 15.0)}
SLACK = 24.0  # grey levels by which two ways to resample one picture may differ


@dataclass(frozen=True)
class Case:
    """One edit of the benchmark.

    Attributes
    ----------
    name
        "object, handle, movement".
    rgb
        (H, W, 3) uint8.
    mask
        (H, W) bool, the object's true mask.
    pair
        What is asked for.
    """

    name: str
    thing: HandObject
    kind: str
    movement: str
    rgb: Pixels
    mask: Mask
    pair: RegionPair

    def judged(self, after: Pixels) -> Measures:
        """The four measures of an edited picture (H, W, 3) uint8."""
        handle = np.asarray(self.pair.handle)
        return measure(self.rgb, after, self.mask, handle, self._moved(self.mask & handle))

    def _moved(self, marked: Mask) -> Moved:
        target = np.asarray(self.pair.target)
        if self.movement == "move":
            dx, dy = self.thing.move
            truth = np.asarray(shifted(self.rgb.astype(np.float32), dx, dy), np.float32)
            return Moved(truth, np.asarray(shifted(marked, dx, dy), np.bool_), target)
        matrix = np.asarray(self.pair.matrix, np.float64)[:2]
        size = (marked.shape[1], marked.shape[0])
        truth = cv2.warpAffine(self.rgb.astype(np.float32), matrix, size, flags=cv2.INTER_CUBIC)
        at = cv2.warpAffine(marked.astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR) > 0.5
        return Moved(np.asarray(truth, np.float32), np.asarray(at), target, SLACK)


def cases(objects: Sequence[HandObject], movements: Sequence[str] = ("move",)) -> Iterator[Case]:
    """Every handle of every object; scaling and turning with a lasso alone.

    Raises ``ValueError`` for an unknown movement.
    """
    for name in movements:
        if name not in MOVEMENTS:
            raise ValueError(f"movement {name!r} is unknown: use {', '.join(MOVEMENTS)}")
    for thing in objects:
        rgb, mask = np.array(thing.image()), np.asarray(thing.mask)
        for kind in KINDS if thing.kind == "whole" else PART_KINDS:
            handle = handle_of(mask, kind, zlib.crc32(f"{thing.name} {kind}".encode()))
            for movement in movements:
                if movement != "move" and kind != "lasso":
                    continue
                scale, turn = MOVEMENTS[movement]
                pair = RegionPair.move(handle, *thing.move, scale=scale, rotate=turn)
                yield Case(f"{thing.name}, {kind}, {movement}", thing, kind, movement, rgb, mask, pair)
