"""Many edits: a table of rows, done by one process, several or a cluster, and resumed where it stopped.

>>> rows = rd.batch.read_rows("jobs.csv")
>>> summary = rd.batch.run(rows, "out", workers=4)

The same runner does other work than edits: see `Work`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regiondrag_widget.batch.edit_work import EditWork
    from regiondrag_widget.batch.ray_dataset import edit_dataset
    from regiondrag_widget.batch.result_folder import OutputError, ResultFolder
    from regiondrag_widget.batch.row import Row
    from regiondrag_widget.batch.row_outcome import Outcome, Summary
    from regiondrag_widget.batch.running import iterate, run
    from regiondrag_widget.batch.table import read_rows
    from regiondrag_widget.batch.work import Depends, Made, Work

__all__ = [
    "Depends",
    "EditWork",
    "Made",
    "Outcome",
    "OutputError",
    "ResultFolder",
    "Row",
    "Summary",
    "Work",
    "edit_dataset",
    "iterate",
    "read_rows",
    "run",
]

# public name -> the module it is in
_WHERE = {
    "Depends": "work",
    "EditWork": "edit_work",
    "Made": "work",
    "Outcome": "row_outcome",
    "OutputError": "result_folder",
    "ResultFolder": "result_folder",
    "Row": "row",
    "Summary": "row_outcome",
    "Work": "work",
    "edit_dataset": "ray_dataset",
    "iterate": "running",
    "read_rows": "table",
    "run": "running",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value  # the next look-up finds it at once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
