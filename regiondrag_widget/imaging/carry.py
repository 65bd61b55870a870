"""What a handle carries, known before the edit: the object in it, or all that is painted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.find import Found, find_object
from regiondrag_widget.imaging.nearness import within
from regiondrag_widget.imaging.palette import palette_of
from regiondrag_widget.imaging.scaling import mean_of_blocks, out_of_blocks
from regiondrag_widget.imaging.seen import blocks_for

__all__ = ["MATTES", "VERDICTS", "Carried", "Carry", "carried_mask", "carried_of_window"]

Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]
Carry = str | Bool

VERDICTS: Final = {
    "object": "carrying the object found in the handle",
    "painted": "carrying all that is painted",
    "beyond": "the object goes on beyond the handle",
    "transparent": "carrying what is not transparent",
    "chosen": "carrying what was chosen",
}
MATTES: Final = {"auto": "object", "none": "painted"}
"""An edit's `matte`, and what pairs that say nothing carry by it."""

LARGE = 1024  # windows of twice that side and more are looked at in a copy that is at least as large
MOST_TOUCH = 0.55  # of the handle's rim that the object may reach and still be one, not a part of it
ALONG = 0.5  # of the rim that lies near the object where a handle was drawn along its edge
NEAR, LOOKED_AT = 2.5, 1.3  # pixels of the picture, and of the size looked at, that count as near
LEAST_BEYOND = 0.02  # of the object, that counts as going on
MOST_BEYOND = 0.6  # of the object: more is another thing, or what the handle is a part of
UNIFORM_RIM = 0.5  # of the handle's rim that is transparent where a picture's alpha is the cut-out


@dataclass(frozen=True)
class Carried:
    """What a handle carries.

    Attributes
    ----------
    mask
        (H, W) bool, carried, within the handle.
    verdict
        A key of `VERDICTS`.
    larger
        (H, W) bool or None, the handle grown to the whole object where that goes on beyond it.
    beyond
        (H, W) bool, what outside the handle hangs together with the object.
    unlike
        (H, W) bool, pixels of the handle that its surroundings do not have.
    slack
        Pixels by which the mask's outline may be off.
    """

    mask: Bool
    verdict: str
    larger: Bool | None
    beyond: Bool
    unlike: Bool
    slack: float

    @property
    def whole(self) -> bool:
        """Whether all that is painted is carried, so that its rim is a seam and not an object's edge."""
        return self.verdict == "painted"

    @property
    def words(self) -> str:
        """The verdict in words."""
        return VERDICTS[self.verdict]

    def enlarged(self, blocks: int, handle: Bool) -> Carried:
        """The same of a handle (H, W) bool that is so many times as large as the one that was looked at."""
        if blocks == 1:
            return self

        def full(mask: Bool) -> Bool:
            return out_of_blocks(mask, blocks, handle.shape)

        return replace(
            self,
            mask=handle if self.whole else full(self.mask) & handle,
            larger=None if self.larger is None else full(self.larger) | handle,
            beyond=full(self.beyond) & ~handle,
            unlike=full(self.unlike) & handle,
            slack=blocks * self.slack,
        )


def carried_of_window(
    rgb: Pixels, handle: Bool, alpha: Pixels | None = None, carry: Carry = "object"
) -> tuple[Carried, int]:
    """As `carried_mask`, where an object is looked for in a large photograph in a smaller copy of it.

    Returns
    -------
    Carried
        Of the handle, or of the copy's.
    blocks : int
        Pixels of the window across one of the copy, 1 where it was looked at itself.
    """
    blocks = blocks_for(handle.shape, LARGE)
    found = isinstance(carry, str) and carry == "object" and _opaque(handle, alpha) is None
    if blocks > 1 and found and palette_of(rgb) is None:
        small = mean_of_blocks(handle.view(np.uint8) * np.uint8(255), blocks) > 127
        if small.any():
            return carried_mask(np.ascontiguousarray(mean_of_blocks(rgb, blocks)), small), blocks
    return carried_mask(np.ascontiguousarray(rgb), handle, alpha, carry), 1


