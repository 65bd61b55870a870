"""What an edit has painted, and laying it over the pixels it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from regiondrag_widget.imaging.picture import Picture
from regiondrag_widget.imaging.scaling import lay
from regiondrag_widget.imaging.sheet import Sheet
from regiondrag_widget.imaging.strips import in_strips
from regiondrag_widget.imaging.window import Box, slices_of

__all__ = ["Painted"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Painted:
    """What an edit has painted on its sheet.

    Attributes
    ----------
    sheet : Sheet
        What it painted on.
    box : (x0, y0, x1, y1)
        In the sheet's pixels: the bounding box of all that was touched.
    touched : (y1 - y0, x1 - x0) bool
        Where the painting counts.
    rgb : (y1 - y0, x1 - x0, 3) float32
        In 0..255, but for overshoot.
    alpha : (y1 - y0, x1 - x0) float32, optional
        In 0..255; None where the transparency stays.
    calls : int
        Network calls made.
    previews : sequence of (h, w, 3) uint8
        One of every step, rendered when asked for; none of a draft.
    verdicts : tuple of str
        Why each pair carried what it did, keys of `carry.VERDICTS`.
    """

    sheet: Sheet
    box: Box
    touched: Bool
    rgb: Float
    alpha: Float | None
    calls: int
    previews: Sequence[Bytes]
    verdicts: tuple[str, ...] = ()

    def over(self, picture: Picture) -> Image.Image:
        """The picture with the painting laid over it; only what was touched differs.

        Parameters
        ----------
        picture : Picture
            What the sheet was taken from. The sheet must have the picture's own resolution.
        """
        x0, y0, x1, y1 = self.box
        left, top = self.sheet.origin[:2]
        box = left + x0, top + y0, left + x1, top + y1
        at = slices_of(box)
        rgb = picture.rgb[at].copy()
        self._lay(self.rgb, rgb)
        edited = picture.to_pil()
        part = Image.fromarray(rgb)
        if picture.alpha is not None:
            alpha = picture.alpha[at].copy()
            if self.alpha is not None:
                self._lay(self.alpha, alpha)
            part.putalpha(Image.fromarray(alpha))
        edited.paste(part, box)
        return edited

    def over_sheet(self, margin: int) -> tuple[Bytes, Box]:
        """The sheet around the painting, with the painting laid over it.

        Parameters
        ----------
        margin : int
            Pixels of the sheet shown beyond the box, where the sheet has them.

        Returns
        -------
        rgb : (h, w, 3) uint8
        box : (x0, y0, x1, y1)
            Where they lie, in the sheet's pixels.
        """
        h, w = self.sheet.shape
        x0, y0, x1, y1 = self.box
        box = max(0, x0 - margin), max(0, y0 - margin), min(w, x1 + margin), min(h, y1 + margin)
        rgb = self.sheet.rgb[slices_of(box)].copy()
        self._lay(self.rgb, rgb[y0 - box[1] : y1 - box[1], x0 - box[0] : x1 - box[0]])
        return rgb, box

    def _lay(self, values: Float, onto: Bytes) -> None:
        """Write values of the box's size into a view of pixels, where something was touched."""

        def lay_rows(rows: slice) -> None:
            lay(np.rint(values[rows].clip(0, 255)).astype(np.uint8), onto[rows], self.touched[rows])

        in_strips(lay_rows, slice(0, values.shape[0]), values.shape[1])
