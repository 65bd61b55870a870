"""``regiondrag bench dragbench``: the paper's experiment on the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regiondrag_widget.terminal import DONE, FAILURE, INTERRUPTED, say

if TYPE_CHECKING:
    from regiondrag_widget.batch import Outcome, Row, Summary, Work
    from regiondrag_widget.bench.dragbench.tally import Line, Tally
    from regiondrag_widget.datasets import Dataset, Sample

METHODS = ("ours", "released", "points", "sdedit", "paste", "copy")
SHEET_SAMPLES = 24


def add_parser(benchmarks: Any) -> argparse.ArgumentParser:
    """Add ``dragbench`` to the benchmarks; ``args.run(args)`` gives the exit code."""
    parser: argparse.ArgumentParser = benchmarks.add_parser(
        "dragbench",
        help="the paper's experiment: a data set edited by several methods",
        description="Edit the samples of DragBench, or of another data set, by several methods, and report "
        "the distances and likenesses that papers report, with the variant of each.",
        epilog="Exit codes: 0 done, 1 samples were skipped or edits failed, 2 wrong input, 130 interrupted: "
        "the same command goes on. Nothing that is finished is done again, unless the sample, the method, "
        "the model or the code has changed.",
    )
    parser.add_argument("folder", metavar="FOLDER", help="DragBench-SR, DragBench-DR, PRDBench, ReD, VFD, or "
                        "folders of saved regions")  # fmt: skip
    parser.add_argument("--kind", metavar="K", help="which of them it is (default: by what it holds)")
    parser.add_argument(
        "--model",
        default="mini",
        metavar="M",
        help="the network: mini (bundled, default), a diffusers folder, a hub id; none: without a network",
    )
    parser.add_argument(
        "--method",
        nargs="+",
        action="extend",
        metavar="NAME",
        help=f"ours, released, points, point-drag, sdedit, warp-inpaint, paste, copy (default: "
        f"{' '.join(METHODS)})",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], metavar="S", help="default: 0")
    parser.add_argument(
        "--features",
        metavar="M",
        help="the network whose features find the points, for MD: a folder of Stable Diffusion 2.1 to "
        "compare with papers; none: no MD (default: the model, where it is mini)",
    )
    parser.add_argument(
        "--ablations",
        action="store_true",
        help="the paper's ablations too: which attention layers read the original, region against points, a "
        "careless region",
    )
    parser.add_argument("--samples", nargs="+", metavar="NAME", help="only samples whose name contains one")
    parser.add_argument("--count", type=int, metavar="N", help="only the first N samples")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes (default: 1); with --ray, at most"
    )
    parser.add_argument("--ray", nargs="?", const="", metavar="ADDRESS", help="work on a Ray cluster; "
                        "without an address on that of RAY_ADDRESS or this machine")  # fmt: skip
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("bench-dragbench"),
        help="the report's folder (default: bench-dragbench)",
    )
    parser.set_defaults(run=run_dragbench)
    return parser


def run_dragbench(args: argparse.Namespace) -> int:
    """Run the experiment; exit code 0 done, 1 skipped samples or failed edits, 130 interrupted.

    Raises
    ------
    ValueError, OSError
        Wrong input, or an output that cannot be written.
    """
    from regiondrag_widget.batch.cluster import connected
    from regiondrag_widget.bench.dragbench.drag_work import EditSamples, MeasureSamples, edit_rows
    from regiondrag_widget.bench.dragbench.report import write_report
    from regiondrag_widget.datasets import open_dataset

    methods = _methods(args)
    _check_output(args.output, Path(args.folder))
    dataset = open_dataset(args.folder, args.kind)
    samples, expanded = _samples(dataset, args)
    features = _features(args)
    rows = edit_rows([sample.name for sample in samples], methods, list(dict.fromkeys(args.seeds)))
    edits, figures = args.output / "edits", args.output / "figures"
    folder = str(Path(args.folder).resolve())
    failed: dict[str, str] = {}
    where = (args.workers, args.ray)
    edited: list[Row] = []
    measured: list[Row] = []
    interrupted = False
    try:
        with nullcontext() if args.ray is None else connected(args.ray):  # one cluster for both
            _do(rows, edits, EditSamples(folder, args.kind, args.model), where, "edit", failed, edited)
            measure = MeasureSamples(folder, args.kind, str(edits.resolve()), features)
            _do(_in_order(edited, rows), figures, measure, where, "figures", failed, measured)
    except KeyboardInterrupt:
        interrupted = True
    # and no others: records of rows that this run has not come to may be of an earlier model
    told = _in_order(measured, rows)
    tally = _tally(told, samples, dataset, args, features, failed, expanded)
    if not tally.lines:
        return _gone_on() if interrupted else say("regiondrag: no edit was finished", FAILURE)
    text = write_report(tally, args.output, _pictures(tally, samples, args.output))
    print(text.split("\n## What the numbers are")[0])
    say(f"report in {args.output / 'dragbench.md'}", DONE)
    if interrupted:
        return _gone_on()
    if dataset.skipped or failed:
        named = ", ".join([*dataset.skipped, *failed][:5])
        counts = f"{len(dataset.skipped)} samples were skipped and {len(failed)} edits failed"
        return say(f"regiondrag: {counts}: {named}; the report says why", FAILURE)
    return DONE


def _in_order(some: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Some of the rows, in the order of all."""
    names = {row.name for row in some}
    return [row for row in rows if row.name in names]


