"""The pixels that edits begin from: handles cut out, their places filled, composites encoded."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from regiondrag_widget.engine.cache import ByteCache, key_of
from regiondrag_widget.engine.coding import Coder
from regiondrag_widget.engine.prepared_window import PreparedWindow
from regiondrag_widget.engine.requests import (
    BackgroundRequest,
    CompositeRequest,
    CutoutRequest,
    EncodedComposite,
)
from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.engine.stopwatch import Stopwatch
from regiondrag_widget.imaging.background import Background
from regiondrag_widget.imaging.carry import MATTES
from regiondrag_widget.imaging.composite import compose
from regiondrag_widget.imaging.cutout import Cutout
from regiondrag_widget.imaging.sheet import Sheet
from regiondrag_widget.regions import RegionPairs

__all__ = ["Composites"]

Bool = npt.NDArray[np.bool_]

COMPOSITES_KEPT = 4  # a person goes back and forth between a few drawings; a drag makes one with every move
BACKGROUNDS_KEPT = 4


class Composites:
    """Cuts out, fills and composes, and keeps what it made.

    Parameters
    ----------
    coder : Coder
        Encodes the composites.
    cache : ByteCache
        Keeps everything, by bytes.
    place : str
        "device" or "host", where the network computes.
    clock : Stopwatch
        Gets the stages "compose" and "encode".
    """

    def __init__(self, coder: Coder, cache: ByteCache, *, place: str, clock: Stopwatch) -> None:
        self._coder, self._cache, self._place, self._clock = coder, cache, place, clock

    def background_for(
        self, sheet: Sheet, pairs: RegionPairs, editable: Bool | None, settings: EditSettings, seed: int
    ) -> tuple[Background, list[Cutout]]:
        """The sheet without the handles' contents, and the contents; neither depends on the targets.

        Parameters
        ----------
        sheet : Sheet
            What the edit paints on.
        pairs : RegionPairs
            Masks (h, w) of the sheet's size.
        editable : (h, w) bool array, optional
            False where nothing may change.
        settings : EditSettings
            How the edit is made.
        seed : int
            Of the filling.

        Returns
        -------
        background : Background
            The sheet with the handles' places filled.
        cutouts : list of Cutout
            The content of each handle, in order.
        """
        if editable is not None and bool((editable | ~pairs.handle).all()):
            editable = None  # what is protected beside the handles makes no difference here
        handles = tuple(pair.handle for pair in pairs)
        unsaid = MATTES[settings.matte]
        carries = tuple(unsaid if pair.carry is None else pair.carry for pair in pairs)
        keeps = tuple(pair.action == "copy" or (pair.moves and settings.vacated == "keep") for pair in pairs)
        cutouts = tuple(
            self._kept("find", CutoutRequest(sheet, handle, carry))
            for handle, carry in zip(handles, carries, strict=True)
        )
        background: Background = self._kept(
            "fill",
            BackgroundRequest(
                sheet,
                handles,
                carries,
                editable,
                settings.prefill,
                keeps,
                seed,
            ),
            cutouts,
        )
        self._cache.trim("background", BACKGROUNDS_KEPT)
        return background, list(cutouts)

    def encoded(
        self,
        window: PreparedWindow,
        sheet: Sheet,
        pairs: RegionPairs,
        editable: Bool | None,
        settings: EditSettings,
        seed: int,
        *,
        draft: bool = False,
    ) -> EncodedComposite:
        """The composite of pairs on a sheet of a window, encoded.

        Parameters
        ----------
        window, sheet : PreparedWindow, Sheet
            The window, and the sheet of it that is painted on.
        pairs, editable, settings, seed
            As `background_for` takes them.
        draft : bool
            Encode with the draft codec where the model has one.
        """
        cheap = draft and self._coder.has_draft_codec
        request = CompositeRequest(
            sheet,
            window.weights,
            tuple(pairs),
            editable,
            settings.vacated,
            settings.matte,
            settings.method,
            settings.prefill,
            cheap,
            seed,
        )
        key = key_of(request)
        known: EncodedComposite | None = self._cache.get(key)
        if known is not None:
            return known
        with self._clock.stage("compose"):
            background, cutouts = self.background_for(sheet, pairs, editable, settings, seed)
            self._clock.begins("compose")
            composite = compose(
                pairs,
                background,
                cutouts,
                alpha=sheet.alpha,
                editable=editable,
                method=settings.method,
            )
        with self._clock.stage("encode"):
            working = sheet.window.part_to_working(composite.rgb, composite.box, sheet.rgb, sheet.working)
            if cheap:
                latents = self._coder.encode_draft(working, window.sheet.working, window.latents)
            else:
                latents = self._coder.encode(working)
        encoded = EncodedComposite(composite, latents, tuple(cutout.verdict for cutout in cutouts))
        sizes = {"host": composite.nbytes}
        sizes[self._place] = sizes.get(self._place, 0) + latents.nbytes
        self._cache.put(key, encoded, sizes)
        self._cache.trim("composite", COMPOSITES_KEPT)
        return encoded

    def _kept(self, stage: str, request: Any, *made_before: Any) -> Any:
        """What a request asks for, on the host; made where it is not kept yet, in a stage that is told."""
        key = key_of(request)
        known = self._cache.get(key)
        if known is None:
            self._clock.begins(stage)
            made = request.make(*made_before)
            known = self._cache.put(key, made, {"host": made.nbytes})
        return known
