"""What an edit paints on: the pixels of a window, at the picture's resolution or a draft's lower one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.picture import Picture
from regiondrag_widget.imaging.window import Window
from regiondrag_widget.regions.box import Box
from regiondrag_widget.regions.framing import framed_mask, framed_pairs
from regiondrag_widget.regions.pairs import RegionPairs

__all__ = ["Sheet"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Sheet:
    """Pixels to paint on and how they lie to the picture and to the working copy.

    Attributes
    ----------
    rgb
        (h, w, 3) uint8.
    alpha
        (h, w) uint8 or None.
    window
        Its box is the whole sheet, its working copy that of the window the sheet was made of.
    origin
        X0, y0, x1, y1, the box of the picture the sheet shows.
    """

    rgb: npt.NDArray[np.uint8]
    alpha: npt.NDArray[np.uint8] | None
    window: Window
    origin: Box

    @classmethod
    def of(cls, picture: Picture, window: Window) -> Sheet:
        """The box of a window, at the picture's own resolution; its pixels are the picture's, not copied."""
        x0, y0, x1, y1 = window.box
        alpha = None if picture.alpha is None else picture.alpha[window.slices]
        own = Window((0, 0, x1 - x0, y1 - y0), window.scale, window.size)
        return cls(picture.rgb[window.slices], alpha, own, window.box)

    @cached_property
    def working(self) -> Float:
        """(H, W, 3) float32 in 0..255, the working copy; not to be written to."""
        return self.window.to_working(self.rgb)

    def at_working(self) -> Sheet:
        """Shrink the sheet to its working copy; itself where that is larger."""
        if self.window.scale >= 1:
            return self
        h, w = self.window.inner
        rgb = np.rint(self.working[:h, :w].clip(0, 255)).astype(np.uint8)
        return Sheet(rgb, None, Window((0, 0, w, h), 1.0, self.window.size), self.origin)

    @property
    def key(self) -> tuple[Box, tuple[int, int], tuple[int, int]]:
        """What tells sheets of one picture apart."""
        return self.origin, self.shape, self.window.size

    @property
    def shape(self) -> tuple[int, int]:
        """(h, w) in pixels."""
        height, width = self.rgb.shape[:2]
        return int(height), int(width)

    def mask(self, mask: Bool) -> Bool:
        """A mask (H, W) of the picture on the sheet: (h, w) bool, every thin part it had still there."""
        return framed_mask(mask, self.origin, self.shape)

    def pairs(self, pairs: RegionPairs) -> RegionPairs:
        """Pairs of the picture on the sheet: masks cut out and shrunk, matrices in the sheet's pixels."""
        return framed_pairs(pairs, self.origin, self.shape)

    def to_picture(self, box: Box) -> Box:
        """A box of the sheet in picture pixels."""
        x0, y0, x1, y1 = self.origin
        sx, sy = (x1 - x0) / self.shape[1], (y1 - y0) / self.shape[0]
        return (
            x0 + round(box[0] * sx),
            y0 + round(box[1] * sy),
            x0 + round(box[2] * sx),
            y0 + round(box[3] * sy),
        )
