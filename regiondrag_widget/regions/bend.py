"""A map through pins: each goes where it is pulled, or holds, and the rest bends as rigidly as possible."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from regiondrag_widget.regions import matrix as mx
from regiondrag_widget.regions.densemap import DenseMap
from regiondrag_widget.regions.given_points import as_points
from regiondrag_widget.regions.limits import MAX_PINS
from regiondrag_widget.regions.mask import Points
from regiondrag_widget.regions.mesh import Mesh
from regiondrag_widget.regions.region import Region

__all__ = ["Bend"]

CELL = 2  # pixels of the handle; larger where the mesh would have more than MOST_CELLS a side
MOST_CELLS = 64
LEAST_STRETCH = 0.05  # share of a triangle's area before the bending below which it counts as folded
HELD = 1.0  # pixels by which the mesh may miss a pin
ROUNDS = 8  # of moving the mesh onto the pins
APART = 1.0  # pixels two pins must be apart
NEAR = 1e-6  # square pixels: keeps a pin's own weight finite

Edges: TypeAlias = "tuple[float, float, float, float]"


@dataclass(frozen=True, init=False, eq=False)
class Bend:
    """Where the handle's points go when it is bent by pins.

    Rigid moving least squares (Schaefer, McPhail, Warren: *Image Deformation Using Moving Least Squares*,
    2006): every point is turned and shifted as the pins say that are near it, by weights of one over the
    square of their distance. The map is worked out at the vertices of a mesh over the handle, whose triangles
    are moved onto the pins; in a triangle it is linear. The page works out the same mesh.

    Parameters
    ----------
    from_points, to_points
        (n, 2) pins x, y on the handle, and where they go; n from 1 to 64.
    matrix
        (3, 3) map of the handle to the target before it is bent; the identity when left out.
    region
        The handle.

    Attributes
    ----------
    edges
        Left, top, right, bottom of the mesh: the outer edges of the handle's bounding box.
    cells
        Columns and rows of the mesh.

    Raises
    ------
    ValueError
        The points are not as many of both, have another shape, are not finite, or too many; two pins lie
        within a pixel of each other, before or after; or the matrix cannot be used.
    """

    from_points: Points
    to_points: Points
    matrix: mx.Matrix
    edges: Edges
    cells: tuple[int, int]

    def __init__(self, from_points: Any, to_points: Any, matrix: Any = None, *, region: Region) -> None:
        origins, goals = _pins(from_points, "from_points"), _pins(to_points, "to_points")
        if len(origins) != len(goals):
            raise ValueError(f"{len(origins)} from_points but {len(goals)} to_points: give one for one")
        matrix = mx.as_matrix(np.eye(3) if matrix is None else matrix)
        left, top = region.x0 - 0.5, region.y0 - 0.5
        edges = (left, top, left + region.width, top + region.height)
        self._set(origins, goals, matrix, edges, (_cells(region.width), _cells(region.height)))

    def _set(
        self, origins: Points, goals: Points, matrix: mx.Matrix, edges: Edges, cells: tuple[int, int]
    ) -> None:
        values = {"from_points": origins, "to_points": goals, "matrix": matrix, "edges": edges}
        for name, value in {**values, "cells": cells}.items():
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.from_points)

    def __eq__(self, other: object) -> bool:
        return self.key == other.key if isinstance(other, Bend) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.key)

    def __getstate__(self) -> dict[str, Any]:
        """A copy works the mesh out again: it would be many times as large."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __repr__(self) -> str:
        return f"Bend({len(self)} pin{'s' if len(self) != 1 else ''})"

    @property
    def key(self) -> tuple[object, ...]:
        """All that tells two bends apart."""
        arrays = self.from_points, self.to_points, self.matrix
        return (*(a.tobytes() for a in arrays), self.edges, self.cells)

    def framed(self, forth: mx.Matrix) -> Bend:
        """The same bend in other pixels, to which ``forth`` (3, 3) leads by a scale and a shift."""
        corners = mx.apply(forth, np.array([self.edges[:2], self.edges[2:]]))
        framed = object.__new__(Bend)
        framed._set(
            mx.apply(forth, self.from_points),
            mx.apply(forth, self.to_points),
            forth @ self.matrix @ mx.inverse(forth),
            tuple(corners.ravel().tolist()),  # type: ignore[arg-type]
            self.cells,
        )
        return framed

    def to_target(self, points: Points) -> Points:
        """Map handle points (n, 2) to target points (n, 2), by the formula and not by the mesh."""
        rest, goals = (self._complex(p) for p in (mx.apply(self.matrix, self.from_points), self.to_points))
        z = self._complex(mx.apply(self.matrix, points))
        away = z[:, None] - rest
        weights = 1 / (away.real**2 + away.imag**2 + NEAR)
        weights /= weights.sum(axis=1, keepdims=True)
        middle, middle_goal = weights @ rest, weights @ goals
        turns = (weights * (rest - middle[:, None]).conj() * (goals - middle_goal[:, None])).sum(axis=1)
        size = np.abs(turns)
        turned = size > 1e-12
        turns = np.where(turned, turns, 1) / np.where(turned, size, 1)
        moved = middle_goal + (z - middle) * turns
        return np.stack([moved.real, moved.imag], axis=1)

    @cached_property
    def mesh(self) -> Mesh:
        """The mesh over the handle, and where it goes."""
        left, top, right, bottom = self.edges
        columns, rows = self.cells
        x, y = np.meshgrid(np.linspace(left, right, columns + 1), np.linspace(top, bottom, rows + 1))
        source = np.stack([x, y], axis=-1)
        mesh = Mesh(source, self.to_target(source.reshape(-1, 2)).reshape(source.shape))
        # the map is sharply curved at a pin: there the mesh is moved by what it misses
        corners, shares = mesh.corners_of(self.from_points)
        ends = mesh.target.reshape(-1, 2)
        for _ in range(ROUNDS):
            for corner, share, goal in zip(corners, shares, self.to_points, strict=True):
                missed = goal - share @ ends[corner]
                ends[corner] += np.outer(share / (share @ share), missed)
        return mesh

    def dense(self, shape: tuple[int, int]) -> DenseMap:
        """Where each pixel of a picture (H, W) comes from; ``ValueError`` if none comes from the mesh."""
        known: DenseMap | None = self.__dict__.get("_dense")
        if known is not None and known.shape == shape:
            return known
        box, source = self.mesh.sources(shape)
        if not np.isfinite(source).any():
            raise ValueError("the pins leave nothing of the handle in the picture: pull them less far")
        dense = DenseMap.of_box(shape, box[0], box[1], source)
        self.__dict__["_dense"] = dense  # one edit asks for it several times
        return dense

    def folds(self, handle: Region) -> bool:
        """Whether the handle is folded over or flattened anywhere, or the mesh misses a pin."""
        before = Mesh(
            self.mesh.source,
            mx.apply(self.matrix, self.mesh.source.reshape(-1, 2)).reshape(self.mesh.source.shape),
        )
        shares = self.mesh.areas / before.areas
        missed = np.abs(self.mesh.to_target(self.from_points) - self.to_points).max()
        return bool(shares[self._touched(handle)].min() < LEAST_STRETCH or missed > HELD)

    def _touched(self, handle: Region) -> NDArray[np.bool_]:
        """(rows, columns, 2) the triangles of the cells that hold a pixel of the handle."""
        left, top, right, bottom = self.edges
        columns, rows = self.cells
        x, y = handle.pixels.T
        touched = np.zeros((rows, columns, 2), dtype=np.bool_)
        at_x = np.clip((x - left) * columns / (right - left), 0, columns - 1).astype(np.int64)
        at_y = np.clip((y - top) * rows / (bottom - top), 0, rows - 1).astype(np.int64)
        touched[at_y, at_x] = True
        return touched

    @staticmethod
    def _complex(points: Points) -> NDArray[np.complex128]:
        return np.asarray(points[:, 0] + 1j * points[:, 1], dtype=np.complex128)


def _cells(length: int) -> int:
    return min(MOST_CELLS, -(-length // CELL))


def _pins(value: Any, name: str) -> Points:
    points = as_points(value, name)
    if not 1 <= len(points) <= MAX_PINS:
        raise ValueError(f"{len(points)} {name}: give 1 to {MAX_PINS} pins")
    if len(points) > 1 and pdist(points).min() < APART:
        raise ValueError(f"two {name} lie on each other: pins must be at least {APART:g} px apart")
    points.flags.writeable = False
    return points
