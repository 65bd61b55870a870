"""Measure how fast tables of edits run: alone and grouped, in one process, two, and on a local Ray cluster.

python scripts/batch_throughput.py            # prints a Markdown table
python scripts/batch_throughput.py --ray      # with one and two workers of a local cluster as well

Each way does the same rows of the bundled photographs with the bundled model. Starting processes and
loading the model is told apart: it is the time until the first row begins.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from regiondrag_widget import assets
from regiondrag_widget.batch import EditWork, ResultFolder, Row, iterate


class Ungrouped(EditWork):
    """Each row has a session of its own, as if it were edited by itself."""

    def group(self, row: Row) -> tuple[str, ...]:
        """The row alone."""
        return (row.name,)


def rows_in(folder: Path, each: int) -> list[Row]:
    """Write the bundled photographs into a folder; the rows move each by several distances."""
    rows: list[Row] = []
    for name in assets.names():
        example = assets.load(name)
        example.image.resize((256, 256)).save(folder / f"{name}.png")
        Image.fromarray(example.handle).resize((256, 256)).save(folder / f"{name}-handle.png")
        given = {"picture": str(folder / f"{name}.png"), "handle": str(folder / f"{name}-handle.png")}
        rows += [Row(f"{name}-{i}", {**given, "move": f"{4 * i + 8},0"}) for i in range(each)]
    return rows


def measured(rows: list[Row], out: Path, work: EditWork, **how: Any) -> tuple[float, float, float]:
    """Seconds to start, then seconds for all rows, and mean seconds of a row in its process.

    By the times of the records: a cluster tells of the rows of a portion together.
    """
    began = time.time()
    begins, ends, own = [], [], []
    for outcome in iterate(rows, out, work, **how):
        if outcome.status != "done":
            raise RuntimeError(outcome.reason)
        own.append(outcome.seconds)
        ends.append(ResultFolder(out).record_path(outcome.row.name).stat().st_mtime)
        begins.append(ends[-1] - outcome.seconds)
    return min(begins) - began, max(ends) - min(begins), sum(own) / len(own)


def main() -> None:
    """Measure each way once."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=8, help="rows of each picture (default: 8)")
    parser.add_argument("--ray", action="store_true", help="measure a local Ray cluster too")
    args = parser.parse_args()
    torch.set_num_threads(1)
    ways: list[tuple[str, EditWork, dict[str, Any]]] = [
        ("1 process, each row by itself", Ungrouped(), {}),
        ("1 process, rows of a picture together", EditWork(), {}),
        ("2 processes", EditWork(), {"workers": 2}),
    ]
    if args.ray:
        ways += [
            (f"{count} of a local Ray cluster", EditWork(), {"workers": number, "ray": ""})
            for number, count in ((1, "1 worker"), (2, "2 workers"))
        ]
    print("| way | start, s | rows, s | seconds a row | rows an hour |\n|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        rows = rows_in(Path(folder), args.rows)
        for index, (name, work, how) in enumerate(ways):
            start, total, each = measured(rows, Path(folder) / f"out{index}", work, **how)
            print(
                f"| {name} | {start:.1f} | {total:.1f} | {each:.2f} | {3600 * len(rows) / total:,.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
