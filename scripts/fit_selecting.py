"""Fit the weights of `select/objectness.py` and `select/correcting.py` on the handles benchmark's train part.

    python scripts/fit_selecting.py

Prints both tables of weights, and how good they are on photographs that they were not fitted on. First clicks
lie in the middle of an object, at its innermost pixel and at random ones; corrections go into the largest
mistake of selections of all qualities. Ridge regressions predict the overlap of each region that a click may
mean with the object, and what each change wins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from regiondrag_widget.bench.handles.objects import load_objects
from regiondrag_widget.bench.select.clicks import innermost, largest
from regiondrag_widget.select import Superpixels
from regiondrag_widget.select.clicking import Click, changes, regions_at
from regiondrag_widget.select.correcting import change_measures
from regiondrag_widget.select.objectness import measures

CLICKS, CORRECTIONS = 4, 3
LAMBDA_THING, LAMBDA_CHANGE = 1.0, 0.3


class Choice(NamedTuple):
    """One click: its photograph, the measures (k, m) of what it may mean, and the overlap of each (k,)."""

    photo: str
    measures: np.ndarray
    overlaps: np.ndarray


def main() -> None:
    """Collect the choices, fit, and print."""
    rng = np.random.default_rng(0)
    things: list[Choice] = []
    corrections: list[Choice] = []
    names: dict[str, list[str]] = {}
    ready: dict[str, Superpixels] = {}
    for thing in load_objects("train"):
        photo = thing.photo.name
        if photo not in ready:
            ready[photo] = Superpixels(np.array(thing.image()))
        pieces = ready[photo]
        true = np.asarray(thing.mask)
        for x, y in _clicks(true, rng):
            click = Click(pieces.index_at(x, y), x, y, True)
            regions = regions_at(pieces._pieces, click).members
            found = measures(pieces._pieces.graph, regions, x, y)
            names["thing"] = list(found)
            things.append(Choice(photo, np.stack(list(found.values()), 1), _overlaps(pieces, regions, true)))
            for start in regions[:2]:
                found_here = _corrections(pieces, click, start, true, rng, names)
                corrections += [choice._replace(photo=photo) for choice in found_here]
    _report("objectness", names["thing"], things, _fit_things)
    _report("correcting", names["change"], corrections, _fit_changes)


def _clicks(true: np.ndarray, rng: np.random.Generator) -> list[tuple[float, float]]:
    depth = cv2.distanceTransform(np.pad(true.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    rows, columns = np.nonzero(depth >= 0.5 * depth.max())
    others = rng.integers(len(rows), size=CLICKS - 1)
    return [innermost(true), *((float(columns[i]), float(rows[i])) for i in others)]


def _overlaps(pieces: Superpixels, regions: np.ndarray, true: np.ndarray) -> np.ndarray:
    inside = np.bincount(pieces.labels.ravel(), true.ravel(), pieces.count)
    shared = regions @ inside
    return shared / (regions @ pieces._pieces.graph.area + true.sum() - shared)


def _corrections(
    pieces: Superpixels,
    first: Click,
    before: np.ndarray,
    true: np.ndarray,
    rng: np.random.Generator,
    names: dict[str, list[str]],
) -> list[Choice]:
    clicks, found = [first], []
    for _ in range(CORRECTIONS):
        mask = before[pieces.labels]
        missed, extra = largest(true & ~mask), largest(mask & ~true)
        if not missed.any() and not extra.any():
            break
        takes = bool(missed.sum() >= extra.sum())
        x, y = innermost(missed if takes else extra)
        click = Click(pieces.index_at(x, y), x, y, takes)
        if bool(before[click.superpixel]) == takes:  # a mistake within one superpixel
            break
        clicks.append(click)
        changed = changes(pieces._pieces, before, clicks)
        table = change_measures(pieces._pieces.graph, before, changed, (x, y), (first.x, first.y))
        names["change"] = list(table)
        overlaps = _overlaps(pieces, before ^ changed, true)
        found.append(Choice("", np.stack(list(table.values()), 1), overlaps))
        # mostly the best change, so that later clicks see good selections, sometimes another
        best = int(overlaps.argmax()) if rng.random() < 0.6 else int(rng.integers(len(overlaps)))
        before = before ^ changed[best]
    return found


def _fit_things(choices: Sequence[Choice]) -> np.ndarray:
    """The bias and a weight for each measure."""
    x = np.concatenate([choice.measures for choice in choices]).astype(float)
    y = np.concatenate([choice.overlaps for choice in choices])
    weight = np.concatenate([np.full(len(c.overlaps), 1 / len(c.overlaps)) for c in choices]) * (0.3 + y)
    mean, spread = x.mean(0), x.std(0) + 1e-9
    x = np.column_stack([np.ones(len(x)), (x - mean) / spread])
    ridge = np.diag([0.0, *np.full(x.shape[1] - 1, LAMBDA_THING)])
    found = np.linalg.solve((x * weight[:, None]).T @ x + ridge, (x * weight[:, None]).T @ y)
    weights = found[1:] / spread
    return np.array([found[0] - weights @ mean, *weights])


def _fit_changes(choices: Sequence[Choice]) -> np.ndarray:
    """A bias of 0 and a weight for each measure: only what differs within one click counts."""
    x = np.concatenate([c.measures - c.measures.mean(0) for c in choices]).astype(float)
    y = np.concatenate([c.overlaps - c.overlaps.mean() for c in choices])
    near = np.concatenate([np.exp(4 * (c.overlaps - c.overlaps.max())) / len(c.overlaps) for c in choices])
    spread = x.std(0) + 1e-9
    x = x / spread
    ridge = LAMBDA_CHANGE * np.eye(x.shape[1])
    return np.array(
        [0.0, *np.linalg.solve((x * near[:, None]).T @ x + ridge, (x * near[:, None]).T @ y) / spread]
    )


def _report(
    name: str, names: list[str], choices: list[Choice], fit: Callable[[Sequence[Choice]], Any]
) -> None:
    chosen = []
    for photo in {choice.photo for choice in choices}:
        weights = fit([choice for choice in choices if choice.photo != photo])
        chosen += [c.overlaps[(c.measures @ weights[1:]).argmax()] for c in choices if c.photo == photo]
    best = np.mean([choice.overlaps.max() for choice in choices])
    print(f"{name}: overlap {np.mean(chosen):.3f} on other photographs, of at most {best:.3f}")
    bias, *weights = fit(choices)
    print({key: round(value, 3) for key, value in zip(names, weights, strict=True)}, "bias", round(bias, 3))


if __name__ == "__main__":
    main()
