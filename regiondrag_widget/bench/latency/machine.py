"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from regiondrag_widget._version import __version__
from regiondrag_widget.pipeline import RegionDragPipeline

__all__ = ["about"]


def about(pipe: RegionDragPipeline, size: int) -> dict[str, Any]:
    """Return machine, network and versions as plain data, without what cannot be determined."""
    device = pipe.backbone.device
    parameters = sum(p.numel() for p in pipe.unet.parameters())
    found = {
        "model": pipe.name,
        "unet": f"{parameters / 1e6:.2f} M parameters",
        "size": size,
        "device": _device(device),
        "dtype": str(next(pipe.unet.parameters()).dtype).removeprefix("torch."),
        "calls": pipe.acceleration,
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "regiondrag-widget": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "transformers": transformers.__version__,
        "commit": _commit(),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
    }
    return {name: value for name, value in found.items() if value}


def _device(device: torch.device) -> str:
    if device.type != "cuda":
        return device.type
    gigabytes = torch.cuda.get_device_properties(device).total_memory / 2**30
    return f"{torch.cuda.get_device_name(device)}, {gigabytes:.0f} GiB, CUDA {torch.version.cuda}"


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _commit() -> str | None:
    """The commit of the package's checkout, with "+" appended when the package differs from it."""
    package = Path(__file__).parents[2]
    try:
        head = _git(package, "rev-parse", "--short=10", "HEAD")
        tracked = _git(package, "ls-files", "--error-unmatch", "_version.py")
        changed = _git(package, "status", "--porcelain", ".")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{head}{'+' if changed else ''}" if tracked else None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()
