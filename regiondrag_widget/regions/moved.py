"""A handle moved by a matrix: where it comes to lie."""

from __future__ import annotations

import numpy as np

from regiondrag_widget.regions import matrix as mx
from regiondrag_widget.regions.kept import KeptMask
from regiondrag_widget.regions.region import Region

_AT_ONCE = 2**18  # pixels of a target that are worked out at a time


def require_in_front(matrix: mx.Matrix, handle: Region) -> None:
    """Refuse a homography whose horizon crosses the handle (outer corners of its pixels included)."""
    if mx.is_affine(matrix):
        return
    weight = mx.weights(matrix, handle.corners)
    if weight.min() * weight.max() <= 0 or np.abs(weight).min() < 1e-9 * np.abs(weight).max():
        raise ValueError("matrix sends part of the handle to infinity: use a milder perspective")


def moved(handle: KeptMask, matrix: mx.Matrix) -> KeptMask:
    """Return the handle carried by the matrix: the pixels whose origin lies in it."""
    height, width = handle.shape
    region = handle.region()
    carried = mx.apply(matrix, region.corners)
    x0, y0 = np.maximum(np.floor(carried.min(axis=0)), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(carried.max(axis=0)) + 1, [width, height]).astype(int)
    if x0 < x1 and y0 < y1 and (shift := _whole_shift(matrix)) is not None:
        dx, dy = shift
        left, top = region.x0 + dx, region.y0 + dy
        rows = slice(max(0, -top), min(region.height, height - top))
        columns = slice(max(0, -left), min(region.width, width - left))
        part = region.mask[rows, columns]
        if part.any():
            return KeptMask.boxed(handle.shape, left + columns.start, top + rows.start, part)
    elif x0 < x1 and y0 < y1:
        box = np.zeros((y1 - y0, x1 - x0), bool)
        rows = max(1, _AT_ONCE // (x1 - x0))
        for top in range(y0, y1, rows):
            bottom = min(top + rows, y1)
            x, y = np.meshgrid(np.arange(x0, x1, dtype=np.float64), np.arange(top, bottom, dtype=np.float64))
            origin = mx.apply(mx.inverse(matrix), np.stack([x.ravel(), y.ravel()], axis=1))
            box[top - y0 : bottom - y0] = region.contains(origin).reshape(x.shape)
        if box.any():
            return KeptMask.boxed(handle.shape, int(x0), int(y0), box)
    # too small to hit any pixel centre: take the pixels it falls on
    points = np.floor(mx.apply(matrix, region.pixels.astype(np.float64)) + 0.5).astype(np.int64)
    kept = points[((points >= 0) & (points < [width, height])).all(axis=1)]
    if not len(kept):
        raise ValueError("matrix moves the whole handle out of the picture: choose a target inside it")
    target = np.zeros(handle.shape, bool)
    target[kept[:, 1], kept[:, 0]] = True
    target.flags.writeable = False
    return KeptMask(target)


def _whole_shift(matrix: mx.Matrix) -> tuple[int, int] | None:
    """The shift x, y of a matrix that moves by whole pixels and does nothing else."""
    whole = np.rint(matrix)
    if np.abs(matrix - whole).max() > 1e-9 or np.abs(whole[:2, 2]).max() > 2**24:
        return None
    if not np.array_equal(whole[:, :2], np.eye(3)[:, :2]) or whole[2, 2] != 1:
        return None
    return int(whole[0, 2]), int(whole[1, 2])
