"""Selections made larger, smaller, smoother, softer or whole; masks in, masks out."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.nearness import signed_depth, within
from regiondrag_widget.regions.mask import as_mask

__all__ = ["feather", "fill_holes", "grow", "invert", "shrink", "smooth", "with_margin"]

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float32]

MARGIN = 3 / 512  # of the longer side: selections are as fine as a picture of 512 px
LEAST_MARGIN = 3.0  # pixels
MOST_SIGMA = 16.0  # pixels of a blur that is made at full size; a wider one is made in a reduced mask


def grow(mask: Bool, pixels: float) -> Bool:
    """Return the mask with everything within so many pixels of it.

    Parameters
    ----------
    mask : (H, W) bool array
        As `rd.RegionPair` takes masks.
    pixels : float
        At least 0.

    Raises
    ------
    ValueError, TypeError
        It is no mask, or the number is negative.
    """
    mask = as_mask(mask)
    return np.array(within(mask, _amount(pixels, "pixels")), bool)


def with_margin(mask: Bool) -> Bool:
    """Return the mask with the few pixels around it that a handle needs.

    A selection follows its object's outline, and is as fine as a picture of 512 px. A handle with a little
    ground around the object lets the edit find the edge at the picture's own size, so that no specks of the
    outline stay behind.

    >>> mask = rd.select.click("photo.jpg", [(120, 80)])
    >>> pair = rd.RegionPair.move(rd.select.with_margin(mask), 40, 0)

    Parameters and errors as `grow`.
    """
    mask = as_mask(mask)
    return grow(mask, max(LEAST_MARGIN, MARGIN * max(mask.shape)))


def shrink(mask: Bool, pixels: float) -> Bool:
    """Return the mask without everything within so many pixels of its outline.

    The picture's edge is no outline: a selection of everything stays. Parameters and errors as `grow`.
    """
    mask = as_mask(mask)
    return ~within(~mask, _amount(pixels, "pixels"))


def smooth(mask: Bool, radius: float) -> Bool:
    """Return the mask with a smoother outline: corners, spikes and notches narrower than the radius go.

    Parameters and errors as `grow`.
    """
    mask = as_mask(mask)
    radius = _amount(radius, "radius")
    if radius == 0:
        return np.array(mask)
    return _blurred(mask.astype(np.float32), radius / 2) > 0.5


def feather(mask: Bool, radius: float) -> Float:
    """Return the mask with a soft edge, as opacity.

    Parameters
    ----------
    mask : (H, W) bool array
        As `rd.RegionPair` takes masks.
    radius : float
        Pixels on either side of the outline over which the opacity goes from 1 to 0; at least 0.

    Returns
    -------
    (H, W) float32 array
        In [0, 1], one half on the outline. ``feather(mask, r) > 0.5`` is the mask again.

    Raises
    ------
    ValueError, TypeError
        It is no mask, or the radius is negative.
    """
    mask = as_mask(mask)
    radius = _amount(radius, "radius")
    if radius == 0 or mask.all() or not mask.any():
        return mask.astype(np.float32)
    inward = signed_depth(mask, radius) / (2 * radius) + 0.5
    inward = np.clip(inward, 0, 1)
    return np.asarray(inward * inward * (3 - 2 * inward), np.float32)


def fill_holes(mask: Bool) -> Bool:
    """Return the mask with everything that it encloses; raises as `grow` does.

    What touches the picture's edge is not enclosed.
    """
    mask = as_mask(mask)
    framed = np.pad(mask.astype(np.uint8), 1)
    cv2.floodFill(framed, None, (0, 0), 2, flags=4)
    return np.asarray(framed[1:-1, 1:-1] != 2)


def invert(mask: Bool) -> Bool:
    """Return everything that was not selected; raises as `grow` does."""
    return ~as_mask(mask)


def _blurred(values: Float, sigma: float) -> Float:
    """Values (H, W) blurred; a wide blur at a reduced size, where it costs as little as a narrow one."""
    factor = max(1, int(sigma / MOST_SIGMA * 2))
    height, width = values.shape
    if factor > 1:
        small = max(1, width // factor), max(1, height // factor)
        values, sigma = cv2.resize(values, small, interpolation=cv2.INTER_AREA), sigma / factor
    values = cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    if factor > 1:
        values = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(values, np.float32)


def _amount(value: float, name: str) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} must be 0 or more, got {value!r}")
    return float(value)
