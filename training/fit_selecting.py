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
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save_file
from scipy.optimize import minimize

from regiondrag_widget.bench.handles.objects import HandObject, load_objects
from regiondrag_widget.bench.select.clicks import Trial, select_by_clicks
from regiondrag_widget.select import Superpixels, correcting, objectness
from training.clicked import LINEAR, Choice, Correction, collect
from training.running import folds_of

HIDDEN, MEMBERS = (24, 12), 4
EPOCHS, BATCH, RATE, DECAY, DROPPED = 40, 128, 5e-3, 1e-2, 0.1
SHARP = 10.0  # how much sharper than its scores the choice of a region is
LAMBDA_CHANGE = 3e-3
DECIDED = 20.0  # how much sharper than its scores the choice of a change is at first

Networks = dict[str, npt.NDArray[np.float32]]


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
    fold = folds_of(ready, args.folds)
    apart: list[Trial] = []
    for left_out in range(args.folds):
        fitted = fit(
            [c for c in things if fold[c.photo] != left_out],
            [c for c in corrections if fold[c.photo] != left_out],
        )
        apart += [_trial(ready, thing, fitted) for thing in objects if fold[thing.photo.name] == left_out]
    _report("fitted on other photographs", objects, apart)


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
