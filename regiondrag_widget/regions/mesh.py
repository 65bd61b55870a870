"""A mesh of triangles over a region, and where it goes; the map is linear in each triangle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.regions.box import Box
from regiondrag_widget.regions.mask import Points

__all__ = ["Mesh"]

CHUNK = 1 << 20  # pixels tried at once
EDGE = 1e-7  # by which a pixel's centre may lie beyond a triangle's side, against gaps from rounding

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mesh:
    """A regular mesh of cells over a region, each split by its diagonal from the upper left.

    Attributes
    ----------
    source, target
        (rows + 1, columns + 1, 2) x, y of every vertex, before and after. The source is a regular lattice.
    """

    source: Float
    target: Float

    @cached_property
    def areas(self) -> Float:
        """(rows, columns, 2) twice the signed area of each triangle's target: upper right, lower left."""
        a, b, c, d = _corners(self.target)
        return np.stack([_cross(b - a, c - a), _cross(c - a, d - a)], axis=-1)

    def to_target(self, points: Points) -> Points:
        """Map source points (n, 2) to target points (n, 2); points outside go on as the nearest cell."""
        corners, shares = self.corners_of(points)
        return np.asarray((shares[..., None] * self.target.reshape(-1, 2)[corners]).sum(axis=1))

    def corners_of(self, points: Points) -> tuple[NDArray[np.int64], Float]:
        """The triangles that source points (n, 2) lie in.

        Returns
        -------
        corners
            (n, 3) the vertices, as indices into the lattice row by row.
        shares
            (n, 3) the point's barycentric coordinates; outside the mesh some are below 0.
        """
        low, high = self.source[0, 0], self.source[-1, -1]
        rows, columns = self.source.shape[0] - 1, self.source.shape[1] - 1
        at = (points - low) / (high - low) * [columns, rows]
        cell = np.clip(np.floor(at), 0, [columns - 1, rows - 1]).astype(np.int64)
        sx, sy = (at - cell).T
        a = cell[:, 1] * (columns + 1) + cell[:, 0]
        c = a + columns + 2
        upper = sx >= sy
        corners = np.stack([a, np.where(upper, a + 1, c), np.where(upper, c, c - 1)], axis=1)
        third = np.where(upper, sy, sy - sx)
        second = np.where(upper, sx - sy, sx)
        return corners, np.stack([1 - second - third, second, third], axis=1)

    def sources(self, shape: tuple[int, int]) -> tuple[Box, NDArray[np.float32]]:
        """Where each pixel of a picture (H, W) comes from that the mesh reaches.

        Returns
        -------
        box
            x0, y0, x1, y1, of at least one pixel.
        source
            (y1 - y0, x1 - x0, 2) float32, NaN where no triangle arrives.
        """
        limit = np.array([shape[1], shape[0]]) - 1
        ends = self.target.reshape(-1, 2)
        x0, y0 = np.clip(np.ceil(ends.min(axis=0)), 0, limit).astype(int)
        x1, y1 = np.clip(np.floor(ends.max(axis=0)), [x0, y0], limit).astype(int) + 1
        box = int(x0), int(y0), int(x1), int(y1)
        source = np.full((box[3] - box[1], box[2] - box[0], 2), np.nan, dtype=np.float32)
        a, b, c, d = (corner.reshape(-1, 2) for corner in _corners(self.target))
        p, q, r, s = (corner.reshape(-1, 2) for corner in _corners(self.source))
        goals = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
        origins = np.concatenate([np.stack([p, q, r], axis=1), np.stack([p, r, s], axis=1)])
        low = np.clip(np.ceil(goals.min(axis=1)), [x0, y0], [x1, y1]).astype(np.int64)
        size = np.clip(np.floor(goals.max(axis=1)), -1, limit).astype(np.int64) + 1 - low
        size = np.maximum(np.minimum(size, np.array([x1, y1]) - low), 0)
        counts = size.prod(axis=1)
        first = 0
        while first < len(counts):
            last = first + max(1, int(np.searchsorted(np.cumsum(counts[first:]), CHUNK)))
            part = slice(first, last)
            _fill(source, box, goals[part], origins[part], low[part], size[part], counts[part])
            first = last
        return box, source


def _fill(
    source: NDArray[np.float32],
    box: Box,
    goals: Float,
    origins: Float,
    low: NDArray[np.int64],
    size: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """Write the sources of the pixels in some triangles; the pixels tried are those of their boxes."""
    which = np.repeat(np.arange(len(counts)), counts)
    offset = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    row, column = np.divmod(offset, np.maximum(size[which, 0], 1))
    pixels = low[which] + np.stack([column, row], axis=1)
    a, ab, ac = goals[:, 0], goals[:, 1] - goals[:, 0], goals[:, 2] - goals[:, 0]
    area = _cross(ab, ac)
    flat = np.abs(area) < 1e-12
    area = np.where(flat, np.inf, area)
    away = pixels - a[which]
    along_b = _cross(away, ac[which]) / area[which]
    along_c = _cross(ab[which], away) / area[which]
    inside = (along_b >= -EDGE) & (along_c >= -EDGE) & (along_b + along_c <= 1 + EDGE) & ~flat[which]
    which, x, y = which[inside], pixels[inside, 0] - box[0], pixels[inside, 1] - box[1]
    p, pq, pr = origins[:, 0], origins[:, 1] - origins[:, 0], origins[:, 2] - origins[:, 0]
    source[y, x] = p[which] + along_b[inside, None] * pq[which] + along_c[inside, None] * pr[which]


def _corners(vertices: Float) -> tuple[Float, Float, Float, Float]:
    """The corners (rows, columns, 2) of every cell, clockwise from the upper left."""
    return vertices[:-1, :-1], vertices[:-1, 1:], vertices[1:, 1:], vertices[1:, :-1]


def _cross(a: Float, b: Float) -> Float:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0], dtype=np.float64)
