"""Edits of a Ray dataset: a line in, a line out, and the pictures by path."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from regiondrag_widget.batch.cluster import needs_of, required_ray, with_workers
from regiondrag_widget.batch.csv_table import located, plain_name
from regiondrag_widget.batch.edit_row import COLUMNS, FILES, SETTING_COLUMNS, require_known_columns
from regiondrag_widget.batch.edit_work import EditWork
from regiondrag_widget.batch.placing import leaving_a_cpu, machines_of, placed
from regiondrag_widget.batch.portions import MOST
from regiondrag_widget.batch.result_folder import ResultFolder
from regiondrag_widget.batch.row import Row

__all__ = ["edit_dataset"]

OF_AN_EDIT = (*COLUMNS, *SETTING_COLUMNS)


def edit_dataset(
    ds: Any,
    output: str | Path,
    model: str = "mini",
    *,
    device: str | None = None,
    dtype: str | None = None,
    settings: Mapping[str, Any] | None = None,
    ending: str = ".png",
    folder: str | Path = ".",
    workers: int | None = None,
    num_gpus: float | None = None,
) -> Any:
    """Edit the rows of a Ray dataset on its cluster: one warm model a worker, results by path.

    >>> lines = rd.batch.edit_dataset(ray.data.read_csv("jobs.csv"), "/shared/out", model="/shared/sd15")
    >>> lines.write_csv("/shared/lines")       # nothing is edited before the lines are asked for

    Rows are sorted by picture, so that those of one picture meet in one worker and share its session. A row
    that is finished is not done again, whether the driver or a worker died: see `ResultFolder`.

    Parameters
    ----------
    ds : ray.data.Dataset
        With the columns of a table of edits (see `read_rows`). A picture or mask may also be the bytes of a
        file or an array. Without a column ``name``, a result is called by the picture's name and the row's
        content.
    output : path
        The folder of results, which all machines must see at this path.
    model : str
        A name or a folder that all machines have; see `load_pipeline`.
    device, dtype, settings, ending
        As `EditWork` takes them.
    folder : path
        Where relative file names start.
    workers : int, optional
        How many at most; one a GPU of the cluster, or one a CPU as memory allows, when left out.
    num_gpus : float, optional
        GPUs of each worker; 0.5 lets two share one.

    Returns
    -------
    ray.data.Dataset
        One line a row: name, status ("done", "kept" or "failed"), file, reason, seconds, warnings and record.

    Raises
    ------
    RuntimeError
        Ray is not installed.
    ValueError
        The model fits no worker, a column is misspelled, or a setting is out of range.
    OutputError
        Nothing can be written to the folder.
    """
    ray = required_ray()
    work = EditWork(model, device, dtype, settings or {}, ending)
    results = ResultFolder(output)
    results.prepare()
    results.forget_attempts()
    columns = ds.schema().names
    require_known_columns([name for name in columns if name not in OF_AN_EDIT], "the dataset")
    place = leaving_a_cpu(placed(machines_of(ray), needs_of(work), workers, num_gpus), machines_of(ray))
    keys = [name for name in ("picture", "regions") if name in columns]
    if keys and _are_texts(ds, keys):
        ds = ds.sort(keys)
    rows_of = partial(_rows, str(Path(folder).absolute()))
    return with_workers(ray, ds, work, results, rows_of, place, MOST, raises=True)


def _are_texts(ds: Any, names: list[str]) -> bool:
    kinds = dict(zip(ds.schema().names, ds.schema().types, strict=True))
    return all("string" in str(kinds[name]) for name in names)


def _rows(folder: str, batch: Mapping[str, Any]) -> list[Row]:
    """The rows of a batch of a dataset."""
    count = len(next(iter(batch.values())))
    lines = [{name: _plain(column[index]) for name, column in batch.items()} for index in range(count)]
    return [_row(line, Path(folder)) for line in lines]


def _row(line: dict[str, Any], folder: Path) -> Row:
    for column in FILES:
        if isinstance(line.get(column), str) and line[column]:
            line[column] = located(line[column], column, folder)
    name = str(line.get("name") or "")
    if not name:
        texts = [line[key] for key in ("picture", "regions") if isinstance(line.get(key), str) and line[key]]
        content = json.dumps(line, sort_keys=True, default=_described)
        stem = plain_name(Path(texts[0]).stem if texts else "row")
        name = f"{stem}-{hashlib.sha256(content.encode()).hexdigest()[:12]}"
    return Row(name, line, "the dataset")


def _plain(value: Any) -> Any:
    """Numpy's scalars as Python's; arrays, bytes and texts as they are."""
    return value.item() if isinstance(value, np.generic) else value


def _described(value: Any) -> str:
    data = value if isinstance(value, bytes) else np.ascontiguousarray(value).tobytes()
    return hashlib.sha256(data).hexdigest()
