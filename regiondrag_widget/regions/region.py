"""A mask cut to its bounding box, so that correspondences are computed on small arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.regions.box import bounding_box, slices_of
from regiondrag_widget.regions.mask import Mask, Points


@dataclass(frozen=True, eq=False)
class Region:
    """The set pixels of a mask.

    Attributes
    ----------
    x0, y0
        The bounding box's first column and row in the picture.
    mask
        (bh, bw) bool, the bounding box; every side has a set pixel.
    """

    x0: int
    y0: int
    mask: Mask

    @classmethod
    def of(cls, mask: Mask) -> Region:
        """Cut a mask that has at least one set pixel to its bounding box."""
        box = bounding_box(mask)
        return cls(box[0], box[1], mask[slices_of(box)])

    @property
    def width(self) -> int:
        """Columns of the bounding box."""
        return int(self.mask.shape[1])

    @property
    def height(self) -> int:
        """Rows of the bounding box."""
        return int(self.mask.shape[0])

    @cached_property
    def area(self) -> int:
        """Number of set pixels."""
        return int(np.count_nonzero(self.mask))

    @cached_property
    def pixels(self) -> NDArray[np.int64]:
        """(n, 2) columns x, y of the set pixels in picture coordinates, row by row."""
        y, x = np.nonzero(self.mask)
        return np.stack([x + self.x0, y + self.y0], axis=1).astype(np.int64)

    @cached_property
    def boundary(self) -> NDArray[np.int64]:
        """(n, 2) set pixels with an open side: they include the nearest set pixel to any point outside."""
        padded = np.pad(self.mask, 1)
        inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        y, x = np.nonzero(self.mask & ~inner)
        return np.stack([x + self.x0, y + self.y0], axis=1).astype(np.int64)

    @property
    def corners(self) -> Points:
        """(4 n, 2) the outer corners of the boundary's pixels: half a pixel from their centres."""
        rim = self.boundary.astype(np.float64)
        return np.concatenate([rim + np.array([dx, dy]) for dx in (-0.5, 0.5) for dy in (-0.5, 0.5)])

    @cached_property
    def centroid(self) -> Points:
        """(2,) mean x and y of the set pixels, in picture coordinates."""
        m = self._moments
        return np.array([m["m10"] / m["m00"] + self.x0, m["m01"] / m["m00"] + self.y0])

    @cached_property
    def covariance(self) -> NDArray[np.float64]:
        """(2, 2) second moments of the area. Each pixel is a unit square, which adds 1/12: never singular."""
        m = self._moments
        xx, xy, yy = (m[key] / m["m00"] for key in ("mu20", "mu11", "mu02"))
        return np.array([[xx + 1 / 12, xy], [xy, yy + 1 / 12]])

    @cached_property
    def sample(self) -> Points:
        """(n, 2) at most 4096 of the set pixels, spread evenly and always the same, to measure an overlap."""
        limit = 4096
        if self.area <= limit:
            return self.pixels.astype(np.float64)
        golden = 0.6180339887498949  # multiples modulo 1 fill the interval evenly at every length
        picks = (np.arange(limit) * golden % 1.0 * self.area).astype(np.int64)
        return self.pixels[picks].astype(np.float64)

    def contains(self, points: Points) -> Mask:
        """Return (n,) whether the pixel nearest to each point is set."""
        x = np.floor(points[:, 0] + 0.5).astype(np.int64) - self.x0
        y = np.floor(points[:, 1] + 0.5).astype(np.int64) - self.y0
        inside = (x >= 0) & (y >= 0) & (x < self.width) & (y < self.height)
        inside[inside] = self.mask[y[inside], x[inside]]
        return np.asarray(inside, dtype=np.bool_)

    @cached_property
    def _moments(self) -> dict[str, float]:
        return {key: float(value) for key, value in cv2.moments(self.mask.view(np.uint8), True).items()}
