"""Where results are kept: a file a row by its name, and a record that says what it was made of."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from regiondrag_widget.batch.row import Row
from regiondrag_widget.batch.row_outcome import Outcome
from regiondrag_widget.batch.work import Depends, Made
from regiondrag_widget.regions.writing import write_whole_text

__all__ = ["OutputError", "ResultFolder", "described"]

RECORDS, ATTEMPTS = "records", ".attempts"


class OutputError(OSError):
    """Results cannot be written any more, so the whole run ends."""


class ResultFolder:
    """A folder of results that several processes and machines may write to at once.

    ``NAME.png`` is a row's result and ``records/NAME.json`` its record. Each is written aside and
    renamed, the record last: a row is finished when its record is there. The record has the key of all
    values that the result depends on, size, time and SHA-256 of each file that was read, and the size of each
    that was written. When all of these still hold, the row need not be done again.

    Parameters
    ----------
    path
        The folder; `prepare` makes it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def prepare(self) -> None:
        """Make the folder; raises `OutputError` where nothing can be written, before any work is done."""
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"{self.path} is a file: name a folder for the results")
        try:
            (self.path / RECORDS).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path / RECORDS) as file:
                file.write(b"0" * 4096)
        except OSError as error:
            raise OutputError(
                f"nothing can be written to the folder {self.path}: {error.strerror or error}"
            ) from error

    def token(self) -> str:
        """What the folder's mark says; a machine that reads the same sees the same folder."""
        mark = self.path / RECORDS / ".folder"
        if not mark.is_file():
            try:
                write_whole_text(mark, secrets.token_hex(16))
            except OSError as error:
                raise OutputError(str(error)) from error
        return mark.read_text("utf-8")

    def has(self, token: str) -> bool:
        """Whether this is the folder whose mark says ``token``."""
        try:
            return (self.path / RECORDS / ".folder").read_text("utf-8") == token
        except OSError:
            return False

    @contextmanager
    def attempt(self, name: str) -> Iterator[int]:
        """Count the attempts at a row that ended with the death of their process; yields 1 at the first.

        Raises
        ------
        OutputError
            The count cannot be written.
        """
        mark = self.path / RECORDS / ATTEMPTS / hashlib.sha256(name.encode()).hexdigest()[:24]
        try:
            mark.parent.mkdir(exist_ok=True)
            with mark.open("ab") as file:
                file.write(b".")
            attempt = mark.stat().st_size
        except OSError as error:
            raise OutputError(f"nothing can be written to {self.path}: {error.strerror or error}") from error
        yield attempt
        mark.unlink(missing_ok=True)

    def forget_attempts(self) -> None:
        """Begin to count anew: earlier runs may have been ended by hand."""
        shutil.rmtree(self.path / RECORDS / ATTEMPTS, ignore_errors=True)

    def record_path(self, name: str) -> Path:
        """Where the record of a row is."""
        return self.path / RECORDS / f"{name}.json"

    def record(self, name: str) -> dict[str, Any] | None:
        """The record of a finished row; None where there is none that can be read."""
        try:
            found = json.loads(self.record_path(name).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and {"key", "inputs", "files"} <= set(found) else None

    def finished(self, row: Row, depends: Depends) -> dict[str, Any] | None:
        """The record of a row whose result is there and was made of the same; None where it must be done."""
        record = self.record(row.name)
        if record is None or record["key"] != depends.key or len(record["inputs"]) != len(depends.files):
            return None
        try:
            for name, size in record["files"].items():
                if (self.path / name).stat().st_size != size:
                    return None
            same = all(map(_is_unchanged, depends.files, record["inputs"]))
        except (OSError, KeyError, TypeError, AttributeError):
            return None
        return record if same else None

    def keep(
        self, row: Row, depends: Depends, inputs: list[dict[str, Any]], made: Made, seconds: float
    ) -> dict[str, Any]:
        """Write a row's files and then its record.

        Parameters
        ----------
        row, depends, made
            What was done.
        inputs
            What `described` said of the files before they were read.
        seconds
            How long it took.

        Raises
        ------
        OutputError
            They cannot be written: the place is full, or was taken away.
        """
        files: dict[str, int] = {}
        record: dict[str, Any] = {
            "name": row.name,
            "key": depends.key,
            "inputs": inputs,
            "files": files,
            "about": made.about,
        }
        try:
            # what is written now is not what an earlier record says of a file of this name
            self.record_path(row.name).unlink(missing_ok=True)
            for ending, write in made.files.items():
                path = self.path / f"{row.name}{ending}"
                path.parent.mkdir(parents=True, exist_ok=True)
                write(path)
                files[f"{row.name}{ending}"] = path.stat().st_size
            record["seconds"] = round(seconds, 4)
            path = self.record_path(row.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole_text(path, json.dumps(record, indent=1, default=_plain))
        except OSError as error:
            raise OutputError(
                f"{error.strerror or error}: no more results can be written to {self.path}. Finished rows "
                "are kept; make room and run the same again"
            ) from error
        return record

    def write_failures(self, failures: Iterable[Outcome]) -> None:
        """Write ``failed.csv`` with each row that failed and why; without any, remove an earlier one."""
        path = self.path / "failed.csv"
        rows = [[failure.row.name, failure.row.place, failure.reason] for failure in failures]
        if rows:
            _write_csv(path, [["name", "row", "reason"], *rows])
        else:
            path.unlink(missing_ok=True)

    def write_table(self, rows: Iterable[Row]) -> None:
        """Write ``results.csv``: the finished rows of a table with their files, seconds and figures."""
        found: list[dict[str, Any]] = []
        for row in rows:
            record = self.record(row.name)
            if record is not None:
                own = {name: value for name, value in row.values.items() if _is_plain(value)}
                about = {
                    name: value for name, value in dict(record.get("about", {})).items() if _is_plain(value)
                }
                first = {"name": row.name, "file": next(iter(record["files"]), "")}
                # the order of the first, and the values of the last of equal names
                found.append({**first, **own, **about, **first, "seconds": record.get("seconds", "")})
        columns = list(dict.fromkeys(name for line in found for name in line))
        _write_csv(
            self.path / "results.csv",
            [columns, *([line.get(name, "") for name in columns] for line in found)],
        )


def described(path: Path) -> dict[str, Any]:
    """What a record keeps of a file that is read; raises ``FileNotFoundError`` where it is not there."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    stat = path.stat()
    digest = _digest(path, stat.st_size, stat.st_mtime_ns)
    return {"path": str(path), "bytes": stat.st_size, "modified": stat.st_mtime_ns, "sha256": digest}


@lru_cache(maxsize=64)
def _digest(path: Path, size: int, modified: int) -> str:
    """A file's SHA-256; the rows of one picture ask for it in turn."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            state.update(part)
    return state.hexdigest()


def _is_unchanged(path: Path, known: Mapping[str, Any]) -> bool:
    """Whether a file is the one in the record: by size and time, or else by its content."""
    stat = path.stat()
    if stat.st_size != known["bytes"]:
        return False
    if stat.st_mtime_ns == known["modified"] and str(path) == known["path"]:
        return True
    return bool(_digest(path, stat.st_size, stat.st_mtime_ns) == known["sha256"])


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, int, float, bool)) and not (isinstance(value, str) and not value)


def _plain(value: object) -> Any:
    """Values that json cannot write, such as numpy's, as plain ones."""
    return value.tolist() if hasattr(value, "tolist") else str(value)


def _write_csv(path: Path, lines: Iterable[Iterable[object]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    try:
        write_whole_text(path, text.getvalue())
    except OSError as error:
        raise OutputError(str(error)) from error
