"""A quick answer while the pointer still moves: the edit at a few of its levels, only where it changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regiondrag_widget.engine.passes import Painted
from regiondrag_widget.imaging.window import Box, slices_of

__all__ = ["Draft", "check_calls", "draft_of"]

MARGIN = (
    4  # pixels of the untouched picture shown around a draft: its scaling on screen has something to blend
)


@dataclass(frozen=True, eq=False)
class Draft:
    """What a draft shows.

    Attributes
    ----------
    rgb : (h, w, 3) uint8, the crop `box` of the picture at the resolution the model works at, never above the
        picture's own; outside the handles and targets it equals the picture, up to that resampling.
    box : x0, y0, x1, y1 in picture pixels: all that the edit touches and a small margin.
    calls : network calls it took.
    seconds : from the call to the finished pixels.
    """

    rgb: npt.NDArray[np.uint8]
    box: Box
    calls: int
    seconds: float


def draft_of(painted: Painted, seconds: float) -> Draft:
    """The crop of a sheet with what was painted laid over it; `seconds` since the draft was asked for."""
    sheet = painted.sheet
    h, w = sheet.shape
    x0, y0, x1, y1 = painted.box
    box = max(0, x0 - MARGIN), max(0, y0 - MARGIN), min(w, x1 + MARGIN), min(h, y1 + MARGIN)
    rgb = sheet.rgb[slices_of(box)].copy()
    inner = rgb[y0 - box[1] : y1 - box[1], x0 - box[0] : x1 - box[0]]
    inner[painted.touched] = np.rint(painted.rgb[painted.touched].clip(0, 255)).astype(np.uint8)
    return Draft(rgb, sheet.to_picture(box), painted.calls, seconds)


def check_calls(calls: object) -> int:
    """The number of network calls of a draft; ValueError unless it is a whole number from 1."""
    if isinstance(calls, bool) or not isinstance(calls, (int, np.integer)) or calls < 1:
        raise ValueError(f"calls must be a whole number from 1, got {calls!r}")
    return int(calls)
