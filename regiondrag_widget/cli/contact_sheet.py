"""A contact sheet with one row for each edit: before (handle and target outlined), after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from regiondrag_widget.regions.pair import RegionPair

SIDE = 448  # px, the longer side of a picture on the sheet
MARGIN, CAPTION = 16, 40
PAPER, INK, FAINT = (250, 250, 248), (30, 30, 34), (120, 120, 124)
HANDLE, TARGET = (255, 176, 0), (0, 158, 255)  # distinguishable for the colour-blind


@dataclass(frozen=True, eq=False)
class Row:
    """One edit on the sheet."""

    title: str
    credit: str
    before: Image.Image
    pair: RegionPair
    after: Image.Image


def contact_sheet(rows: Sequence[Row]) -> Image.Image:
    """Draw all rows on one RGB page, ``handle`` outlined in orange and ``target`` in blue."""
    tiles = [(_shrunk(_outlined(row)), _shrunk(row.after)) for row in rows]
    heights = [max(before.height, after.height) + CAPTION + MARGIN for before, after in tiles]
    page = Image.new("RGB", (2 * SIDE + 3 * MARGIN, sum(heights) + MARGIN), PAPER)
    draw = ImageDraw.Draw(page)
    y = MARGIN
    for row, (before, after), height in zip(rows, tiles, heights, strict=True):
        draw.text((MARGIN, y), row.title, INK, ImageFont.load_default(16))
        draw.text((MARGIN, y + 20), row.credit, FAINT, ImageFont.load_default(11))
        draw.text((2 * MARGIN + SIDE, y), "after", INK, ImageFont.load_default(16))
        page.paste(before, (MARGIN, y + CAPTION))
        page.paste(after, (2 * MARGIN + SIDE, y + CAPTION))
        y += height
    return page


def _outlined(row: Row) -> Image.Image:
    image = row.before.convert("RGB")
    for mask, colour in ((row.pair.target, TARGET), (row.pair.handle, HANDLE)):
        region = Image.fromarray(np.asarray(mask, dtype=np.uint8) * 255)
        rim = np.asarray(region.filter(ImageFilter.MaxFilter(5))) != np.asarray(region)
        image.paste(colour, mask=Image.fromarray(rim.astype(np.uint8) * 255))
    return image


def _shrunk(image: Image.Image) -> Image.Image:
    tile = image.convert("RGB")
    tile.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return tile
