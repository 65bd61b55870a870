"""Fit the networks that weigh the cues of a handle's pixels: `python -m training.fit_likely [--folds N]`.

They learn from the train and extra parts of `bench handles`: objects outlined by hand, with handles of every
kind drawn round each. A few minutes on one core; the same seed gives the same weights. With `--folds` the
photographs are left out in turn instead, and what is reported was judged by networks that had not seen the
photograph.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save_file

from regiondrag_widget.bench.handles.handles import KINDS, PART_KINDS, handle_of
from regiondrag_widget.bench.handles.objects import HandObject, load_objects
from regiondrag_widget.imaging import find
from regiondrag_widget.imaging.cues import cues_of
from regiondrag_widget.imaging.likely import WEIGHTS, chances

__all__ = ["Example", "examples", "fit", "main"]

Float = npt.NDArray[np.float32]
Weights = dict[str, Float]

SAMPLES = 260  # pixels of a handle taken of the object and of the ground
HIDDEN = 24, 12
MEMBERS = 4  # networks whose logits are averaged
BATCH, EPOCHS, RATE, DECAY = 2048, 20, 3e-3, 1e-3
INNER, OUTER = 4.0, 6.0  # pixels from an outline within which a pixel counts for neither side
MORE = {"whole": ("lasso", "lasso", "brush", "misses"), "part": ("lasso", "lasso", "tight")}


@dataclass(frozen=True)
class Example:
    """One handle round one object: its cues and the truth.

    Attributes
    ----------
    values
        (n, cues) float32, a row for each pixel of the handle.
    truth
        (n,) int8: 1 in the object, 0 well outside it, -1 near its outline.
    """

    name: str
    photo: str
    kind: str
    values: Float
    truth: npt.NDArray[np.int8]


def examples(objects: Sequence[HandObject]) -> Iterator[Example]:
    """Every kind of handle round each object, some of them drawn more than once."""
    for thing in objects:
        rgb = np.asarray(thing.image())
        for kind, seed in _handles(thing.kind):
            handle = handle_of(thing.mask, kind, seed)
            part, inside, scale = find.looked_at(rgb, handle)
            cues = cues_of(part, inside, scale)
            if cues is None:
                continue
            mask = find.looked_at(thing.mask.astype(np.uint8) * 255, handle)[0] > 127
            truth = _truth(mask, inside, scale)[inside]
            yield Example(thing.name, thing.photo.name, f"{kind} {seed}", cues.values, truth)


def fit(known: Sequence[Example], seed: int = 0) -> Weights:
    """The networks' weights. Each object counts the same, and what is lost as the benchmark counts it."""
    rng = np.random.default_rng(seed)
    often = Counter(e.name for e in known)
    rows, truths, weights = [], [], []
    for e in known:
        for side in (0, 1):
            here = np.flatnonzero(e.truth == side)
            if not len(here):
                continue
            share = 1.0 if side else len(here) / len(e.truth)
            here = rng.choice(here, min(SAMPLES, len(here)), replace=False)
            rows.append(e.values[here])
            truths.append(np.full(len(here), side, np.float32))
            weights.append(np.full(len(here), share / len(here) / often[e.name], np.float32))
    x, counts = np.concatenate(rows), np.concatenate(weights)
    mean, deviation = x.mean(0), x.std(0) + 1e-3
    data = torch.from_numpy((x - mean) / deviation)
    truth, weight = torch.from_numpy(np.concatenate(truths)), torch.from_numpy(counts / counts.mean())
    nets = [_fit_one(data, truth, weight, seed + member) for member in range(MEMBERS)]
    fitted = {"mean": mean, "deviation": deviation}
    for name, at in (("first", 0), ("second", 2), ("last", 4)):
        for kind in ("weight", "bias"):
            stack = torch.stack([getattr(net[at], kind).detach() for net in nets])
            fitted[f"{name}.{kind}"] = stack.numpy()
    return {name: np.ascontiguousarray(value, np.float32) for name, value in fitted.items()}


def _fit_one(x: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor, seed: int) -> torch.nn.Sequential:
    torch.manual_seed(seed)
    sizes = x.shape[1], *HIDDEN
    hidden = [torch.nn.Linear(a, b) for a, b in pairwise(sizes)]
    relu = torch.nn.ReLU()
    net = torch.nn.Sequential(hidden[0], relu, hidden[1], relu, torch.nn.Linear(HIDDEN[-1], 1))
    steps = EPOCHS * (len(x) // BATCH + 1)
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        batch = torch.randint(len(x), (BATCH,))
        logits = net(x[batch])[:, 0]
        losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth[batch], reduction="none")
        optimiser.zero_grad()
        (losses * weight[batch]).mean().backward()
        optimiser.step()
        cosine.step()
    return net


def _handles(kind: str) -> Iterator[tuple[str, int]]:
    for usual in KINDS if kind == "whole" else PART_KINDS:
        yield usual, 0
    for i, more in enumerate(MORE[kind]):
        yield more, i + 1


def _truth(mask: npt.NDArray[np.bool_], inside: npt.NDArray[np.bool_], scale: float) -> npt.NDArray[np.int8]:
    object_ = mask & inside
    framed = np.pad(object_.astype(np.uint8), 1)
    inner = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1] > INNER * scale
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    truth = np.full(mask.shape, -1, np.int8)
    truth[inner if inner.any() else object_] = 1
    truth[away > OUTER * scale] = 0
    return truth


def _left_out(known: Sequence[Example], folds: int) -> None:
    """Report the share of pixels on the wrong side, by networks that have not seen the photograph."""
    photos = np.random.default_rng(0).permutation(sorted({e.photo for e in known})).tolist()
    fold = {photo: i % folds for i, photo in enumerate(photos)}
    lost, carried = [], []
    for i in range(folds):
        weights = fit([e for e in known if fold[e.photo] != i])
        for e in known:
            if fold[e.photo] == i:
                taken = chances(e.values, weights) > find.LIKELY
                lost.append(float((~taken & (e.truth == 1)).sum() / max(1, (e.truth == 1).sum())))
                carried.append(float((taken & (e.truth == 0)).mean()))
    good = [a < 0.01 and b < 0.02 for a, b in zip(lost, carried, strict=True)]
    print(
        f"{len(known)} handles, {len(photos)} photographs, {folds} folds: {sum(good)} good, "
        f"lost {np.mean(lost):.2%}, carried {np.mean(carried):.2%} in the mean"
    )


def main() -> None:
    """Fit and write the weights, or report on photographs left out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-o", "--out", type=Path, default=WEIGHTS)
    parser.add_argument(
        "--folds", type=int, help="leave photographs out in turn and report; nothing is written"
    )
    args = parser.parse_args()
    known = list(examples([*load_objects("train"), *load_objects("extra")]))
    if args.folds:
        _left_out(known, args.folds)
    else:
        save_file(fit(known), args.out)


if __name__ == "__main__":
    main()
