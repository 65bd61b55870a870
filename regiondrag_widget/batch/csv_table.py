"""Rows from a CSV file."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from regiondrag_widget.batch.edit_row import (
    COLUMNS,
    FILES,
    SEPARATOR,
    SETTING_COLUMNS,
    SEVERAL_FILES,
    require_known_columns,
)
from regiondrag_widget.batch.row import Row, cut_to_bytes

__all__ = ["csv_rows", "located", "plain_name"]

MOST_BYTES = 120  # of a name that is made of a file's

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
            reader = csv.reader(file, delimiter=max(",;\t", key=first.count), strict=True)
            columns = [name.strip().lower() for name in next(reader, [])]
            lines: list[tuple[int, list[str]]] = []
            begins = reader.line_num + 1
            for fields in reader:
                if any(field.strip() for field in fields):  # spreadsheets leave empty lines at the end
                    lines.append((begins, fields))
                begins = reader.line_num + 1
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path.name} is no UTF-8 text of comma-separated values: {error}") from None
    if not lines:
        raise ValueError(f"{path.name} has no rows below its line of column names")
    named = [name for name in columns if name]
    twice = next((name for index, name in enumerate(named) if name in named[:index]), None)
    if twice is not None:
        raise ValueError(f"{path.name} has two columns called {twice!r}: give each value one column")
    require_known_columns(named, path.name)
    _require_columns(named, path.name)
    digits = len(str(len(lines) + 1))
    return [
        _row(
            _values(columns, fields, f"line {line} of {path.name}"),
            f"line {line} of {path.name}",
            path.parent,
            f"{number:0{digits}d}",
        )
        for number, (line, fields) in enumerate(lines, start=1)
    ]


def _values(columns: list[str], fields: list[str], place: str) -> dict[str, str]:
    """The fields of a line by their columns; those without a column must be empty."""
    values = {name: value.strip() for name, value in zip(columns, fields, strict=False) if name}
    extra = [value for name, value in zip(columns, fields, strict=False) if not name] + fields[len(columns) :]
    if len(fields) < len(columns) or any(value.strip() for value in extra):
        raise ValueError(f"{place} has another number of fields than there are columns")
    return values


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


def _row(values: dict[str, str], place: str, folder: Path, number: str) -> Row:
    files = {name: located(values[name], name, folder.absolute()) for name in FILES if values.get(name)}
    name = values.get("name", "")
    if not name:
        stem = Path(values.get("picture") or values.get("regions") or "row").stem
        name = f"{number}-{plain_name(stem)}"
    return Row(name, {**values, **files}, place)


def located(text: str, column: str, folder: Path) -> str:
    """The file names of a field, from a folder; several where the column may have several."""
    parts = text.split(SEPARATOR) if column in SEVERAL_FILES else [text]
    return SEPARATOR.join(str(_from(folder, part.strip())) if part.strip() else "" for part in parts)


def _from(folder: Path, name: str) -> Path:
    path = Path(name)
    # "~name" is mostly a file's name, and not the home of a user called "name"
    return path.expanduser() if path.parts[:1] == ("~",) else folder / path


def plain_name(stem: str) -> str:
    """Make a name that any file system takes."""
    plain = re.sub(r"[^\w.-]+", "_", stem).strip("._ ")[:80]
    return cut_to_bytes(plain, MOST_BYTES).rstrip("._ ") or "row"
