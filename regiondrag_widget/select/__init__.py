"""Selecting: what a click, a box, a lasso or a wand means in a picture, as a mask.

>>> mask = rd.select.click("photo.jpg", [(120, 80)], [True])
>>> result = rd.edit("photo.jpg", [rd.RegionPair.move(mask, 40, 0)])
"""

from regiondrag_widget.select.adjust import feather, fill_holes, grow, invert, shrink, smooth
from regiondrag_widget.select.flood import wand
from regiondrag_widget.select.live_wire import MagneticLasso
from regiondrag_widget.select.picker import Superpixels
from regiondrag_widget.select.shortcuts import at, box, click, lasso

__all__ = [
    "MagneticLasso",
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
]
