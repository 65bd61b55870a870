"""Superpixels of one picture, and what clicks, boxes and brush strokes select among them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.picture import PictureSource
from regiondrag_widget.select.clicking import as_indices, object_at
from regiondrag_widget.select.given import Point, checked_box, checked_clicks, checked_points, rgb_of
from regiondrag_widget.select.graph import Graph, graph_of
from regiondrag_widget.select.superpixels import Segmentation, segment

__all__ = ["Superpixels"]

Bool = npt.NDArray[np.bool_]


class Superpixels:
    """A picture cut into superpixels, ready for clicks: made once, then each click takes milliseconds.

    They are made at a working size, so that clicks take the same time in pictures of any size.

    >>> pieces = rd.select.Superpixels("photo.jpg")
    >>> mask = pieces.click([(120, 80)], [True])

    Parameters
    ----------
    image : path, bytes, Pillow image or array
        As `rd.edit` takes it; an array (H, W, 3) uint8 may be smaller, from one pixel.

    Raises
    ------
    ValueError, TypeError, OSError
        The picture cannot be read.
    """

    def __init__(self, image: PictureSource) -> None:
        rgb = rgb_of(image)
        self.shape: tuple[int, int] = (rgb.shape[0], rgb.shape[1])
        self._parts = segment(rgb)

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """(h, w) int32: the superpixel of each pixel at the working size, from 0."""
        return self._parts.labels

    @property
    def count(self) -> int:
        """How many superpixels there are."""
        return self._parts.count

    @property
    def segmentation(self) -> Segmentation:
        """The superpixels and colours at the working size."""
        return self._parts

    @cached_property
    def graph(self) -> Graph:
        """The superpixels as neighbours."""
        return graph_of(self._parts)

    def index_at(self, x: float, y: float) -> int:
        """The superpixel at a place of the picture.

        Raises ``ValueError`` for a place outside the picture.
        """
        ((x, y),) = checked_points([(x, y)], self.shape)
        height, width = self.labels.shape
        row, column = int((y + 0.5) * height / self.shape[0]), int((x + 0.5) * width / self.shape[1])
        return int(self.labels[min(row, height - 1), min(column, width - 1)])

    def piece_at(self, x: float, y: float) -> Bool:
        """(H, W) bool: the superpixel under the pointer.

        Raises ``ValueError`` for a place outside the picture.
        """
        return self.mask(np.arange(self.count) == self.index_at(x, y))

    def click(self, points: Sequence[Point], labels: Sequence[bool] | None = None) -> Bool:
        """Select the object that clicks mean.

        Parameters
        ----------
        points
            (x, y) in pixels of the picture.
        labels
            For each point, True where it lies in the object and False where it does not; all True when left
            out.

        Returns
        -------
        (H, W) bool array
            Empty when no point lies in the object.

        Raises
        ------
        ValueError
            A point outside the picture, or not one label for each point.
        """
        return self.mask(self.chosen(points, labels))

    def chosen(self, points: Sequence[Point], labels: Sequence[bool] | None = None) -> Bool:
        """(n,) bool: the superpixels that `click` selects; raises as `click` does."""
        clicks = checked_clicks(points, labels, self.shape)
        where = [(self.index_at(x, y), label) for x, y, label in clicks]
        inside = as_indices([index for index, label in where if label])
        outside = as_indices([index for index, label in where if not label])
        inside = np.setdiff1d(
            inside, outside
        )  # of two clicks on one superpixel the one that takes away counts
        if not len(inside):
            return np.zeros(self.count, bool)
        return object_at(self.graph, inside, outside)

    def box(self, x0: float, y0: float, x1: float, y1: float) -> Bool:
        """(H, W) bool: the object in a box of the picture; x1 and y1 are one past its last pixel.

        Raises ``ValueError`` for a box outside the picture or without a pixel.
        """
        x0, y0, x1, y1 = checked_box((x0, y0, x1, y1), self.shape)
        height, width = self.labels.shape
        sx, sy = width / self.shape[1], height / self.shape[0]
        top, left = int(y0 * sy), int(x0 * sx)
        inside = np.zeros(self.labels.shape, bool)
        inside[top : max(top + 1, round(y1 * sy)), left : max(left + 1, round(x1 * sx))] = True
        share = np.bincount(self.labels.ravel(), inside.ravel(), self.count) / self.graph.area
        outside = np.flatnonzero(share < 0.5).astype(np.int32)
        middle = self.index_at((x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2)
        outside = outside[outside != middle]
        return self.mask(object_at(self.graph, as_indices([middle]), outside))

    def brush(self, points: Sequence[Point], radius: float) -> Bool:
        """(H, W) bool: the superpixels that a round brush touches on its way.

        Parameters
        ----------
        points
            (x, y) in pixels of the picture, joined by straight lines.
        radius
            Pixels of the picture, at least 0.

        Raises
        ------
        ValueError
            A point outside the picture, or a negative radius.
        """
        return self.mask(self.touched(points, radius))

    def touched(self, points: Sequence[Point], radius: float) -> Bool:
        """(n,) bool: the superpixels that `brush` selects; raises as `brush` does."""
        if not radius >= 0:
            raise ValueError(f"radius must be at least 0, got {radius!r}")
        points = checked_points(points, self.shape)
        height, width = self.labels.shape
        scale = width / self.shape[1]
        way = [
            (round((x + 0.5) * width / self.shape[1] - 0.5), round((y + 0.5) * height / self.shape[0] - 0.5))
            for x, y in points
        ]
        stroke = np.zeros((height, width), np.uint8)
        for start, end in zip(way, [*way[1:], way[-1]] if way else [], strict=True):
            cv2.line(stroke, start, end, 1, max(1, round(2 * radius * scale)), cv2.LINE_8)
        found = np.zeros(self.count, bool)
        found[self.labels[stroke > 0]] = True
        return found

    def mask(self, chosen: Bool) -> Bool:
        """(H, W) bool: chosen superpixels (n,) bool in the whole picture."""
        small = chosen[self.labels]
        if small.shape == self.shape:
            return small
        soft = small.view(np.uint8) * 255
        full = cv2.resize(soft, self.shape[::-1], interpolation=cv2.INTER_LINEAR)
        cv2.threshold(full, 127, 1, cv2.THRESH_BINARY, dst=full)
        return np.asarray(full).view(np.bool_)
