"""``regiondrag bench select``: clicks against outlines drawn by hand, on the command line."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regiondrag_widget.bench.select.clicks import Trial

DONE, WRONG_INPUT = 0, 2
KINDS = {"whole": "whole objects", "part": "parts of objects", "": "all"}


def add_parser(benchmarks: Any) -> argparse.ArgumentParser:
    """Add ``select`` to the benchmarks; ``args.run(args)`` gives the exit code."""
    parser: argparse.ArgumentParser = benchmarks.add_parser(
        "select",
        help="clicks against outlines drawn by hand",
        description="Select the objects of the handles benchmark by one click and three corrections, and "
        "compare with their outlines: mean intersection over union.",
        epilog="Exit codes: 0 done, 2 wrong input.",
    )
    parser.add_argument(
        "--split",
        choices=("train", "test", "extra", "fresh", "all"),
        default="train",
        help="which objects (default: train; test and fresh are for a last look)",
    )
    parser.add_argument("--objects", nargs="+", metavar="NAME", help="only objects whose name contains one")
    parser.add_argument(
        "--model", metavar="M", help="a Segment Anything model, a folder or a hub id (default: superpixels)"
    )
    parser.add_argument("--device", help="where the model computes")
    parser.add_argument("-o", "--output", type=Path, metavar="FOLDER", help="for figures and pictures")
    parser.set_defaults(run=run_select)
    return parser


def run_select(args: argparse.Namespace) -> int:
    """Run the benchmark and print its figures; 0 done, 2 wrong input."""
    import numpy as np

    import regiondrag_widget as rd
    from regiondrag_widget.bench.handles.objects import load_objects
    from regiondrag_widget.bench.select.clicks import select_by_clicks

    objects = [
        thing
        for thing in load_objects(None if args.split == "all" else args.split)
        if not args.objects or any(part in thing.name for part in args.objects)
    ]
    if not objects:
        print("error: no object has such a name", file=sys.stderr)
        return WRONG_INPUT
    selector = None if args.model is None else rd.select.Selector(args.model, args.device)
    ready: dict[Path, Any] = {}  # objects of one photograph share what is made once for it
    trials: list[Trial] = []
    for thing in objects:
        if thing.photo not in ready:
            rgb = np.array(thing.image())
            ready[thing.photo] = rd.select.Superpixels(rgb) if selector is None else selector.embed(rgb)
        trials.append(select_by_clicks(thing, ready[thing.photo].click))
        print(f"\r{len(trials)} of {len(objects)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(_table(trials))
    if args.output is not None:
        _write(args.output, trials, objects)
    return DONE


def _table(trials: Sequence[Trial]) -> str:
    import numpy as np

    lines = ["object          one click    +1    +2    +3"]
    lines += [f"{trial.name:20} " + "  ".join(f"{value:.2f}" for value in trial.overlaps) for trial in trials]
    for kind, words in KINDS.items():
        of = [trial.overlaps for trial in trials if kind in trial.kind]
        if of:
            means = "  ".join(f"{value:.3f}" for value in np.mean(of, axis=0))
            lines.append(f"mean of {len(of)} {words}: {means}")
    for words, seconds in (
        ("a click", [second for trial in trials for second in trial.seconds]),
        ("its processor time", [second for trial in trials for second in trial.cpu_seconds]),
    ):
        lines.append(f"{words}: median {1e3 * np.median(seconds):.0f} ms, most {1e3 * max(seconds):.0f} ms")
    return "\n".join(lines)


def _write(folder: Path, trials: Sequence[Trial], objects: Sequence[Any]) -> None:
    from regiondrag_widget.bench.select.overlay import overlay_sheet

    folder.mkdir(parents=True, exist_ok=True)
    figures = [
        {
            "object": trial.name,
            "kind": trial.kind,
            "overlaps": trial.overlaps,
            "seconds": trial.seconds,
            "cpu_seconds": trial.cpu_seconds,
            "points": trial.points,
            "labels": trial.labels,
        }
        for trial in trials
    ]
    (folder / "select.json").write_text(json.dumps(figures, indent=1), "utf-8")
    overlay_sheet(trials, objects).save(folder / "select.jpg", quality=88)
    print(f"The figures and a contact sheet are in {folder}")
