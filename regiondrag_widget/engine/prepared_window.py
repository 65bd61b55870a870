"""One window of a picture, ready to be edited."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from regiondrag_widget.engine.inversion import Inversion
from regiondrag_widget.engine.preview import LatentColours
from regiondrag_widget.imaging.sheet import Sheet
from regiondrag_widget.imaging.window import Window

__all__ = ["PreparedWindow"]


@dataclass(frozen=True)
class PreparedWindow:
    """One window of the picture, encoded and inverted.

    Attributes
    ----------
    window : Window
        Which window.
    weights : tuple
        Fingerprint of the network it was made with.
    inversion : Inversion
        Of the window's latents, at all levels.
    colours : LatentColours
        Shows the window's latents as colour.
    sheet : Sheet
        The window's box at the picture's own resolution; a full edit paints on it.
    draft_sheet : Sheet
        The same at the working resolution where that is lower.
    coarse : dict of Inversion
        Inversions of fewer levels, by their number of network calls; filled on demand.
    """

    window: Window
    weights: tuple[object, ...]
    inversion: Inversion
    colours: LatentColours
    sheet: Sheet
    draft_sheet: Sheet
    coarse: dict[int, Inversion]

    @property
    def latents(self) -> Tensor:
        """(C, h, w) float32 clean latents."""
        return self.inversion.latents[0]

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w), the latent cells."""
        h, w = self.latents.shape[-2:]
        return h, w
