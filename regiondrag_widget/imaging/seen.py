"""What is looked at of a window: itself, or of a large one a smaller copy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.scaling import any_of_blocks, mean_of_blocks

__all__ = ["Seen", "blocks_for"]

Bool = npt.NDArray[np.bool_]
Picture = npt.NDArray[np.float32] | npt.NDArray[np.uint8]

SIDE = 1536  # windows of twice that and more are looked at in a copy that is at least as large


@dataclass(frozen=True)
class Seen:
    """A window, or a smaller copy of it.

    Attributes
    ----------
    rgb
        (h, w, 3) uint8, or float32 in 0..255.
    hole, forbidden
        (h, w) bool; of a smaller copy each block that any of the window's falls into.
    blocks
        Pixels of the window across one pixel of the copy.
    """

    rgb: Picture
    hole: Bool
    forbidden: Bool
    blocks: int = 1

    @classmethod
    def of(cls, rgb: Picture, hole: Bool, forbidden: Bool) -> Seen:
        """Look at a window (H, W): at itself where it is no larger than searches use."""
        blocks = blocks_for(hole.shape, SIDE)
        if blocks == 1:
            return cls(rgb, hole, forbidden)
        small = any_of_blocks(hole, blocks)
        return cls(mean_of_blocks(rgb, blocks), small, any_of_blocks(forbidden, blocks) & ~small, blocks)

    @property
    def whole(self) -> tuple[int, int]:
        """(height, width) of the window that is shown, the last blocks counted whole."""
        return self.hole.shape[0] * self.blocks, self.hole.shape[1] * self.blocks


def blocks_for(shape: tuple[int, ...], side: int) -> int:
    """Pixels across one of a copy whose longer side is at least `side`, and less than twice that.

    A power of two, from 1.
    """
    return 1 << (max(1, max(shape) // side).bit_length() - 1)
