"""``regiondrag batch``: a table of edits, resumed where it stopped."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from regiondrag_widget.batch.edit_row import COLUMNS, SETTING_COLUMNS
from regiondrag_widget.cli.edit import add_setting
from regiondrag_widget.engine.settings import SETTINGS, EditSettings
from regiondrag_widget.terminal import DONE, FAILURE, INTERRUPTED, say

if TYPE_CHECKING:
    from regiondrag_widget.batch.row_outcome import Outcome, Summary

EXAMPLES = """examples:
  regiondrag batch jobs.csv -o out
  regiondrag batch photos -o out --seeds 0 1 2 --workers 4
  regiondrag batch jobs.csv -o /shared/out --ray 10.0.0.1:6379

columns of the CSV file (files are named from its folder; "|" stands between the values of several handles):
{columns}
  and the settings {settings}; other columns are copied into results.csv

files of a folder without a jobs.csv:
  duck.jpg, duck-handle.png, duck-target.png    a picture and its masks; duck-handle-1.png ... for several
  duck-protect.png, duck.txt                    white where nothing may change; the prompt
  edit.zip                                      saved regions

A row that is finished is skipped when its result is there and its picture, masks, values, settings, model and
this program's version are the same (OUT/records says what they were); else it is done again.
Exit code 1: a row failed; failed.csv has the reasons."""


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add ``batch`` to the commands."""
    columns = "\n".join(f"  {name:<9} {words}" for name, words in COLUMNS.items())
    parser: argparse.ArgumentParser = commands.add_parser(
        "batch",
        help="make many edits, from a CSV file or a folder",
        description="Make the edits of a CSV file or a folder, and go on where an earlier run stopped.",
        epilog=EXAMPLES.format(columns=columns, settings=", ".join(SETTING_COLUMNS)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "table", type=Path, metavar="FOLDER|CSV", help="the edits; a folder may have a jobs.csv"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help="the folder of results"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="processes, with one thread for "
                        "torch each if there are several (default: 1); with --ray, at most")  # fmt: skip
    parser.add_argument("--ray", nargs="?", const="", metavar="ADDRESS", help="work on a Ray cluster; "
                        "without an address on that of RAY_ADDRESS or this machine")  # fmt: skip
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[], metavar="SEED", help="each row once for each seed"
    )
    parser.add_argument("--format", default="png", choices=("png", "jpg", "webp", "tif", "bmp"),
                        help="of the results (default: png)")  # fmt: skip
    how = parser.add_argument_group("settings of rows that do not have their own")
    for spec in SETTINGS:
        if "command line" in spec.faces:
            add_setting(how, spec)
    how.add_argument("--device", help="cpu, cuda, cuda:1, mps; chosen automatically")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Make the edits that are not finished."""
    from regiondrag_widget.batch.cluster import required_ray
    from regiondrag_widget.batch.edit_work import EditWork
    from regiondrag_widget.batch.running import run as run_rows
    from regiondrag_widget.batch.table import read_rows

    given = {name: value for name in SETTING_COLUMNS if (value := getattr(args, name)) is not None}
    work = EditWork(args.model or "mini", args.device, settings=given, ending=f".{args.format}")
    for seed in args.seeds:
        EditSettings().updated({"seed": seed}, "command line")
    rows = read_rows(args.table, seeds=args.seeds)
    _keep_table(args.table, args.output)
    if args.ray is not None:
        required_ray()
    warned: set[str] = set()
    try:
        with tqdm(total=len(rows), unit="edit", file=sys.stderr, disable=args.quiet, smoothing=0.05) as bar:

            def progress(outcome: Outcome, summary: Summary) -> None:
                if outcome.status == "kept" and not args.quiet:  # no measure of how long the others take
                    bar.initial += 1
                bar.update()
                for words in (*outcome.warnings, *_failure(outcome)):
                    if words not in warned:
                        warned.add(words)
                        bar.write(f"regiondrag: {words}", file=sys.stderr)

            summary = run_rows(rows, args.output, work, workers=args.workers, ray=args.ray, progress=progress)
    except KeyboardInterrupt:
        return say("regiondrag: interrupted: the same command goes on", INTERRUPTED)
    counts = f"{summary.done} edited, {summary.kept} finished earlier, {summary.failed} failed"
    print(f"{summary.total} rows: {counts}; see {args.output / 'results.csv'}")
    if summary.failed:
        return say(
            f"regiondrag: {summary.failed} rows failed: {args.output / 'failed.csv'} says why", FAILURE
        )
    return DONE


def _keep_table(table: Path, output: Path) -> None:
    """Refuse to write a list of results over the table."""
    for name in ("results.csv", "failed.csv"):
        place = output / name
        if table.is_file() and place.is_file() and table.samefile(place):
            raise ValueError(
                f"{table} would be overwritten by {name} of the results: choose another folder for them"
            )


def _failure(outcome: Outcome) -> list[str]:
    if outcome.status != "failed":
        return []
    place = f" ({outcome.row.place})" if outcome.row.place else ""
    return [f"{outcome.row.name}{place}: {outcome.reason}"]
