"""The picture without what the handles carry: their objects taken out and the places filled.

It depends on the handles alone: a target then costs the warp of its content.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.cutout import Cutout
from regiondrag_widget.imaging.fill import Fill, exemplar_fill, mixed_fill
from regiondrag_widget.imaging.palette import onto_palette
from regiondrag_widget.imaging.scaling import hole_window
from regiondrag_widget.imaging.smooth import smooth_fill
from regiondrag_widget.regions.box import Box, bounding_box, grown, slices_of, union_of, within_box

__all__ = ["Background", "empty"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Background:
    """The picture without what the handles carry; independent of where that goes.

    Only a box of it is held, the rest being the picture's own.

    Attributes
    ----------
    box
        X0, y0, x1, y1, the hole and a pixel around it; empty without a hole.
    rgb
        (y1 - y0, x1 - x0, 3) float32 in 0..255.
    alpha
        (y1 - y0, x1 - x0) float32 in 0..255 or None, the picture's transparency where it is not the same
        everywhere.
    hole
        (y1 - y0, x1 - x0) bool, the place that was filled.
    source_offset
        (y1 - y0, x1 - x0, 2) float32 x, y or None: from each pixel of the hole to the one it was copied from.
    doubt
        (y1 - y0, x1 - x0) float32 in [0, 1], how far the diffusion model must change the hole's first
        content.
    picture
        (H, W, 3) uint8, the picture itself.
    """

    box: Box
    rgb: Float
    alpha: Float | None
    hole: Bool
    source_offset: Float | None
    doubt: Float
    picture: Pixels

    @property
    def nbytes(self) -> int:
        """Memory taken beyond that of the picture, in bytes."""
        return sum(
            a.nbytes
            for a in (self.rgb, self.alpha, self.hole, self.source_offset, self.doubt)
            if a is not None
        )


def empty(
    rgb: Pixels,
    handles: Sequence[Bool],
    cutouts: Sequence[Cutout],
    *,
    alpha: Pixels | None = None,
    editable: Bool | None = None,
    kept: Sequence[bool] = (),
    prefill: str = "mixed",
    seed: int = 0,
) -> Background:
    """Take out of the picture what the handles carry and fill the place.

    Parameters
    ----------
    rgb
        (H, W, 3) uint8.
    handles
        (H, W) bool each.
    cutouts
        Those of `cut_out`, in the same order.
    alpha
        (H, W) uint8, the picture's transparency.
    editable
        (H, W) bool, False keeps the picture's own pixel.
    kept
        For each handle whether its content stays where it is (a copy instead of a move); none does when left
        out.
    prefill
        See `EditSettings`.
    seed
        Of the texture's search.
    """
    varies = alpha is not None and alpha.min() != alpha.max()
    hole = np.zeros(rgb.shape[:2], bool)
    kept = tuple(kept) or (False,) * len(handles)
    remains = np.zeros_like(hole)
    emptied = [(h, c) for h, c, stays in zip(handles, cutouts, kept, strict=True) if not stays]
    for handle, cutout in emptied:
        hole[slices_of(cutout.box)] |= cutout.place & handle[slices_of(cutout.box)]
        remains[slices_of(cutout.around)] |= cutout.remains
    if editable is not None:
        hole &= editable
    at = slices_of(union_of([cutout.box for _, cutout in emptied]))  # beside it there is no hole
    remains[at] &= ~hole[at]
    if not hole[at].any():
        none = np.zeros((0, 0), np.float32)
        colours = np.zeros((0, 0, 3), np.float32)
        return Background((0, 0, 0, 0), colours, none if varies else None, hole[:0, :0], None, none, rgb)
    hidden = remains | (alpha == 0) if varies else remains
    if prefill != "smooth":
        fill = mixed_fill if prefill == "mixed" else exemplar_fill
        first = fill(rgb, hole, hidden, seed=seed)
    else:
        first = _smooth(rgb, hole, hole | hidden)
    at = slices_of(first.box)
    shown = hole[at].copy()
    palettes = [cutout.palette for _, cutout in emptied]
    if len(palettes) == 1 and palettes[0] is not None:
        first.rgb[shown] = onto_palette(first.rgb[shown], palettes[0])
    transparency = None
    if alpha is not None and varies:
        transparency = _smooth(alpha, hole, hole | remains).rgb[..., 0].copy()
    return Background(first.box, first.rgb, transparency, shown, first.source_offset, first.doubt, rgb)


def _smooth(rgb: Pixels, hole: Bool, unknown: Bool) -> Fill:
    """The hole of a picture (H, W[, 3]), and what else is unknown, continued smoothly."""
    box = grown(bounding_box(hole), 1, (hole.shape[0], hole.shape[1]))
    rows, columns = window = hole_window(unknown, 16, 0.1)  # all that is looked at
    around = rgb[window] if rgb.ndim == 3 else np.repeat(rgb[window][..., None], 3, -1)
    shown = hole[slices_of(box)]
    outer = (columns.start, rows.start, columns.stop, rows.stop)
    at = within_box(box, outer)
    smooth = np.where(shown[..., None], smooth_fill(around, unknown[window])[at], around[at])
    return Fill(box, smooth.astype(np.float32), None, shown.astype(np.float32))
