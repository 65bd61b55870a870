"""``regiondrag bench handles``: handles as people draw them, on the command line."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

DONE, WRONG_INPUT, INTERRUPTED = 0, 2, 130


def add_parser(benchmarks: Any) -> argparse.ArgumentParser:
    """Add ``handles`` to the benchmarks; ``args.run(args)`` gives the exit code."""
    parser: argparse.ArgumentParser = benchmarks.add_parser(
        "handles",
        help="real photographs, handles as people draw them",
        description="Move objects outlined by hand on photographs, by handles as people draw them, and "
        "measure what is lost, carried by mistake, seen of the seam, and left behind.",
        epilog="Exit codes: 0 done, 2 wrong input, 130 interrupted.",
    )
    parser.add_argument(
        "--split",
        choices=("train", "test", "extra", "fresh", "all"),
        default="train",
        help="which objects (default: train; test and fresh are for a last look)",
    )
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="only methods whose name contains one")
    parser.add_argument("--objects", nargs="+", metavar="NAME", help="only objects whose name contains one")
    parser.add_argument(
        "--movements",
        nargs="+",
        choices=("move", "scale", "turn"),
        default=["move"],
        help="whole pixels, whose truth is exact (move, default), or scaling and turning too",
    )
    parser.add_argument(
        "--model", metavar="M", help="edit with this network too: mini, a folder, a hub id (default: none)"
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("bench-handles"), help="the report's folder"
    )
    parser.set_defaults(run=run_handles)
    return parser


def run_handles(args: argparse.Namespace) -> int:
    """Run the benchmark and write its report; 0 done, 2 wrong input, 130 interrupted."""
    from regiondrag_widget.bench.handles.cases import cases
    from regiondrag_widget.bench.handles.methods import methods
    from regiondrag_widget.bench.handles.objects import load_objects
    from regiondrag_widget.bench.handles.report import ContactSheets, Row, markdown, summary

    chosen = {
        name: edit
        for name, edit in methods(args.model).items()
        if not args.methods or any(part in name for part in args.methods)
    }
    objects = [
        thing
        for thing in load_objects(None if args.split == "all" else args.split)
        if not args.objects or any(part in thing.name for part in args.objects)
    ]
    if not chosen or not objects:
        print("error: no method or no object has such a name", file=sys.stderr)
        return WRONG_INPUT
    try:
        args.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"error: cannot write the report: {error}", file=sys.stderr)
        return WRONG_INPUT
    rows: list[Row] = []
    sheets = ContactSheets(args.output)
    code = DONE
    try:
        for case in cases(objects, args.movements):
            results = []
            for name, edit in chosen.items():
                start = time.perf_counter()
                after = edit(case.rgb, case.pair)
                seconds = time.perf_counter() - start
                found = case.judged(after)
                part = case.thing.kind == "part"
                rows.append(Row(case.name, case.kind, part, case.movement, name, found, seconds))
                results.append((name, after, found))
            sheets.add(case, results)
            print(f"\r{len(rows)} edits", end="", file=sys.stderr)
    except KeyboardInterrupt:
        code = INTERRUPTED
    sheets.flush()
    if rows:
        names = list(dict.fromkeys(row.method for row in rows))
        means = {name: summary([row for row in rows if row.method == name]) for name in names}
        text = markdown(rows, args.split, sheets.names)
        (args.output / "handles.md").write_text(text, "utf-8")
        figures = {"split": args.split, "methods": means, "rows": [row.as_dict() for row in rows]}
        (args.output / "handles.json").write_text(json.dumps(figures, indent=1), "utf-8")
        print(f"\n{text.split('## What')[0]}")
        print(f"The report is in {args.output}")
    return code
