"""The picture a plain compositor would make: content moved by the exact map, the place it left filled.

The diffusion model then takes it from there (`content="pixels"`). What depends on the handles alone is a
`Background`, made once; a target costs the warp of its content.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.background import Background
from regiondrag_widget.imaging.cutout import Cutout
from regiondrag_widget.imaging.membrane import rim_correction
from regiondrag_widget.imaging.scaling import lay
from regiondrag_widget.imaging.strips import in_strips
from regiondrag_widget.regions import RegionPair, RegionPairs, pixel_map
from regiondrag_widget.regions.box import Box, bounding_box, grown, slices_of, union_of, within_box
from regiondrag_widget.regions.framing import framed_pairs

__all__ = ["Composite", "compose", "warp_residual"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]
_Kind = TypeVar("_Kind", bound=np.generic)

CUBIC_REACH = 3  # pixels around a sample that cubic interpolation may look at
STILL = 0.02  # pixels; what moves by less stays

# a movement x, y by whole pixels, or the source x and y of every pixel of a box
_Sources = tuple[int, int] | tuple[Float, Float]


@dataclass(frozen=True)
class Composite:
    """The part of the picture that an edit changes, (h, w) pixels at the resolution of the picture given.

    Attributes
    ----------
    box
        X0, y0, x1, y1 in the picture: all handles and targets, and a pixel around them where the picture
        goes on. Outside it nothing is carried, and nothing is a hole.
    rgb
        (h, w, 3) float32 in 0..255.
    alpha
        (h, w) float32 in 0..255 or None, the picture's transparency carried along.
    carried
        (h, w) float32 in [0, 1], opacity of the moved content at its new place.
    hole
        (h, w) bool, the place to be filled, whether or not moved content covers it again.
    source_offset
        (h, w, 2) float32 x, y or None: from each pixel of the hole to the one it was copied from.
    doubt
        (h, w) float32 in [0, 1], how far the diffusion model must change the hole's first content.
    """

    box: Box
    rgb: Float
    alpha: Float | None
    carried: Float
    hole: Bool
    source_offset: Float | None
    doubt: Float

    @property
    def vacated(self) -> Bool:
        """(h, w) bool, the part of the hole that stays visible."""
        return self.hole & (self.carried < 0.98)

    @property
    def nbytes(self) -> int:
        """Memory taken, in bytes."""
        held = (self.rgb, self.alpha, self.carried, self.hole, self.source_offset, self.doubt)
        return sum(a.nbytes for a in held if a is not None)

    def over(self, picture: Pixels) -> Float:
        """The whole picture (H, W, 3) uint8 as composed, float32 in 0..255."""
        whole = picture.astype(np.float32)
        whole[slices_of(self.box)] = self.rgb
        return whole


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

    Parameters
    ----------
    pairs
        Masks of the background's size, at least one pair; later ones come on top.
    background, cutouts
        Those of `empty` and `cut_out` for the same handles.
    alpha
        (H, W) uint8, the picture's transparency, carried along.
    editable
        (H, W) bool, False keeps the picture's own pixel.
    method
        See `pixel_map`.
    """
    goals = [bounding_box(pair.target) for pair in pairs]
    filled = background.box
    outer = union_of([*goals, filled, *(cutout.box for cutout in cutouts)])
    outer = grown(outer, 1, (background.picture.shape[0], background.picture.shape[1]))
    result = background.picture[slices_of(outer)].astype(np.float32)
    result[within_box(filled, outer)] = background.rgb
    result_alpha = None
    if background.alpha is not None and alpha is not None:
        result_alpha = alpha[slices_of(outer)].astype(np.float32)
        result_alpha[within_box(filled, outer)] = background.alpha
    carried = np.zeros(result.shape[:2], np.float32)
    staying = np.zeros(result.shape[:2], bool)
    for pair, cutout, box in zip(pairs, cutouts, goals, strict=True):
        own = within_box(cutout.box, outer)
        if not pair.moves:
            staying[own] &= ~cutout.place
            continue
        inner = within_box(box, outer)
        shift = _whole_pixel_shift(box, pair)
        xy = _map_into(box, pair, method) if shift is None else shift
        if _stays(box, pair, xy):
            staying[own] |= cutout.place
            continue
        staying[own] &= ~cutout.place
        target = pair.target[slices_of(box)]
        cover = np.asarray(_taken(cutout.opacity, cutout.box, box, xy) * target, np.float32)
        if editable is not None:
            cover *= editable[slices_of(box)]
        if result_alpha is None or alpha is None:
            moved = _taken(cutout.rgb, cutout.box, box, xy)
            if cutout.verdict == "painted" and cutout.palette is None:
                moved = _met(moved, cover > 0.05, target, result[inner])
            _lay(result[inner], moved, cover)
        else:
            visible = np.asarray(alpha[slices_of(cutout.box)] / 255, np.float32)
            shown = np.asarray(_taken(visible, cutout.box, box, xy), np.float32)
            premultiplied = cutout.rgb.astype(np.float32) * visible[..., None]
            weighted = _taken(premultiplied, cutout.box, box, xy)
            moved = np.asarray(weighted / np.maximum(shown, 1e-3)[..., None], np.float32)
            result[inner], result_alpha[inner] = _over(
                moved, cover * shown, result[inner], result_alpha[inner]
            )
        np.maximum(carried[inner], cover, out=carried[inner])
    hole = _framed(background.hole, filled, outer)
    if staying.any():
        emptied = hole
        hole = hole & ~staying
        staying &= emptied & (carried == 0)
        np.copyto(result, background.picture[slices_of(outer)], where=staying[..., None])
        if result_alpha is not None and alpha is not None:
            np.copyto(result_alpha, alpha[slices_of(outer)], where=staying)
    offset = None if background.source_offset is None else _framed(background.source_offset, filled, outer)
    doubt = _framed(background.doubt, filled, outer)
    return Composite(outer, result, result_alpha, carried, hole, offset, doubt)


