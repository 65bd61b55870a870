"""What every training run does: average its weights, log, save its state, and resume from it."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from regiondrag_widget.regions.writing import write_whole_bytes

__all__ = ["Run", "cosine", "folds_of", "log", "run_parser", "save_tensors", "use_threads"]

STATE = "state.safetensors"


class Run:
    """A network in training.

    Parameters
    ----------
    net, optimizer
        What is trained, and how.

    Attributes
    ----------
    average
        The running mean of the network's weights, by name.
    step, spent
        Steps done, and active seconds they took.
    """

    def __init__(self, net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self.net, self.optimizer = net, optimizer
        self.average: dict[str, Tensor] = {k: v.detach().clone() for k, v in net.state_dict().items()}
        self.step, self.spent = 0, 0.0

    def take(self, loss: Tensor, rate: float, averaging: float) -> None:
        """Take one step down the loss at a learning rate; the running mean keeps `averaging` of itself."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        decay = min(averaging, (1 + self.step) / (10 + self.step))  # leaves the first weights out
        with torch.no_grad():
            for name, value in self.net.state_dict().items():
                self.average[name].lerp_(value, 1 - decay)

    def took(self, seconds: float) -> None:
        """Count a step's time; a paused process (SIGSTOP, a suspended laptop) has not trained meanwhile."""
        self.spent += min(seconds, 10.0)

    def save(self, folder: Path) -> None:
        """Save everything that is needed to resume, in `folder`, whole or not at all."""
        tensors = {f"live.{k}": v for k, v in self.net.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{k}": torch.as_tensor(v) for k, v in state.items()}
        record = {"step": str(self.step), "spent": str(self.spent)}
        save_tensors(folder / STATE, tensors, record)

    def resume(self, folder: Path) -> None:
        """Resume from what `save` left in `folder`, if anything."""
        path = folder / STATE
        if not path.exists():
            return
        with safe_open(path, "pt") as file:
            record = file.metadata()
        tensors = load_file(path)
        self.net.load_state_dict({k[5:]: v for k, v in tensors.items() if k.startswith("live.")})
        for name in self.average:
            self.average[name].copy_(tensors[f"average.{name}"])
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".")
                state.setdefault(int(index), {})[key] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.step, self.spent = int(record["step"]), float(record["spent"])


def save_tensors(path: Path, tensors: Mapping[str, Tensor], record: dict[str, str] | None = None) -> None:
    """Write a safetensors file whole or not at all.

    Parameters
    ----------
    path
        The file; its folder must exist.
    tensors
        By name, on any device.
    record
        The file's metadata.
    """
    data = save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, metadata=record)
    write_whole_bytes(path, data)


def cosine(step: int, progress: float, warm: int, least: float) -> float:
    """Return a learning rate's share: rising over `warm` steps, then half a cosine down to `least`.

    Parameters
    ----------
    step
        Steps done.
    progress
        Progress of the whole run, in [0, 1].
    warm, least
        Steps of the rise, and the final share.
    """
    falling = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return min(1.0, (step + 1) / warm) * (least + (1 - least) * falling)


def folds_of(photos: Iterable[str], folds: int) -> dict[str, int]:
    """The fold, from 0 to `folds`, in which each photograph is left out: all objects of one together."""
    shuffled = np.random.default_rng(0).permutation(sorted(set(photos))).tolist()
    return {photo: i % folds for i, photo in enumerate(shuffled)}


def log(folder: Path, **record: float) -> None:
    """Print a line of figures and append it to `folder`/log.jsonl."""
    line = json.dumps({k: round(v, 5) for k, v in record.items()})
    print(line, flush=True)
    with open(folder / "log.jsonl", "a", encoding="utf-8") as file:
        file.write(line + "\n")


def run_parser(module: str, doc: str | None, config: Path, minutes: float) -> argparse.ArgumentParser:
    """The options that every training has: photographs, folder, configuration, time, seed, threads."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=doc)
    parser.add_argument("photos", type=Path, help="folder of photographs")
    parser.add_argument(
        "--out", type=Path, required=True, help="the run's folder; started again, it is resumed"
    )
    parser.add_argument("--config", type=Path, default=config, help=f"JSON file, see training/{config.name}")
    parser.add_argument("--minutes", type=float, default=minutes, help="active time of the whole run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: torch's own choice)")
    return parser


def use_threads(count: int) -> None:
    """Compute with so many CPU threads, 0 for torch's own choice; tiny numbers count as zero."""
    if count:
        torch.set_num_threads(count)
    torch.set_flush_denormal(True)
