"""What a handle of a whole picture carries, found in the part of the picture around it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from regiondrag_widget.imaging.carry import Carried, Carry, carried_of_window
from regiondrag_widget.imaging.cutout import LEAST_PAD, PAD
from regiondrag_widget.regions.box import bounding_box
from regiondrag_widget.regions.pair import as_carry

__all__ = ["carried_in"]

Bool = npt.NDArray[np.bool_]


def carried_in(image: Image.Image, handle: Bool, carry: Carry = "object") -> Carried:
    """What one handle carries in an edit of a picture.

    The same part of the picture is looked at as in the edit, so the answer is the same. The time taken grows
    with the handle, not with the picture.

    Parameters
    ----------
    image : Pillow image
        RGB or RGBA, (W, H).
    handle : (H, W) bool
        With at least one pixel.
    carry : str or (H, W) bool
        As `carried_mask` takes it.

    Raises
    ------
    ValueError
        The mask is empty, of another size, or leaves the handle; or there is no such word.
    """
    checked = as_carry(carry, handle)
    said: Carry = "object" if checked is None else checked
    x0, y0, x1, y1 = bounding_box(handle)
    height, width = handle.shape
    pad = max(LEAST_PAD, round(PAD * max(x1 - x0, y1 - y0)))
    box = max(0, x0 - pad), max(0, y0 - pad), min(width, x1 + pad), min(height, y1 + pad)
    around = slice(box[1], box[3]), slice(box[0], box[2])
    pixels = np.asarray(image.crop(box))
    alpha = np.ascontiguousarray(pixels[..., 3]) if pixels.shape[2] == 4 else None
    if not isinstance(said, str):
        said = np.ascontiguousarray(said[around])
    inside = np.ascontiguousarray(handle[around])
    found, blocks = carried_of_window(pixels[..., :3], inside, alpha, said)
    found = found.enlarged(blocks, inside)

    def whole(part: Bool) -> Bool:
        mask = np.zeros(handle.shape, bool)
        mask[around] = part
        return mask

    return replace(
        found,
        mask=whole(found.mask),
        larger=None if found.larger is None else whole(found.larger) | handle,
        beyond=whole(found.beyond),
        unlike=whole(found.unlike),
    )
