"""``regiondrag edit``: one picture, masks or moves, one edited picture."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regiondrag_widget.cli.outputs import require_place, with_ending
from regiondrag_widget.cli.progress import ProgressBar
from regiondrag_widget.engine.settings import SETTINGS, EditSettings, names

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from regiondrag_widget.engine.settingspec import SettingSpec
    from regiondrag_widget.imaging.picture import Picture
    from regiondrag_widget.regions.pairs import RegionPairs

EXAMPLES = """examples:
  regiondrag edit photo.jpg --handle duck.png --target there.png -o out.png
  regiondrag edit photo.jpg --handle duck.png --move 120,-10 --scale 0.8 --rotate 15 -o out.png
  regiondrag edit photo.jpg --handle a.png --handle b.png --move 40,0 --move -40,0 -o out.png
  regiondrag edit photo.jpg --select 120,80 --move 40,0 -o out.png
  regiondrag edit photo.jpg --handle tail.png --bend "60,90:60,90 120,90:120,60" -o out.png
  regiondrag edit --regions edit.zip -o out.png"""

CARRY = ("object", "painted")  # as `regions.pair.CARRY`: importing that would load numpy for --help
# what argparse makes of an option's text; other kinds of settings stay text
PARSED = {"integer": int, "number": float}


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add ``edit`` to the commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "edit",
        help="move regions of a picture",
        description="Carry each handle region of a picture to its target and fill the place it left.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "photo", nargs="?", type=Path, help="the picture (with --regions: the one saved there)"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="where the result goes"
    )

    where = parser.add_argument_group("regions (once for each)")
    where.add_argument(
        "--handle", action="append", default=[], metavar="MASK", help="white where the object is"
    )
    where.add_argument("--select", action="append", default=[], type=_point, metavar="X,Y",
                       help="the object at this place, instead of --handle")  # fmt: skip
    where.add_argument(
        "--target", action="append", default=[], metavar="MASK", help="white where it is to go"
    )
    where.add_argument("--move", action="append", default=[], type=_two_numbers, metavar="DX,DY",
                       help="pixels to the right and down, instead of --target")  # fmt: skip
    where.add_argument(
        "--scale", action="append", default=[], type=float, metavar="S", help="resize by S as well"
    )
    where.add_argument("--rotate", action="append", default=[], type=float, metavar="DEG",
                       help="turn by DEG degrees as well, counter-clockwise")  # fmt: skip
    where.add_argument("--bend", action="append", default=[], type=_pins, metavar="PINS",
                       help="bend by pins X,Y:X,Y, from where to where, instead of --target")  # fmt: skip
    where.add_argument("--perspective", action="append", default=[], type=_corners, metavar="CORNERS",
                       help="where the corners of the handle's box go, X,Y four times, clockwise from the "
                       "upper left, instead of --target")  # fmt: skip
    where.add_argument("--carry", action="append", default=[], choices=CARRY,
                       help="carry the object found in the handle, or all that is painted")  # fmt: skip
    where.add_argument("--regions", type=Path, metavar="FOLDER|ZIP", help="regions saved by save_regions")

    how = parser.add_argument_group("settings")
    for spec in SETTINGS:
        if "command line" in spec.faces:
            add_setting(how, spec)
    how.add_argument("--device", help="cpu, cuda, cuda:1, mps; chosen automatically")
    how.add_argument("--json", action="store_true", help="print what was done as JSON")
    how.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.set_defaults(run=run)
    return parser


def add_setting(group: Any, spec: SettingSpec) -> None:
    """A setting of the table as an option; left out, the engine's default holds."""
    default = "the model's own" if spec.of_model else "empty" if spec.default == "" else spec.default
    allowed = f"{spec.allowed}; " if spec.kind in PARSED else ""
    words = f"{spec.explanation[0].lower()}{spec.explanation[1:]} ({allowed}default: {default})"
    group.add_argument(
        f"--{spec.name.replace('_', '-')}",
        dest=spec.name,
        type=PARSED.get(spec.kind, str),
        choices=spec.values or None,
        help=words.replace("%", "%%"),
    )


def run(args: argparse.Namespace) -> int:
    """Edit one picture; every input is checked before the model is loaded."""
    given = {name: value for name in names("command line") if (value := getattr(args, name)) is not None}
    EditSettings().updated(given, "command line")
    args.output = with_ending(args.output)  # as EditResult.save does
    picture, pairs = _inputs(args)
    _check_output(args, picture)

    import regiondrag_widget as rd  # loads the engine and torch: only now, after all checks

    options: dict[str, Any] = dict(given)
    if args.device is not None:
        options["device"] = args.device
    protect = _protected(args, picture)
    if protect is not None:
        options["editable"] = ~protect
    with ProgressBar("edit", disable=args.quiet) as bar:
        result = rd.edit(picture, pairs, callback=bar, **options)
    path = result.save(args.output)
    if args.json:
        print(json.dumps(_report(args, path, result), indent=2, default=str))
    else:
        print(f"wrote {path}: {result!r}")
        for note in result.notes:
            print(f"note: {note}", file=sys.stderr)
    return 0


def _inputs(args: argparse.Namespace) -> tuple[Picture, RegionPairs]:
    from regiondrag_widget.imaging.picture import load_picture
    from regiondrag_widget.regions.pairs import RegionPairs

    drawn = args.handle or args.select or args.target or args.carry or any(_ways(args).values())
    if args.regions is not None:
        if drawn:
            raise ValueError(
                "--regions brings its own handles and targets: leave the other region options out"
            )
        from regiondrag_widget.regions.archive import load_regions

        saved, pairs = load_regions(args.regions)
        picture = load_picture(saved if args.photo is None else args.photo)
        if len(pairs) and pairs.shape != picture.shape:
            height, width = pairs[0].shape
            raise ValueError(
                f"the regions in {args.regions} are {width}x{height} px but the picture is "
                f"{picture.size[0]}x{picture.size[1]} px: they must be the same size"
            )
        return picture, pairs
    if args.photo is None:
        raise ValueError("no picture given: name one, or saved --regions")
    if not args.handle and not args.select:
        raise ValueError(
            "no region given: name what is to be moved with --handle MASK, or a place on it with --select X,Y"
        )
    picture = load_picture(args.photo)
    return picture, RegionPairs(_drawn_pairs(args, picture))


def _protected(args: argparse.Namespace, picture: Picture) -> NDArray[np.bool_] | None:
    """The protect mask saved with the regions, (H, W) bool."""
    if args.regions is None:
        return None
    from regiondrag_widget.regions.archive import load_protect

    protect = load_protect(args.regions)
    if protect is not None and protect.shape != picture.shape:
        raise ValueError(f"the protect mask in {args.regions} is not of the picture's size: save them again")
    return protect


def _drawn_pairs(args: argparse.Namespace, picture: Picture) -> list[Any]:
    from regiondrag_widget.imaging.mask_file import load_mask
    from regiondrag_widget.regions.pair import RegionPair

    size = picture.size
    count = len(args.handle) + len(args.select)
    ways = {"--target": bool(args.target), **_ways(args)}
    if sum(ways.values()) != 1:
        raise ValueError(
            "say where the handle goes: give either --target MASK or --move DX,DY or --bend PINS "
            "or --perspective CORNERS"
        )
    if args.target and len(args.target) != count:
        wanted = "give one target for each handle"
        raise ValueError(f"{_handles(count)} but {len(args.target)} --target: {wanted}")
    names = [Path(path).stem for path in args.handle] + [f"{x:g},{y:g}" for x, y in args.select]
    handles = [load_mask(path, size) for path in args.handle] + _selected(args.select, picture)
    carries = _for_each(args.carry, count, "--carry", None)
    if args.target:
        targets = [load_mask(path, size) for path in args.target]
        return [
            RegionPair(handle, target, name=name, carry=carry)
            for handle, target, name, carry in zip(handles, targets, names, carries, strict=True)
        ]
    if args.bend or args.perspective:
        option, values = ("--bend", args.bend) if args.bend else ("--perspective", args.perspective)
        each = zip(handles, names, _for_each(values, count, option, None), carries, strict=True)
        made = []
        for handle, name, points, carry in each:
            if args.bend:
                starts, ends = [pin[0] for pin in points], [pin[1] for pin in points]
                pair = RegionPair.bend(handle, starts, ends, name=name, carry=carry)
            else:
                pair = RegionPair.perspective(handle, points, name=name, carry=carry)
            made.append(pair)
        return made
    moves = _for_each(args.move, count, "--move", (0.0, 0.0))
    scales = _for_each(args.scale, count, "--scale", 1.0)
    turns = _for_each(args.rotate, count, "--rotate", 0.0)
    return [
        RegionPair.move(handle, dx, dy, scale, turn, name=name, carry=carry)
        for handle, name, (dx, dy), scale, turn, carry in zip(
            handles, names, moves, scales, turns, carries, strict=True
        )
    ]


def _selected(points: list[tuple[float, float]], picture: Picture) -> list[NDArray[np.bool_]]:
    """The object at each of these places with some ground around it, (H, W) bool."""
    if not points:
        return []
    from regiondrag_widget.select import Superpixels, with_margin

    superpixels = Superpixels(picture)  # made once for all places
    return [with_margin(superpixels.click([point])) for point in points]


def _ways(args: argparse.Namespace) -> dict[str, bool]:
    """Which options say where the handles go, a target's mask apart."""
    moved = bool(args.move or args.scale or args.rotate)
    return {"--move": moved, "--bend": bool(args.bend), "--perspective": bool(args.perspective)}


def _for_each(values: list[Any], count: int, option: str, default: Any) -> list[Any]:
    """Return one value for each handle, from one value each, one value for all, or the default."""
    if len(values) > 1 and len(values) != count:
        raise ValueError(
            f"{_handles(count)} but {len(values)} {option}: give one for each handle, or one for all"
        )
    return values if len(values) > 1 else (values or [default]) * count


def _handles(count: int) -> str:
    return "1 handle" if count == 1 else f"{count} handles"


def _check_output(args: argparse.Namespace, picture: Picture) -> None:
    """Refuse an output that could not be written or would overwrite an input, before the edit is made."""
    from regiondrag_widget.engine.result import output_format

    output: Path = args.output
    inputs = (args.photo, args.regions, *args.handle, *args.target)
    require_place(output, "the result", (None if given is None else Path(given) for given in inputs))
    output_format(output, transparent=picture.alpha is not None)
    if args.regions is not None and args.regions.is_dir() and output.parent.samefile(args.regions):
        raise ValueError(f"-o {output} lies in the saved regions, which are an input: choose another folder")


def _report(args: argparse.Namespace, path: Path, result: Any) -> dict[str, Any]:
    width, height = result.image.size
    return {
        "input": None if args.photo is None else str(args.photo),
        "output": str(path),
        "width": width,
        "height": height,
        "pairs": [
            {
                "name": pair.name,
                "handle_pixels": int(pair.handle.sum()),
                "target_pixels": int(pair.target.sum()),
                "matrix": None if pair.matrix is None else pair.matrix.tolist(),
                "deformation": None if pair.deformation is None else repr(pair.deformation),
            }
            for pair in result.pairs or []
        ],
        "notes": list(result.notes),
        **result.metadata,
    }


def _pins(text: str) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    try:
        pins = [tuple(_two_numbers(end) for end in pin.split(":")) for pin in text.split()]
        if not pins or any(len(pin) != 2 for pin in pins):
            raise ValueError
    except (ValueError, argparse.ArgumentTypeError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of pins X,Y:X,Y with spaces between them, such as '60,90:60,80 9,9:9,9'"
        ) from None
    return pins  # type: ignore[return-value]


def _corners(text: str) -> list[tuple[float, float]]:
    try:
        numbers = [float(part) for part in text.replace(" ", ",").split(",")]
        if len(numbers) != 8:
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} are not the corners X,Y,X,Y,X,Y,X,Y: eight numbers with commas"
        ) from None
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _two_numbers(text: str) -> tuple[float, float]:
    return _pair_of_numbers(text, "DX,DY", "40,-15")


def _point(text: str) -> tuple[float, float]:
    return _pair_of_numbers(text, "X,Y", "120,80")


def _pair_of_numbers(text: str, form: str, example: str) -> tuple[float, float]:
    try:
        first, second = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not {form}: two numbers with a comma, such as {example}"
        ) from None
    return first, second
