"""Read the rows of a table of edits: a CSV file, or a folder of pictures and masks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from regiondrag_widget.batch.csv_table import csv_rows
from regiondrag_widget.batch.folder_table import folder_rows
from regiondrag_widget.batch.row import Row, require_unique

__all__ = ["read_rows"]

TABLE = "jobs.csv"


def read_rows(source: str | Path, *, seeds: Sequence[int] = ()) -> list[Row]:
    """Read the rows of a CSV file or a folder.

    Parameters
    ----------
    source
        A CSV file (see `csv_rows`), or a folder: with a ``jobs.csv`` in it that file is read, else its
        pictures and masks are found by their names (see `folder_rows`).
    seeds
        With seeds, each row becomes one row for each of them.

    Returns
    -------
    list of Row
        With paths that hold from anywhere.

    Raises
    ------
    FileNotFoundError
        There is no such file or folder.
    ValueError
        No rows, columns that are missing or misspelled, or two rows of one name.
    """
    path = Path(source).expanduser()
    if path.is_dir():
        rows = csv_rows(path / TABLE) if (path / TABLE).is_file() else folder_rows(path)
    else:
        rows = csv_rows(path)
    if seeds:
        rows = [
            Row(f"{row.name}-seed{seed}", {**row.values, "seed": seed}, row.place)
            for row in rows
            for seed in dict.fromkeys(seeds)
        ]
    require_unique(rows)
    return rows
