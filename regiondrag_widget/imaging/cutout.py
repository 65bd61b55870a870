"""What a handle carries: how opaque each pixel of it is, its colours, and the place it leaves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.carry import Carried, Carry, carried_of_window
from regiondrag_widget.imaging.edge import hard_edge, seam_opacity, soft_edge
from regiondrag_widget.imaging.nearness import within
from regiondrag_widget.imaging.palette import palette_of
from regiondrag_widget.imaging.scaling import out_of_blocks
from regiondrag_widget.regions.box import Box, bounding_box, grown, slices_of, within_box

__all__ = ["Cutout", "cut_out"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

RIM = 2  # pixels of zeros kept around an opacity, for the samples just outside
# how far the place left reaches beyond the object, as a share of its size and in pixels: its edge and
# colour reach farther than any opacity says, and a hole that ends there leaves its outline
GROWTH, LEAST_GROWTH, MOST_LEAST = 0.02, 2.0, 4.0
GROWTH_OF_SIDE = 2 / 256  # of the picture's longer side: small pictures have edges of fewer pixels
MARGIN = 1.0  # pixels, at the size looked at, around what was found: rather too much than too little
SOFT = 1.0  # pixels outside a handle that may be mixed with what it holds
ISLAND = 3.0  # pixels beyond that in which what the surroundings do not have goes too, at most
ISLAND_OF_SIDE = 2 / 256  # of the picture's longer side: small pictures have edges of fewer pixels
EDGE_PAD = 12  # times the pixels an outline may be off, around a handle, that its edge is told from
PAD, LEAST_PAD = 0.3, 32  # around a handle that is looked at too, as a share of its side and in pixels


@dataclass(frozen=True)
class Cutout:
    """What one handle carries, kept inside a box.

    Attributes
    ----------
    box
        X0, y0, x1, y1, the handle's own and a rim of zeros where the picture goes on.
    opacity
        (y1 - y0, x1 - x0) float32 in [0, 1].
    rgb
        (y1 - y0, x1 - x0, 3) uint8, the object's own colours, free of the background at its edge.
    place
        (y1 - y0, x1 - x0) bool, what is emptied when the object leaves, within the handle.
    around
        X0, y0, x1, y1, a larger box.
    remains
        (h, w) bool of that size, what of the object stays outside the handle, its soft edge included: the
        fill must not take it for background.
    verdict
        Why this is carried, one of `carry.VERDICTS`.
    palette
        (n, 3) float32 or None, the picture's few colours where it is drawn and not photographed.
    """

    box: Box
    opacity: Float
    rgb: Pixels
    place: Bool
    around: Box
    remains: Bool
    verdict: str
    palette: Float | None = None

    @property
    def nbytes(self) -> int:
        """Memory taken, in bytes."""
        return self.opacity.nbytes + self.rgb.nbytes + self.place.nbytes + self.remains.nbytes


def cut_out(rgb: Pixels, handle: Bool, carry: Carry = "object", alpha: Pixels | None = None) -> Cutout:
    """What one handle carries, by `carried_of_window` on the part of the picture around it.

    What is carried whole, and all that lies inside an object's edge, keeps the picture's own colours.

    Parameters
    ----------
    rgb
        (H, W, 3) uint8.
    handle
        (H, W) bool with at least one pixel.
    carry
        "object", "painted" or a mask (H, W) bool, see `carried_mask`.
    alpha
        (H, W) uint8, the picture's transparency.
    """
    x0, y0, x1, y1 = bounding_box(handle)
    height, width = handle.shape
    pad = max(LEAST_PAD, round(PAD * max(x1 - x0, y1 - y0)))
    ox, oy = max(0, x0 - pad), max(0, y0 - pad)
    around = slice(oy, y1 + pad), slice(ox, x1 + pad)
    picture, inside = rgb[around], np.ascontiguousarray(handle[around])
    seen = None if alpha is None else np.ascontiguousarray(alpha[around])
    said = carry if isinstance(carry, str) else np.ascontiguousarray(carry[around])
    palette, side = palette_of(picture), max(height, width)
    carried, blocks = carried_of_window(picture, inside, seen, said)
    box = max(0, x0 - RIM), max(0, y0 - RIM), min(width, x1 + RIM), min(height, y1 + RIM)
    kept = box[0] - ox, box[1] - oy, box[2] - ox, box[3] - oy
    if blocks == 1 or carried.whole:
        carried = carried.enlarged(blocks, inside)
        opacity, colours = _edge(np.ascontiguousarray(picture), inside, carried, drawn=palette is not None)
        opacity, colours = opacity[slices_of(kept)].copy(), colours[slices_of(kept)].copy()
        left = _place_left(carried, inside, side)
    else:
        opacity, colours = _large_edge(picture, inside, carried, blocks, kept)
        left = out_of_blocks(_place_left(carried, inside, side, blocks), blocks, inside.shape)
    return Cutout(
        box=box,
        opacity=opacity,
        rgb=colours,
        place=left[slices_of(kept)] & inside[slices_of(kept)],
        around=(ox, oy, ox + inside.shape[1], oy + inside.shape[0]),
        remains=left & ~inside,
        verdict=carried.verdict,
        palette=palette,
    )


def _large_edge(
    picture: Pixels, handle: Bool, carried: Carried, blocks: int, kept: Box
) -> tuple[Float, Pixels]:
    """Opacity and colours of the box that is kept of a large window (H, W).

    Its object was told in a smaller copy, `blocks` pixels to one; its edge is told at full size, where the
    outline runs alone.
    """
    wide = 2 * carried.slack
    pad = blocks * math.ceil(EDGE_PAD * wide)
    x0, y0, x1, y1 = (n - n % blocks for n in grown(kept, pad, handle.shape[:2]))
    x1, y1 = min(x1 + blocks, handle.shape[1]), min(y1 + blocks, handle.shape[0])
    at, near = slices_of((x0, y0, x1, y1)), within(carried.mask, MARGIN * wide)
    small = slices_of((x0 // blocks, y0 // blocks, -(-x1 // blocks), -(-y1 // blocks)))
    outline = out_of_blocks(np.ascontiguousarray(near[small]), blocks, (y1 - y0, x1 - x0))
    around = np.ascontiguousarray(handle[at])
    opacity, colours = soft_edge(picture[at], around & outline, around, blocks * wide)
    at = within_box(kept, (x0, y0, x1, y1))
    return opacity[at], colours[at]


def _edge(rgb: Pixels, handle: Bool, carried: Carried, *, drawn: bool) -> tuple[Float, Pixels]:
    if carried.verdict == "transparent" or drawn:  # an edge of its own: the alpha's, or none at all
        return hard_edge(carried.mask), rgb
    if carried.whole:
        return seam_opacity(handle), rgb
    if carried.verdict == "chosen":
        return soft_edge(rgb, carried.mask, handle)
    wide = 2 * carried.slack
    return soft_edge(rgb, handle & within(carried.mask, MARGIN * wide), handle, wide)


def _place_left(carried: Carried, handle: Bool, side: int, blocks: int = 1) -> Bool:
    """What is emptied in the handle, and what of the object stays outside it, (h, w) bool.

    That is the object with its soft edge and what beside it the surroundings do not have.

    Parameters
    ----------
    carried
        What is carried of the handle.
    handle
        (h, w) bool.
    side
        The picture's longer side in pixels.
    blocks
        Pixels of the picture across one pixel of the handle.
    """
    if carried.whole:
        return within(handle, SOFT)  # drawn along an edge it leaves that edge's blur
    least = min(MOST_LEAST, max(LEAST_GROWTH, GROWTH_OF_SIDE * side)) / blocks
    grow = max(least, GROWTH * float(np.sqrt(carried.mask.sum())), 2 * carried.slack)
    island = min(ISLAND, ISLAND_OF_SIDE * side) / blocks
    beside = within(carried.mask, grow)
    remnants = carried.unlike & within(carried.mask, 2 * grow + island)
    return beside | within(remnants, island) | within(carried.beyond, island)