def _gone_on() -> int:
    return say("regiondrag: interrupted: the same command goes on", INTERRUPTED)


def _methods(args: argparse.Namespace) -> list[str]:
    from regiondrag_widget.bench.dragbench.contenders import ABLATIONS
    from regiondrag_widget.bench.dragbench.drag_work import contender

    names = list(dict.fromkeys(args.method or METHODS)) + (list(ABLATIONS) if args.ablations else [])
    if args.model == "none":
        if any(contender(name).network for name in args.method or ()) or args.ablations:
            raise ValueError("these methods need a network: leave --model none out")
        names = [name for name in names if not contender(name).network]
    for name in names:
        contender(name)
    return names


def _check_output(output: Path, folder: Path) -> None:
    """Refuse to write among the samples: what is written would be read as samples."""
    place, root = output.resolve(), folder.resolve()
    if place == root or root in place.parents:
        raise ValueError(f"-o {output} lies in {folder}, whose folders are samples: choose another place")


def _samples(dataset: Dataset, args: argparse.Namespace) -> tuple[list[Sample], int]:
    """The chosen samples that can be read, and how many of them got regions of their points."""
    chosen = [
        name for name in dataset.names if not args.samples or any(part in name for part in args.samples)
    ]
    if not chosen:
        raise ValueError(f"no sample of {dataset.folder} has such a name")
    if args.count is not None and args.count < 1:
        raise ValueError(f"--count is {args.count}: give at least 1")
    samples = dataset.only(chosen[: args.count])
    found = list(samples)
    read: list[Sample] = []
    expanded = 0
    for sample in found:
        whole = _with_regions(sample)
        if isinstance(whole, str):
            samples.skipped[sample.name] = whole
        else:
            read.append(whole)
            expanded += not len(sample.pairs)
    dataset.skipped.update(samples.skipped)
    if not read:
        reasons = "; ".join(f"{name}: {why}" for name, why in list(samples.skipped.items())[:3])
        raise ValueError(f"no sample of {dataset.folder} can be read: {reasons}")
    return read, expanded


def _with_regions(sample: Sample) -> Sample | str:
    """The sample with regions, or why it cannot have any."""
    from regiondrag_widget.bench.dragbench.drag_work import with_regions

    try:
        return with_regions(sample)
    except ValueError as error:
        return str(error)


def _features(args: argparse.Namespace) -> str | None:
    if args.features is None:
        return "mini" if args.model == "mini" else None
    return None if args.features == "none" else str(args.features)


