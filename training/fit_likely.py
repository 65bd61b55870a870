"""Fit the network that weighs the cues of a handle's pixels: `python -m training.fit_likely [--folds N]`.

It learns from the train and extra parts of `bench handles`: objects outlined by hand, with handles of every
kind drawn round each, careless ones among them, which cut much of the object off or lie beside it. Gathering
the cues takes half an hour on one core, and the fit a quarter; with `--state DIR` the fit goes on where it
was stopped. With `--folds` the photographs are left out in turn instead, and what is reported was judged by
networks that had not seen the photograph.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.numpy import save_file
from torch import Tensor
from torch.nn import functional

from regiondrag_widget.bench.handles.objects import load_objects
from regiondrag_widget.imaging import find
from regiondrag_widget.imaging.cues import NAMES
from regiondrag_widget.imaging.likely import WEIGHTS, chances
from training.likely_net import LikelyNet
from training.outlined import Example, examples
from training.running import Run, cosine, folds_of, use_threads

__all__ = ["fit", "main"]

Float = npt.NDArray[np.float32]

EPOCHS, BATCH = 10, 4
RATE, DECAY, WARM, LEAST = 3e-3, 3e-2, 100, 0.001
AVERAGING = 0.99
HANDLE = NAMES.index("in the handle")
THIN = 37  # of the pixels, one in so many tells the cues' means


def fit(known: Sequence[Example], state: Path | None = None, seed: int = 0) -> dict[str, Tensor]:
    """The network's weights. Each object counts the same, and what is lost as the benchmark counts it.

    Parameters
    ----------
    known
        At least one example.
    state
        A folder where the run is saved after each epoch, and resumed from.
    """
    torch.manual_seed(seed)
    pixels = np.concatenate([e.values.reshape(-1, len(NAMES))[::THIN] for e in known]).astype(np.float32)
    net = LikelyNet(pixels.mean(0), pixels.std(0) + 1e-3)
    run = Run(net, torch.optim.AdamW(net.parameters(), weight_decay=DECAY))
    if state is not None:
        state.mkdir(parents=True, exist_ok=True)
        run.resume(state)
    often = Counter(e.name for e in known)
    steps = len(known) // BATCH
    for epoch in range(run.step // steps, EPOCHS):
        rng = np.random.default_rng((seed, epoch))
        order, total = rng.permutation(len(known)), 0.0
        for at in range(steps):
            losses = []
            for index in order[BATCH * at : BATCH * (at + 1)]:
                example = known[index]
                weight = len(known) / len(often) / often[example.name]
                losses.append(weight * _loss(net, example, int(rng.integers(8))))
            loss = torch.stack(losses).mean()
            total += float(loss.detach())
            rate = RATE * cosine(run.step, run.step / (EPOCHS * steps), WARM, LEAST)
            run.take(loss, rate, AVERAGING)
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {total / steps:.4f}", flush=True)
        if state is not None:
            run.save(state)
    return run.average


def _loss(net: LikelyNet, example: Example, turn: int) -> Tensor:
    """Of an example in one of eight views: the object's mean, and the ground's sum over the handle's size."""
    values, truth = example.values.astype(np.float32), example.truth
    if turn & 4:
        values, truth = values.transpose(1, 0, 2), truth.T
    if turn & 1:
        values, truth = values[::-1], truth[::-1]
    if turn & 2:
        values, truth = values[:, ::-1], truth[:, ::-1]
    logits = net(torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))[None])[0]
    goal = torch.from_numpy(truth.copy())
    wrong = functional.binary_cross_entropy_with_logits(logits, (goal == 1).float(), reduction="none")
    lost = wrong[goal == 1].mean() if (goal == 1).any() else 0.0
    return torch.as_tensor(lost + wrong[goal == 0].sum() / max(1.0, float(values[..., HANDLE].sum())))


def _left_out(known: Sequence[Example], folds: int) -> None:
    """Report the share of pixels on the wrong side, by networks that have not seen the photograph."""
    fold = folds_of((e.photo for e in known), folds)
    lost, carried = [], []
    for i in range(folds):
        weights = _arrays(fit([e for e in known if fold[e.photo] != i]))
        for e in known:
            if fold[e.photo] == i and not e.careless:
                logits = chances(e.values.astype(np.float32), weights)
                taken = logits > np.log(find.LIKELY / (1 - find.LIKELY))
                object_, ground, size = e.truth == 1, e.truth == 0, e.values[..., HANDLE].sum()
                lost.append(float((~taken & object_).sum() / max(1, object_.sum())))
                carried.append(float((taken & ground).sum() / size))
        good = sum(a < 0.01 and b < 0.02 for a, b in zip(lost, carried, strict=True))
        print(
            f"{len(lost)} handles, {i + 1} of {folds} folds of {len(fold)} photographs: {good} good, "
            f"lost {np.mean(lost):.2%}, carried {np.mean(carried):.2%} in the mean",
            flush=True,
        )


def main() -> None:
    """Fit and write the weights, or report on photographs left out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-o", "--out", type=Path, default=WEIGHTS)
    parser.add_argument("--state", type=Path, help="folder to save the run in and to resume it from")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: torch's own choice)")
    parser.add_argument(
        "--folds", type=int, help="leave photographs out in turn and report; nothing is written"
    )
    args = parser.parse_args()
    use_threads(args.threads)
    known = list(examples([*load_objects("train"), *load_objects("extra")]))
    if args.folds:
        _left_out(known, args.folds)
        return
    save_file(
        {
            name: value if name in ("mean", "deviation") else value.astype(np.float16)
            for name, value in _arrays(fit(known, args.state)).items()
        },
        args.out,
    )


def _arrays(weights: dict[str, Tensor]) -> dict[str, Float]:
    return {name: value.numpy() for name, value in weights.items()}


if __name__ == "__main__":
    main()
