"""Run a table of rows: skip what is finished, do the rest, go on past failures."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path

from regiondrag_widget.batch.cluster import on_ray, required_ray
from regiondrag_widget.batch.edit_work import EditWork
from regiondrag_widget.batch.one_row import RowDoer, earlier_outcome
from regiondrag_widget.batch.portions import MOST, in_portions
from regiondrag_widget.batch.process_pool import in_processes
from regiondrag_widget.batch.result_folder import ResultFolder
from regiondrag_widget.batch.row import Row, require_unique
from regiondrag_widget.batch.row_outcome import Outcome, Summary
from regiondrag_widget.batch.work import Work

__all__ = ["iterate", "run"]


def run(
    rows: Iterable[Row],
    output: str | Path,
    work: Work | None = None,
    *,
    workers: int | None = None,
    ray: str | None = None,
    progress: Callable[[Outcome, Summary], object] = lambda outcome, summary: None,
) -> Summary:
    """Do all rows that are not finished; write ``failed.csv`` and ``results.csv``.

    >>> summary = rd.batch.run(rd.batch.read_rows("jobs.csv"), "out", workers=4)
    >>> summary.done, summary.kept, summary.failed

    Interrupted, it leaves finished rows as they are; called again it goes on.

    Parameters
    ----------
    rows, output, work, workers, ray
        As `iterate`.
    progress : callable
        Called with each outcome and the summary so far; an exception in it ends the run.

    Returns
    -------
    Summary
        The numbers of rows and the failures.

    Raises
    ------
    As `iterate`.
    """
    table = list(rows)
    folder = ResultFolder(output)
    summary = Summary(total=len(table))
    outcomes = iterate(table, output, work, workers=workers, ray=ray)
    try:
        for outcome in outcomes:
            summary.add(outcome)
            progress(outcome, summary)
    finally:
        outcomes.close()
        if folder.path.is_dir():
            order = {row.name: index for index, row in enumerate(table)}
            summary.failures.sort(key=lambda failure: order[failure.row.name])
            folder.write_failures(summary.failures)
    failed = {failure.row.name for failure in summary.failures}
    # a row that fails may have a result of an earlier run, when it said something else
    folder.write_table(row for row in table if row.name not in failed)
    return summary


def iterate(
    rows: Iterable[Row],
    output: str | Path,
    work: Work | None = None,
    *,
    workers: int | None = None,
    ray: str | None = None,
) -> Generator[Outcome, None, None]:
    """Yield how each row ended, in the order in which they end; closing it ends the run.

    Rows that an earlier run finished come first, as "kept": those whose result is there and was made of the
    same values and files. All others are done, whether they are new, changed or failed before.

    Parameters
    ----------
    rows
        The table.
    output
        The folder of the results; made if it is missing. See `ResultFolder`.
    work
        What is done with each row; edits by the bundled model when left out.
    workers
        Processes. One is this one, and the default; several are started anew, each with one thread for
        torch, so a script that calls this needs ``if __name__ == "__main__":``. On a cluster, the workers at
        most; as many as it has room for when left out.
    ray
        The address of a Ray cluster to work on; empty for that of ``RAY_ADDRESS`` or this machine. None does
        without Ray.

    Raises
    ------
    ValueError
        There are no rows, two have one name, a result would overwrite a file that is read, or workers is
        below 1, or the work cannot be sent to other processes.
    RuntimeError, ConnectionError
        Ray is not installed, or no cluster answers.
    OutputError
        Results cannot be written, at the start or in the middle.
    Exception
        Whatever `Work.open` raises, such as ``FileNotFoundError`` for a model that is not there.
    """
    table = list(rows)
    doing: Work = EditWork() if work is None else work
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}: it must be at least 1")
    if not table:
        raise ValueError("there are no rows to do")
    require_unique(table)
    if ray is not None:
        required_ray()
    folder = ResultFolder(output)
    _refuse_overwriting(table, doing, folder)
    folder.prepare()
    return _outcomes(table, doing, folder, workers, ray)


def _outcomes(
    table: Sequence[Row], work: Work, folder: ResultFolder, workers: int | None, ray: str | None
) -> Generator[Outcome, None, None]:
    remaining: list[Row] = []
    for row in table:
        outcome = earlier_outcome(row, work, folder)
        if outcome is None:
            remaining.append(row)
        else:
            yield outcome
    if not remaining:
        return
    portions = in_portions(remaining, work, min(MOST, -(-len(remaining) // (workers or 1))))
    if ray is not None:
        yield from on_ray(portions, work, folder, ray, workers)
        return
    if workers is not None and workers > 1 and len(remaining) > 1:
        yield from in_processes(portions, work, folder, workers)
        return
    do = RowDoer(work, folder)
    for portion in portions:
        for row in portion:
            yield do(row)


def _refuse_overwriting(rows: Sequence[Row], work: Work, folder: ResultFolder) -> None:
    """Raise ``ValueError`` where a result would take the place of a file that a row reads."""
    output = folder.path.resolve()
    names = {row.name.casefold() for row in rows}
    folders: dict[Path, Path] = {}
    for row in rows:
        try:
            files = work.depends(row).files
        except Exception:  # it will fail with its reason
            continue
        for path in files:
            if path.parent not in folders:  # by its folder: a link among the results is written through
                folders[path.parent] = path.parent.resolve()
            place = folders[path.parent] / path.name
            if output in place.parents:
                name = place.relative_to(output).with_suffix("").as_posix()
                if name.casefold() in names:
                    raise ValueError(
                        f"a result would overwrite {path}, which is read: choose another folder for results"
                    )
