"""Fit what judges the regions that clicks may mean: `python -m training.fit_selecting [--folds N]`.

Writes the networks of `select/objectness.py` and prints the weights of `select/correcting.py`; with `--folds`
the photographs are left out in turn instead, and each object is selected by what was fitted on the others.

First clicks lie in the middle of an object of `bench handles` (the train and extra parts), at its innermost
pixel and at random ones, in the photograph and in crops of it. The networks predict the overlap of each
region that a click may mean with the object, and lose as little as they can where one of the regions is
chosen by a softmax of their scores. Corrections go into the largest mistake of selections of all qualities;
the weights of changes lose the least overlap when one of the changes is chosen so.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save_file
from scipy.optimize import minimize

from regiondrag_widget.bench.handles.objects import HandObject, load_objects
from regiondrag_widget.bench.select.clicks import Trial, innermost, largest, select_by_clicks
from regiondrag_widget.select import Superpixels, correcting, objectness
from regiondrag_widget.select.clicking import Click, changes, regions_at
from regiondrag_widget.select.enlarging import enlarged

CLICKS, CORRECTIONS, CROPS = 4, 3, 2  # of each object: first clicks, clicks that follow, crops
CROP_SIDE = 448  # pixels of the longer side that a crop is enlarged to
NEAREST, SMALLEST = 1.25, 150  # sides of an object, and pixels: the least side of a crop
HIDDEN, MEMBERS = (24, 12), 4
EPOCHS, BATCH, RATE, DECAY, DROPPED = 40, 128, 5e-3, 1e-2, 0.1
SHARP = 10.0  # how much sharper than its scores the choice of a region is
LAMBDA_CHANGE = 3e-3
DECIDED = 20.0  # how much sharper than its scores the choice of a change is at first
LINEAR = ("thing", "better")  # of a change's measures, those that depend on the networks

Networks = dict[str, npt.NDArray[np.float32]]


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


class Weights(NamedTuple):
    """The networks that judge things, and the weights of changes."""

    thing: Networks
    change: dict[str, float]

    def use(self) -> None:
        """Let clicks be answered by these weights."""
        objectness._weights = cache(lambda: self.thing)
        correcting.WEIGHTS = self.change


def main() -> None:
    """Collect the choices, fit, and write or report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-o", "--out", type=Path, default=objectness.WEIGHTS)
    parser.add_argument(
        "--folds", type=int, help="leave photographs out in turn and report; nothing is written"
    )
    args = parser.parse_args()
    objects = [*load_objects("train"), *load_objects("extra")]
    ready = {thing.photo.name: Superpixels(np.array(thing.image())) for thing in objects}
    things, corrections = collect(objects, ready)
    if not args.folds:
        every = fit(things, corrections)
        save_file(every.thing, args.out)
        print({name: round(value, 3) for name, value in every.change.items()})
        _report("fitted on all", objects, [_trial(ready, thing, every) for thing in objects])
        return
    photos = np.random.default_rng(0).permutation(sorted(ready)).tolist()
    fold = {photo: i % args.folds for i, photo in enumerate(photos)}
    apart: list[Trial] = []
    for left_out in range(args.folds):
        fitted = fit(
            [c for c in things if fold[c.photo] != left_out],
            [c for c in corrections if fold[c.photo] != left_out],
        )
        apart += [_trial(ready, thing, fitted) for thing in objects if fold[thing.photo.name] == left_out]
    _report("fitted on other photographs", objects, apart)


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


def fit(things: Sequence[Choice], corrections: Sequence[Correction], seed: int = 0) -> Weights:
    """Fit both; the same seed gives the same weights."""
    networks = _fit_things(things, seed)
    table = []
    for c in corrections:
        whole = np.zeros(len(c.some), np.float32)
        whole[c.some] = objectness.judged(c.after, networks)
        better = whole - objectness.judged(c.was, networks)
        table.append(np.column_stack([objectness.judged(c.thing, networks), better, c.others]))
    change = _fit_changes(table, [c.overlaps for c in corrections])
    return Weights(networks, dict(zip(_change_names(), map(float, change), strict=True)))


def _fit_things(choices: Sequence[Choice], seed: int) -> Networks:
    most = max(len(choice.overlaps) for choice in choices)
    x = np.zeros((len(choices), most, len(objectness.NAMES)), np.float32)
    overlaps, there = np.zeros(x.shape[:2], np.float32), np.zeros(x.shape[:2], bool)
    for i, choice in enumerate(choices):
        count = len(choice.overlaps)
        x[i, :count], overlaps[i, :count], there[i, :count] = choice.measures, choice.overlaps, True
    mean, deviation = x[there].mean(0), x[there].std(0) + 1e-3
    most_deviations = objectness.MOST_DEVIATIONS
    x = ((x - mean) / deviation).clip(-most_deviations, most_deviations)
    weight = np.array([choice.weight for choice in choices], np.float32)
    data = [torch.from_numpy(values) for values in (x, overlaps, there, weight)]
    nets = [_fit_one(data, seed + member) for member in range(MEMBERS)]
    fitted = {"mean": mean, "deviation": deviation}
    for name, at in (("first", 0), ("second", 2), ("last", 4)):
        for kind in ("weight", "bias"):
            fitted[f"{name}.{kind}"] = torch.stack([getattr(net[at], kind).detach() for net in nets]).numpy()
    return {name: np.ascontiguousarray(value, np.float32) for name, value in fitted.items()}


def _fit_one(data: Sequence[torch.Tensor], seed: int) -> torch.nn.Sequential:
    x, overlaps, there, weight = data
    torch.manual_seed(seed)
    first, second = HIDDEN
    relu, count = torch.nn.ReLU(), x.shape[2]
    layers = (torch.nn.Linear(count, first), relu, torch.nn.Linear(first, second), relu)
    net = torch.nn.Sequential(*layers, torch.nn.Linear(second, 1))
    steps = EPOCHS * (len(x) // BATCH + 1)
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        batch = torch.randint(len(x), (BATCH,))
        kept = torch.rand(BATCH, 1, count) > DROPPED
        score, true, here = net(x[batch] * kept)[..., 0], overlaps[batch], there[batch]
        chance = torch.where(here, SHARP * score, -torch.inf).softmax(1)
        lost = true.max(1).values - (chance * true).sum(1)
        wrong = ((score - true) ** 2 * here).sum(1) / here.sum(1)
        optimiser.zero_grad()
        ((lost + wrong) * weight[batch]).mean().backward()
        optimiser.step()
        cosine.step()
    return net


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


def _report(words: str, objects: Sequence[HandObject], trials: Sequence[Trial]) -> None:
    split = {thing.name: thing.split for thing in objects}
    for name in ("train", "extra", ""):
        for kind in ("whole", "part", ""):
            of = [trial for trial in trials if name in split[trial.name] and kind in trial.kind]
            means = "  ".join(f"{value:.3f}" for value in np.mean([trial.overlaps for trial in of], axis=0))
            print(f"{words}, {name or 'both'}, {len(of)} {kind or 'all'}: {means}", flush=True)


if __name__ == "__main__":
    main()
