"""What is kept of a picture's edits, and all that each of these depends on: the keys of the cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from torch import Tensor

from regiondrag_widget.imaging.background import Background, empty
from regiondrag_widget.imaging.carry import Carry
from regiondrag_widget.imaging.composite import Composite
from regiondrag_widget.imaging.cutout import Cutout, cut_out
from regiondrag_widget.imaging.sheet import Sheet
from regiondrag_widget.regions import RegionPair

__all__ = ["BackgroundRequest", "CompositeRequest", "CutoutRequest", "EncodedComposite"]

Bool = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class EncodedComposite:
    """The composite of one set of regions on one sheet, encoded.

    Attributes
    ----------
    composite : Composite
        In pixels of the sheet.
    latents : (C, h, w) float32 Tensor
        Of its working copy.
    verdicts : tuple of str
        Why each pair carries what it does, keys of `carry.VERDICTS`.
    """

    composite: Composite
    latents: Tensor
    verdicts: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class CutoutRequest:
    """What the content of one handle, cut out of a sheet, depends on.

    Attributes
    ----------
    sheet : Sheet
        What it is cut out of.
    handle : (h, w) bool array
        The handle, of the sheet's size.
    carry : Carry
        What of the handle is carried.
    """

    kind: ClassVar = "cutout"
    sheet: Sheet
    handle: Bool
    carry: Carry

    def make(self) -> Cutout:
        """Cut the content out."""
        return cut_out(self.sheet.rgb, self.handle, self.carry, self.sheet.alpha)


@dataclass(frozen=True, eq=False)
class BackgroundRequest:
    """What a sheet without its handles' contents depends on.

    Attributes
    ----------
    sheet : Sheet
        What the contents are taken from.
    handles : tuple of (h, w) bool array
        Of the sheet's size.
    carries : tuple of Carry
        What of each handle is carried.
    editable : (h, w) bool array, optional
        False where nothing may change.
    prefill : str
        See `EditSettings`.
    keeps : tuple of bool
        For each handle whether its place keeps its content.
    seed : int
        Of the filling.
    """

    kind: ClassVar = "background"
    sheet: Sheet
    handles: tuple[Bool, ...]
    carries: tuple[Carry, ...]
    editable: Bool | None
    prefill: str
    keeps: tuple[bool, ...]
    seed: int

    def make(self, cutouts: Sequence[Cutout]) -> Background:
        """Take the contents out and fill their places.

        Parameters
        ----------
        cutouts : sequence of Cutout
            Those of the handles, in order.
        """
        return empty(
            self.sheet.rgb,
            list(self.handles),
            list(cutouts),
            alpha=self.sheet.alpha,
            editable=self.editable,
            kept=self.keeps,
            prefill=self.prefill,
            seed=self.seed,
        )


@dataclass(frozen=True, eq=False)
class CompositeRequest:
    """What an encoded composite depends on.

    Attributes
    ----------
    sheet : Sheet
        What the edit paints on.
    weights : tuple
        Fingerprint of the network that encodes it.
    pairs : tuple of RegionPair
        Masks (h, w) of the sheet's size.
    editable : (h, w) bool array, optional
        False where nothing may change.
    vacated, matte, method, prefill : str
        See `EditSettings`.
    cheap : bool
        Whether the draft codec encodes it.
    seed : int
        Of the filling.
    """

    kind: ClassVar = "composite"
    sheet: Sheet
    weights: tuple[object, ...]
    pairs: tuple[RegionPair, ...]
    editable: Bool | None
    vacated: str
    matte: str
    method: str
    prefill: str
    cheap: bool
    seed: int
