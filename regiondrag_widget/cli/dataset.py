"""``regiondrag dataset expand``: points of a data set to regions."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regiondrag_widget.terminal import DONE, FAILURE, say

if TYPE_CHECKING:
    from regiondrag_widget.datasets import Sample

EXAMPLES = """examples:
  regiondrag dataset expand dragbench-dr -o dragbench-dr-region
  regiondrag dataset expand dragbench-sr -o out --by disc --radius 24 --spacing 8

what is written:
  OUT/dragbench/NAME/   the released format: original_image.png, user_drag.png, meta_data.pkl,
                        meta_data_region.pkl, source_mask.png, target_mask.png
  OUT/folders/NAME/     the same as PNG and JSON: regions.json, image.png, handle_0.png ..., sample.json
  OUT/statistics.json   how large the regions are and how far they move
  OUT/sheet-1.jpg ...   every sample with its regions"""


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add ``dataset`` to the commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "dataset",
        help="make regions of a data set's points",
        description="Work on a data set of drags.",
        allow_abbrev=False,
    )
    kinds = parser.add_subparsers(dest="task", required=True, metavar="TASK")
    expand: argparse.ArgumentParser = kinds.add_parser(
        "expand",
        help="make regions of points",
        description="Make regions of the points of DragBench, or of another data set, and write both.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    expand.add_argument("folder", metavar="FOLDER", help="DragBench-SR, DragBench-DR, VFD ...")
    expand.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="a folder")
    expand.add_argument("--kind", metavar="K", help="which data set it is (default: by what it holds)")
    expand.add_argument("--by", choices=("selection", "disc"), default="selection", help="the object at each "
                        "point (default), or a disc round it")  # fmt: skip
    expand.add_argument("--radius", type=float, metavar="PX", help="of the discs (default: a twelfth of the "
                        "picture's shorter side)")  # fmt: skip
    expand.add_argument("--spacing", type=int, choices=(1, 8), default=1, help="of the released format's "
                        "dense points, in pixels (default: 1)")  # fmt: skip
    expand.add_argument("--keep", action="store_true", help="keep regions that a sample has already")
    expand.add_argument("--debug", action="store_true", help="show the traceback of an error")
    expand.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Expand every sample that can be read; exit code 1 when some were skipped, each named."""
    from tqdm import tqdm

    from regiondrag_widget.bench.dragbench.drag_sheets import write_sheets
    from regiondrag_widget.datasets import expand_sample, open_dataset, write_dragbench, write_folder
    from regiondrag_widget.regions.writing import write_whole_text

    place, root = args.output.resolve(), Path(args.folder).resolve()
    if place == root or root in place.parents:
        raise ValueError(f"-o {args.output} lies in {args.folder}: choose another place")
    dataset = open_dataset(args.folder, args.kind)
    args.output.mkdir(parents=True, exist_ok=True)
    skipped: dict[str, str] = {}
    done: list[Sample] = []
    for sample in tqdm(dataset, total=len(dataset), unit="sample", file=sys.stderr):
        try:
            kept = args.keep and len(sample.pairs)
            expanded = sample if kept else expand_sample(sample, by=args.by, radius=args.radius)
        except ValueError as error:
            skipped[sample.name] = str(error)
            tqdm.write(f"regiondrag: sample {sample.name} is skipped: {error}", file=sys.stderr)
            continue
        write_dragbench(expanded, args.output / "dragbench" / sample.name, spacing=args.spacing)
        write_folder(expanded, args.output / "folders" / sample.name)
        done.append(expanded)
    skipped |= dataset.skipped
    if not done:
        raise ValueError(f"no sample of {dataset.folder} could be expanded: {next(iter(skipped.values()))}")
    sheets = write_sheets(done, {}, args.output)
    found = {"by": args.by, **_statistics(done), "skipped": skipped}
    write_whole_text(args.output / "statistics.json", json.dumps(found, indent=1) + "\n")
    whole = found["all"]
    print(
        f"{len(done)} samples, {whole['pairs']} regions: a handle has {100 * whole['area']:.1f} % of the "
        f"picture and moves by {whole['shift']:.0f} px (medians); see {args.output / sheets[0]}"
    )
    if skipped:
        return say(
            f"regiondrag: {len(skipped)} samples were skipped: {', '.join(list(skipped)[:5])}", FAILURE
        )
    return DONE


def _statistics(samples: list[Sample]) -> dict[str, Any]:
    """Of each sample and of all: regions, their share of the picture, and how far they move."""
    import numpy as np

    each: dict[str, Any] = {}
    areas, shifts = [], []
    for sample in samples:
        area = [float(pair.handle.mean()) for pair in sample.pairs]
        shift = np.linalg.norm(sample.points[:, 1] - sample.points[:, 0], axis=1).tolist()
        each[sample.name] = {
            "pairs": len(sample.pairs),
            "points": len(sample.points),
            "areas": [round(value, 5) for value in area],
            "shifts": [round(value, 2) for value in shift],
        }
        areas += area
        shifts += shift
    return {
        "all": {
            "samples": len(samples),
            "pairs": len(areas),
            "points": len(shifts),
            "area": float(np.median(areas)),
            "shift": float(np.median(shifts)) if shifts else 0.0,
        },
        "samples": each,
    }
