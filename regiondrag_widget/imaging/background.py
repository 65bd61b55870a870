"""The picture without what the handles carry: their objects taken out and the places filled.

It depends on the handles alone: a target then costs the warp of its content.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.cutout import Cutout
from regiondrag_widget.imaging.fill import Fill, exemplar_fill, mixed_fill, smooth_fill
from regiondrag_widget.regions.box import slices_of

__all__ = ["Background", "empty"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

# how far the hole reaches beyond the object cut out of the handle, as a share of the side: in photographs its
# edge and its colour reach farther than any opacity says, and a hole that ends there leaves its outline
HOLE_GROWTH = 2 / 256
# opacity from which on a pixel belongs to the object: what is fainter beside it is taken in by the growth
SEEN = 0.1
NICK = 3 / 256  # of the side: gaps in an object as narrow as twice this are no view of what is behind it
# an object that comes this near to the handle's edge, as a share of the side, may go on beyond it, in a band
# this wide; where it comes nearer than TOUCH it does go on
CUT_OFF, BAND, TOUCH = 4 / 256, 3 / 256, 0.5 / 256
UNLIKE = 12.0  # grey levels by which a remnant differs from what would continue the surroundings
NEARBY = 15  # pixels across by which an object's colour is told


@dataclass(frozen=True)
class Background:
    """The picture without what the handles carry; independent of where that goes.

    rgb : (H, W, 3) float32 in 0..255
    alpha : (H, W) float32 in 0..255 or None, the picture's transparency where it is not the same everywhere
    hole : (H, W) bool, the place that was filled
    source_xy : (H, W, 2) float32 x, y or None: where each pixel of the hole was copied from
    doubt : (H, W) float32 in [0, 1], how far the diffusion model must change the hole's first content
    """

    rgb: Float
    alpha: Float | None
    hole: Bool
    source_xy: Float | None
    doubt: Float

    @property
    def nbytes(self) -> int:
        """Memory taken, in bytes."""
        return sum(
            a.nbytes for a in (self.rgb, self.alpha, self.hole, self.source_xy, self.doubt) if a is not None
        )


def empty(
    rgb: Pixels,
    handles: Sequence[Bool],
    cutouts: Sequence[Cutout],
    *,
    alpha: Pixels | None = None,
    editable: Bool | None = None,
    vacated: str = "fill",
    prefill: str = "mixed",
    seed: int = 0,
) -> Background:
    """Take out of the picture what the handles carry and fill the place.

    rgb : (H, W, 3) uint8
    handles : (H, W) bool each; cutouts : those of `cut_out`, in the same order
    alpha : (H, W) uint8, the picture's transparency
    editable : (H, W) bool, False keeps the picture's own pixel
    vacated : "fill" and "noise" empty the handles, "keep" leaves their content (a copy instead of a move)
    prefill : see `EditSettings`
    seed : of the texture's search
    """
    picture = rgb.astype(np.float32)
    uniform = alpha is None or alpha.min() == alpha.max()
    transparency = None if alpha is None or uniform else alpha.astype(np.float32)
    hole = np.zeros(rgb.shape[:2], bool)
    if vacated == "keep":
        return Background(picture, transparency, hole, None, hole.astype(np.float32))
    remains = np.zeros_like(hole)
    for handle, cutout in zip(handles, cutouts, strict=True):
        inside = slices_of(cutout.box)
        seen = _closed(cutout.opacity > SEEN, NICK, max(hole.shape))
        hole[inside] |= _grown(seen, HOLE_GROWTH, max(hole.shape)) & handle[inside]
        remains |= _cut_off(picture, handle, cutout)
    if editable is not None:
        hole &= editable
    remains &= ~hole
    if prefill != "smooth":
        fill = mixed_fill if prefill == "mixed" else exemplar_fill
        first = fill(picture, hole, remains, seed=seed)
    else:
        smooth = np.where(hole[..., None], smooth_fill(picture, hole | remains), picture)
        first = Fill(smooth, None, hole.astype(np.float32))
    if transparency is not None:
        transparency = smooth_fill(np.repeat(transparency[..., None], 3, -1), hole)[..., 0]
    return Background(first.rgb, transparency, hole, first.source_xy, first.doubt)


def _grown(mask: Bool, share: float, side: int) -> Bool:
    """By that share of the side, a pixel at least."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), _disc(_pixels(share, side))) > 0)


def _closed(mask: Bool, share: float, side: int) -> Bool:
    """With its gaps of up to twice that share of the side filled."""
    radius = _pixels(share, side)
    framed = np.pad(mask.astype(np.uint8), radius)
    closed = cv2.morphologyEx(framed, cv2.MORPH_CLOSE, _disc(radius))[radius:-radius, radius:-radius]
    return np.asarray(closed > 0)


def _pixels(share: float, side: int) -> int:
    return max(1, round(share * side))


def _disc(radius: int) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2), np.uint8)


def _cut_off(picture: Float, handle: Bool, cutout: Cutout) -> Bool:
    """Where (H, W) an object goes on beyond its handle: a remnant there must not colour what is filled in.

    Told by colour, beside the handle's edge where the object reaches it: nearer to the object's than to what
    continues the surroundings. None at all where the object ends at most of that edge: then a piece was
    meant, not a thing, and what surrounds it is just what continues it.
    """
    height, width = handle.shape
    side = max(height, width)
    reach = round((CUT_OFF + BAND) * side) + NEARBY
    x0, y0, x1, y1 = cutout.box
    around = slice(max(0, y0 - reach), y1 + reach), slice(max(0, x0 - reach), x1 + reach)
    solid = np.zeros_like(handle)
    solid[slices_of(cutout.box)] = cutout.opacity > 0.5
    remains = np.zeros_like(handle)
    handle, solid, picture = handle[around], solid[around], np.ascontiguousarray(picture[around])
    beyond = _grown(handle, 0, side) & ~handle
    if 2 * (beyond & _grown(solid, TOUCH, side)).sum() > beyond.sum():
        return remains
    band = _grown(beyond & _grown(solid, CUT_OFF, side), BAND, side) & ~handle
    if not band.any():
        return remains
    share = cv2.blur(solid.astype(np.float32), (NEARBY, NEARBY))[..., None]
    object_ = cv2.blur(np.where(solid[..., None], picture, 0), (NEARBY, NEARBY)) / np.maximum(share, 1e-4)
    from_surroundings = np.abs(picture - smooth_fill(picture, handle | band)).max(-1)
    from_object = np.where(share[..., 0] > 0, np.abs(picture - object_).max(-1), np.inf)
    like = band & (from_surroundings > UNLIKE) & (from_object < from_surroundings)
    remains[around] = _grown(like, HOLE_GROWTH, side) & ~handle
    return remains
