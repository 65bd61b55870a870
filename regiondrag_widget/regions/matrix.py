"""3x3 matrices that carry a handle pixel (x, y, 1) to a target pixel."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.regions.mask import Points

Matrix: TypeAlias = NDArray[np.float64]  # (3, 3)

_FAR = 1e7  # where points at infinity are put: far outside any picture, but finite
_MAX_CONDITION = 1e12


def as_matrix(value: Any, name: str = "matrix") -> Matrix:
    """Return a new, read-only, finite, invertible (3, 3) float64 array, or raise ``ValueError``."""
    try:
        matrix = np.array(value, dtype=np.float64)
    except OverflowError:  # a whole number beyond the range of floats
        raise ValueError(f"{name} holds a number that is too large: every entry must be finite") from None
    except (TypeError, ValueError):
        raise ValueError(f"{name} is not an array of numbers: give 3 rows of 3") from None
    if matrix.shape == (2, 3):
        raise ValueError(f"{name} has shape (2, 3): append the row [0, 0, 1]")
    if matrix.shape != (3, 3):
        raise ValueError(f"{name} has shape {matrix.shape}: it must be (3, 3)")
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} holds nan or infinity: every entry must be finite")
    if not _invertible(matrix):
        raise ValueError(f"{name} is singular: it flattens the handle to a line or a point")
    matrix.flags.writeable = False
    return matrix


def apply(matrix: Matrix, points: Points) -> Points:
    """Map (n, 2) points. Points sent to infinity are mapped very far away, never to nan."""
    x, y = points[:, 0], points[:, 1]
    mapped = np.empty_like(points)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for axis in (0, 1):
            mapped[:, axis] = matrix[axis, 0] * x + matrix[axis, 1] * y + matrix[axis, 2]
        mapped /= weights(matrix, points)[:, None]
    if not is_affine(matrix):
        np.nan_to_num(mapped, copy=False, nan=_FAR)
    return np.clip(mapped, -_FAR, _FAR, out=mapped)


def inverse(matrix: Matrix) -> Matrix:
    """Return the matrix that maps targets back to handles."""
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def weights(matrix: Matrix, points: Points) -> NDArray[np.float64]:
    """Return the third homogeneous coordinate (n,): it changes sign at the homography's horizon."""
    if is_affine(matrix):
        return np.full(len(points), matrix[2, 2])
    return np.asarray(matrix[2, 0] * points[:, 0] + matrix[2, 1] * points[:, 1] + matrix[2, 2])


def is_affine(matrix: Matrix) -> bool:
    """Return whether parallel lines stay parallel."""
    return bool(matrix[2, 0] == 0 and matrix[2, 1] == 0)


def turn_cost(angle: float) -> float:
    """Return the size of a turn (radians), slightly less counter-clockwise as seen: that breaks ties."""
    return abs(angle) + (0.05 if angle > 0 else 0.0)


def similarity(centre: Points, dx: float, dy: float, scale: float = 1.0, rotate: float = 0.0) -> Matrix:
    """Return the matrix that scales and turns about ``centre`` (2,), then shifts by (dx, dy).

    ``rotate`` is in degrees, counter-clockwise on the screen; rows grow downwards, so clockwise in (x, y).
    """
    angle = math.radians(rotate)
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    linear = np.array([[c, s], [-s, c]])
    return affine(linear, centre, centre + np.array([dx, dy]))


def affine(linear: NDArray[np.float64], source_centre: Points, target_centre: Points) -> Matrix:
    """Return the affine matrix with this linear part (2, 2) that carries one centre (2,) to the other."""
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = target_centre - linear @ source_centre
    return matrix


def _invertible(matrix: Matrix) -> bool:
    # Judged in units of a thousand pixels: a large shift must not make a sound matrix look singular.
    unit = np.diag([1000.0, 1000.0, 1.0])
    scaled = np.diag([1 / 1000.0, 1 / 1000.0, 1.0]) @ matrix @ unit
    largest = np.abs(scaled).max()
    if largest == 0 or not np.isfinite(largest):
        return False
    return bool(np.linalg.cond(scaled / largest) < _MAX_CONDITION)
