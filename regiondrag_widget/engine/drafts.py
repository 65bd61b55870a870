"""A quick answer while the pointer still moves: the edit at a few of its levels, only where it changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regiondrag_widget.engine.painting import Painted
from regiondrag_widget.imaging.window import Box

__all__ = ["Draft", "draft_of"]

MARGIN = 4  # pixels of the picture shown around a draft, so that its scaling on screen has something to blend


@dataclass(frozen=True, eq=False)
class Draft:
    """What a draft shows.

    Attributes
    ----------
    rgb : (h, w, 3) uint8 array
        The crop `box` of the picture at the resolution the model works at, never above the picture's own.
        Outside the handles and targets it equals the picture, up to that resampling.
    box : (x0, y0, x1, y1)
        In picture pixels: all that the edit touches and a small margin.
    calls : int
        Network calls it took.
    seconds : float
        From the call to the finished pixels.
    """

    rgb: npt.NDArray[np.uint8]
    box: Box
    calls: int
    seconds: float


def draft_of(painted: Painted, seconds: float) -> Draft:
    """The draft that shows what was painted on its sheet.

    Parameters
    ----------
    painted : Painted
        What the edit has painted.
    seconds : float
        Time since the draft was asked for.
    """
    rgb, box = painted.over_sheet(MARGIN)
    return Draft(rgb, painted.sheet.to_picture(box), painted.calls, seconds)
