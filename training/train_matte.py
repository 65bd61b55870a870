"""Train the matting network: `python -m training.train_matte PHOTOS --out RUN [--minutes N]`.

Examples are made first, once, and kept in the run's folder; training then sees each turned, mirrored and
recoloured. It can be stopped at any time and resumes when started again with the same `--out`. The
benchmark's test photographs are held out, by the benchmark's own rule, and every twelfth of the others for
the validation error. It runs on the CPU: the network is too small to gain from a GPU.
"""

from __future__ import annotations

import argparse
import math
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regiondrag_widget.bench.truth.photos import load_photos
from regiondrag_widget.imaging.depth import depth_inside
from regiondrag_widget.imaging.mattenet import DEPTH_SEEN, MatteNet, continued_into, laid_out
from regiondrag_widget.regions.writing import write_whole
from training.mattes import SIDE, Example, make_example
from training.running import Run, cosine, log, save_tensors

__all__ = ["main", "stored", "train"]

LAYERS = 10  # of a stored example: picture 3, its continuation 3, handle, depth, cut, opacity
CHUNK = 250
HELD_OUT = 12  # one photograph in so many is held out
VALIDATION = 256  # examples
BATCH = 16
RATE = 2e-3
AVERAGING = 0.999
SAVE_SECONDS = 120.0

Examples = npt.NDArray[np.uint8]


def train(photos: Path, out: Path, *, count: int, minutes: float, seed: int = 0) -> None:
    """Make `count` examples and train until `minutes` of active time are spent on this run in all.

    Parameters
    ----------
    photos
        Folder of pictures.
    out
        The run's folder: `examples/`, `state.safetensors`, `model.safetensors` (averaged weights, float16),
        `log.jsonl`.
    seed
        Seed of the examples and of their order.

    Raises
    ------
    ValueError
        The folder holds too few photographs.
    """
    out.mkdir(parents=True, exist_ok=True)
    examples = _examples(photos, out / "examples", count, seed, "train")
    held_out = _examples(photos, out / "validation", VALIDATION, seed + 1, "validation")
    torch.manual_seed(seed)
    net = laid_out(MatteNet())
    run = Run(net, torch.optim.AdamW(net.parameters(), lr=RATE, betas=(0.9, 0.99), weight_decay=0.01))
    run.resume(out)
    budget, saved, losses = minutes * 60, run.spent, []
    while run.spent < budget:
        tick = time.perf_counter()
        rng = np.random.default_rng([seed, run.step])
        batch = _augmented(examples[np.sort(rng.integers(0, len(examples), BATCH))], rng)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(_inputs(batch))
        loss = _loss(logits.float(), batch)
        run.take(loss, RATE * cosine(run.step, run.spent / budget, 100, 0.01), AVERAGING)
        losses.append(float(loss.detach()))
        run.took(time.perf_counter() - tick)
        if run.spent - saved > SAVE_SECONDS or run.spent >= budget:
            errors = _error(run.average, held_out)
            log(out, step=run.step, minutes=run.spent / 60, loss=float(np.mean(losses)), **errors)
            run.save(out)
            save_tensors(out / "model.safetensors", {k: v.half() for k, v in run.average.items()})
            saved, losses = run.spent, []


def _loss(logits: Tensor, batch: Tensor) -> Tensor:
    """Mean absolute error of the opacity within the handle, and of its slopes."""
    handle, truth = batch[:, 6:7], batch[:, 9:10]
    alpha = logits.sigmoid() * handle
    weight = handle / handle.sum((1, 2, 3), keepdim=True).clamp(min=1)
    error = ((alpha - truth).abs() * weight).sum((1, 2, 3))
    slopes = ((alpha - truth).diff(dim=-1).abs() * weight[..., 1:]).sum((1, 2, 3))
    slopes = slopes + ((alpha - truth).diff(dim=-2).abs() * weight[..., 1:, :]).sum((1, 2, 3))
    return (error + slopes).mean()


@torch.inference_mode()
def _error(weights: dict[str, Tensor], examples: Examples) -> dict[str, float]:
    """Mean absolute error of the opacity within the handles, beside GrabCut's and the whole handle's."""
    net = MatteNet()
    net.load_state_dict(weights)
    net.eval()
    sums = np.zeros(3)
    for i in range(0, len(examples), BATCH):
        batch = _scaled(examples[i : i + BATCH])
        handle, truth = batch[:, 6:7], batch[:, 9:10]
        for k, guess in enumerate((net(_inputs(batch)).sigmoid(), batch[:, 8:9], handle)):
            wrong = ((guess - truth).abs() * handle).sum((1, 2, 3)) / handle.sum((1, 2, 3))
            sums[k] += float(wrong.sum())
    net_error, cut_error, whole_error = sums / len(examples)
    return {"validation": net_error, "grabcut": cut_error, "whole": whole_error}


