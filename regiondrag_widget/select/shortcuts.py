"""One call for one selection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.picture import PictureSource
from regiondrag_widget.select.given import Box, Point
from regiondrag_widget.select.live_wire import MagneticLasso
from regiondrag_widget.select.picker import Superpixels

__all__ = ["at", "box", "click", "lasso"]

Bool = npt.NDArray[np.bool_]


def click(image: PictureSource, points: Sequence[Point], labels: Sequence[bool] | None = None) -> Bool:
    """Select the object that clicks mean.

    >>> mask = rd.select.click("photo.jpg", [(120, 80), (160, 90)], [True, False])

    For several selections in one picture make `Superpixels` once.

    Parameters
    ----------
    image : path, bytes, Pillow image or array
        As `rd.edit` takes it.
    points : sequence of (x, y)
        In pixels of the picture.
    labels : sequence of bool, optional
        For each point, True where it lies in the object and False where it does not; all True when left out.

    Returns
    -------
    (H, W) bool array
        Empty when no point lies in the object.

    Raises
    ------
    ValueError, TypeError, OSError
        A point outside the picture, not one label for each point, or a picture that cannot be read.
    """
    return Superpixels(image).click(points, labels)


def at(image: PictureSource, point: Point) -> Bool:
    """Select the object at one place (x, y); `click` with one point, with its result and errors."""
    return click(image, [point])


def box(image: PictureSource, box: Box) -> Bool:
    """Select the object in a box.

    Parameters
    ----------
    image : path, bytes, Pillow image or array
        As `rd.edit` takes it.
    box : (x0, y0, x1, y1)
        In pixels of the picture; x1 and y1 are one past the last.

    Returns
    -------
    (H, W) bool array

    Raises
    ------
    ValueError, TypeError, OSError
        The box has no pixel of the picture, or the picture cannot be read.
    """
    x0, y0, x1, y1 = box
    return Superpixels(image).box(x0, y0, x1, y1)


def lasso(image: PictureSource, points: Sequence[Point]) -> Bool:
    """Select what a magnetic lasso encloses: its outline follows edges from point to point.

    Parameters
    ----------
    image : path, bytes, Pillow image or array
        As `rd.edit` takes it.
    points : sequence of (x, y)
        At least three anchors around the object, in pixels of the picture.

    Returns
    -------
    (H, W) bool array

    Raises
    ------
    ValueError, TypeError, OSError
        Fewer than three points, one outside the picture, or a picture that cannot be read.
    """
    if len(points) < 3:
        raise ValueError(f"a lasso needs at least three points, got {len(points)}")
    wire = MagneticLasso(image)
    for x, y in points:
        wire.anchor(x, y)
    return wire.close()
