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
from regiondrag_widget.imaging.segment import SIDE

__all__ = ["Example", "examples"]

Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

INNER, OUTER = 4.0, 6.0  # pixels from an outline within which a pixel counts for neither side
FAR, SHIFT = 0.2, 0.2  # of an object's longer side: how far around and beside it careless handles lie
CUTS = (0.4, 0.2), (3.7, 0.4)  # radians, and the share of the object that is cut off
ASIDE = (1.2, 3.3, 5.4)  # radians
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
    careless
        Whether the handle cuts much of the object off, or lies far around it or beside it.
    values
        (h, w, cues) float16.
    truth
        (h, w) int8: 1 in the object, 0 well outside it, -1 near its outline and outside the handle.
    """

    name: str
    photo: str
    kind: str
    careless: bool
    values: npt.NDArray[np.float16]
    truth: npt.NDArray[np.int8]


def examples(objects: Sequence[HandObject]) -> Iterator[Example]:
    """Every kind of handle round each object, some of them drawn more than once, and careless ones."""
    for thing in objects:
        rgb = np.asarray(thing.image())
        usual = KINDS if thing.kind == "whole" else PART_KINDS
        drawn = [*((0, kind) for kind in usual), *enumerate(MORE[thing.kind], 1)]
        usual_ones = [(f"{kind} {seed}", handle_of(thing.mask, kind, seed)) for seed, kind in drawn]
        for careless, handles in ((False, usual_ones), (True, list(_careless(thing.mask)))):
            for kind, handle in handles:
                part, inside, scale = find.looked_at(rgb, handle)
                cues = cues_of(part, inside, scale, find.looked_at(rgb, handle, SIDE)[0])
                if cues is None:
                    continue
                object_ = find.looked_at(thing.mask.astype(np.uint8) * 255, handle)[0] > 127
                truth = _truth(object_, inside, scale)[::2, ::2].copy()
                values = halved(cues.values).astype(np.float16)
                yield Example(thing.name, thing.photo.name, kind, careless, values, truth)


def _careless(mask: Bool) -> Iterator[tuple[str, Bool]]:
    """Handles (H, W) that cut much of the object off, lie far around it, or beside it."""
    height, width = mask.shape
    ys, xs = np.nonzero(mask)
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    extent = max(np.ptp(xs), np.ptp(ys)) + 1
    yield "far", away <= FAR * extent
    for angle, missed in CUTS:
        along = across * np.cos(angle) + down * np.sin(angle)
        yield f"cut {missed}", (away <= 8) & (along <= np.quantile(along[mask], 1 - missed))
    for angle in ASIDE:
        x = (xs.min() + xs.max()) / 2 + SHIFT * extent * np.cos(angle)
        y = (ys.min() + ys.max()) / 2 + SHIFT * extent * np.sin(angle)
        a, b = (0.6 * (np.ptp(of) + 1) + 4 for of in (xs, ys))
        yield f"aside {angle}", ((across - x) / a) ** 2 + ((down - y) / b) ** 2 <= 1


def _truth(mask: Bool, inside: Bool, scale: float) -> npt.NDArray[np.int8]:
    object_ = mask & inside
    framed = np.pad(object_.astype(np.uint8), 1)
    inner = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1] > INNER * scale
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    truth = np.full(mask.shape, -1, np.int8)
    truth[inner if inner.any() else object_] = 1
    truth[inside & (away > OUTER * scale)] = 0
    return truth
