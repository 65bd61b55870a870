"""``regiondrag bench``: the benchmarks. To add one, write its ``command.py`` and list it here."""

from __future__ import annotations

import argparse
from typing import Any

from regiondrag_widget.bench.dragbench import command as dragbench
from regiondrag_widget.bench.handles import command as handles
from regiondrag_widget.bench.latency import command as latency
from regiondrag_widget.bench.select import command as select
from regiondrag_widget.bench.truth import command as truth


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add ``bench`` to the commands, with a command of its own for each benchmark."""
    bench: argparse.ArgumentParser = commands.add_parser(
        "bench",
        help="measure how good and how fast edits are",
        description="Measure how good and how fast edits are.",
    )
    benchmarks = bench.add_subparsers(dest="benchmark", required=True)
    for add_benchmark in (
        truth.add_parser,
        handles.add_parser,
        dragbench.add_parser,
        select.add_parser,
        latency.add_parser,
    ):
        benchmark: argparse.ArgumentParser = add_benchmark(benchmarks)
        benchmark.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return bench
