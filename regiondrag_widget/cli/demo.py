"""``regiondrag demo``: edit the bundled photographs with the bundled model."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from regiondrag_widget import assets
from regiondrag_widget.cli.progress import ProgressBar
from regiondrag_widget.regions.writing import write_whole

if TYPE_CHECKING:
    from PIL import Image

    from regiondrag_widget.cli.contact_sheet import Row


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add ``demo`` to the commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "demo",
        help="edit the bundled photographs",
        description="Edit the bundled photographs with the bundled model and show them before and after.",
        allow_abbrev=False,
    )
    parser.add_argument("--out", type=Path, default=Path("regiondrag-demo"), metavar="DIR",
                        help="the folder for the pictures (default: regiondrag-demo)")  # fmt: skip
    parser.add_argument("--model", default="mini", help="another model: a diffusers folder or a hub id")
    parser.add_argument("--device", help="cpu, cuda, mps; chosen automatically")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Write NAME-before.png and NAME-after.png for each photograph, and contact-sheet.png with all."""
    began = time.perf_counter()
    folder: Path = args.out
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file: --out names a folder")
    folder.mkdir(parents=True, exist_ok=True)

    import regiondrag_widget as rd
    from regiondrag_widget.cli.contact_sheet import Row, contact_sheet

    rows: list[Row] = []
    done: list[dict[str, Any]] = []
    for name in assets.names():
        example = assets.load(name)
        pair = example.pair
        with ProgressBar(f"{name:>12}", disable=args.quiet) as bar:
            result = rd.edit(
                example.image, [pair], model=args.model, seed=args.seed, device=args.device, callback=bar
            )
        before, after = folder / f"{name}-before.png", folder / f"{name}-after.png"
        _save(example.image, before)
        result.save(after)
        rows.append(Row(example.title, example.credit, example.image, pair, result.image))
        done.append({"name": name, "before": str(before), "after": str(after), **result.metadata})

    sheet_path = folder / "contact-sheet.png"
    _save(contact_sheet(rows), sheet_path)
    seconds = time.perf_counter() - began
    if args.json:
        report = {
            "folder": str(folder),
            "sheet": str(sheet_path),
            "seconds": round(seconds, 2),
            "edits": done,
        }
        print(json.dumps(report, indent=2, default=str))
    else:
        print(f"edited {len(rows)} photographs in {seconds:.1f} s: see {sheet_path} and {folder}")
    return 0


def _save(image: Image.Image, path: Path) -> None:
    def write(file: BinaryIO) -> None:
        image.save(file, "PNG")

    write_whole(path, write)
