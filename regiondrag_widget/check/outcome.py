"""What one part of the check came to."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from regiondrag_widget.errors import first_line

__all__ = ["Failed", "Finding", "Outcome", "Skipped", "judged"]

State = Literal["ok", "failed", "skipped"]


@dataclass(frozen=True)
class Finding:
    """What a drill found.

    Attributes
    ----------
    words : str
        For the reader, without a full stop.
    figures : mapping of str to float
        What was measured.
    """

    words: str
    figures: Mapping[str, float] = field(default_factory=dict)


class Failed(Exception):
    """A drill found something wrong, in words."""


class Skipped(Exception):
    """A drill has nothing to do on this machine, with the reason in words."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of one drill.

    Attributes
    ----------
    name : str
        What was tried.
    state : str
        "ok", "failed" or "skipped".
    words : str
        What was found.
    seconds : float
        How long it took.
    figures : mapping of str to float
        What was measured.
    traceback : str
        Of an unexpected error; empty otherwise.
    """

    name: str
    state: State
    words: str
    seconds: float
    figures: Mapping[str, float] = field(default_factory=dict)
    traceback: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain values, without an empty traceback."""
        record = asdict(self)
        record["seconds"] = round(self.seconds, 3)
        record["figures"] = {name: float(f"{value:.4g}") for name, value in self.figures.items()}
        if not self.traceback:
            del record["traceback"]
        return record


def judged(name: str, drill: Callable[[], Finding]) -> Outcome:
    """Run a drill and judge it; no exception but an interrupt leaves it.

    Parameters
    ----------
    name : str
        What it tries.
    drill : callable
        Returns what it found; raises `Failed`, `Skipped` or anything else.
    """
    begun = time.perf_counter()
    state: State
    figures: Mapping[str, float] = {}
    trace = ""
    try:
        found = drill()
        state, words, figures = "ok", found.words, found.figures
    except Skipped as reason:
        state, words = "skipped", str(reason)
    except Failed as reason:
        state, words = "failed", str(reason)
    except Exception as error:
        state, words = "failed", f"{type(error).__name__}: {first_line(error)}"
        trace = traceback.format_exc()
    return Outcome(name, state, words, time.perf_counter() - begun, figures, trace)
