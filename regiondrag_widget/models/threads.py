"""How many threads torch may use on this machine, where the user has not chosen."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path

import psutil
import torch

__all__ = ["available_cpus", "settle_threads"]

SAID = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_THREAD_LIMIT")
CGROUP = Path("/sys/fs/cgroup")


def settle_threads() -> int:
    """Limit torch to the processors this process may use.

    torch counts the machine's cores. In a container with a quota, or under `taskset`, it therefore starts
    many more threads than can run, and they wait for each other. A number that the user chose, by environment
    or `torch.set_num_threads`, stays. The number is never raised.

    Returns
    -------
    int
        The number of threads that torch has afterwards.
    """
    present = torch.get_num_threads()
    counted = {psutil.cpu_count(logical=True), psutil.cpu_count(logical=False)}
    if any(os.environ.get(name) for name in SAID) or present not in counted:
        return present
    usable = available_cpus()
    if usable < present:
        torch.set_num_threads(usable)
    return torch.get_num_threads()


def available_cpus(cgroup: Path = CGROUP) -> int:
    """Processors this process may use, by its affinity and its container's quota; at least one.

    Parameters
    ----------
    cgroup : Path
        The folder with the quota, of version 2 (`cpu.max`) or 1 (`cpu/cpu.cfs_quota_us`).
    """
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity is not None else (os.cpu_count() or 1)
    quota = _quota(cgroup)
    return max(1, count if quota is None else min(count, math.ceil(quota)))


def _quota(cgroup: Path) -> float | None:
    """Processors' worth of time that a container gets; None without a limit."""
    try:
        limit, period = (cgroup / "cpu.max").read_text("utf-8").split()[:2]
    except (OSError, ValueError):
        try:
            limit = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text("utf-8").strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text("utf-8").strip()
        except OSError:
            return None
    try:
        quota = float(limit) / float(period)
    except (ValueError, ZeroDivisionError):  # "max": no limit
        return None
    return quota if quota > 0 else None


def _after_fork() -> None:
    """In a forked child: compute with one thread, for the parent's pools of threads are not there.

    A library that has used its pool before the fork would wait for it for ever.
    """
    torch.set_num_threads(1)
    cv2 = sys.modules.get("cv2")
    if cv2 is not None:
        cv2.setNumThreads(0)  # with 1 it would wait for its threads to end


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