def _framed(a: npt.NDArray[_Kind], box: Box, outer: Box) -> npt.NDArray[_Kind]:
    """An array that fills a box, in an outer one, zero elsewhere."""
    if box == outer:
        return a
    framed = np.zeros((outer[3] - outer[1], outer[2] - outer[0], *a.shape[2:]), a.dtype)
    framed[within_box(box, outer)] = a
    return framed


def _met(moved: Float | Pixels, content: Bool, target: Bool, under: Float) -> Float | Pixels:
    """What is moved, brought to its new surroundings where it was cut along the handle."""
    correction = rim_correction(np.asarray(moved, np.float32), content, target, under)
    return moved if correction is None else np.asarray(moved + correction, np.float32).clip(0, 255)


def _stays(box: Box, pair: RegionPair, xy: _Sources) -> bool:
    """Whether a pair moves nothing: each pixel comes from its own place."""
    map_x, map_y = xy
    if isinstance(map_x, int) or isinstance(map_y, int):
        return map_x == map_y == 0 and np.array_equal(pair.handle, pair.target)
    if not np.array_equal(pair.handle, pair.target):
        return False
    inside = pair.target[slices_of(box)]
    own_x = np.arange(box[0], box[2], dtype=np.float32)
    own_y = np.arange(box[1], box[3], dtype=np.float32)[:, None]
    off = np.maximum(np.abs(map_x - own_x), np.abs(map_y - own_y))
    return bool(off[inside].max() < STILL)


def _lay(under: Float, over: Float | Pixels, cover: Float) -> None:
    """Put `over` onto `under` (h, w, 3), in place, by as much as it covers; exactly so where that is all."""

    def lay_rows(rows: slice) -> None:
        share = cover[rows]
        lay(np.ascontiguousarray(over[rows], np.float32), under[rows], share >= 1)
        rim = np.nonzero((share > 0) & (share < 1))
        below = under[rows][rim]
        under[rows][rim] = below + share[rim][:, None] * (over[rows][rim].astype(np.float32) - below)

    in_strips(lay_rows, slice(0, len(over)), cover.shape[1])


def _mixed(under: Float, over: Float, cover: Float) -> Float:
    """`over` by as much as it covers; exactly so where that is all."""
    share = cover[..., None]
    return np.where(share >= 1, over, under + share * (over - under)).astype(np.float32)


def _over(over: Float, opacity: Float, under: Float, under_alpha: Float) -> tuple[Float, Float]:
    """Porter and Duff's "over" (Compositing digital images, 1984): colours, and alpha in 0..255."""
    below = under_alpha / 255 * (1 - opacity)
    both = opacity + below
    share = np.where(both > 0, opacity / np.maximum(both, 1e-6), 0)
    return _mixed(under, over, share.astype(np.float32)), (255 * both).astype(np.float32)


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
    found = pixel_map(framed_pairs(RegionPairs([pair]), both), method=method).source_xy
    inner = found[box[1] - both[1] : box[3] - both[1], box[0] - both[0] : box[2] - both[0]]
    return np.ascontiguousarray(inner[..., 0] + both[0]), np.ascontiguousarray(inner[..., 1] + both[1])


def _whole_pixel_shift(box: Box, pair: RegionPair) -> tuple[int, int] | None:
    """The movement x, y of a pair that moves by whole pixels, each target pixel from one of the handle's."""
    if pair.matrix is None or not np.allclose(pair.matrix, np.rint(pair.matrix), atol=1e-6):
        return None
    matrix = np.rint(pair.matrix)
    dx, dy = int(matrix[0, 2]), int(matrix[1, 2])
    matrix[:2, 2] = 0
    if not np.array_equal(matrix, np.eye(3)):
        return None
    height, width = pair.shape
    x0, y0, x1, y1 = box
    if not (x0 - dx >= 0 and y0 - dy >= 0 and x1 - dx <= width and y1 - dy <= height):
        return None
    source = pair.handle[y0 - dy : y1 - dy, x0 - dx : x1 - dx]
    return None if bool((pair.target[slices_of(box)] & ~source).any()) else (dx, dy)


def _taken(a: Float | Pixels, filled: Box, box: Box, xy: _Sources) -> Float | Pixels:
    """`a`, which fills a box of the picture, as it lies in a target's box; right in the target alone."""
    map_x, map_y = xy
    if not isinstance(map_x, int) or not isinstance(map_y, int):
        return _sample(a, filled, np.asarray(map_x), np.asarray(map_y))
    x0, y0, x1, y1 = box[0] - map_x, box[1] - map_y, box[2] - map_x, box[3] - map_y
    left, top, right, bottom = max(x0, filled[0]), max(y0, filled[1]), min(x1, filled[2]), min(y1, filled[3])
    part = a[top - filled[1] : bottom - filled[1], left - filled[0] : right - filled[0]]
    if part.shape[:2] == (y1 - y0, x1 - x0):
        return part
    taken = np.zeros((y1 - y0, x1 - x0, *a.shape[2:]), a.dtype)
    taken[top - y0 : bottom - y0, left - x0 : right - x0] = part
    return taken


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