def _do(
    rows: Sequence[Row],
    output: Path,
    work: Work,
    where: tuple[int | None, str | None],
    unit: str,
    failed: dict[str, str],
    finished: list[Row],
) -> None:
    """Do rows with a progress bar, by workers and cluster; those that are finished are added to a list."""
    from tqdm import tqdm

    from regiondrag_widget import batch

    with tqdm(total=len(rows), unit=unit, file=sys.stderr, smoothing=0.05) as bar:

        def progress(outcome: Outcome, summary: Summary) -> None:
            if outcome.status == "kept":  # no measure of how long the others take
                bar.initial += 1
            bar.update()
            if outcome.status == "failed":
                failed[outcome.row.place] = outcome.reason
                bar.write(f"regiondrag: {outcome.row.place}: {outcome.reason}", file=sys.stderr)
            else:
                finished.append(outcome.row)

        if rows:
            batch.run(rows, output, work, workers=where[0], ray=where[1], progress=progress)


def _tally(
    rows: Sequence[Row],
    samples: Sequence[Sample],
    dataset: Dataset,
    args: argparse.Namespace,
    features: str | None,
    failed: dict[str, str],
    expanded: int,
) -> Tally:
    from regiondrag_widget.bench.dragbench.figures import Figures
    from regiondrag_widget.bench.dragbench.tally import Tally

    lines = [line for row in rows for line in _line(row, samples, args.output)]
    judge = Figures.load(features)
    missing = dict(judge.missing)
    if all(sample.truth is None for sample in samples):
        missing |= dict.fromkeys(("mse", "ssim", "psnr"), "the data set has no true pictures")
    about: dict[str, Any] = {
        "data": dataset.name,
        "samples": len(samples),
        "model": args.model,
        "features": features,
        "comparable": judge.dift is not None and judge.dift.comparable,
        "seeds": " ".join(map(str, args.seeds)),
        "device": _device(),
        "expanded": expanded,
    }
    return Tally(tuple(lines), about, dict(dataset.skipped), failed, missing)


def _line(row: Row, samples: Sequence[Sample], output: Path) -> list[Line]:
    """The line of a row whose edit and figures are there."""
    from regiondrag_widget.batch import ResultFolder
    from regiondrag_widget.bench.dragbench.tally import Line

    edit = ResultFolder(output / "edits").record(row.name)
    judged = ResultFolder(output / "figures").record(row.name)
    if edit is None or judged is None:
        return []
    about = edit["about"]
    points = next(len(sample.points) for sample in samples if sample.name == row.values["sample"])
    return [
        Line(
            row.values["sample"],
            row.values["method"],
            row.values["seed"],
            about["edit_seconds"],
            about["network_calls"],
            points,
            judged["about"]["figures"],
            f"edits/{row.name}.png",
        )
    ]


def _pictures(tally: Tally, samples: Sequence[Sample], folder: Path) -> list[str]:
    from regiondrag_widget.bench.dragbench.contenders import ABLATIONS
    from regiondrag_widget.bench.dragbench.drag_sheets import write_sheets
    from regiondrag_widget.bench.dragbench.figures import MEASURES
    from regiondrag_widget.bench.dragbench.plots import distance_plot

    shown: dict[str, dict[str, tuple[Path, str]]] = {}
    for line in tally.lines:
        if line.method not in ABLATIONS:
            column = shown.setdefault(line.method, {})
            caption = ""
            for name, value in list(line.figures.items())[:1]:
                measure = MEASURES[name]
                caption = f"{measure.title.split(',')[0]} {value * measure.scale:.1f}"
            column.setdefault(line.sample, (folder / line.picture, caption))
    names = ["distance-time.png"] if distance_plot(tally, folder / "distance-time.png") else []
    return names + write_sheets(samples[:SHEET_SAMPLES], shown, folder)


def _device() -> str:
    import torch

    from regiondrag_widget.models.device import choose_device

    return f"{choose_device()}, {torch.get_num_threads()} threads"
