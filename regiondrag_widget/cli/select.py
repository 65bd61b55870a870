"""``regiondrag select``: clicks or a box on a picture, and the mask of the object they mean."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regiondrag_widget.cli.outputs import require_place, with_ending

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from regiondrag_widget.imaging.picture import Picture

EXAMPLES = """examples:
  regiondrag select photo.jpg --point 120,80 -o mask.png
  regiondrag select photo.jpg --point 120,80 --not-point 160,90 -o mask.png
  regiondrag select photo.jpg --box 80,40,200,150 -o mask.png
  regiondrag select photo.jpg --point 120,80 --model Zigeng/SlimSAM-uniform-77 -o mask.png"""


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add ``select`` to the commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "select",
        help="make the mask of an object",
        description="Select the object that clicks or a box mean, and write its mask: white is the object.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("photo", type=Path, help="the picture")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the mask, a PNG")
    parser.add_argument(
        "--point", action="append", default=[], type=two_numbers, metavar="X,Y", help="a click on the object"
    )
    parser.add_argument("--not-point", action="append", default=[], type=two_numbers, metavar="X,Y",
                        help="a click on what is not the object")  # fmt: skip
    parser.add_argument(
        "--box", type=_four_numbers, metavar="X0,Y0,X1,Y1", help="a box around the object; X1, Y1 are outside"
    )
    parser.add_argument("--model", metavar="M", help="a Segment Anything model, a folder or a hub id: SAM, "
                        "SAM-HQ, SAM 2.1 or EdgeTAM (default: superpixels, without weights)")  # fmt: skip
    parser.add_argument("--device", help="where the model computes: cpu, cuda, mps; chosen automatically")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Select in one picture and write the mask."""
    from PIL import Image

    from regiondrag_widget.imaging.picture import load_picture
    from regiondrag_widget.regions.writing import write_whole

    if not args.point and args.box is None:
        raise ValueError("nothing to select: give --point X,Y on the object, or a --box around it")
    output = _checked_output(args)
    picture = load_picture(args.photo)
    mask = _selected(args, picture)
    if not mask.any():
        raise ValueError("nothing was selected: click another place")
    white = Image.fromarray(mask.view("uint8") * 255)
    write_whole(output, lambda file: white.save(file, "PNG"))
    width, height = picture.size
    print(f"wrote {output}: {int(mask.sum())} of {width * height} pixels selected")
    return 0


def _selected(args: argparse.Namespace, picture: Picture) -> NDArray[np.bool_]:
    import regiondrag_widget as rd

    points = [*args.point, *args.not_point]
    labels = [True] * len(args.point) + [False] * len(args.not_point)
    where: Any = (
        rd.select.Superpixels(picture)
        if args.model is None
        else rd.select.Selector(args.model, args.device).embed(picture)
    )
    mask: NDArray[np.bool_] = where.candidates(points, labels, args.box)[0].mask
    return mask


def _checked_output(args: argparse.Namespace) -> Path:
    """Where the mask goes; refused before any work where it could not be written."""
    output = with_ending(args.output)
    require_place(output, "the mask", [args.photo])
    if output.suffix.lower() != ".png":
        raise ValueError(f"-o {output} must end in .png: other formats blur a mask's outline")
    return output


def two_numbers(text: str) -> tuple[float, float]:
    """Parse ``X,Y``; raises ``argparse.ArgumentTypeError`` for anything else."""
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not X,Y: two numbers with a comma, such as 120,80"
        ) from None
    return x, y


def _four_numbers(text: str) -> tuple[float, float, float, float]:
    try:
        x0, y0, x1, y1 = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not X0,Y0,X1,Y1: four numbers with commas, such as 80,40,200,150"
        ) from None
    return x0, y0, x1, y1
