"""``regiondrag bench truth``: the ground-truth benchmark on the command line."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regiondrag_widget.terminal import DONE, FAILURE, INTERRUPTED, WRONG_INPUT, say

if TYPE_CHECKING:  # numpy and OpenCV are loaded by the command, not by its help
    from regiondrag_widget.bench.methods.method import Method
    from regiondrag_widget.bench.truth.result_store import Row
    from regiondrag_widget.bench.truth.scene import Scene, SceneError

PRESETS = ("default", "released")


def add_parser(benchmarks: Any) -> argparse.ArgumentParser:
    """Add ``truth`` to the benchmarks; ``args.run(args)`` gives the exit code."""
    truth: argparse.ArgumentParser = benchmarks.add_parser(
        "truth",
        help="scenes whose right answer is known",
        description="Compose scenes with known truth, edit them with every method, and report the figures.",
        epilog="A finished scene is a folder, at any depth under --scenes, with before.png, after.png, "
        "handle.png, target.png and scene.json: an object whose matrix, 3 rows of 3, takes a handle pixel "
        "(x, y, 1) to its target pixel (null where there is none). Exit codes: 0 done, 1 some scenes or "
        "edits failed, 2 wrong input, 130 interrupted: the same command goes on.",
    )
    given = truth.add_mutually_exclusive_group()
    given.add_argument(
        "--photos", type=Path, metavar="DIR", help="build scenes from these (default: bundled ones)"
    )
    given.add_argument("--scenes", type=Path, metavar="DIR", help="a folder of finished scenes instead")
    truth.add_argument(
        "--split",
        choices=("test", "train", "all"),
        default="test",
        help="which photographs (default: test; train: to choose settings by)",
    )
    truth.add_argument("--count", type=int, default=100, help="number of scenes to build (default: 100)")
    truth.add_argument(
        "--size", type=int, default=256, help="their width and height in pixels (default: 256)"
    )
    truth.add_argument("--seed", type=int, default=0, help="another seed, other scenes (default: 0)")
    truth.add_argument(
        "--model",
        default="mini",
        metavar="M",
        help="the network: mini (bundled, default), mini-flow (bundled), a local diffusers folder, a hub id; "
        "none: OpenCV alone",
    )
    truth.add_argument(
        "--preset",
        nargs="+",
        action="extend",
        choices=PRESETS,
        metavar="P",
        help="our edit by these rules: default, released (default: both)",
    )
    truth.add_argument(
        "--ablations",
        nargs="*",
        metavar="GROUP",
        help="change one decision at a time as well: all, or groups whose name contains one of these "
        "(attention, residual, vacated, content, prefill, matte, stop, levels, start, drawing, points)",
    )
    truth.add_argument(
        "--few-scenes",
        type=int,
        default=33,
        metavar="N",
        help="ablations and point dragging see the first N scenes only (default: 33, three of each kind)",
    )
    truth.add_argument(
        "--methods", nargs="+", metavar="NAME", help="only methods whose name contains one of these"
    )
    truth.add_argument("--write-scenes", type=Path, metavar="DIR", help="write the scenes here as well")
    truth.add_argument("--sheet-scenes", type=int, default=24, help="scenes on contact sheets (default: 24)")
    truth.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("bench-truth"),
        help="the report's folder (default: bench-truth)",
    )
    truth.set_defaults(run=run_truth)
    return truth


def run_truth(args: argparse.Namespace) -> int:
    """Run the benchmark; exit code 0 done, 1 some scenes or edits failed, 2 wrong input, 130 interrupted."""
    from regiondrag_widget.bench.truth.result_store import ResultStore

    try:
        methods, used = _methods(args)
        scenes, about = _scenes(args)
        about |= used
    except (ValueError, OSError) as error:
        return say(f"error: {error}", WRONG_INPUT)
    sheet_names: set[str] = {scene.name for scene in _readable(scenes[: max(0, args.sheet_scenes)])}
    try:
        store = ResultStore(args.output, lambda scene: scene.name in sheet_names)
        if args.write_scenes:
            from regiondrag_widget.bench.truth.scene import write_scene

            for scene in _readable(scenes):
                write_scene(scene, args.write_scenes / scene.name)
    except OSError as error:
        return say(f"error: cannot write the report or the scenes: {error}", WRONG_INPUT)
    return _run(scenes, methods, store, about, args.output, sheet_names)


def _run(
    scenes: Sequence[Scene | SceneError],
    methods: Sequence[Method],
    store: Any,
    about: dict[str, Any],
    folder: Path,
    sheet_names: set[str],
) -> int:
    from tqdm import tqdm

    from regiondrag_widget.bench.truth.plots import quality_plot
    from regiondrag_widget.bench.truth.report import markdown, write_report
    from regiondrag_widget.bench.truth.run import Report, run
    from regiondrag_widget.bench.truth.sheets import contact_sheets

    finished: list[Row] = []
    problems: list[str] = []
    interrupted = False
    readable = sum(1 for _ in _readable(scenes))
    with tqdm(total=_edits(readable, methods), unit="edit", file=sys.stderr) as bar:

        def note(outcome: Row | str) -> None:
            if isinstance(outcome, str):
                problems.append(outcome)
                tqdm.write(outcome, file=sys.stderr)
                return
            finished.append(outcome)
            bar.set_postfix_str(f"{outcome.scene}, {outcome.method}", refresh=False)
            bar.update()

        try:
            report = run(scenes, methods, store=store, about=about, progress=note)
        except KeyboardInterrupt:
            interrupted = True
            problems.append("interrupted: run the same command again to go on")
            report = Report(tuple(finished), tuple(methods), tuple(problems), about)
    try:
        shown = [scene for scene in _readable(scenes) if scene.name in sheet_names]
        main = [method.name for method in methods if method.group in ("baseline", "ours")]
        pictures = [path.name for path in contact_sheets(shown, main, store, folder, report)]
        if quality_plot(report, folder / "quality-time.png"):
            pictures.insert(0, "quality-time.png")
        write_report(report, folder, pictures)
    except OSError as error:
        return say(f"error: cannot write the report: {error}", FAILURE)
    print(markdown(report))
    count = len(report.problems)
    troubles = f"; {count} problem{'s' * (count > 1)}, named at its end" if count else ""
    say(f"report in {folder}{troubles}", DONE)
    if interrupted:
        return INTERRUPTED
    return FAILURE if report.problems else DONE


def _methods(args: argparse.Namespace) -> tuple[list[Method], dict[str, Any]]:
    """The methods to run and what the report says about their network."""
    from regiondrag_widget.bench.methods.baselines import baselines

    methods = baselines()
    extra: list[Method] = []
    about: dict[str, Any] = {}
    if args.few_scenes < 1:
        raise ValueError(f"--few-scenes is {args.few_scenes}: give at least 1")
    if args.model != "none":
        import torch

        from regiondrag_widget.bench.methods.diffusion import diffusion_methods
        from regiondrag_widget.bench.methods.network import BenchNetwork
        from regiondrag_widget.bench.truth.ablations import ablations

        network = BenchNetwork.load(args.model)
        methods += diffusion_methods(network, args.preset or PRESETS, args.few_scenes)
        if args.ablations is not None:
            groups = [] if "all" in args.ablations else args.ablations
            extra = _chosen(ablations(network, args.few_scenes), groups, "group")
        device = f"{network.pipe.backbone.device}, {torch.get_num_threads()} threads"
        about = {"model": args.model, "torch": torch.__version__, "device": device}
    elif args.ablations is not None:
        raise ValueError("ablations need a network: leave --model none out")
    return _chosen(methods, args.methods, "name") + extra, about


def _chosen(methods: Sequence[Method], parts: Sequence[str] | None, of: str) -> list[Method]:
    """The methods whose name or group contains one of the parts; all when there are none."""
    if not parts:
        return list(methods)
    chosen = [m for m in methods if any(part.lower() in getattr(m, of).lower() for part in parts)]
    if not chosen:
        known = ", ".join(dict.fromkeys(getattr(method, of) for method in methods))
        asked = " or ".join(parts)
        raise ValueError(
            f"no {'method' if of == 'name' else 'ablation'} is called {asked}: there are {known}"
        )
    return chosen


def _edits(scenes: int, methods: Sequence[Method]) -> int:
    return sum(scenes if m.most_scenes is None else min(scenes, m.most_scenes) for m in methods)


def _scenes(args: argparse.Namespace) -> tuple[list[Scene | SceneError], dict[str, Any]]:
    """The scenes to run and what the report says about them."""
    from tqdm import tqdm

    from regiondrag_widget.bench.truth.photos import bundled_photos, load_photos
    from regiondrag_widget.bench.truth.scene import read_scenes
    from regiondrag_widget.bench.truth.scenes import build_scenes

    if args.scenes:
        return list(read_scenes(args.scenes)), {"scenes_from": str(args.scenes), **_versions()}
    photos = load_photos(args.photos, args.split) if args.photos else bundled_photos()
    about = {"seed": args.seed, "size": args.size, "photographs": len(photos)}
    if args.photos:
        about["split"] = args.split
    built = build_scenes(photos, args.count, args.size, args.seed)
    shown = tqdm(built, "building scenes", args.count, leave=False, file=sys.stderr)
    return list(shown), {**about, **_versions()}


def _readable(scenes: Iterable[Scene | SceneError]) -> Iterator[Scene]:
    from regiondrag_widget.bench.truth.scene import Scene

    return (scene for scene in scenes if isinstance(scene, Scene))


def _versions() -> dict[str, Any]:
    import cv2

    from regiondrag_widget._version import __version__

    return {
        "version": __version__,
        "python": platform.python_version(),
        "opencv": cv2.__version__,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }
