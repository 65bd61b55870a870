"""Edit the example photographs and draw one contact sheet each: regions, paste + Telea, ours.

    python scripts/example_sheets.py                  # all, into docs/images
    python scripts/example_sheets.py kitten --regions # only show where the regions lie

Which photograph, which regions and where they go is written in docs/examples/edits.json: a handle is a
polygon of pixels [x, y], or "bundled" for the one that comes with the package's own photographs.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import regiondrag_widget as rd
from regiondrag_widget.bench.methods.baselines import inpainted, pasted
from regiondrag_widget.bench.truth.scene import Scene, ScenePair
from regiondrag_widget.bench.truth.transforms import Homography
from regiondrag_widget.cli.contact_sheet import FAINT, HANDLE, INK, MARGIN, PAPER, TARGET

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES, SHEETS = ROOT / "docs" / "examples", ROOT / "docs" / "images"
SIDE, CAPTION = 384, 44
MOST_BYTES = 140_000  # of a sheet in the README
SEED = 0


@dataclass(frozen=True, eq=False)
class Edit:
    """A photograph, what is dragged in it, and the settings that differ from the default's."""

    name: str
    title: str
    credit: str
    photo: Image.Image
    pairs: list[rd.RegionPair]
    settings: dict[str, Any]


def main() -> int:
    """Run the script and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which examples (default: all)")
    parser.add_argument("--model", default="mini", help="another model: a diffusers folder or a hub id")
    parser.add_argument("--out", type=Path, default=SHEETS, metavar="DIR", help="default: docs/images")
    parser.add_argument("--regions", action="store_true", help="draw the regions and edit nothing")
    args = parser.parse_args()
    edits = read_edits(EXAMPLES / "edits.json")
    unknown = set(args.names) - {edit.name for edit in edits}
    if unknown:
        known = ", ".join(edit.name for edit in edits)
        print(f"error: no example is called {', '.join(sorted(unknown))}: there are {known}", file=sys.stderr)
        return 2
    args.out.mkdir(parents=True, exist_ok=True)
    for edit in edits:
        if args.names and edit.name not in args.names:
            continue
        path = args.out / f"example-{edit.name}.jpg"
        save_small(sheet(edit, args.model, regions_only=args.regions), path)
        print(f"{path} ({path.stat().st_size // 1024} KB)")
    return 0


def read_edits(path: Path) -> list[Edit]:
    """The examples of a description file, in its order."""
    return [_read_edit(entry) for entry in json.loads(path.read_text("utf-8"))]


def sheet(edit: Edit, model: str = "mini", *, regions_only: bool = False) -> Image.Image:
    """Before with handles (orange) and targets (blue); paste + Telea; ours: side by side with captions."""
    tiles = [(edit.title, outlined(edit))]
    if not regions_only:
        tiles.append(("pasted, the hole by OpenCV (Telea)", pasted_by_hand(edit)))
        result = rd.edit(edit.photo, edit.pairs, model=model, seed=SEED, **edit.settings)
        tiles.append(("ours", result.image))
    page = Image.new("RGB", (len(tiles) * (SIDE + MARGIN) + MARGIN, SIDE + CAPTION + MARGIN), PAPER)
    draw = ImageDraw.Draw(page)
    for column, (caption, picture) in enumerate(tiles):
        x = MARGIN + column * (SIDE + MARGIN)
        draw.text((x, 8), caption, INK, ImageFont.load_default(13))
        if column == 0:
            draw.text((x, 26), f"photograph: {edit.credit}", FAINT, ImageFont.load_default(10))
        page.paste(picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS), (x, CAPTION))
    return page


def outlined(edit: Edit) -> Image.Image:
    """The photograph with handles outlined in orange and targets in blue."""
    picture = np.array(edit.photo)
    for pair in edit.pairs:
        for mask, colour in ((pair.target, TARGET), (pair.handle, HANDLE)):
            outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(picture, outlines, -1, colour, 2, cv2.LINE_AA)
    return Image.fromarray(picture)


def pasted_by_hand(edit: Edit) -> Image.Image:
    """What a person with OpenCV would do: the handle pasted at its target, its old place inpainted."""
    before = np.array(edit.photo)
    pairs = tuple(ScenePair(p.handle, p.target, Homography(np.asarray(p.matrix))) for p in edit.pairs)
    scene = Scene(edit.name, "example", "example", before, before, pairs)
    copied = edit.settings.get("vacated") == "keep"
    return Image.fromarray(pasted(scene, before if copied else inpainted(scene, cv2.INPAINT_TELEA)))


def save_small(page: Image.Image, path: Path) -> None:
    """Save as JPEG, as good as fits into `MOST_BYTES`."""
    for quality in range(85, 45, -5):
        page.save(path, quality=quality, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            break


def _read_edit(entry: dict[str, Any]) -> Edit:
    photo = _photo(entry.get("photo", entry["name"]))
    pairs = [
        rd.RegionPair.move(
            _handle(pair["handle"], entry["name"], photo),
            *pair["move"],
            scale=pair.get("scale", 1.0),
            rotate=pair.get("rotate", 0.0),
        )
        for pair in entry["pairs"]
    ]
    return Edit(entry["name"], entry["title"], entry["credit"], photo, pairs, entry.get("settings", {}))


def _photo(name: str) -> Image.Image:
    if name in rd.examples.names():
        return rd.examples.load(name).image
    with Image.open(EXAMPLES / f"{name}.jpg") as picture:
        return picture.convert("RGB")


def _handle(drawn: Any, name: str, photo: Image.Image) -> np.ndarray:
    if drawn == "bundled":
        return np.asarray(rd.examples.load(name).handle)
    mask = np.zeros(photo.size[::-1], np.uint8)
    cv2.fillPoly(mask, [np.array(drawn, np.int32)], 1)
    return mask.astype(bool)


if __name__ == "__main__":
    sys.exit(main())
