"""Peak memory of one way to edit, measured in a process of its own that does nothing else.

The child process runs this module, with a JSON description of what to do as its argument.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["WAYS", "peak_memory"]

WAYS = ("network loaded", "released schedule", "cold edit", "warm edit", "draft, 2 calls", "point drag")
SECONDS = 600


def peak_memory(way: str, network: dict[str, Any], size: int) -> dict[str, Any]:
    """Measure one of `WAYS`: ``{"way", "bytes"}``, or ``{"way", "problem"}``.

    ``bytes`` is `torch.cuda.max_memory_allocated` on CUDA, and elsewhere the process's peak resident memory,
    libraries and network included.

    Parameters
    ----------
    network
        Keyword arguments of `load_network`.
    size
        Pixels a side.
    """
    order = json.dumps({"way": way, "network": network, "size": size})
    command = [sys.executable, "-m", "regiondrag_widget.bench.latency.peak_memory", order]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return {"way": way, "problem": f"took longer than {SECONDS} s"}
    if done.returncode != 0:
        killed = "killed: out of memory, most likely"
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return {"way": way, "problem": killed if done.returncode < 0 else last[:200]}
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return {"way": way, **found}


def _measured(order: dict[str, Any]) -> dict[str, Any]:
    import torch

    from regiondrag_widget.bench.latency.case import make_case
    from regiondrag_widget.bench.latency.networks import load_network
    from regiondrag_widget.bench.latency.rounds import problem_of
    from regiondrag_widget.bench.latency.rows import edit_rows
    from regiondrag_widget.bench.latency.workbench import Workbench

    work = Workbench(make_case(order["size"]), lambda **options: load_network(**order["network"], **options))
    trial = None
    try:
        if order["way"] == WAYS[0]:
            work.pipe()
        else:
            row = next(row for row in edit_rows(work, 1) if row.name == order["way"])
            trial = row.prepare()
        device = next(iter(work.pipes())).backbone.device
        _forget_peak(device)
        for i in (-1, -2):  # warm-ups: a point drag then makes two of its steps, which take as much as eighty
            if trial is not None:
                trial(i)
    except Exception as error:
        return {"problem": problem_of(error)}
    if device.type == "cuda":
        return {"bytes": torch.cuda.max_memory_allocated(device)}
    return {"bytes": _peak_resident()}


def _forget_peak(device: Any) -> None:
    """Reset the peak, so that loading does not count; systems that cannot do so count it."""
    import torch

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        Path("/proc/self/clear_refs").write_text("5", "utf-8")
    except OSError:
        return


def _peak_resident() -> int:
    try:
        for line in Path("/proc/self/status").read_text("utf-8").splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    print(json.dumps(_measured(json.loads(sys.argv[1]))))
