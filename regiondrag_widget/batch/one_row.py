"""Do one row and keep its result: the same in this process, in a pool and on a cluster."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

from regiondrag_widget.batch.result_folder import OutputError, ResultFolder, described
from regiondrag_widget.batch.row import Row
from regiondrag_widget.batch.row_outcome import Outcome
from regiondrag_widget.batch.work import Depends, Made, Work

__all__ = ["RowDoer", "earlier_outcome", "reason_of"]


class RowDoer:
    """Does rows one after another; what the work needs is loaded for the first row that must be done.

    Parameters
    ----------
    work : Work
        What is done.
    folder : ResultFolder
        Where results go.
    number : int
        Counts the processes of one machine.
    """

    def __init__(self, work: Work, folder: ResultFolder, number: int = 0) -> None:
        self._work, self._folder, self._number = work, folder, number
        self._do: Callable[[Row], Made] | None = None

    def open(self) -> None:
        """Load what the work needs, unless it is loaded; raises as `Work.open`."""
        if self._do is None:
            self._do = self._work.open(self._number)

    def __call__(self, row: Row) -> Outcome:
        """Do a row, or find that it is finished.

        Raises
        ------
        OutputError
            The result cannot be written.
        Exception
            Whatever `Work.open` raises.
        """
        try:
            depends = self._work.depends(row)
            known = self._folder.finished(row, depends)
            if known is not None:
                return Outcome(row, "kept", record=known)
            inputs = [described(path) for path in depends.files]
        except Exception as error:
            return Outcome(row, "failed", reason_of(error))
        self.open()
        return self._done(row, depends, inputs)

    def _done(self, row: Row, depends: Depends, inputs: list[dict[str, Any]]) -> Outcome:
        assert self._do is not None
        began = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore")
            warnings.simplefilter("default", UserWarning)
            try:
                made = self._do(row)
                seconds = time.perf_counter() - began
                record = self._folder.keep(row, depends, inputs, made, seconds)
            except OutputError:
                raise
            except Exception as error:
                return Outcome(row, "failed", reason_of(error), seconds=time.perf_counter() - began)
        said = tuple(dict.fromkeys(" ".join(str(warning.message).split()) for warning in caught))
        return Outcome(row, "done", record=record, seconds=time.perf_counter() - began, warnings=said)


def earlier_outcome(row: Row, work: Work, folder: ResultFolder) -> Outcome | None:
    """How the row ended before this run: finished, or wrong as it stands; None if it must be done."""
    try:
        known = folder.finished(row, work.depends(row))
    except Exception as error:
        return Outcome(row, "failed", reason_of(error))
    return None if known is None else Outcome(row, "kept", record=known)


def reason_of(error: BaseException) -> str:
    """Say in one line why a row failed."""
    if isinstance(error, MemoryError):
        return "there is not enough memory: try a smaller picture or fewer steps"
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    words = " ".join(str(error).strip().split("\n\n")[0].split())
    return words or type(error).__name__
