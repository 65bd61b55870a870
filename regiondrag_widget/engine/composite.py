"""The picture a plain compositor would make: content moved by the exact map, the place it left filled.

The diffusion model then takes it from there (`content="pixels"`). What depends on the handles alone, cutting
the objects out and filling their places, is a `Background`; a target then costs the warp of its content.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.engine.cutout import Cutout
from regiondrag_widget.engine.fill import Fill, exemplar_fill, mixed_fill, smooth_fill
from regiondrag_widget.engine.view import Box, bounding_box, crop_pairs, slices_of
from regiondrag_widget.regions import RegionPair, RegionPairs, pixel_map

__all__ = ["Background", "Composite", "compose", "empty", "warp_residual"]

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
CUBIC_REACH = 3  # pixels around a sample that cubic interpolation may look at


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


@dataclass(frozen=True)
class Composite:
    """All arrays at the resolution of the picture given.

    rgb : (H, W, 3) float32 in 0..255
    alpha : (H, W) float32 in 0..255 or None, the picture's transparency carried along
    carried : (H, W) float32 in [0, 1], opacity of the moved content at its new place
    hole : (H, W) bool, the place to be filled, whether or not moved content covers it again
    source_xy : (H, W, 2) float32 x, y or None: where each pixel of the hole was copied from
    doubt : (H, W) float32 in [0, 1], how far the diffusion model must change the hole's first content
    """

    rgb: Float
    alpha: Float | None
    carried: Float
    hole: Bool
    source_xy: Float | None
    doubt: Float

    @property
    def vacated(self) -> Bool:
        """(H, W) bool, the part of the hole that stays visible."""
        return self.hole & (self.carried < 0.98)

    @property
    def nbytes(self) -> int:
        """Memory taken beyond that of the background, in bytes."""
        return self.rgb.nbytes + self.carried.nbytes + (0 if self.alpha is None else self.alpha.nbytes)


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
    radius = max(1, round(share * side))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel) > 0)


def _closed(mask: Bool, share: float, side: int) -> Bool:
    radius = max(1, round(share * side))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    framed = np.pad(mask.astype(np.uint8), radius)
    closed = cv2.morphologyEx(framed, cv2.MORPH_CLOSE, kernel)[radius:-radius, radius:-radius]
    return np.asarray(closed > 0)


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


def compose(
    pairs: RegionPairs,
    background: Background,
    cutouts: Sequence[Cutout],
    *,
    alpha: Pixels | None = None,
    editable: Bool | None = None,
    method: str = "auto",
) -> Composite:
    """Lay what every handle carries over the background, at its target.

    pairs : masks of the background's size, at least one pair; later ones come on top
    background, cutouts : those of `empty` and `cut_out` for the same handles
    alpha : (H, W) uint8, the picture's transparency, carried along
    editable : (H, W) bool, False keeps the picture's own pixel
    method : see `pixel_map`
    """
    result = background.rgb.copy()
    result_alpha = None if background.alpha is None else background.alpha.copy()
    carried = np.zeros(result.shape[:2], np.float32)
    for pair, cutout in zip(pairs, cutouts, strict=True):
        box = bounding_box(pair.target)
        at = slices_of(box)
        map_x, map_y = _map_into(box, pair, method)
        cover = _sample(cutout.opacity, cutout.box, map_x, map_y) * pair.target[at]
        if editable is not None:
            cover *= editable[at]
        moved = _sample(cutout.rgb, cutout.box, map_x, map_y)
        result[at] += cover[..., None] * (moved - result[at])
        if result_alpha is not None and alpha is not None:
            moved_alpha = _sample(alpha, (0, 0, alpha.shape[1], alpha.shape[0]), map_x, map_y)
            result_alpha[at] += cover * (moved_alpha - result_alpha[at])
        carried[at] = np.maximum(carried[at], cover)
    return Composite(result, result_alpha, carried, background.hole, background.source_xy, background.doubt)


def warp_residual(residual: Float, pairs: RegionPairs, *, method: str = "auto") -> Float:
    """What the codec loses (H, W, 3), carried along with the content: zero where that has left."""
    found = pixel_map(pairs, method=method)
    map_x, map_y = (np.ascontiguousarray(found.source_xy[..., i]) for i in (0, 1))
    warped = cv2.remap(residual, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.where(found.vacated[..., None], 0, warped).astype(np.float32)


def _map_into(box: Box, pair: RegionPair, method: str) -> tuple[Float, Float]:
    """Source x and y, (h, w) float32 each, of every pixel of a target's box; right in the target alone."""
    h0 = bounding_box(pair.handle)
    both = (min(box[0], h0[0]), min(box[1], h0[1]), max(box[2], h0[2]), max(box[3], h0[3]))
    found = pixel_map(crop_pairs(RegionPairs([pair]), both), method=method).source_xy
    inner = found[box[1] - both[1] : box[3] - both[1], box[0] - both[0] : box[2] - both[0]]
    return np.ascontiguousarray(inner[..., 0] + both[0]), np.ascontiguousarray(inner[..., 1] + both[1])


def _sample(a: Float | Pixels, box: Box, map_x: Float, map_y: Float) -> Float:
    """`a`, which fills `box` of the picture, at picture coordinates; only its part that is asked for is read.

    Colours are taken cubically, which keeps them as sharp as they were; opacities must not overshoot.
    """
    x0, y0, x1, y1 = box
    left = int(np.clip(np.floor(map_x.min()) - CUBIC_REACH, x0, x1 - 1))
    top = int(np.clip(np.floor(map_y.min()) - CUBIC_REACH, y0, y1 - 1))
    right = int(np.clip(np.ceil(map_x.max()) + CUBIC_REACH + 1, left + 1, x1))
    bottom = int(np.clip(np.ceil(map_y.max()) + CUBIC_REACH + 1, top + 1, y1))
    part = np.ascontiguousarray(a[top - y0 : bottom - y0, left - x0 : right - x0], np.float32)
    kind = cv2.INTER_CUBIC if a.ndim == 3 else cv2.INTER_LINEAR
    sampled = cv2.remap(part, map_x - left, map_y - top, kind, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(sampled, np.float32)
