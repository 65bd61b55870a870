"""Rows of a table measured in rounds: every round times each row once, each time starting at another row."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch

from regiondrag_widget.bench.latency.clock import Clock, Noise
from regiondrag_widget.errors import first_line
from regiondrag_widget.models.memory import is_out_of_memory

__all__ = ["Result", "Row", "Trial", "measure"]

Stages: TypeAlias = Mapping[str, float]
Trial: TypeAlias = Callable[[int], "Stages | None"]
"""One repetition, by its number, so that each can be another drag; returns seconds by stage where known."""


@dataclass(frozen=True)
class Row:
    """One thing to measure.

    Parameters
    ----------
    name
        What the report calls it, unique.
    group
        The table it belongs to.
    prepare
        Loads and sets up, untimed, and gives the trial; called once.
    what
        What is measured, in a few words.
    calls
        Network calls of one repetition, each picture of a batch counted; None where there is no fixed number.
    against
        For a lever: the row it is compared with.
    x
        Where it stands on its group's axis: pixels, or number of pairs.
    most, warmups
        The largest number of repetitions, and how many uncounted ones come before them.
    """

    name: str
    group: str
    prepare: Callable[[], Trial]
    what: str
    calls: int | None = None
    against: str | None = None
    x: float | None = None
    most: int | None = None
    warmups: int = 2


@dataclass
class Result:
    """What was measured of a row: seconds of every repetition, in all and by stage, or why it failed."""

    row: Row
    seconds: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)
    problem: str = ""

    @property
    def median(self) -> float | None:
        """Seconds, or None when nothing was measured."""
        return float(np.median(self.seconds)) if self.seconds else None

    @property
    def p95(self) -> float | None:
        """The 95th percentile in seconds, or None when nothing was measured."""
        return float(np.percentile(self.seconds, 95)) if self.seconds else None

    @property
    def least(self) -> float | None:
        """The shortest repetition in seconds, or None when nothing was measured."""
        return min(self.seconds) if self.seconds else None

    def as_json(self) -> dict[str, Any]:
        """Return row and figures as plain data."""
        return {
            "name": self.row.name,
            "group": self.row.group,
            "what": self.row.what,
            "calls": self.row.calls,
            "against": self.row.against,
            "x": self.row.x,
            "median": self.median,
            "p95": self.p95,
            "least": self.least,
            "seconds": [round(s, 6) for s in self.seconds],
            "stages": {name: round(float(np.median(s)), 6) for name, s in self.stages.items()},
            "problem": self.problem,
        }


def measure(
    results: Sequence[Result],
    repetitions: int,
    clock: Clock,
    noise: Noise,
    progress: Callable[[str], None] = lambda name: None,
) -> None:
    """Fill in ``results``: warm-ups first, then round after round; a row that fails notes why and is skipped.

    An interrupt passes through; what was measured until then is in ``results``.
    """
    trials: dict[str, Trial] = {}
    try:
        for result in results:
            progress(f"{result.row.name}: warm-up")
            if (trial := _guarded(result, result.row.prepare)) is None:
                continue
            for i in range(result.row.warmups):
                _guarded(result, partial(clock.time, partial(trial, -1 - i)))
            if not result.problem:
                trials[result.row.name] = trial
            del trial
        for round_ in range(repetitions):
            turn = round_ % max(1, len(results))
            for result in [*results[turn:], *results[:turn]]:
                most = min(repetitions, result.row.most or repetitions)
                if result.problem or len(result.seconds) * repetitions > round_ * most:
                    continue  # few repetitions are spread over all rounds
                progress(f"{result.row.name}: {round_ + 1} of {repetitions}")
                noise.probe()
                found = _guarded(result, partial(clock.time, partial(trials[result.row.name], round_)))
                if found is None:
                    del trials[result.row.name]
                    continue
                seconds, stages = found
                result.seconds.append(seconds)
                for name, part in (stages or {}).items():
                    result.stages.setdefault(name, []).append(part)
    finally:
        trials.clear()
        empty(clock.device)


def empty(device: torch.device) -> None:
    """Free unused memory."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _guarded(result: Result, work: Callable[[], Any]) -> Any:
    """``work()``, or None with the problem noted: one row's failure costs no other row."""
    if result.problem:
        return None
    try:
        return work()
    except Exception as error:
        result.problem = problem_of(error)
    empty(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    return None


def problem_of(error: Exception) -> str:
    """A failure in one short sentence."""
    text = " ".join(first_line(error).split())
    if is_out_of_memory(error):
        return "out of memory"
    return f"{type(error).__name__}: {text}"[:200]
