"""Rows from a CSV file."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

from regiondrag_widget.batch.edit_row import COLUMNS, FILES, SEPARATOR, SETTING_COLUMNS, require_known_columns
from regiondrag_widget.batch.row import Row

__all__ = ["csv_rows"]

csv.field_size_limit(1 << 20)


def csv_rows(path: Path) -> list[Row]:
    """Read a CSV file of edits, one a row.

    Parameters
    ----------
    path
        A UTF-8 file with a line of column names; its columns stand apart by a comma, a semicolon or a tab.
        Files are named from its folder. Several handles stand in one field with "|" between them. Columns
        without a meaning here are copied into ``results.csv``.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is no table, has no rows, or a column is missing or misspelled.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            lines = list(csv.DictReader(file, delimiter=max(",;\t", key=first.count), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path.name} is no UTF-8 text of comma-separated values: {error}") from None
    columns = [name for name in lines[0] if name] if lines else []
    if not lines:
        raise ValueError(f"{path.name} has no rows below its line of column names")
    lines = [{(name or "").strip().lower(): value for name, value in line.items()} for line in lines]
    columns = [name for name in lines[0] if name]
    require_known_columns(columns, path.name)
    _require_columns(columns, path.name)
    digits = len(str(len(lines) + 1))
    return [_row(line, number, path, digits) for number, line in enumerate(lines, start=2)]


def _require_columns(columns: list[str], name: str) -> None:
    if "regions" in columns:
        return
    missing = [] if "picture" in columns else ["picture"]
    if not {"handle", "select", "points"} & set(columns):
        missing.append("handle (or select, or points)")
    if not {"target", "move", "scale", "rotate", "points", "action"} & set(columns):
        missing.append("target (or move, or points)")
    if missing:
        known = ", ".join([*COLUMNS, *SETTING_COLUMNS])
        raise ValueError(f"{name} lacks the column {' and '.join(missing)}; the columns there are: {known}")


def _row(line: dict[str, Any], number: int, path: Path, digits: int) -> Row:
    place = f"line {number} of {path.name}"
    if "" in line or None in line.values():
        raise ValueError(f"{place} has another number of fields than there are columns")
    values = {name: value.strip() for name, value in line.items()}
    for name in FILES:
        if values.get(name):
            parts = [part.strip() for part in values[name].split(SEPARATOR)]
            values[name] = SEPARATOR.join(str(_from(path.parent, part)) if part else "" for part in parts)
    name = values.get("name", "")
    if not name:
        stem = Path(values.get("picture") or values.get("regions") or "row").stem
        name = f"{number - 1:0{digits}d}-{plain_name(stem)}"
    return Row(name, values, place)


def _from(folder: Path, name: str) -> Path:
    return (folder / Path(name).expanduser()).absolute()


def plain_name(stem: str) -> str:
    """Make a name that any file system takes."""
    return re.sub(r"[^\w.-]+", "_", stem).strip("._ ")[:80] or "row"
