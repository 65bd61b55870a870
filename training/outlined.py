"""What reads handles is fitted on these: handles drawn round objects that were outlined by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.bench.handles.handles import KINDS, PART_KINDS, handle_of
from regiondrag_widget.bench.handles.objects import HandObject
from regiondrag_widget.imaging import find
from regiondrag_widget.imaging.cues import cues_of
from regiondrag_widget.imaging.likely import halved

__all__ = ["Example", "examples"]

Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

INNER, OUTER = 4.0, 6.0  # pixels from an outline within which a pixel counts for neither side
MORE = {
    "whole": ("lasso", "lasso", "brush", "misses"),
    "part": ("lasso", "lasso", "tight", "tight", "loose 8"),
}


@dataclass(frozen=True)
class Example:
    """One handle round one object: its cues and the truth, at half the size that is looked at.

    Attributes
    ----------
    name, photo, kind
        Of the object, its photograph's file, and of the handle.
    values
        (h, w, cues) float16.
    truth
        (h, w) int8: 1 in the object, 0 well outside it, -1 near its outline and outside the handle.
    """

    name: str
    photo: str
    kind: str
    values: npt.NDArray[np.float16]
    truth: npt.NDArray[np.int8]


def examples(objects: Sequence[HandObject]) -> Iterator[Example]:
    """Every kind of handle round each object, some of them drawn more than once."""
    for thing in objects:
        rgb = np.asarray(thing.image())
        usual = KINDS if thing.kind == "whole" else PART_KINDS
        for seed, kind in [*((0, kind) for kind in usual), *enumerate(MORE[thing.kind], 1)]:
            example = _example(thing, f"{kind} {seed}", rgb, thing.mask, handle_of(thing.mask, kind, seed))
            if example is not None:
                yield example


def _example(thing: HandObject, kind: str, rgb: Pixels, mask: Bool, handle: Bool) -> Example | None:
    part, inside, scale = find.looked_at(rgb, handle)
    cues = cues_of(part, inside, scale)
    if cues is None:
        return None
    object_ = find.looked_at(mask.astype(np.uint8) * 255, handle)[0] > 127
    truth = _truth(object_, inside, scale)[::2, ::2].copy()
    return Example(thing.name, thing.photo.name, kind, halved(cues.values).astype(np.float16), truth)


def _truth(mask: Bool, inside: Bool, scale: float) -> npt.NDArray[np.int8]:
    object_ = mask & inside
    framed = np.pad(object_.astype(np.uint8), 1)
    inner = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1] > INNER * scale
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    truth = np.full(mask.shape, -1, np.int8)
    truth[inner if inner.any() else object_] = 1
    truth[inside & (away > OUTER * scale)] = 0
    return truth
