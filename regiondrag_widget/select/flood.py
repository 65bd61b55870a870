"""The magic wand: all that has about the colour of one place."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.picture import PictureSource
from regiondrag_widget.select.given import Point, checked_points, rgb_of

__all__ = ["wand"]

Bool = npt.NDArray[np.bool_]

WORK_SIDE = 2048  # pixels of the longer side at which colours are compared; larger pictures are reduced


def wand(image: PictureSource, point: Point, tolerance: float = 32, contiguous: bool = True) -> Bool:
    """Select what has about the colour of one place.

    Parameters
    ----------
    image : path, bytes, Pillow image or array
        As `rd.edit` takes it.
    point : (x, y)
        In pixels of the picture.
    tolerance : float
        By how much a channel may differ, 0 to 255.
    contiguous : bool
        Whether to select only what hangs together with the point.

    Returns
    -------
    (H, W) bool array

    Raises
    ------
    ValueError, TypeError, OSError
        The point lies outside the picture, the tolerance is out of range, or the picture cannot be read.
    """
    if not 0 <= tolerance <= 255:
        raise ValueError(f"tolerance must be between 0 and 255, got {tolerance!r}")
    rgb = rgb_of(image)
    ((x, y),) = checked_points([point], (rgb.shape[0], rgb.shape[1]))
    full = rgb.shape[1], rgb.shape[0]
    scale = min(1.0, WORK_SIDE / max(full))
    if scale < 1:
        size = max(1, round(full[0] * scale)), max(1, round(full[1] * scale))
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    height, width = rgb.shape[:2]
    column, row = min(width - 1, int((x + 0.5) * scale)), min(height - 1, int((y + 0.5) * scale))
    colour = rgb[row, column].astype(float)
    low, high = np.clip(colour - tolerance, 0, 255), np.clip(colour + tolerance, 0, 255)
    found = cv2.inRange(rgb, low, high)
    if contiguous:
        framed = np.pad(found // 255, 1)
        cv2.floodFill(framed, None, (column + 1, row + 1), 2, flags=8)
        found = (framed[1:-1, 1:-1] == 2).astype(np.uint8) * 255
    if scale < 1:
        found = cv2.resize(found, full, interpolation=cv2.INTER_LINEAR)
    return np.asarray(found > 127)
