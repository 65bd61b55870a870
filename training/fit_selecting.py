"""Fit the weights of `select/objectness.py` and `select/correcting.py` on the handles benchmark's train part.

    python scripts/fit_selecting.py

Prints both tables of weights, and what `bench select` gives with them: fitted on all photographs, and with
each object selected by weights that were fitted on the other photographs. First clicks lie in the middle of
an object, at its innermost pixel and at random ones; corrections go into the largest mistake of selections of
all qualities. A ridge regression predicts the overlap of each region that a click may mean with the object.
The weights of changes lose the least overlap when one of the changes is chosen by a softmax of the scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from scipy.optimize import minimize

from regiondrag_widget.bench.handles.objects import HandObject, load_objects
from regiondrag_widget.bench.select.clicks import Trial, innermost, largest, select_by_clicks
from regiondrag_widget.select import Superpixels, correcting, objectness
from regiondrag_widget.select.clicking import Click, changes, regions_at

CLICKS, CORRECTIONS = 4, 3
LAMBDA_THING, LAMBDA_CHANGE = 1.0, 3e-3
DECIDED = 20.0  # how much sharper than its scores the choice is at first
LINEAR = ("thing", "better")  # of a change's measures, those that depend on the weights of things


class Choice(NamedTuple):
    """One click: its photograph, the measures (k, m) of what it may mean, and the overlap of each (k,)."""

    photo: str
    measures: np.ndarray
    overlaps: np.ndarray


class Correction(NamedTuple):
    """One correction: of its k changes, what the scores of things are made of, other measures, overlaps.

    ``thing`` and ``better`` are (k, m + 1): times weights and bias they are the measures of these names.
    """

    photo: str
    thing: np.ndarray
    better: np.ndarray
    others: np.ndarray
    overlaps: np.ndarray


class Weights(NamedTuple):
    """Both tables of weights, and the bias of things."""

    thing: dict[str, float]
    bias: float
    change: dict[str, float]

    def use(self) -> None:
        """Let clicks be answered by these weights."""
        objectness.WEIGHTS, objectness.BIAS, correcting.WEIGHTS = self


def main() -> None:
    """Collect the choices, fit, and print."""
    rng = np.random.default_rng(0)
    objects = load_objects("train")
    ready = {thing.photo.name: Superpixels(np.array(thing.image())) for thing in objects}
    things: list[Choice] = []
    corrections: list[Correction] = []
    for thing in objects:
        photo = thing.photo.name
        pieces, true = ready[photo], np.asarray(thing.mask)
        for x, y in _clicks(true, rng):
            click = Click(pieces.index_at(x, y), x, y, True)
            regions = regions_at(pieces._pieces, click).members
            table = _table(pieces, regions, x, y)[:, :-1]
            things.append(Choice(photo, table, _overlaps(pieces, regions, true)))
            for start in regions[:2]:
                corrections += _corrections(photo, pieces, click, start, true, rng)
    every = _fit(things, corrections)
    for weights in (every.thing, every.change):
        print({name: round(value, 3) for name, value in weights.items()})
    print("bias", round(every.bias, 3))
    _report("fitted on all", [_trial(ready, thing, every) for thing in objects])
    apart: list[Trial] = []
    for photo in ready:
        fitted = _fit([c for c in things if c.photo != photo], [c for c in corrections if c.photo != photo])
        apart += [_trial(ready, thing, fitted) for thing in objects if thing.photo.name == photo]
    _report("fitted on other photographs", apart)


def _clicks(true: np.ndarray, rng: np.random.Generator) -> list[tuple[float, float]]:
    depth = cv2.distanceTransform(np.pad(true.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    rows, columns = np.nonzero(depth >= 0.5 * depth.max())
    others = rng.integers(len(rows), size=CLICKS - 1)
    return [innermost(true), *((float(columns[i]), float(rows[i])) for i in others)]


def _overlaps(pieces: Superpixels, regions: np.ndarray, true: np.ndarray) -> np.ndarray:
    inside = np.bincount(pieces.labels.ravel(), true.ravel(), pieces.count)
    shared = regions @ inside
    return np.asarray(shared / (regions @ pieces._pieces.graph.area + true.sum() - shared))


def _table(pieces: Superpixels, regions: np.ndarray, x: float, y: float) -> np.ndarray:
    """(k, m + 1): the measures of regions (k, n) bool, and 1 for the bias; 0 for an empty one."""
    table = np.zeros((len(regions), len(objectness.WEIGHTS) + 1))
    some = regions.any(1)
    if some.any():
        found = objectness.measures(pieces._pieces.graph, regions[some], x, y)
        table[some] = np.column_stack([*(found[name] for name in objectness.WEIGHTS), np.ones(some.sum())])
    return table


def _corrections(
    photo: str,
    pieces: Superpixels,
    first: Click,
    before: np.ndarray,
    true: np.ndarray,
    rng: np.random.Generator,
) -> list[Correction]:
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
        table = correcting.change_measures(pieces._pieces, before, changed, (x, y), (first.x, first.y))
        others = np.column_stack([table[name] for name in correcting.WEIGHTS if name not in LINEAR])
        was = _table(pieces, before[None], first.x, first.y)
        better = _table(pieces, before ^ changed, first.x, first.y) - was
        overlaps = _overlaps(pieces, before ^ changed, true)
        found.append(Correction(photo, _table(pieces, changed, x, y), better, others, overlaps))
        # mostly the best change, so that later clicks see good selections, sometimes another
        best = int(overlaps.argmax()) if rng.random() < 0.6 else int(rng.integers(len(overlaps)))
        before = before ^ changed[best]
    return found


def _fit(things: Sequence[Choice], corrections: Sequence[Correction]) -> Weights:
    bias, *thing = _fit_things(things)
    both = np.array([*thing, bias])
    table = [np.column_stack([c.thing @ both, c.better @ both, c.others]) for c in corrections]
    change = _fit_changes(table, [c.overlaps for c in corrections])
    return Weights(
        dict(zip(objectness.WEIGHTS, map(float, thing), strict=True)),
        float(bias),
        dict(zip(_change_names(), map(float, change), strict=True)),
    )


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


def _fit_changes(tables: Sequence[np.ndarray], overlaps: Sequence[np.ndarray]) -> np.ndarray:
    """A weight for each measure; the largest is 1, for only the order of the scores counts."""
    spread = np.concatenate(tables).std(0) + 1e-9
    most = max(len(table) for table in tables)
    x = np.zeros((len(tables), most, len(spread)))
    lost, there = np.zeros(x.shape[:2]), np.zeros(x.shape[:2], bool)
    for i, (table, overlap) in enumerate(zip(tables, overlaps, strict=True)):
        x[i, : len(table)], lost[i, : len(table)] = table / spread, overlap.max() - overlap
        there[i, : len(table)] = True

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        score = np.where(there, x @ weights, -np.inf)
        chance = np.exp(score - score.max(1, keepdims=True))
        chance /= chance.sum(1, keepdims=True)
        expected = (chance * lost).sum(1)
        slope = ((chance * (lost - expected[:, None]))[..., None] * x).sum(1).mean(0)
        return expected.mean() + LAMBDA_CHANGE * weights @ weights, slope + 2 * LAMBDA_CHANGE * weights

    start = np.array([correcting.WEIGHTS[name] for name in _change_names()]) * spread * DECIDED
    found = minimize(loss, start, jac=True, method="L-BFGS-B").x / spread
    return np.asarray(found / np.abs(found).max())


def _change_names() -> list[str]:
    return [*LINEAR, *(name for name in correcting.WEIGHTS if name not in LINEAR)]


def _trial(ready: dict[str, Superpixels], thing: HandObject, weights: Weights) -> Trial:
    weights.use()
    pieces = ready[thing.photo.name]
    pieces._answers.clear()  # they were made with other weights
    return select_by_clicks(thing, pieces.click)


def _report(words: str, trials: Sequence[Trial]) -> None:
    for kind in ("whole", "part", ""):
        means = np.mean([trial.overlaps for trial in trials if kind in trial.kind], axis=0)
        print(f"{words}, {kind or 'all'}:", "  ".join(f"{value:.3f}" for value in means))


if __name__ == "__main__":
    main()
