"""The target that follows from a handle and its map, and what of a map cannot be used."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from regiondrag_widget.regions import matrix as mx
from regiondrag_widget.regions.bend import Bend
from regiondrag_widget.regions.densemap import DenseMap
from regiondrag_widget.regions.mask import Mask
from regiondrag_widget.regions.region import Region

__all__ = ["Deformation", "carried_by", "deformed_by", "require_in_front", "require_usable"]

Deformation: TypeAlias = "Bend | DenseMap"


def require_in_front(matrix: mx.Matrix, handle: Mask) -> None:
    """Refuse a homography whose horizon crosses the handle (outer corners of its pixels included)."""
    if mx.is_affine(matrix):
        return
    weight = mx.weights(matrix, Region.of(handle).corners)
    if weight.min() * weight.max() <= 0 or np.abs(weight).min() < 1e-9 * np.abs(weight).max():
        raise ValueError("matrix sends part of the handle to infinity: use a milder perspective")


def carried_by(handle: Mask, matrix: mx.Matrix) -> Mask:
    """Return the handle carried by the matrix: the pixels whose origin lies in it. Read-only (H, W) bool."""
    height, width = handle.shape
    region = Region.of(handle)
    carried = mx.apply(matrix, region.corners)
    x0, y0 = np.maximum(np.floor(carried.min(axis=0)), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(carried.max(axis=0)) + 1, [width, height]).astype(int)
    target = np.zeros_like(handle)
    if x0 < x1 and y0 < y1:
        x, y = np.meshgrid(np.arange(x0, x1, dtype=np.float64), np.arange(y0, y1, dtype=np.float64))
        origin = mx.apply(mx.inverse(matrix), np.stack([x.ravel(), y.ravel()], axis=1))
        target[y0:y1, x0:x1] = region.contains(origin).reshape(x.shape)
    if not target.any():  # too small to hit any pixel centre: take the pixels it falls on
        points = np.floor(mx.apply(matrix, region.pixels.astype(np.float64)) + 0.5).astype(np.int64)
        kept = points[((points >= 0) & (points < [width, height])).all(axis=1)]
        target[kept[:, 1], kept[:, 0]] = True
    if not target.any():
        raise ValueError("matrix moves the whole handle out of the picture: choose a target inside it")
    target.flags.writeable = False
    return target


def deformed_by(handle: Mask, deformation: Deformation) -> Mask:
    """Return the handle's target under a deformation, read-only (H, W) bool."""
    if isinstance(deformation, DenseMap):
        target = deformation.target(handle)
        if not target.any():
            raise ValueError(
                "source_xy leads to no pixel of the handle: give the handle's pixel that each target pixel "
                "comes from, x before y"
            )
        return target
    target = deformation.dense(handle.shape).target(handle)
    if not target.any():
        raise ValueError("the pins leave nothing of the handle in the picture: pull them less far")
    return target


def require_usable(deformation: object, handle: Mask) -> None:
    """Raise ``TypeError`` or ``ValueError`` for a deformation that cannot be the handle's."""
    if isinstance(deformation, Bend):
        require_in_front(deformation.matrix, handle)
    elif not isinstance(deformation, DenseMap):
        kind = type(deformation).__name__
        raise TypeError(f"deformation is a {kind}: make it by RegionPair.bend or RegionPair.warp")
    elif deformation.shape != handle.shape:
        height, width = deformation.shape
        raise ValueError(
            f"source_xy is {width}x{height} and the handle {handle.shape[1]}x{handle.shape[0]}: "
            "both must have the picture's size"
        )
