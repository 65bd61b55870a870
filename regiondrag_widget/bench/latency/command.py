"""``regiondrag bench latency``: how long edits take, on the command line."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regiondrag_widget.terminal import DONE, FAILURE, INTERRUPTED, WRONG_INPUT, say

if TYPE_CHECKING:  # torch is loaded by the command, not by its help
    from regiondrag_widget.bench.latency.report import Measured
    from regiondrag_widget.bench.latency.rounds import Row
    from regiondrag_widget.bench.latency.workbench import Workbench

__all__ = ["add_parser"]

DEFAULT_SIZES = {"mini": 256, "sd15": 512, "sd21": 768, "sdxl": 1024}
TRANSFORMERS = ("flux2-klein", "flux1", "sd35-medium", "sd35", "qwen", "qwen-edit", "zimage")
TRANSFORMER_SIZES = (512, 1024)
LEAST_SIZE, MOST_SIZE = 64, 4096
GROWTH_REPETITIONS = 5
SECTIONS = ("memory", "pointer")


def add_parser(benchmarks: Any) -> argparse.ArgumentParser:
    """Add ``latency`` to the benchmarks; ``args.run(args)`` gives the exit code."""
    parser: argparse.ArgumentParser = benchmarks.add_parser(
        "latency",
        help="how long edits take",
        description="Time edits, drafts and what each lever is worth, beside the released schedule and a "
        "point-drag optimisation, and report the figures.",
    )
    parser.add_argument(
        "--model",
        default="mini",
        metavar="M",
        help="mini (bundled, default), sd15, sd21, sdxl, a local diffusers folder, or a hub id; flux2-klein, "
        "flux1, sd35-medium, sd35 (large), qwen, qwen-edit and zimage are counted at their true size, and "
        "timed on a GPU",
    )
    parser.add_argument(
        "--random-weights",
        action="store_true",
        help="the architecture alone, which takes as long; sd15, sd21 and sdxl are timed so in any case "
        "where the hub's cache does not have them",
    )
    parser.add_argument("--device", metavar="D", help="cuda, mps or cpu (default: the best there is)")
    parser.add_argument("--dtype", metavar="T", help="float32, bfloat16 or float16 (default: the device's)")
    parser.add_argument(
        "--size", type=int, metavar="N", help="pixels a side (default: 256 for mini, else the model's own)"
    )
    parser.add_argument(
        "--repetitions", type=int, default=20, metavar="N", help="of each row, after warm-up (default: 20)"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        help="only rows whose name or group contains one of these; also: memory, pointer",
    )
    parser.add_argument(
        "--pointer",
        action="store_true",
        help="measure from the pointer to the screen too, in JupyterLab and Chromium (needs the test extra)",
    )
    parser.add_argument(
        "--json",
        nargs="?",
        const="-",
        metavar="FILE",
        help="write the figures there as well; without FILE print them instead of the table",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("bench-latency"),
        help="the report's folder (default: bench-latency)",
    )
    parser.set_defaults(run=run_latency)
    return parser


def run_latency(args: argparse.Namespace) -> int:
    """Measure and report; exit code 0 done, 1 report not written, 2 wrong input, 130 interrupted."""
    try:
        _check(args)
        probe = args.output / ".writable"
        args.output.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except (ValueError, OSError) as error:
        where = f"cannot write into {args.output}: " if isinstance(error, OSError) else ""
        return say(f"error: {where}{getattr(error, 'strerror', None) or error}", WRONG_INPUT)
    try:
        return _count(args) if args.model in TRANSFORMERS else _run(args)
    except (ValueError, FileNotFoundError) as error:
        if args.debug:
            raise
        return say(f"error: {error}", WRONG_INPUT)


def _run(args: argparse.Namespace) -> int:
    from regiondrag_widget.bench.latency.bars import bars
    from regiondrag_widget.bench.latency.case import make_case
    from regiondrag_widget.bench.latency.machine import about
    from regiondrag_widget.bench.latency.networks import ARCHITECTURES, load_network
    from regiondrag_widget.bench.latency.report import Measured
    from regiondrag_widget.bench.latency.workbench import Workbench

    network = {
        "model": args.model,
        "random_weights": args.random_weights,
        "device": args.device,
        "dtype": args.dtype,
    }
    work = Workbench(None, lambda **options: load_network(**{**network, **options}))
    pipe = work.pipe()
    default = DEFAULT_SIZES.get(args.model, pipe.profile.side)
    size = args.size or default
    if size % pipe.backbone.multiple:
        raise ValueError(f"--size is {size}: give a multiple of {pipe.backbone.multiple} for this model")
    work.case = make_case(size)
    rows = _rows(args, work, size)
    measured = Measured(about(pipe, size))
    measured.load.append(_load())
    try:
        _measure(args, work, rows, measured, network, size)
    except KeyboardInterrupt:
        measured.interrupted = True
    measured.load.append(_load())
    kind = pipe.backbone.device.type
    measured.bars = bars(measured.results, measured.pointer, model=args.model, size=size, device=kind)
    named = args.model if args.model in ARCHITECTURES else ("" if args.model == "mini" else "model")
    code = _report(args, measured, "-".join(filter(None, ("latency", kind, named))))
    return INTERRUPTED if measured.interrupted else code


def _count(args: argparse.Namespace) -> int:
    """Count what edits with a transformer of true size cost; time them where there is a GPU."""
    from dataclasses import replace

    from regiondrag_widget.bench.latency.transformer_figures import TRANSFORMERS as ARCHITECTURES
    from regiondrag_widget.bench.latency.transformer_figures import counted, figures_table, timed
    from regiondrag_widget.models.device import choose_device

    device = choose_device(args.device)
    found = []
    for size in [args.size] if args.size else TRANSFORMER_SIZES:
        figures = counted(args.model, size)
        if device.type == "cuda":
            seconds = timed(ARCHITECTURES[args.model], size, device, args.repetitions)
            figures = replace(figures, seconds=seconds)
        found.append(figures)
    as_json = json.dumps([figures.as_json() for figures in found], indent=1)
    table = figures_table(found)
    stem = args.output / f"latency-{args.model}"
    try:
        stem.with_suffix(".md").write_text(table + "\n", "utf-8")
        stem.with_suffix(".json").write_text(as_json + "\n", "utf-8")
        if args.json and args.json != "-":
            Path(args.json).write_text(as_json + "\n", "utf-8")
    except OSError as error:
        return say(f"error: cannot write the report: {error}", FAILURE)
    print(as_json if args.json == "-" else table)
    return say(f"report in {stem.with_suffix('.md')}", DONE)


def _measure(
    args: argparse.Namespace,
    work: Workbench,
    rows: Sequence[Row],
    measured: Measured,
    network: dict[str, Any],
    size: int,
) -> None:
    import torch
    from tqdm import tqdm

    from regiondrag_widget.bench.latency.clock import Clock, Noise
    from regiondrag_widget.bench.latency.peak_memory import WAYS, peak_memory
    from regiondrag_widget.bench.latency.pointer import pointer_to_pixels
    from regiondrag_widget.bench.latency.rounds import Result, measure

    flushed = work.pipe().backbone.device.type == "cpu"
    if flushed:
        torch.set_flush_denormal(True)  # random weights give subnormal numbers, which are slow
    clock = Clock(work.pipe().backbone.device)
    noise = Noise(clock)
    measured.noise = noise.seconds
    ways = WAYS if _wanted(args.only, "memory") else ()
    pointer = args.pointer or (args.only is not None and _named(args.only, "pointer"))
    total = sum(min(args.repetitions, r.most or args.repetitions) + 1 for r in rows)
    try:
        with tqdm(total=total + len(ways) + int(pointer), file=sys.stderr) as bar:

            def note(name: str) -> None:
                bar.set_postfix_str(name)
                bar.update()

            # rows of one group are measured together: two groups are different pictures, not a comparison
            for groups in (("edits", "levers"), ("picture size",), ("number of pairs",)):
                results = [Result(row) for row in rows if row.group in groups]
                measured.results += results
                measure(results, args.repetitions, clock, noise, note)
            for way in ways:
                note(f"memory: {way}")
                measured.memory.append(peak_memory(way, network, size))
            if pointer:
                note("pointer to pixels")
                measured.pointer = pointer_to_pixels(network, size, args.repetitions)
    finally:
        if flushed:  # the setting is the process's: restore it for the caller
            torch.set_flush_denormal(False)


def _rows(args: argparse.Namespace, work: Workbench, size: int) -> list[Row]:
    from regiondrag_widget.bench.latency.growth import pairs_rows, size_rows
    from regiondrag_widget.bench.latency.levers import lever_rows
    from regiondrag_widget.bench.latency.rows import edit_rows
    from regiondrag_widget.models.levels import edit_levels

    pipe = work.pipe()
    defaults = pipe.edit_defaults
    levels = len(edit_levels(pipe.backbone.alphas_cumprod, defaults["steps"], defaults["start"]))
    few = min(GROWTH_REPETITIONS, args.repetitions)
    rows = [
        *edit_rows(work, levels),
        *lever_rows(
            work,
            levels,
            next(pipe.unet.parameters()).dtype,
            pipe.backbone.device.type,
            small_decoder=pipe.draft_vae is not None,
        ),
        *size_rows(work, few),
        *pairs_rows(work, size, few),
    ]
    if args.only is None:
        return rows
    chosen = [row for row in rows if _named(args.only, row.name) or _named(args.only, row.group)]
    if not chosen and not any(_named(args.only, section) for section in SECTIONS):
        known = ", ".join(
            dict.fromkeys([*(row.name for row in rows[:20]), "picture size", "pairs", *SECTIONS])
        )
        raise ValueError(f"no row is called {' or '.join(args.only)}: there are {known}")
    return chosen


def _report(args: argparse.Namespace, measured: Measured, stem: str) -> int:
    from regiondrag_widget.bench.latency.plots import latency_plot
    from regiondrag_widget.bench.latency.report import markdown, write_report

    try:
        plot = f"{stem}.png" if latency_plot(measured, args.output / f"{stem}.png") else None
        write_report(measured, args.output, stem, plot)
        figures = json.dumps(measured.as_json(), indent=1)
        if args.json and args.json != "-":
            Path(args.json).write_text(figures + "\n", "utf-8")
    except OSError as error:
        return say(f"error: cannot write the report: {error}", FAILURE)
    print(figures if args.json == "-" else markdown(measured))
    return say(f"report in {args.output / stem}.md", DONE)


def _check(args: argparse.Namespace) -> None:
    if args.repetitions < 1:
        raise ValueError(f"--repetitions is {args.repetitions}: give at least 1")
    if args.size is not None and not LEAST_SIZE <= args.size <= MOST_SIZE:
        raise ValueError(f"--size is {args.size}: give {LEAST_SIZE} to {MOST_SIZE} pixels")
    if args.json not in (None, "-") and not Path(args.json).resolve().parent.is_dir():
        raise ValueError(f"--json {args.json}: there is no such folder")


def _wanted(only: Sequence[str] | None, name: str) -> bool:
    return only is None or _named(only, name)


def _named(only: Sequence[str], name: str) -> bool:
    return any(part.lower() in name.lower() for part in only)


def _load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
