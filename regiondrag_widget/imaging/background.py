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
from regiondrag_widget.imaging.smooth import smooth_fill
from regiondrag_widget.regions.box import slices_of

__all__ = ["Background", "empty"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Background:
    """The picture without what the handles carry; independent of where that goes.

    Attributes
    ----------
    rgb
        (H, W, 3) float32 in 0..255.
    alpha
        (H, W) float32 in 0..255 or None, the picture's transparency where it is not the same everywhere.
    hole
        (H, W) bool, the place that was filled.
    source_offset
        (H, W, 2) float32 x, y or None: from each pixel of the hole to the one it was copied from.
    doubt
        (H, W) float32 in [0, 1], how far the diffusion model must change the hole's first content.
    picture
        (H, W, 3) uint8, the picture itself.
    """

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
    picture = rgb.astype(np.float32)
    uniform = alpha is None or alpha.min() == alpha.max()
    transparency = None if alpha is None or uniform else alpha.astype(np.float32)
    hole = np.zeros(rgb.shape[:2], bool)
    kept = tuple(kept) or (False,) * len(handles)
    if all(kept):
        return Background(picture, transparency, hole, None, hole.astype(np.float32), rgb)
    remains = np.zeros_like(hole)
    emptied = [(h, c) for h, c, stays in zip(handles, cutouts, kept, strict=True) if not stays]
    for handle, cutout in emptied:
        hole[slices_of(cutout.box)] |= cutout.place & handle[slices_of(cutout.box)]
        remains[slices_of(cutout.around)] |= cutout.remains
    if editable is not None:
        hole &= editable
    remains &= ~hole
    hidden = remains if transparency is None else remains | (transparency == 0)
    if prefill != "smooth":
        fill = mixed_fill if prefill == "mixed" else exemplar_fill
        first = fill(picture, hole, hidden & ~hole, seed=seed, overwrite=True)
    else:
        smooth = np.where(hole[..., None], smooth_fill(picture, hole | hidden), picture)
        first = Fill(smooth, None, hole.astype(np.float32))
    palettes = [cutout.palette for _, cutout in emptied]
    if len(palettes) == 1 and palettes[0] is not None:
        first.rgb[hole] = onto_palette(first.rgb[hole], palettes[0])
    if transparency is not None:
        grey = np.repeat(transparency[..., None], 3, -1)
        transparency = np.where(hole, smooth_fill(grey, hole | remains)[..., 0], transparency)
    return Background(first.rgb, transparency, hole, first.source_offset, first.doubt, rgb)
