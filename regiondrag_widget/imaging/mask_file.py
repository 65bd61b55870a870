"""Regions in: a black and white picture file becomes a mask."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np

from regiondrag_widget.imaging.picture import existing_file, open_image, upright
from regiondrag_widget.imaging.pixels import planes


def load_mask(source: str | os.PathLike[str] | bytes, size: tuple[int, int]) -> np.ndarray:
    """Read a region from a picture file: white (or opaque, or 1) is the region.

    Two-valued pictures of any mode are taken as they are. One with soft edges, however wide, is cut at half:
    what is carried has a soft edge of its own.

    Parameters
    ----------
    size : (width, height) of the picture the mask belongs to.

    Returns
    -------
    (H, W) bool.

    Raises
    ------
    ValueError
        Another size than the picture's, nothing marked, or more greys than a mask has.
    """
    name = "the mask" if isinstance(source, bytes) else Path(source).name
    with io.BytesIO(source) if isinstance(source, bytes) else existing_file(source).open("rb") as file:
        image = upright(open_image(file, name))
    if image.size != size:
        have, want = (f"{w}x{h}" for w, h in (image.size, size))
        raise ValueError(f"mask {name} is {have} px but the picture is {want} px: they must be the same size")
    rgb, alpha = planes(image, name)
    grey = rgb.max(axis=-1)
    if alpha is not None and alpha.min() < alpha.max():
        drawn = rgb[alpha > 127]
        if not len(drawn) or np.all(drawn == drawn[0]):
            grey = alpha  # one colour drawn on a transparent sheet
        else:
            grey = np.where(alpha > 127, grey, 0).astype(np.uint8)
    values = np.unique(grey)
    if values.size <= 2:
        mask = grey == values[-1] if values[-1] else np.zeros(grey.shape, dtype=bool)
    else:
        _require_black_and_white(grey, name)
        mask = grey >= 128
    if not mask.any():
        raise ValueError(f"mask {name} is empty: mark at least one pixel in white")
    return np.asarray(mask, dtype=bool)


def _require_black_and_white(grey: np.ndarray, name: str) -> None:
    """Refuse what is no mask: few greys in all, or a feathered edge between much black and much white."""
    low, high = int(grey.min()), int(grey.max())
    between = np.count_nonzero((grey > 63) & (grey < 192))
    plain = np.count_nonzero((grey <= 8) | (grey >= 247))
    soft = between <= 0.05 * grey.size or plain >= 0.5 * grey.size
    if low > 63 or high < 192 or not soft:
        raise ValueError(
            f"mask {name} is no mask: it should be black with the region in white; its edge may be soft"
        )