def _inputs(batch: Tensor) -> Tensor:
    """Stored layers (B, 10, h, w) as `matte_inputs` makes them, (B, 9, h, w)."""
    rgb, continued = batch[:, :3] - 0.5, batch[:, 3:6] - 0.5
    x = torch.cat([rgb, batch[:, 6:9], rgb - continued], 1)
    return x.contiguous(memory_format=torch.channels_last)


def _scaled(examples: Examples) -> Tensor:
    """(B, h, w, 10) uint8 -> (B, 10, h, w) float32 in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(examples.transpose(0, 3, 1, 2))).float() / 255


def _augmented(examples: Examples, rng: np.random.Generator) -> Tensor:
    """Turned, mirrored and recoloured: what may be done to picture and continuation alike."""
    turned = []
    for example in examples:
        example = np.rot90(example, int(rng.integers(4)))
        if rng.random() < 0.5:
            example = example[:, ::-1]
        order = rng.permutation(3)
        turned.append(example[..., [*order, *(3 + order), 6, 7, 8, 9]])
    batch = _scaled(np.stack(turned))
    low = torch.from_numpy(rng.uniform(-0.15, 0.15, (len(batch), 1, 1, 1))).float()
    gain = torch.from_numpy(rng.uniform(0.6, 1.2, (len(batch), 1, 1, 1))).float()
    batch[:, :6] = (batch[:, :6] * gain + low).clamp(0, 1)
    return batch


def _examples(photos: Path, folder: Path, count: int, seed: int, part: str) -> Examples:
    """The examples (count, h, w, 10) uint8 of a folder, made where they are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    chunks = [folder / f"{i:04d}.npy" for i in range(math.ceil(count / CHUNK))]
    jobs = [_Job(photos, path, part, seed, i, min(CHUNK, count)) for i, path in enumerate(chunks)]
    # fresh processes: one that is forked inherits locks of OpenCV's threads
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        for path in pool.map(_make_chunk, [job for job in jobs if not job.path.exists()]):
            print(f"made {path}", flush=True)
    return np.concatenate([np.load(path) for path in chunks])[:count]


def stored(example: Example) -> Examples:
    """An example as (h, w, 10) uint8."""
    handle = example.handle.astype(np.uint8)
    depth = np.minimum(depth_inside(example.handle), DEPTH_SEEN) / DEPTH_SEEN
    return np.dstack(
        [
            example.rgb,
            continued_into(example.rgb, example.handle),
            handle * np.uint8(255),
            np.rint(depth * 255).astype(np.uint8),
            example.cut * np.uint8(255),
            example.alpha,
        ]
    )


@dataclass(frozen=True)
class _Job:
    photos: Path
    path: Path
    part: str
    seed: int
    index: int
    count: int


def _make_chunk(job: _Job) -> Path:
    cv2.setNumThreads(1)
    pictures = load_photos(job.photos, "train")
    chosen = [p for i, p in enumerate(pictures) if (i % HELD_OUT == 0) == (job.part == "validation")]
    rng = np.random.default_rng([job.seed, job.index])
    chunk = np.empty((job.count, SIDE, SIDE, LAYERS), np.uint8)
    for i in range(job.count):
        chunk[i] = stored(make_example(chosen, rng))
    return write_whole(job.path, lambda file: np.save(file, chunk, allow_pickle=False))


def main(argv: list[str] | None = None) -> None:
    """Run the command line that the module describes."""
    parser = argparse.ArgumentParser(prog="python -m training.train_matte", description=__doc__)
    parser.add_argument("photos", type=Path, help="folder of photographs")
    parser.add_argument(
        "--out", type=Path, required=True, help="the run's folder; started again, it is resumed"
    )
    parser.add_argument("--examples", type=int, default=9000, help="how many to make (default: 9000)")
    parser.add_argument("--minutes", type=float, default=45.0, help="active time of the whole run")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    torch.set_flush_denormal(True)
    train(args.photos, args.out, count=args.examples, minutes=args.minutes, seed=args.seed)


if __name__ == "__main__":
    main()
