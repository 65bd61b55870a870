"""Pictures and masks of a data set's files, with their sizes checked before they are decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.datasets.sample import SampleError
from regiondrag_widget.imaging.picture import existing_file, open_image, read_picture, upright
from regiondrag_widget.imaging.pixels import planes

__all__ = ["MAX_SIDE", "read_mask", "read_rgb"]

MAX_SIDE = 4096  # pixels: a data set's pictures stay well below the limits of an edit


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Read a picture as (H, W, 3) uint8; raises `SampleError`, ``ValueError`` or ``OSError``."""
    _check_size(path)
    return np.asarray(read_picture(path).rgb, np.uint8)


def read_mask(path: Path, shape: tuple[int, int], *, threshold: int = 0) -> NDArray[np.bool_]:
    """Read a mask (H, W) bool: set where any channel is above a threshold.

    Raises
    ------
    SampleError, ValueError, OSError
        It cannot be read, is empty, or has another size than ``shape`` (H, W).
    """
    rgb = read_planes(path, shape)
    mask = rgb.max(axis=2) > threshold
    if not mask.any():
        raise SampleError(f"{path.name} is empty")
    return np.asarray(mask)


def read_planes(path: Path, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Read a mask's colours (H, W, 3) uint8; raises as `read_mask`."""
    size = _check_size(path)
    if size != (shape[1], shape[0]):
        raise SampleError(
            f"{path.name} is {size[0]}x{size[1]}, the picture {shape[1]}x{shape[0]}: masks need its size"
        )
    with existing_file(path).open("rb") as file:
        rgb, _ = planes(upright(open_image(file, path.name)), path.name)
    return np.asarray(rgb, np.uint8)


def _check_size(path: Path) -> tuple[int, int]:
    with existing_file(path).open("rb") as file:
        size = open_image(file, path.name).size
    if max(size) > MAX_SIDE:
        raise SampleError(f"{path.name} is {size[0]}x{size[1]}: at most {MAX_SIDE} pixels a side are read")
    return int(size[0]), int(size[1])
