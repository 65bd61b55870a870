"""One row of a table: a name for its result, and what is to be done as plain values."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Row", "cut_to_bytes", "require_unique"]

LONGEST = 180  # characters of a name
MOST_BYTES = 240  # of each part of a name: file systems take 255, and the ending is added
FORBIDDEN = re.compile(r'[<>:"\\|?*\x00-\x1f\x7f\ud800-\udfff]')  # what Windows or a terminal cannot take
RESERVED = "records"  # the folder of the records among the results


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Parameters
    ----------
    name : str
        What its result is called, without an ending. It may have folders in it, as in "ducks/left".
    values : mapping
        What is to be done. Plain values and paths, so that a row can be sent to another process.
    place : str
        Where the row stands, for messages: "row 3 of jobs.csv".

    Raises
    ------
    ValueError
        The name cannot be a file's.
    """

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""

    def __post_init__(self) -> None:
        parts = self.name.split("/")
        usable = all(part.strip(". ") and part == part.strip() and not part.endswith(".") for part in parts)
        where = f" ({self.place})" if self.place else ""
        if (
            not usable
            or FORBIDDEN.search(self.name)
            or len(self.name) > LONGEST
            or any(len(part.encode()) > MOST_BYTES for part in parts)
        ):
            raise ValueError(
                f"{self.name[:60]!r}{where} cannot name a result: use letters, digits, '-', '_' and '/', "
                f"at most {LONGEST} characters, {MOST_BYTES} bytes in each part"
            )
        if len(parts) > 1 and parts[0].casefold() == RESERVED:
            raise ValueError(
                f"{self.name[:60]!r}{where} cannot name a result: the folder {RESERVED!r} is for records"
            )


def cut_to_bytes(text: str, most: int) -> str:
    """The beginning of a text that has so many bytes in UTF-8 at the most."""
    return text.encode("utf-8", "replace")[:most].decode("utf-8", "ignore")


def require_unique(rows: Iterable[Row]) -> None:
    """Raise ``ValueError`` when two rows would write the same file on some system.

    Some ignore case, and some take a letter with its accent and the two apart for one.
    """
    seen: dict[str, Row] = {}
    for row in rows:
        other = seen.setdefault(unicodedata.normalize("NFC", row.name).casefold(), row)
        if other is not row:
            places = f" ({other.place} and {row.place})" if row.place else ""
            raise ValueError(
                f"two rows are called {row.name!r}{places}: give each a name of its own, since results are "
                "files of that name"
            )
