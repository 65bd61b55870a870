"""How a row ended, and what a whole run came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from regiondrag_widget.batch.row import Row

__all__ = ["Outcome", "Status", "Summary"]

Status = Literal["done", "kept", "failed"]


@dataclass(frozen=True)
class Outcome:
    """How one row ended.

    Attributes
    ----------
    row : Row
        The row.
    status : str
        "done" now, "kept" from an earlier run, or "failed".
    reason : str
        Why it failed, in words.
    record : mapping
        What is kept of a row that did not fail: see `ResultFolder`.
    seconds : float
        How long the row took now.
    warnings : tuple of str
        What the work warned of.
    """

    row: Row
    status: Status
    reason: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()


@dataclass
class Summary:
    """What a run came to, counted while it goes on.

    Attributes
    ----------
    total : int
        Rows of the table.
    done, kept, failed : int
        Rows that were done now, that an earlier run had finished, and that failed.
    failures : list of Outcome
        The rows that failed, with the reasons.
    """

    total: int
    done: int = 0
    kept: int = 0
    failed: int = 0
    failures: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Count one more row."""
        setattr(self, outcome.status, getattr(self, outcome.status) + 1)
        if outcome.status == "failed":
            self.failures.append(outcome)
