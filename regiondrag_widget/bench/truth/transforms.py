"""Known maps from handle to target, matrices and thin-plate bending, evaluated backwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from regiondrag_widget.regions.matrix import apply, as_matrix

Points = NDArray[np.float64]
Pair: TypeAlias = tuple[float, float] | NDArray[np.float64]
Mask = NDArray[np.bool_]


class Transform(Protocol):
    """A one-to-one map of the plane; ``backward`` takes target points (..., 2), x and y, to handle points."""

    def backward(self, xy: Points) -> Points:
        """Map target points (..., 2), x and y, to handle points."""
        ...


@dataclass(frozen=True)
class Homography:
    """The exact map of a 3x3 matrix, handle pixel ``(x, y, 1)`` to target pixel.

    Parameters
    ----------
    matrix
        (3, 3) float64, finite and invertible.

    Raises
    ------
    ValueError
        When the matrix has another shape, is singular or not finite.
    """

    matrix: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "matrix", as_matrix(self.matrix))

    def backward(self, xy: Points) -> Points:
        """Map target points (..., 2) to handle points."""
        return _through(np.asarray(np.linalg.inv(self.matrix)), xy)

    def forward(self, xy: Points) -> Points:
        """Map handle points (..., 2) to target points."""
        return _through(self.matrix, xy)


@dataclass(frozen=True)
class ThinPlate:
    """Bending: the thin-plate spline that takes each target control point to its handle control point.

    The spline is fitted backwards, so that pictures rendered by inverse warping follow it without any
    inversion error. Source: Bookstein, "Principal warps", PAMI 1989.

    Parameters
    ----------
    handle_points, target_points
        (k, 2) float64 control points (x, y), k at least 3 and not all on one line.
    """

    handle_points: Points
    target_points: Points

    def backward(self, xy: Points) -> Points:
        """Map target points (..., 2) to handle points."""
        flat = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
        spline = RBFInterpolator(self.target_points, self.handle_points, kernel="thin_plate_spline", degree=1)
        return np.asarray(spline(flat)).reshape(np.shape(xy))


def about(centre: Pair, *, scale: float = 1.0, degrees: float = 0.0, shift: Pair = (0, 0)) -> Homography:
    """Scale and rotate about a centre (x, y), then shift by (dx, dy); positive angles turn x towards y."""
    cos, sin = scale * np.cos(np.deg2rad(degrees)), scale * np.sin(np.deg2rad(degrees))
    cx, cy = centre
    linear = np.array([[cos, -sin], [sin, cos]])
    offset = np.array([cx, cy]) - linear @ np.array([cx, cy]) + np.asarray(shift, dtype=np.float64)
    return Homography(np.vstack([np.column_stack([linear, offset]), [0.0, 0.0, 1.0]]))


def quad_to_quad(before: Points, after: Points) -> Homography:
    """The homography that takes four corners (4, 2) to four others."""
    matrix = cv2.getPerspectiveTransform(np.asarray(before, np.float32), np.asarray(after, np.float32))
    return Homography(np.asarray(matrix, dtype=np.float64))


def pixel_grid(shape: tuple[int, int], supersample: int = 1) -> Points:
    """(H*s, W*s, 2) pixel coordinates (x, y) of the sample centres; integer coordinates are pixel centres."""
    height, width = shape
    ys = (np.arange(height * supersample) + 0.5) / supersample - 0.5
    xs = (np.arange(width * supersample) + 0.5) / supersample - 0.5
    return np.stack(np.meshgrid(xs, ys), axis=-1)


def carry_mask(mask: Mask, transform: Transform) -> Mask:
    """The mask (H, W) under the transform: a pixel is in when the one nearest to its source is in."""
    source = np.rint(transform.backward(pixel_grid(_shape(mask))))
    height, width = mask.shape
    inside = (source >= 0).all(-1) & (source[..., 0] < width) & (source[..., 1] < height)
    x, y = np.where(inside[..., None], source, 0).astype(np.int64).transpose(2, 0, 1)
    return np.asarray(mask[y, x] & inside)


def folds(transform: Transform, region: Mask, least: float = 0.15) -> bool:
    """Whether the backward map turns over or shrinks areas below ``least`` anywhere in the region (H, W)."""
    source = transform.backward(pixel_grid(_shape(region)))
    along_y, along_x = np.gradient(source, axis=0), np.gradient(source, axis=1)
    determinant = along_x[..., 0] * along_y[..., 1] - along_x[..., 1] * along_y[..., 0]
    return bool((determinant[region] < least).any())


def motion_of(transforms: Sequence[Transform | None]) -> str:
    """Return the kind of movement.

    It is ``"translation"``, ``"scaling"``, ``"rotation"``, ``"affine"``, ``"perspective"``, ``"bending"``,
    ``"several"`` of them, or ``"unknown"``.
    A turn by a degree or more is a rotation whether or not it scales, and a hundredth of scale is a scaling.
    """
    if len(transforms) != 1:
        return "several"
    (transform,) = transforms
    if not isinstance(transform, Homography):
        return "bending" if isinstance(transform, ThinPlate) else "unknown"
    matrix = transform.matrix / transform.matrix[2, 2]
    if np.abs(matrix[2, :2]).max() > 1e-6:
        return "perspective"
    linear = matrix[:2, :2]
    # the similarity nearest to it: one scale and one turn
    cos, sin = (linear[0, 0] + linear[1, 1]) / 2, (linear[1, 0] - linear[0, 1]) / 2
    scale = float(np.hypot(cos, sin))
    if np.abs(linear - [[cos, -sin], [sin, cos]]).max() > 0.01 * max(scale, 0.1):
        return "affine"
    if abs(np.rad2deg(np.arctan2(sin, cos))) >= 1:
        return "rotation"
    return "scaling" if abs(scale - 1) >= 0.01 else "translation"


def transform_to_json(transform: Transform | None) -> dict[str, Any]:
    """What ``scene.json`` says about a map: ``matrix``, control points as ``bend``, or ``matrix: null``."""
    if isinstance(transform, Homography):
        return {"matrix": transform.matrix.tolist()}
    if isinstance(transform, ThinPlate):
        points = {"handle": transform.handle_points.tolist(), "target": transform.target_points.tolist()}
        return {"matrix": None, "bend": points}
    return {"matrix": None}


def transform_from_json(data: dict[str, Any]) -> Transform | None:
    """The inverse of :func:`transform_to_json`; raises ValueError when matrix or points are unusable."""
    if data.get("matrix") is not None:
        return Homography(np.array(data["matrix"], dtype=np.float64))
    if data.get("bend"):
        bend = data["bend"]
        handle, target = (np.array(bend[key], dtype=np.float64) for key in ("handle", "target"))
        if handle.shape != target.shape or handle.ndim != 2 or handle.shape[1] != 2 or len(handle) < 3:
            raise ValueError("bend needs as many handle as target points, 3 or more, each [x, y]")
        return ThinPlate(handle, target)
    return None


def _through(matrix: NDArray[Any], xy: Points) -> Points:
    return apply(matrix, np.asarray(xy, dtype=np.float64).reshape(-1, 2)).reshape(np.shape(xy))


def _shape(mask: Mask) -> tuple[int, int]:
    return int(mask.shape[0]), int(mask.shape[1])
