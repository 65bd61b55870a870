"""What a picture of a correspondence consists of, before anything is drawn: outlines, arrows and numbers.

Both painters work from this, Pillow for export and ipycanvas for the notebook, so they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.regions.correspondence import pixel_map
from regiondrag_widget.regions.pair import RegionPair
from regiondrag_widget.regions.pairs import RegionPairs

Rgb = tuple[int, int, int]

# the browser's editor uses the same shades, in the same order
HANDLE_SHADES: tuple[Rgb, ...] = (
    (229, 46, 61), (245, 110, 40), (214, 40, 132), (196, 62, 26), (255, 94, 98), (176, 24, 60),
)  # fmt: skip
TARGET_SHADES: tuple[Rgb, ...] = (
    (38, 110, 245), (0, 160, 210), (98, 84, 240), (20, 130, 190), (70, 150, 255), (40, 70, 200),
)  # fmt: skip
MAX_ARROWS = 14  # of one pair; more would hide the picture
MIN_SPACING = 22  # shown px between two arrows


@dataclass(frozen=True, eq=False)
class Outline:
    """One closed line round a region: ``points`` (n, 2) x, y in the sketch's pixels."""

    points: NDArray[np.float64]
    color: Rgb


@dataclass(frozen=True)
class Arrow:
    """From where content comes to where it goes; ``color`` is the target's."""

    x0: float
    y0: float
    x1: float
    y1: float
    color: Rgb

    def head(self, size: float) -> list[tuple[float, float]]:
        """Three corners of the arrow's head."""
        dx, dy = self.x1 - self.x0, self.y1 - self.y0
        length = max((dx * dx + dy * dy) ** 0.5, 1e-9)
        ux, uy = dx / length, dy / length
        size = min(size, length)
        bx, by = self.x1 - size * ux, self.y1 - size * uy
        half = 0.45 * size
        return [(self.x1, self.y1), (bx - half * uy, by + half * ux), (bx + half * uy, by - half * ux)]


@dataclass(frozen=True)
class Label:
    """A pair's number, at its handle."""

    x: float
    y: float
    text: str
    color: Rgb


@dataclass(frozen=True, eq=False)
class Sketch:
    """Everything to draw over a picture shown at ``width`` x ``height``."""

    width: int
    height: int
    outlines: tuple[Outline, ...]
    arrows: tuple[Arrow, ...]
    labels: tuple[Label, ...]


def sketch(pairs: RegionPair | Iterable[RegionPair], size: tuple[int, int], scale: float) -> Sketch:
    """Outlines, arrows and numbers of ``pairs``.

    Parameters
    ----------
    pairs
        One pair or several, at the picture's own size.
    size
        (width, height) of the picture.
    scale
        How much smaller it is shown; coordinates come out in shown pixels.

    Raises
    ------
    ValueError
        Masks of another size than the picture.
    """
    given = RegionPairs.of(pairs)
    width, height = size
    if given.shape is not None and given.shape != (height, width):
        raise ValueError(
            f"the pairs are {given.shape[1]}x{given.shape[0]} and the picture {width}x{height} px: "
            "they must have the same size"
        )
    outlines: list[Outline] = []
    arrows: list[Arrow] = []
    labels: list[Label] = []
    for number, pair in enumerate(given):
        red, blue = HANDLE_SHADES[number % len(HANDLE_SHADES)], TARGET_SHADES[number % len(TARGET_SHADES)]
        if pair.moves:
            outlines += [Outline(points, blue) for points in contours(pair.target, scale)]
            arrows += [Arrow(x0, y0, x1, y1, blue) for x0, y0, x1, y1 in (_lines(pair, scale) + 0.5) * scale]
        outlines += [Outline(points, red) for points in contours(pair.handle, scale)]
        y, x = (float(np.mean(axis)) for axis in np.nonzero(pair.handle))
        labels.append(Label((x + 0.5) * scale, (y + 0.5) * scale, str(number + 1), red))
    shown = max(1, round(width * scale)), max(1, round(height * scale))
    return Sketch(*shown, tuple(outlines), tuple(arrows), tuple(labels))


def contours(mask: NDArray[np.bool_], scale: float) -> list[NDArray[np.float64]]:
    """Closed lines along the pixels' outer edges, in shown pixels; holes have lines of their own."""
    # doubled, a contour through pixel centres lies within half a pixel of the true edge
    doubled = mask.astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    found, _ = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    return [(line[:, 0, :].astype(np.float64) + 0.5) / 2 * scale for line in found]


def _lines(pair: RegionPair, scale: float) -> NDArray[np.float64]:
    """(n, 4) x0, y0, x1, y1: at most `MAX_ARROWS` source and target pixels, spread over the target."""
    found = pixel_map([pair])
    ys, xs = np.nonzero(found.target)
    row, column = ys - ys.min(), xs - xs.min()
    spacing = max(2, int(np.sqrt(len(ys) / MAX_ARROWS)), round(MIN_SPACING / scale))
    while True:
        kept = (row % spacing == spacing // 2) & (column % spacing == spacing // 2)
        if kept.sum() <= MAX_ARROWS:
            break
        spacing += max(1, spacing // 8)
    if not kept.any():  # a region smaller than the spacing: its middle pixel
        kept[len(kept) // 2] = True
    y, x = ys[kept], xs[kept]
    return np.column_stack([found.source_xy[y, x], x, y]).astype(np.float64)
