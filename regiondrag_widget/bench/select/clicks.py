"""Clicks as a person would make them: into the middle of the object, then into the largest mistake."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.bench.handles.objects import HandObject

Mask = NDArray[np.bool_]
Click = Callable[[Sequence[tuple[float, float]], Sequence[bool]], Mask]

CORRECTIONS = 3


@dataclass(frozen=True)
class Trial:
    """One object selected by clicks.

    Attributes
    ----------
    name, kind : the object's.
    overlaps : intersection over union with the true mask, after the first click and each correction.
    seconds : what each click took.
    cpu_seconds : processor time of each click, which other work on the machine does not lengthen.
    mask : (H, W) bool, the last selection.
    points, labels : the clicks.
    """

    name: str
    kind: str
    overlaps: tuple[float, ...]
    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    mask: Mask
    points: tuple[tuple[float, float], ...]
    labels: tuple[bool, ...]


def select_by_clicks(thing: HandObject, click: Click, corrections: int = CORRECTIONS) -> Trial:
    """Click on an object, then correct the largest mistake again and again.

    Parameters
    ----------
    thing
        The object.
    click
        Takes points and labels and gives a mask (H, W) bool of the object's photograph.
    corrections
        How many clicks follow the first.
    """
    true = np.asarray(thing.mask)
    points, labels = [innermost(true)], [True]
    overlaps: list[float] = []
    seconds: list[float] = []
    cpu_seconds: list[float] = []
    while True:
        start, cpu_start = time.perf_counter(), time.process_time()
        mask = click(points, labels)
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
        overlaps.append(float((mask & true).sum() / (mask | true).sum()))
        if len(overlaps) > corrections:
            break
        missed, extra = largest(true & ~mask), largest(mask & ~true)
        if not missed.any() and not extra.any():  # nothing to correct
            overlaps += [overlaps[-1]] * (corrections + 1 - len(overlaps))
            break
        take = bool(missed.sum() >= extra.sum())
        points.append(innermost(missed if take else extra))
        labels.append(take)
    return Trial(
        name=thing.name,
        kind=thing.kind,
        overlaps=tuple(overlaps),
        seconds=tuple(seconds),
        cpu_seconds=tuple(cpu_seconds),
        mask=mask,
        points=tuple(points),
        labels=tuple(labels),
    )


def innermost(mask: Mask) -> tuple[float, float]:
    """The pixel (x, y) of a mask (H, W) bool that is farthest from its outline."""
    framed = np.pad(mask.astype(np.uint8), 1)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(column), float(row)


def largest(mask: Mask) -> Mask:
    """The largest connected part of a mask."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count < 2:
        return mask
    return np.asarray(parts == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()))
