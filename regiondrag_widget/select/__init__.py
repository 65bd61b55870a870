"""Selecting: what a click, a box, a lasso or a wand means in a picture, as a mask.

>>> mask = rd.select.click("photo.jpg", [(120, 80)], [True])
>>> result = rd.edit("photo.jpg", [rd.RegionPair.move(rd.select.with_margin(mask), 40, 0)])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from regiondrag_widget.select.adjust import feather, fill_holes, grow, invert, shrink, smooth, with_margin
from regiondrag_widget.select.candidate import Candidate
from regiondrag_widget.select.flood import wand
from regiondrag_widget.select.live_wire import MagneticLasso
from regiondrag_widget.select.picker import Superpixels
from regiondrag_widget.select.shortcuts import at, box, click, lasso

if TYPE_CHECKING:
    from regiondrag_widget.select.selector import EmbeddedPicture, Selector

__all__ = [
    "Candidate",
    "EmbeddedPicture",
    "MagneticLasso",
    "Selector",
    "Superpixels",
    "at",
    "box",
    "click",
    "feather",
    "fill_holes",
    "grow",
    "invert",
    "lasso",
    "shrink",
    "smooth",
    "wand",
    "with_margin",
]


def __getattr__(name: str) -> Any:
    if name not in ("EmbeddedPicture", "Selector"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.selector")  # brings torch: only when asked for
    value = globals()[name] = getattr(module, name)
    return value
