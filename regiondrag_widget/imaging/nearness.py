"""How far pixels are from a mask, at a cost that large masks and large distances do not drive up."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["depth", "signed_depth", "within"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

FULL_SIDE = 1024  # pixels of a mask's longer side up to which distances are told at full size
STEPS = 6.0  # pixels that a distance keeps at a reduced size: it is off by a small share of itself
DIAGONAL = 1.4  # pixels, as distances are told here, to the nearest after the four beside a pixel
CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
MOST_FACTOR = 16  # times smaller: one pixel of 16 x 16 still shows in 8 bits


def within(mask: Bool, distance: float) -> Bool:
    """(H, W) bool: the pixels at most `distance` pixels from the mask (H, W) bool; none for an empty mask.

    In a large mask a long distance is told at a reduced size. It is then off by about a reduced pixel, rather
    too long than too short.
    """
    if not mask.any():
        return mask
    if 1 <= distance < DIAGONAL:
        return np.asarray(cv2.dilate(mask.view(np.uint8), CROSS).view(np.bool_))
    factor = _factor(mask, distance)
    if factor == 1:
        return np.asarray(_to(mask) <= distance)
    near = _to(_reduced(mask, factor) > 0) * factor
    return np.asarray(_enlarged(near, factor, mask.shape) <= distance) | mask


def signed_depth(mask: Bool, reach: float) -> Float:
    """(H, W) float32: pixels from a mask's outline, positive inside; the picture's edge is no outline.

    Parameters
    ----------
    mask
        (H, W) bool.
    reach
        Pixels from the outline that must be told well; where it is long in a large mask, the distances are
        those at a reduced size.
    """
    factor = _factor(mask, reach)
    if factor == 1:
        signed = depth(mask) - depth(~mask)
        return np.asarray(signed - 0.5 * np.sign(signed), np.float32)
    small = _reduced(mask, factor) > 127
    signed = depth(small) - depth(~small)
    return _enlarged((signed - 0.5 * np.sign(signed)) * factor, factor, mask.shape)


def depth(mask: Bool) -> Float:
    """(H, W) float32: how deep in the mask each pixel lies; the picture's edge is no outline."""
    framed = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    if framed.all():
        return np.full(mask.shape, 1e6, np.float32)
    return np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)


def _factor(mask: Bool, distance: float) -> int:
    return 1 if max(mask.shape) <= FULL_SIDE else int(np.clip(distance / STEPS, 1, MOST_FACTOR))


def _to(mask: Bool) -> Float:
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5), np.float32)


def _reduced(mask: Bool, factor: int) -> npt.NDArray[np.uint8]:
    """A mask that many times smaller, rounded up: 0 where none of its pixels is set to 255 where all are."""
    height, width = (-(-n // factor) for n in mask.shape)
    pad = height * factor - mask.shape[0], width * factor - mask.shape[1]
    full = cv2.copyMakeBorder(mask.view(np.uint8) * 255, 0, pad[0], 0, pad[1], cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(full, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _enlarged(small: Float, factor: int, shape: tuple[int, ...]) -> Float:
    """The inverse of `_reduced`, of distances."""
    size = small.shape[1] * factor, small.shape[0] * factor
    full = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(full[: shape[0], : shape[1]], np.float32)
