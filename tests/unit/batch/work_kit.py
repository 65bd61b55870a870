"""Work that is quick and easy to watch: importable by its name, as worker processes need it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from regiondrag_widget.batch import Depends, Made, Row

KILL = getattr(signal, "SIGKILL", signal.SIGTERM)


@dataclass(frozen=True)
class Doubling:
    """Doubles the number of each row into NAME.txt, and writes a line into ``log`` for each one done.

    A row may have ``file`` (read for its number), ``picture`` (what it shares), ``sleep`` (seconds), ``die``
    (a marker file: the process is killed where it is missing, and it is made; "always" kills every time).
    """

    log: Path
    factor: int = 2
    broken: str = ""

    def depends(self, row: Row) -> Depends:
        number = row.values.get("number", "")
        if number == "nonsense":
            raise ValueError("number must be a number")
        files = (Path(row.values["file"]),) if "file" in row.values else ()
        return Depends({"number": number, "factor": self.factor}, files)

    def group(self, row: Row) -> tuple[str, ...]:
        return (str(row.values.get("picture", "")),)

    def open(self, number: int = 0) -> Callable[[Row], Made]:
        if self.broken == "slow":
            time.sleep(60)
        if self.broken == "large":
            raise MemoryError
        if self.broken:
            raise FileNotFoundError(f"there is no model called {self.broken}")
        return self._do

    def _do(self, row: Row) -> Made:
        time.sleep(row.values.get("sleep", 0))
        die = row.values.get("die")
        if die == "always" or (die and not Path(die).exists()):
            if die != "always":
                Path(die).touch()
            os.kill(os.getpid(), KILL)
            time.sleep(60)
        number = int(
            Path(row.values["file"]).read_text("utf-8") if "file" in row.values else row.values["number"]
        )
        if number == 13:
            raise ValueError("13 is unlucky\n\nwith details")
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"{row.name} {os.getpid()}\n")
        text = str(number * self.factor)
        return Made({"number": number, "list": [1]}, {".txt": lambda path: path.write_text(text, "utf-8")})

    def done(self) -> list[str]:
        """The names of the rows that were done, in order."""
        return [line.split()[0] for line in self.lines()]

    def processes(self) -> set[str]:
        """The processes that did rows."""
        return {line.split()[1] for line in self.lines()}

    def lines(self) -> list[str]:
        return self.log.read_text("utf-8").splitlines() if self.log.exists() else []


def numbered(count: int, **values: object) -> list[Row]:
    """Rows r0, r1 ... with the numbers 0, 1 ..."""
    return [Row(f"r{number}", {"number": number, **values}, f"line {number + 2}") for number in range(count)]


def texts(output: Path) -> dict[str, str]:
    """The results in a folder by their names."""
    return {path.stem: path.read_text("utf-8") for path in output.rglob("*.txt")}
