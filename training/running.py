"""What every training run does: averages its weights, logs, saves its state, and goes on from it."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

__all__ = ["Run", "cosine", "log"]

STATE = "state.safetensors"


class Run:
    """A network in training.

    net, optimizer : what is trained, and how
    average : the running mean of the network's weights, by name
    step, spent : steps done, and active seconds they took
    """

    def __init__(self, net: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        self.net, self.optimizer = net, optimizer
        self.average: dict[str, Tensor] = {k: v.detach().clone() for k, v in net.state_dict().items()}
        self.step, self.spent = 0, 0.0

    def take(self, loss: Tensor, rate: float, averaging: float) -> None:
        """One step down the loss at a learning rate; the average keeps `averaging` of itself."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        decay = min(averaging, (1 + self.step) / (10 + self.step))  # the first weights are no part of it
        with torch.no_grad():
            for name, value in self.net.state_dict().items():
                self.average[name].lerp_(value, 1 - decay)

    def took(self, seconds: float) -> None:
        """Count a step's time; a paused process (SIGSTOP, a suspended laptop) has not trained meanwhile."""
        self.spent += min(seconds, 10.0)

    def save(self, folder: Path) -> None:
        """Everything that is needed to go on, in `folder`, whole or not at all."""
        tensors = {f"live.{k}": v for k, v in self.net.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{k}": torch.as_tensor(v) for k, v in state.items()}
        aside = folder / f"{STATE}.tmp"
        record = {"step": str(self.step), "spent": str(self.spent)}
        save_file({k: v.cpu().contiguous() for k, v in tensors.items()}, aside, metadata=record)
        os.replace(aside, folder / STATE)

    def resume(self, folder: Path) -> None:
        """Go on from what `save` left in `folder`, if anything."""
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


def cosine(step: int, progress: float, warm: int, least: float) -> float:
    """A learning rate's share: rising over `warm` steps, then half a cosine down to `least`.

    progress : of the whole run, in [0, 1]
    """
    falling = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return min(1.0, (step + 1) / warm) * (least + (1 - least) * falling)


def log(folder: Path, **record: float) -> None:
    """A line of figures, printed and kept in `folder`/log.jsonl."""
    line = json.dumps({k: round(v, 5) for k, v in record.items()})
    print(line, flush=True)
    with open(folder / "log.jsonl", "a") as file:
        file.write(line + "\n")
