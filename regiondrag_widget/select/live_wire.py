"""The magnetic lasso: an outline that follows edges from anchor to anchor."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.picture import PictureSource
from regiondrag_widget.select.given import checked_points, rgb_of

__all__ = ["MagneticLasso"]

Bool = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]

# pixels of the longer side that edges are followed at, and on each side of an anchor how many of them are
# searched: closely near the anchor, coarsely in the whole picture
CLOSE, COARSE = (1024, 256), (512, 512)
SUBPIXEL = 4  # bits of a pixel's fraction when the outline is filled


class MagneticLasso:
    """A live wire: between its anchors the outline follows the edges of the picture.

    OpenCV's intelligent scissors (Mortensen, Barrett 1995) look for the way in a window around the last
    anchor, at a working size, so that a step takes the same time in pictures of any size.

    >>> lasso = rd.select.MagneticLasso("photo.jpg")
    >>> lasso.anchor(120, 80)           # a click
    >>> lasso.path_to(160, 90)          # the pointer moves: where the outline would go
    >>> lasso.anchor(200, 100)
    >>> mask = lasso.close()            # a double click

    Parameters
    ----------
    image : path, bytes, Pillow image or array
        As `rd.edit` takes it.

    Raises
    ------
    ValueError, TypeError, OSError
        The picture cannot be read.
    """

    def __init__(self, image: PictureSource) -> None:
        rgb = rgb_of(image)
        self.shape: tuple[int, int] = (rgb.shape[0], rgb.shape[1])
        self._wires = _Wire(rgb, *CLOSE), _Wire(rgb, *COARSE)
        self._anchors: list[tuple[float, float]] = []
        self._paths: list[Points] = []  # one to each anchor but the first

    @property
    def anchors(self) -> list[tuple[float, float]]:
        """The anchors (x, y) set so far."""
        return list(self._anchors)

    @property
    def outline(self) -> Points:
        """(n, 2) float64: the outline from the first anchor to the last."""
        if not self._anchors:
            return np.empty((0, 2))
        return np.concatenate([[self._anchors[0]], *self._paths])

    def anchor(self, x: float, y: float) -> None:
        """Set an anchor; the way to it from the last one becomes part of the outline.

        Raises ``ValueError`` for a place outside the picture.
        """
        ((x, y),) = checked_points([(x, y)], self.shape)
        if self._anchors:
            self._paths.append(self.path_to(x, y))
        self._anchors.append((x, y))

    def undo(self) -> None:
        """Take the last anchor back; without one nothing happens."""
        if self._anchors:
            self._anchors.pop()
        if self._paths:
            self._paths.pop()

    def path_to(self, x: float, y: float) -> Points:
        """The way along edges from the last anchor to a place.

        Returns
        -------
        (n, 2) float64 array
            Points x, y in pixels of the picture, without the anchor itself and ending at the place.

        Raises
        ------
        ValueError
            The place lies outside the picture, or there is no anchor yet.
        """
        ((x, y),) = checked_points([(x, y)], self.shape)
        if not self._anchors:
            raise ValueError("the lasso has no anchor yet: set one first")
        anchor = self._anchors[-1]
        close, coarse = self._wires
        way = close.way(anchor, (x, y))
        if way is None:
            way = coarse.way(anchor, (x, y))
        return np.array([[x, y]]) if way is None else np.concatenate([way, [[x, y]]])

    def close(self) -> Bool:
        """Close the outline and return what it encloses.

        Returns
        -------
        (H, W) bool array
            Empty with fewer than two anchors.
        """
        mask = np.zeros(self.shape, np.uint8)
        if len(self._anchors) > 1:
            ring = np.concatenate([self.outline, self.path_to(*self._anchors[0])])
            fixed = np.rint(ring * 2**SUBPIXEL).astype(np.int32)
            cv2.fillPoly(mask, [fixed], 1, cv2.LINE_8, SUBPIXEL)
        return mask.view(np.bool_)


class _Wire:
    """Ways along the edges of a picture at one working size, in a window around their start."""

    def __init__(self, rgb: npt.NDArray[np.uint8], side: int, window: int) -> None:
        self._window = window
        height, width = rgb.shape[:2]
        scale = min(1.0, side / max(height, width))
        if scale < 1:
            size = max(1, round(width * scale)), max(1, round(height * scale))
            rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
        self._rgb = rgb
        self._scale = np.array([rgb.shape[1] / width, rgb.shape[0] / height])
        self._start: tuple[int, int] | None = None
        self._corner = (0, 0)
        self._shape = (0, 0)  # of the window, width and height
        self._scissors: Any = None

    def way(self, start: tuple[float, float], end: tuple[float, float]) -> Points | None:
        """(n, 2) float64: the points of the picture between two places; None beyond the window."""
        self._look_around(self._cell(start))
        column, row = (c - corner for c, corner in zip(self._cell(end), self._corner, strict=True))
        if not (0 <= column < self._shape[0] and 0 <= row < self._shape[1]):
            return None
        contour = np.asarray(self._scissors.getContour((column, row)), np.float64)
        cells = contour.reshape(-1, 2)[1:-1] + np.array(self._corner, np.float64)
        return np.asarray((cells + 0.5) / self._scale - 0.5, np.float64)

    def _cell(self, place: tuple[float, float]) -> tuple[int, int]:
        column, row = (np.add(place, 0.5) * self._scale).astype(int).tolist()
        return min(column, self._rgb.shape[1] - 1), min(row, self._rgb.shape[0] - 1)

    def _look_around(self, start: tuple[int, int]) -> None:
        """Learn the way from a cell to each one in the window around it, once."""
        if start == self._start:
            return
        left, top = (max(0, c - self._window) for c in start)
        part = self._rgb[top : start[1] + self._window + 1, left : start[0] + self._window + 1]
        scissors = cv2.segmentation.IntelligentScissorsMB()
        scissors.setEdgeFeatureCannyParameters(32, 100)
        scissors.setGradientMagnitudeMaxLimit(200)
        scissors.applyImage(np.ascontiguousarray(part))
        scissors.buildMap((start[0] - left, start[1] - top))
        self._scissors, self._corner, self._shape = scissors, (left, top), (part.shape[1], part.shape[0])
        self._start = start
