"""What runs on a cluster: one warm worker an actor, which does the rows that Ray Data hands it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from regiondrag_widget.batch.one_row import RowDoer, reason_of
from regiondrag_widget.batch.process_pool import compute_with_one_thread
from regiondrag_widget.batch.result_folder import OutputError, ResultFolder
from regiondrag_widget.batch.row import Row
from regiondrag_widget.batch.row_outcome import Outcome, Status
from regiondrag_widget.batch.work import Work
from regiondrag_widget.models.memory import is_out_of_memory

__all__ = ["RowsOnRay", "outcome_in", "raise_fatal"]

TRIES = 2  # of a row whose worker dies
DIED = f"the worker that did this row died {TRIES} times: it ran out of memory or was killed"


class RowsOnRay:
    """Called by Ray Data with batches of rows; yields a line for each of them.

    A line has the columns name, status, file, reason, seconds, warnings and record, the last two as JSON.

    Parameters
    ----------
    work : Work
        What is done.
    output : str
        The folder of results.
    token : str
        What the folder's mark says: see `ResultFolder.token`.
    rows_of : callable
        From a batch, columns by name, to its rows.
    raises : bool
        Whether what ends the run is raised, or told by a line: see `raise_fatal`.
    """

    def __init__(
        self,
        work: Work,
        output: str,
        token: str,
        rows_of: Callable[[Mapping[str, Any]], list[Row]],
        raises: bool = False,
    ) -> None:
        self._folder, self._token, self._rows_of = ResultFolder(output), token, rows_of
        self._raises = raises
        self._do = RowDoer(work, self._folder)
        self._cpu_only = not os.environ.get("CUDA_VISIBLE_DEVICES")
        if self._cpu_only:
            for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # for libraries that are not imported yet
                os.environ[name] = "1"

    def __call__(self, batch: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Do the rows of a batch."""
        for row in self._rows_of(batch):
            line = self._done(row)
            if self._raises:
                raise_fatal({name: column[0] for name, column in line.items()})
            yield line

    def _done(self, row: Row) -> dict[str, Any]:
        """Do a row; the line that tells how it ended."""
        try:
            if not self._folder.has(self._token):
                raise OutputError(self._unshared())
            return _line(self._outcome(row))
        except Exception as error:
            return _line(Outcome(row, "failed", self._words(error)), fatal=type(error).__name__)

    def _outcome(self, row: Row) -> Outcome:
        """Do a row, but for one that killed its worker before."""
        with self._folder.attempt(row.name) as attempt:
            if attempt > TRIES:
                return Outcome(row, "failed", DIED)
            outcome = self._do(row)
        if self._cpu_only:
            compute_with_one_thread()
        return outcome

    def _unshared(self) -> str:
        return (
            f"the machine {socket.gethostname()} does not see the folder {self._folder.path}: name one that "
            "all machines of the cluster share"
        )

    def _words(self, error: Exception) -> str:
        if is_out_of_memory(error):
            return (
                f"the model fits no worker: memory ran out on {socket.gethostname()} while it was loaded. "
                "Use a smaller model or larger machines"
            )
        return reason_of(error)


def _line(outcome: Outcome, fatal: str = "") -> dict[str, Any]:
    """An outcome as a batch of one line, of plain columns; ``fatal`` names the error that ends the run."""
    files = outcome.record.get("files", {})
    columns = {
        "name": outcome.row.name,
        "status": f"fatal {fatal}" if fatal else outcome.status,
        "file": next(iter(files), ""),
        "reason": outcome.reason,
        "seconds": outcome.seconds,
        "warnings": json.dumps(outcome.warnings),
        "record": json.dumps(outcome.record, default=str),
    }
    return {name: np.array([value]) for name, value in columns.items()}


def outcome_in(line: Mapping[str, Any], row: Row) -> Outcome:
    """The outcome that a line of `RowsOnRay` tells."""
    # a row that was given to a cluster was not finished then: one that is kept was finished by a worker
    # that died before it could tell
    status: Status = "failed" if line["status"] == "failed" else "done"
    return Outcome(
        row,
        status,
        str(line["reason"]),
        json.loads(line["record"]),
        float(line["seconds"]),
        tuple(json.loads(line["warnings"])),
    )


_ERRORS: dict[str, type[Exception]] = {
    kind.__name__: kind
    for kind in (OutputError, ValueError, TypeError, MemoryError, FileNotFoundError, OSError)
}


def raise_fatal(line: Mapping[str, Any]) -> None:
    """Raise the error that a line tells of, if it tells of one that ends the run."""
    status, _, kind = str(line["status"]).partition(" ")
    if status == "fatal":
        raise _ERRORS.get(kind, RuntimeError)(str(line["reason"]))


def portion_of(batch: Mapping[str, Any]) -> list[Row]:
    """The rows of a batch that holds one portion."""
    return list(batch["portion"][0].rows)
