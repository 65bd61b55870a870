"""What judges the regions that clicks may mean is fitted on these: clicks on objects outlined by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from regiondrag_widget.bench.handles.objects import HandObject
from regiondrag_widget.bench.select.clicks import innermost, largest
from regiondrag_widget.select import Superpixels, correcting, objectness
from regiondrag_widget.select.clicking import Click, changes, regions_at
from regiondrag_widget.select.enlarging import enlarged

__all__ = ["LINEAR", "Choice", "Correction", "collect"]

CLICKS, CORRECTIONS, CROPS = 4, 3, 2  # of each object: first clicks, clicks that follow, crops
CROP_SIDE = 448  # pixels of the longer side that a crop is enlarged to
NEAREST, SMALLEST = 1.25, 150  # sides of an object, and pixels: the least side of a crop
LINEAR = ("thing", "better")  # of a change's measures, those that depend on the networks


class Choice(NamedTuple):
    """One first click: its photograph, the measures (k, m) of what it may mean, overlaps (k,), and weight."""

    photo: str
    measures: np.ndarray
    overlaps: np.ndarray
    weight: float


class Correction(NamedTuple):
    """One correction: the measures (k, m) of its k changes and of what is selected after, with overlaps.

    ``some`` (k,) bool are the changes after which something is selected; ``was`` (1, m) is the selection
    before.
    """

    photo: str
    thing: np.ndarray
    after: np.ndarray
    some: np.ndarray
    was: np.ndarray
    others: np.ndarray
    overlaps: np.ndarray


def collect(
    objects: Sequence[HandObject], ready: dict[str, Superpixels]
) -> tuple[list[Choice], list[Correction]]:
    """Click on all objects and correct; ``ready`` holds each photograph's superpixels."""
    rng = np.random.default_rng(0)
    things: list[Choice] = []
    corrections: list[Correction] = []
    for thing in objects:
        photo = thing.photo.name
        views = [(ready[photo], np.asarray(thing.mask))]
        views += [(Superpixels(rgb), mask) for rgb, mask in _crops(thing, rng)]
        for number, (pieces, true) in enumerate(views):
            for x, y in _clicks(true, rng):
                place = pieces._to_work(x, y)
                click = Click(pieces.index_at(x, y), *place, True)
                regions = regions_at(pieces._pieces, click).members
                table = objectness.measures(pieces._pieces.graph, regions, *place)
                weight = 1.0 if number else float(CROPS)
                overlaps = _overlaps(pieces, regions, true)
                things.append(Choice(photo, table, overlaps, weight))
                if not number:
                    for start in regions[[overlaps.argmax(), rng.integers(len(regions))]]:
                        corrections += _corrections(photo, pieces, click, start, true, rng)
    return things, corrections


def _crops(thing: HandObject, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Parts of the photograph with all of the object in them, and its mask."""
    rgb, mask = np.array(thing.image()), np.asarray(thing.mask)
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    least = max(NEAREST * max(bottom - top, right - left), SMALLEST)
    for _ in range(CROPS):
        side = np.exp(rng.uniform(np.log(least), np.log(max(1.05 * least, height, width))))
        tall = min(height, max(bottom - top, int(side * rng.uniform(0.7, 1))))
        wide = min(width, max(right - left, int(side)))
        y = int(rng.integers(max(0, bottom - tall), min(top, height - tall) + 1))
        x = int(rng.integers(max(0, right - wide), min(left, width - wide) + 1))
        part, inside = rgb[y : y + tall, x : x + wide], mask[y : y + tall, x : x + wide]
        scale = max(1.0, CROP_SIDE / max(tall, wide))
        part = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        soft = cv2.resize(inside.astype(np.uint8) * 255, part.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        yield part, soft > 127


def _clicks(true: np.ndarray, rng: np.random.Generator) -> list[tuple[float, float]]:
    depth = cv2.distanceTransform(np.pad(true.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    rows, columns = np.nonzero(depth >= 0.5 * depth.max())
    others = rng.integers(len(rows), size=CLICKS - 1)
    return [innermost(true), *((float(columns[i]), float(rows[i])) for i in others)]


def _overlaps(pieces: Superpixels, regions: np.ndarray, true: np.ndarray) -> np.ndarray:
    small = cv2.resize(true.astype(np.float32), pieces.labels.shape[::-1], interpolation=cv2.INTER_AREA)
    inside = np.bincount(pieces.labels.ravel(), small.ravel(), pieces.count)
    shared = regions @ inside
    return np.asarray(shared / (regions @ pieces._pieces.graph.area + small.sum() - shared))


def _corrections(
    photo: str,
    pieces: Superpixels,
    first: Click,
    before: np.ndarray,
    true: np.ndarray,
    rng: np.random.Generator,
) -> list[Correction]:
    graph, clicks, found = pieces._pieces.graph, [first], []
    start = first.x, first.y
    for _ in range(CORRECTIONS):
        mask = enlarged(before[pieces.labels], pieces.shape)
        missed, extra = largest(true & ~mask), largest(mask & ~true)
        if not missed.any() and not extra.any():
            break
        takes = bool(missed.sum() >= extra.sum())
        x, y = innermost(missed if takes else extra)
        click = Click(pieces.index_at(x, y), *pieces._to_work(x, y), takes)
        if bool(before[click.superpixel]) == takes:  # a mistake within one superpixel
            break
        clicks.append(click)
        changed = changes(pieces._pieces, before, clicks)
        table = correcting.change_measures(pieces._pieces, before, changed, (click.x, click.y), start)
        after = before ^ changed
        some = np.asarray(after.any(1))
        overlaps = _overlaps(pieces, after, true)
        found.append(
            Correction(
                photo,
                objectness.measures(graph, changed, click.x, click.y),
                objectness.measures(graph, after[some], *start),
                some,
                objectness.measures(graph, before[None], *start),
                np.column_stack([table[name] for name in correcting.WEIGHTS if name not in LINEAR]),
                overlaps,
            )
        )
        # mostly the best change, so that later clicks see good selections, sometimes another
        best = int(overlaps.argmax()) if rng.random() < 0.6 else int(rng.integers(len(overlaps)))
        before = before ^ changed[best]
        if not before.any():
            break
    return found
