"""Region pairs in another frame: cut to a box of the picture, at another resolution."""

from __future__ import annotations

import cv2
import numpy as np

from regiondrag_widget.regions.bend import Bend
from regiondrag_widget.regions.box import Box, slices_of
from regiondrag_widget.regions.densemap import DenseMap
from regiondrag_widget.regions.mask import Mask
from regiondrag_widget.regions.pair import RegionPair
from regiondrag_widget.regions.pairs import RegionPairs

__all__ = ["framed_mask", "framed_pairs", "padded_pairs"]


def framed_pairs(pairs: RegionPairs, box: Box, shape: tuple[int, int] | None = None) -> RegionPairs:
    """Return the pairs as they lie in a box of their picture.

    Parameters
    ----------
    pairs
        Pairs of the whole picture.
    box
        x0, y0, x1, y1 in pixels, within the picture.
    shape
        (h, w) to which the box is resized; its own size when left out.

    Returns
    -------
    RegionPairs
        Masks (h, w), cut out and resized by `framed_mask`; matrices and deformations in the new pixels.

    Raises
    ------
    ValueError
        A handle or a target lies outside the box.
    """
    x0, y0, x1, y1 = box
    h, w = shape or (y1 - y0, x1 - x0)
    if (x0, y0, x1, y1) == (0, 0, w, h) and pairs.shape == (h, w):
        return pairs  # masks of a large picture are not copied for nothing
    sx, sy = w / (x1 - x0), h / (y1 - y0)
    # integers are pixel centres, so x -> (x - x0 + 1/2) sx - 1/2
    forth = np.array([[sx, 0, (0.5 - x0) * sx - 0.5], [0, sy, (0.5 - y0) * sy - 0.5], [0, 0, 1]])
    back = np.array([[1 / sx, 0, 0.5 / sx + x0 - 0.5], [0, 1 / sy, 0.5 / sy + y0 - 0.5], [0, 0, 1]])
    framed = []
    for pair in pairs:
        handle, carry = framed_mask(pair.handle, box, (h, w)), pair.carry
        if isinstance(carry, np.ndarray):
            carry = framed_mask(carry, box, (h, w)) & handle
            carry = carry if carry.any() else handle
        target, deformation = framed_mask(pair.target, box, (h, w)), pair.deformation
        if isinstance(deformation, Bend):
            deformation = deformation.framed(forth)
        elif deformation is not None:
            deformation = deformation.framed(forth, target)
        framed.append(
            RegionPair(
                handle,
                target if pair.moves else None,
                None if pair.matrix is None else forth @ pair.matrix @ back,
                name=pair.name,
                carry=carry,
                action=pair.action,
                deformation=deformation,
            )
        )
    return RegionPairs(framed)


def padded_pairs(pairs: RegionPairs, below: int, right: int) -> RegionPairs:
    """Return the pairs, without their carry, of a picture with so many pixels more below and to the right."""
    padded = []
    for pair in pairs:
        pad = ((0, below), (0, right))
        handle, deformation = np.pad(pair.handle, pad), pair.deformation
        if isinstance(deformation, DenseMap):
            deformation = deformation.padded((int(handle.shape[0]), int(handle.shape[1])))
        target = np.pad(pair.target, pad)
        padded.append(RegionPair(handle, target, pair.matrix, name=pair.name, deformation=deformation))
    return RegionPairs(padded)


def framed_mask(mask: Mask, box: Box, shape: tuple[int, int]) -> Mask:
    """Return a box of a mask, resized.

    Parameters
    ----------
    mask
        (H, W) bool of the whole picture.
    box
        x0, y0, x1, y1 in pixels, within the picture.
    shape
        (h, w) to which the box is resized.

    Returns
    -------
    Mask
        (h, w) bool: pixels of which at least half lies in the mask, or any part where no pixel has that much,
        so that a thin region does not vanish.
    """
    crop = mask[slices_of(box)]
    if crop.shape == shape:
        return crop
    share = cv2.resize(crop.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    half = np.asarray(share >= 0.5)
    return half if half.any() else np.asarray(share > 0)
