"""One edit on one sheet: what every way of making it works from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from regiondrag_widget.engine.inversion import Inversion
from regiondrag_widget.engine.prepared_window import PreparedWindow
from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.imaging.sheet import Sheet
from regiondrag_widget.imaging.window import Box, slices_of
from regiondrag_widget.regions import RegionPairs

__all__ = ["EditTask"]

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class EditTask:
    """One edit on one sheet.

    Attributes
    ----------
    window, sheet : PreparedWindow, Sheet
        The window, and the sheet of it that is painted on.
    inversion : Inversion
        With the levels that are visited.
    pairs, editable : RegionPairs, (h, w) bool array or None
        As `EditInput` has them, masks of the sheet's size.
    settings, seed, rng : EditSettings, int, torch.Generator
        As `EditInput` has them.
    draft : bool
        Whether this is a draft and not the full edit.
    """

    window: PreparedWindow
    sheet: Sheet
    inversion: Inversion
    pairs: RegionPairs
    editable: Bool | None
    settings: EditSettings
    seed: int
    rng: torch.Generator
    draft: bool

    @cached_property
    def drawn(self) -> Bool:
        """(h, w) bool, all handles and targets."""
        return self.pairs.handle | self.pairs.target

    @cached_property
    def box(self) -> Box:
        """x0, y0, x1, y1 of all handles and targets."""
        return self.pairs.box

    @property
    def touched(self) -> Bool:
        """(h, w) bool, what the edit may change."""
        return self.drawn if self.editable is None else self.drawn & self.editable

    @property
    def touched_in_box(self) -> Bool:
        """What the edit may change, of the box of all handles and targets."""
        drawn = self.pairs.drawn_in(self.box)
        return drawn if self.editable is None else drawn & self.editable[slices_of(self.box)]