def carried_mask(rgb: Pixels, handle: Bool, alpha: Pixels | None = None, carry: Carry = "object") -> Carried:
    """What a handle carries, and why.

    Parameters
    ----------
    rgb
        (H, W, 3) uint8.
    handle
        (H, W) bool with at least one pixel.
    alpha
        (H, W) uint8, the picture's transparency: where it outlines a thing it is the cut-out.
    carry
        "object" looks for the object, "painted" carries all; a mask (H, W) bool is what the hand said.

    Raises
    ------
    ValueError
        For a mask of another size, an empty one, or one that leaves the handle.
    """
    nothing = np.zeros_like(handle)
    if not isinstance(carry, str):
        return Carried(_chosen(carry, handle), "chosen", None, nothing, nothing, 0.5)
    if carry not in ("object", "painted"):
        raise ValueError(f"carry must be 'object', 'painted' or a mask, got {carry!r}")
    painted = Carried(handle, "painted", None, nothing, nothing, 0.5)
    if carry == "painted":
        return painted
    opaque = _opaque(handle, alpha)
    if opaque is not None:
        return Carried(opaque, "transparent", None, nothing, nothing, 0.5)
    found = find_object(rgb, handle)
    if found is None or not _is_object(found, handle):
        return painted
    slack = 0.5 / found.scale
    object_, beyond = _with_missed(found, handle), found.beyond
    share = beyond.sum() / object_.sum()
    if LEAST_BEYOND < share < MOST_BEYOND:
        larger = handle | _grown(beyond, 3)
        return Carried(object_, "beyond", larger, beyond, found.unlike, slack)
    return Carried(object_, "object", None, beyond, found.unlike, slack)


def _is_object(found: Found, handle: Bool) -> bool:
    """Whether what was found is a thing in its surroundings, not a piece of what the handle is a part of."""
    rim = handle & ~_shrunk(handle)
    return not rim.any() or float(found.object_[rim].mean()) <= MOST_TOUCH


def _with_missed(found: Found, handle: Bool) -> Bool:
    """The object, and what of it was not found in a handle that was drawn along its edge.

    The hand knows better there: what lies deeper in the handle than it kept away from the edge is the
    object's.
    """
    rim = handle & ~_shrunk(handle)
    near = max(NEAR, LOOKED_AT / found.scale)
    if not rim.any() or float(within(found.object_, near)[rim].mean()) < ALONG:
        return found.object_
    return found.object_ | (handle & ~within(~handle, near))


def _opaque(handle: Bool, alpha: Pixels | None) -> Bool | None:
    """What is not transparent in the handle, where the transparency outlines it; else None."""
    if alpha is None:
        return None
    inside = alpha[handle]
    rim = handle & ~_shrunk(handle)
    if not inside.any() or inside.min() > 0 or float((alpha[rim] == 0).mean()) < UNIFORM_RIM:
        return None
    return np.asarray(handle & (alpha > 0))


def _chosen(mask: Bool, handle: Bool) -> Bool:
    mask = np.asarray(mask)
    if mask.shape != handle.shape:
        have, want = (f"{m.shape[1]}x{m.shape[0]}" for m in (mask, handle))
        raise ValueError(f"carry mask is {have} px but the handle is {want} px: they must be the same size")
    if mask.dtype != np.bool_:
        raise ValueError(f"carry mask has values of type {mask.dtype}: give an (H, W) bool array")
    if not mask.any():
        raise ValueError("carry mask is empty: mark at least one pixel of the handle")
    if (mask & ~handle).any():
        raise ValueError("carry mask leaves the handle: paint the handle over it too, or cut the mask")
    return mask


def _shrunk(mask: Bool) -> Bool:
    return np.asarray(cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) > 0)


def _grown(mask: Bool, radius: int) -> Bool:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc) > 0)
