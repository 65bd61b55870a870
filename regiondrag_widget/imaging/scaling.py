"""The same hole at two sizes: masks made smaller, small arrays enlarged, pixels looked up."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

__all__ = [
    "SMALL",
    "any_of_blocks",
    "averaged",
    "enlarged",
    "hole_window",
    "lay",
    "mean_of_blocks",
    "out_of_blocks",
    "pixels_at",
    "shrink",
]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Picture = Float | npt.NDArray[np.uint8]
Window = tuple[slice, slice]

SMALL = 1 << 20  # pixels up to which nothing is saved on: all is averaged as floats, exactly
HALVED = 8  # times as large as it shall be, from which a large picture is halved first
ROUGHLY = 4  # pixels of a block of a large mask, of which any stands for all, per pixel of the smaller mask


def hole_window(hole: Bool, least: int, share: float) -> Window:
    """Rows and columns of the hole's bounding box, widened by a share of its longer side or by `least`."""
    ys, xs = np.nonzero(hole.any(1))[0], np.nonzero(hole.any(0))[0]
    pad = int(max(least, share * max(ys[-1] - ys[0], xs[-1] - xs[0])))
    return (
        slice(max(0, int(ys[0]) - pad), min(hole.shape[0], int(ys[-1]) + pad + 1)),
        slice(max(0, int(xs[0]) - pad), min(hole.shape[1], int(xs[-1]) + pad + 1)),
    )


def shrink(mask: Bool, size: tuple[int, int]) -> Bool:
    """A mask (H, W) at size (w, h); a pixel that any of it falls into belongs to it."""
    if (mask.shape[1], mask.shape[0]) == size:
        return mask
    if mask.size > SMALL:
        mask = any_of_blocks(mask, min(mask.shape[1] // size[0], mask.shape[0] // size[1]) // ROUGHLY)
    area = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(area > 1e-3)


def any_of_blocks(mask: Bool, side: int) -> Bool:
    """A mask with one pixel for each block of side x side, set where any of the block is."""
    if side < 2:
        return mask
    rows = mask[::side].copy()
    for i in range(1, side):
        more = mask[i::side]
        rows[: len(more)] |= more
    blocks = rows[:, ::side].copy()
    for i in range(1, side):
        more = rows[:, i::side]
        blocks[:, : more.shape[1]] |= more
    return np.asarray(blocks)


def mean_of_blocks(picture: Picture, side: int) -> Picture:
    """A picture (H, W[, c]) with one pixel for each block of side x side, a power of two; about its mean.

    It is halved as often as that takes, which is so much faster than any other way.
    """
    means: npt.NDArray[Any] = picture
    while side > 1:
        height, width = means.shape[:2]
        if height % 2 or width % 2:
            means = cv2.copyMakeBorder(means, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        means = cv2.resize(means, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)
        side //= 2
    return means


def out_of_blocks(mask: Bool, side: int, shape: tuple[int, ...]) -> Bool:
    """A mask of blocks at the full shape (H, W), its outline smooth."""
    if side < 2:
        return mask
    size = mask.shape[1] * side, mask.shape[0] * side
    full = cv2.resize(mask.view(np.uint8) * 255, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(full[: shape[0], : shape[1]] > 127)


def averaged(rgb: Picture, size: tuple[int, int]) -> Float:
    """A picture (H, W, 3) at a smaller size (w, h), as float32; a large one of bytes is averaged as bytes."""
    if rgb.shape[0] * rgb.shape[1] <= SMALL:
        rgb = np.asarray(rgb, np.float32)
    if (rgb.shape[1], rgb.shape[0]) == size:
        return np.asarray(rgb, np.float32)
    while rgb.dtype == np.uint8 and min(rgb.shape[1] / size[0], rgb.shape[0] / size[1]) >= HALVED:
        height, width = rgb.shape[0] // 2, rgb.shape[1] // 2  # halving is so much faster than any other
        rgb = np.asarray(
            cv2.resize(rgb[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
        )
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.float32)


def enlarged(a: Float, shape: tuple[int, int], box: Window, how: int) -> Float:
    """A small window's array (h, w[, c]) at the full shape, of which only the box is computed."""
    rows, columns = box
    step_y, step_x = a.shape[0] / shape[0], a.shape[1] / shape[1]
    if step_x == 1 and step_y == 1:
        return np.asarray(a[box], np.float32)
    xs = ((np.arange(columns.start, columns.stop) + 0.5) * step_x - 0.5).astype(np.float32)
    ys = ((np.arange(rows.start, rows.stop) + 0.5) * step_y - 0.5).astype(np.float32)
    map_x, map_y = np.meshgrid(xs, ys)
    return np.asarray(cv2.remap(a, map_x, map_y, how, borderMode=cv2.BORDER_REPLICATE), np.float32)


def lay(values: npt.NDArray[Any], onto: npt.NDArray[Any], where: Bool) -> None:
    """Write values (h, w[, c]) into an array of the same shape and type where a mask (h, w) is set.

    Many times as fast as by an index, and as `numpy.copyto` with a mask for every channel.
    """
    if values.shape != onto.shape or values.dtype != onto.dtype:
        raise ValueError(f"{values.dtype} {values.shape} do not fit {onto.dtype} {onto.shape}")
    rows_apart = onto.strides[1] == onto.itemsize * (onto.shape[2] if onto.ndim == 3 else 1)
    if rows_apart and onto.strides[-1] == onto.itemsize and onto.strides[0] >= onto.strides[1]:
        cv2.copyTo(values, where.view(np.uint8), onto)
    else:  # OpenCV takes no array whose channels or columns lie apart
        np.copyto(onto, values, where=where if onto.ndim == 2 else where[..., None])


def pixels_at(rgb: Picture, map_x: Float, map_y: Float) -> Float:
    """The picture at whole-pixel coordinates."""
    if max(rgb.shape[:2]) < 32000:  # the largest that cv2.remap takes
        return np.asarray(cv2.remap(rgb, map_x, map_y, cv2.INTER_NEAREST), np.float32)
    return np.asarray(rgb[map_y.astype(np.int64), map_x.astype(np.int64)], np.float32)
