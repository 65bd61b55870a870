"""The magnetic lasso: an outline that follows edges from anchor to anchor."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.picture import PictureSource
from regiondrag_widget.select.given import checked_points, rgb_of

__all__ = ["MagneticLasso"]

Bool = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]

WORK_SIDE = 1024  # pixels of the longer side that edges are followed at, whatever the picture's size
WINDOW = 256  # pixels at that size on each side of an anchor that are searched for a way
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
        self._scale = min(1.0, WORK_SIDE / max(self.shape))
        if self._scale < 1:
            size = tuple(max(1, round(n * self._scale)) for n in self.shape[::-1])
            rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
        self._rgb = rgb
        self._anchors: list[tuple[float, float]] = []
        self._paths: list[Points] = []  # one to each anchor but the first
        self._mapped: tuple[cv2.segmentation.IntelligentScissorsMB, tuple[int, int]] | None = None

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
        self._mapped = None

    def undo(self) -> None:
        """Take the last anchor back; without one nothing happens."""
        if self._anchors:
            self._anchors.pop()
            self._mapped = None
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
        if self._mapped is None:
            self._mapped = self._map(*self._anchors[-1])
        scissors, (left, top) = self._mapped
        column, row = self._cell(x, y)
        inner_column, inner_row = column - left, row - top
        height, width = self._window_shape(left, top)
        if not (0 <= inner_column < width and 0 <= inner_row < height):
            inner_column, inner_row = min(max(0, inner_column), width - 1), min(max(0, inner_row), height - 1)
        contour = scissors.getContour((inner_column, inner_row))
        corner = np.array([left, top], np.float64)
        cells = np.asarray(contour, np.float64).reshape(-1, 2)[1:-1] + corner
        return np.concatenate([(cells + 0.5) / self._scale - 0.5, [[x, y]]])

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

    def _cell(self, x: float, y: float) -> tuple[int, int]:
        height, width = self._rgb.shape[:2]
        return (
            min(width - 1, int((x + 0.5) * width / self.shape[1])),
            min(height - 1, int((y + 0.5) * height / self.shape[0])),
        )

    def _window_shape(self, left: int, top: int) -> tuple[int, int]:
        height, width = self._rgb.shape[:2]
        return min(height - top, 2 * WINDOW + 1), min(width - left, 2 * WINDOW + 1)

    def _map(self, x: float, y: float) -> tuple[cv2.segmentation.IntelligentScissorsMB, tuple[int, int]]:
        """The scissors that know the way from an anchor to any cell near it, and their window's corner."""
        column, row = self._cell(x, y)
        left, top = max(0, column - WINDOW), max(0, row - WINDOW)
        height, width = self._window_shape(left, top)
        scissors = cv2.segmentation.IntelligentScissorsMB()
        scissors.setEdgeFeatureCannyParameters(32, 100)
        scissors.setGradientMagnitudeMaxLimit(200)
        scissors.applyImage(np.ascontiguousarray(self._rgb[top : top + height, left : left + width]))
        scissors.buildMap((column - left, row - top))
        return scissors, (left, top)
