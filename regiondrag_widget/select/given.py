"""What a selection is told: pictures, points and boxes, checked where they come in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.picture import PictureSource, load_picture
from regiondrag_widget.regions.limits import check_pixels

__all__ = ["Box", "Point", "checked_box", "checked_clicks", "checked_points", "rgb_of"]

Point: TypeAlias = "tuple[float, float] | Sequence[float]"
Box: TypeAlias = "tuple[float, float, float, float] | Sequence[float]"


def rgb_of(image: PictureSource) -> npt.NDArray[np.uint8]:
    """The colours (H, W, 3) uint8 of a picture; an array of these may be of any size from one pixel.

    Raises ``ValueError``, ``TypeError`` or ``OSError`` as `load_picture` does.
    """
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        if image.size == 0:
            raise ValueError("the picture has no pixels: give at least one")
        check_pixels("the picture", image.shape[1], image.shape[0])
        return image
    return np.asarray(load_picture(image).rgb, np.uint8)


def checked_points(points: Sequence[Point], shape: tuple[int, int]) -> list[tuple[float, float]]:
    """Points (x, y) of a picture of this (height, width).

    Raises ``ValueError`` for a point outside it, or one that is not two numbers.
    """
    height, width = shape
    found: list[tuple[float, float]] = []
    for point in points:
        try:
            x, y = (float(value) for value in point)
        except (TypeError, ValueError):
            raise ValueError(f"{point!r} is not a point: give (x, y) in pixels") from None
        if not (math.isfinite(x) and math.isfinite(y) and -0.5 <= x < width and -0.5 <= y < height):
            raise ValueError(f"point ({x:g}, {y:g}) lies outside the picture, which is {width}x{height} px")
        found.append((x, y))
    return found


def checked_clicks(
    points: Sequence[Point], labels: Sequence[bool] | None, shape: tuple[int, int]
) -> list[tuple[float, float, bool]]:
    """Points with their labels (x, y, in the object) of a picture of this (height, width).

    Raises ``ValueError`` as `checked_points`, and unless there is one label for each point; None stands for
    all True.
    """
    if labels is None:
        labels = [True] * len(points)
    if len(points) != len(labels):
        raise ValueError(f"{len(points)} points but {len(labels)} labels: give one label for each point")
    where = checked_points(points, shape)
    return [(x, y, bool(label)) for (x, y), label in zip(where, labels, strict=True)]


def checked_box(box: Box, shape: tuple[int, int]) -> tuple[float, float, float, float]:
    """A box (x0, y0, x1, y1) cut to a picture of this (height, width).

    Raises ``ValueError`` when nothing of the picture lies in it, or it is not four numbers.
    """
    height, width = shape
    try:
        x0, y0, x1, y1 = (float(value) for value in box)
    except (TypeError, ValueError):
        raise ValueError(f"{box!r} is not a box: give (x0, y0, x1, y1) in pixels") from None
    if not all(math.isfinite(value) for value in (x0, y0, x1, y1)) or x0 >= x1 or y0 >= y1:
        raise ValueError(f"box {x0:g}, {y0:g}, {x1:g}, {y1:g} has no pixels: give x0 < x1 and y0 < y1")
    x0, y0, x1, y1 = max(0.0, x0), max(0.0, y0), min(float(width), x1), min(float(height), y1)
    if x1 - x0 < 1 or y1 - y0 < 1:
        raise ValueError(f"the box has no pixel of the picture, which is {width}x{height} px")
    return x0, y0, x1, y1
