"""What is done with rows: the protocol that the runner knows, and nothing of edits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from regiondrag_widget.batch.row import Row

__all__ = ["Depends", "Made", "Work"]


@dataclass(frozen=True)
class Depends:
    """All that a row's result depends on: where any of it changes, the row is done again.

    Attributes
    ----------
    values : mapping
        Settings, model, version: anything that JSON can write. No paths, so that a folder may be moved.
    files : tuple of Path
        Files that are read; their contents count.
    """

    values: Mapping[str, Any]
    files: tuple[Path, ...] = ()

    @property
    def key(self) -> str:
        """The values as a short text that is equal for equal values."""
        described = json.dumps(self.values, sort_keys=True, default=str)
        return hashlib.sha256(described.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Made:
    """What one row came to.

    Attributes
    ----------
    about : mapping
        Figures and words to keep, as JSON values; those that are no lists or mappings become columns of
        ``results.csv``.
    files : mapping of str to callable
        By ending, such as ".png", a function that writes the file at the path it is given.
    """

    about: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, Callable[[Path], object]] = field(default_factory=dict)


class Work(Protocol):
    """What is done with each row. It is pickled and sent to other processes, so it holds plain values."""

    def depends(self, row: Row) -> Depends:
        """What the row's result depends on; ``ValueError`` or ``TypeError`` for a row that makes no sense."""

    def group(self, row: Row) -> tuple[str, ...]:
        """What the row shares with others, the widest first: rows of equal groups are done together.

        Raises as `depends`.
        """

    def open(self, number: int = 0) -> Callable[[Row], Made]:
        """Load what all rows need, in the process that does them; what it raises ends the run.

        Parameters
        ----------
        number
            Counts the processes of one machine, to choose a device by.

        Returns
        -------
        callable
            From a row to what it came to. What it raises is the row's failure; the others go on.
        """
