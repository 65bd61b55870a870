"""The widget as one picture, for places that show saved outputs and run no widgets, such as GitHub."""

from __future__ import annotations

import base64

from PIL import Image

from regiondrag_widget.regions.framing import framed_pairs
from regiondrag_widget.regions.limits import MIN_SIDE
from regiondrag_widget.regions.pairs import RegionPairs
from regiondrag_widget.widget.encode import encode_png
from regiondrag_widget.widget.render import render_correspondence, shrink

MAX_SIDE = 768  # px; the picture lies in the saved notebook
_GAP = 8  # px between the picture and its result


def still_png(image: Image.Image, pairs: RegionPairs, result: Image.Image | None = None) -> str:
    """`still` as base64 PNG, as a notebook's output keeps it."""
    return base64.b64encode(encode_png(still(image, pairs, result))).decode("ascii")


def still(image: Image.Image, pairs: RegionPairs, result: Image.Image | None = None) -> Image.Image:
    """The picture with its regions, and beside it the result if there is one.

    RGB, at most `MAX_SIDE` px on the long side.
    """
    columns = 1 if result is None else 2
    room = (MAX_SIDE - _GAP * (columns - 1)) // columns
    scale = min(1.0, room / image.width, MAX_SIDE / image.height)
    shown = max(1, int(scale * max(image.size)))
    first = max(2 * scale, MIN_SIDE / min(image.size))
    if first < 1:  # a cell waits for this, and at its full size drawing a photograph takes seconds
        image, pairs = _reduced(image, pairs, first)
    left = render_correspondence(image, pairs, max_size=shown)
    if result is None:
        return left
    both = Image.new("RGB", (2 * left.width + _GAP, left.height), "white")
    both.paste(left, (0, 0))
    both.paste(shrink(result, left.size).convert("RGB"), (left.width + _GAP, 0))
    return both


def _reduced(image: Image.Image, pairs: RegionPairs, scale: float) -> tuple[Image.Image, RegionPairs]:
    """Picture and pairs at ``scale``."""
    width, height = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    whole = (0, 0, image.width, image.height)
    small = image.resize((width, height), Image.Resampling.BOX, reducing_gap=2.0)
    return small, framed_pairs(pairs, whole, (height, width))
