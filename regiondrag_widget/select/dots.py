"""Clicks that correct less than a superpixel: dots as large as what may be wrong."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Dot", "dot_for", "dotted"]

Bool = npt.NDArray[np.bool_]

WIDER = 1.5  # times the click's distance from the outline, plus a pixel: the radius of its dot
LESS = 0.5  # of the superpixel's pixels on the click's side: a dot that covers more is none


@dataclass(frozen=True)
class Dot:
    """A disc at the working size, which is selected or is not."""

    x: float
    y: float
    radius: float
    takes: bool

    def covers(self, x: float, y: float) -> bool:
        """Whether a place lies in it, or within half a pixel of it."""
        return bool(np.hypot(x - self.x, y - self.y) <= self.radius + 0.5)


def dot_for(mask: Bool, piece: Bool, x: float, y: float, takes: bool) -> Dot | None:
    """The dot that a correcting click means, or None where it means its superpixel or more.

    People click into the middle of what is wrong, so that a click close to the outline means little.

    Parameters
    ----------
    mask
        (h, w) bool, what is selected, at the working size.
    piece
        (h, w) bool, the superpixel of the click.
    x, y
        Where the click is.
    takes
        Whether it is to be selected.
    """
    wrong = mask != takes
    row, column = (min(max(round(v), 0), size - 1) for v, size in zip((y, x), mask.shape, strict=True))
    if not wrong[row, column]:
        return None
    depth = (
        cv2.distanceTransform(wrong.view(np.uint8), cv2.DIST_L2, 5)[row, column]
        if not wrong.all()
        else np.inf
    )
    radius = WIDER * float(depth) + 1
    if np.pi * radius**2 > LESS * (piece & wrong).sum():
        return None
    return Dot(x, y, radius, takes)


def dotted(mask: Bool, dots: tuple[Dot, ...]) -> Bool:
    """Return the mask (h, w) bool with the dots set or cleared, in their order."""
    if not dots:
        return mask
    found = mask.copy()
    rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
    for dot in dots:
        found[(columns - dot.x) ** 2 + (rows - dot.y) ** 2 <= dot.radius**2] = dot.takes
    return found
