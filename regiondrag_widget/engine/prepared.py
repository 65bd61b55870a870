"""What all edits of one picture share: its windows inverted, its handles cut out, its composites."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regiondrag_widget.engine.cache import ByteCache, CacheReport, key_of
from regiondrag_widget.engine.coding import Coder
from regiondrag_widget.engine.edit_input import EditInput
from regiondrag_widget.engine.inversion import Inversion, draw_path_noise, invert, thinned
from regiondrag_widget.engine.preview import LatentColours
from regiondrag_widget.engine.requests import (
    BackgroundRequest,
    CompositeRequest,
    CutoutRequest,
    EncodedComposite,
)
from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.engine.stopwatch import Stopwatch
from regiondrag_widget.imaging.background import Background
from regiondrag_widget.imaging.composite import compose
from regiondrag_widget.imaging.cutout import Cutout
from regiondrag_widget.imaging.picture import Picture
from regiondrag_widget.imaging.sheet import Sheet
from regiondrag_widget.imaging.window import Window, bounding_box, choose_window
from regiondrag_widget.models.backbone import Network
from regiondrag_widget.models.keyvalues import choose_keeping
from regiondrag_widget.models.levels import Levels
from regiondrag_widget.models.model import Model
from regiondrag_widget.regions import RegionPairs

__all__ = ["PreparedPicture", "PreparedWindow"]

Bool = npt.NDArray[np.bool_]

COMPOSITES_KEPT = 4  # a person goes back and forth between a few drawings; a drag makes one with every move
BACKGROUNDS_KEPT = 4


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


class PreparedPicture:
    """Computes what the edits of one picture share and keeps it.

    Parameters
    ----------
    model, network : Model, Network
        The model, and its network under the prompt's condition.
    picture : Picture
        What is edited.
    levels : Levels
        The levels every inversion visits.
    seed, path_noise : int, (K, C, h, w) Tensor or None
        Of the noising path; the draws themselves where given.
    cache : ByteCache
        Keeps everything, by bytes; the least recently used is dropped first.
    keeping : str
        Where keys and values go, one of `KEEPING`.
    clock : Stopwatch
        Gets the stages "encode", "inversion" and "compose".

    Attributes
    ----------
    coder : Coder
        Between pixels and latents.
    place : str
        "device" or "host", where the network computes.
    keys_values : str
        Where the latest inversion's keys and values are; "" before the first.
    """

    def __init__(
        self,
        model: Model,
        network: Network,
        picture: Picture,
        levels: Levels,
        *,
        seed: int,
        path_noise: Tensor | None,
        cache: ByteCache,
        keeping: str,
        clock: Stopwatch,
    ) -> None:
        self._model, self._network, self._picture, self._levels = model, network, picture, levels
        self._seed, self._path_noise, self._cache, self._clock = seed, path_noise, cache, clock
        self.coder = Coder(model)
        self.place = "device" if cache.budget("device") else "host"
        self._keeping, self.keys_values = keeping, ""

    def report(self) -> CacheReport:
        """What is kept, where, and how much may be; safe to call from any thread."""
        cache = self._cache
        return CacheReport(
            budget=cache.budget(self.place),
            used=cache.used(self.place),
            host_budget=cache.budget("host"),
            host_used=cache.used("host"),
            entries=cache.counts(),
            keys_values=self.keys_values,
        )

    def shrink(self) -> None:
        """Halve what may be kept and drop what no longer fits."""
        self._cache.shrink()
        gc.collect()
        if self._model.backbone.device.type == "cuda":
            torch.cuda.empty_cache()

    def prepare(self, given: EditInput, cancelled: Callable[[], bool]) -> None:
        """Compute what an edit of these handles needs, wherever its targets will be.

        Parameters
        ----------
        given : EditInput
            The edit; without pairs the whole picture is prepared.
        cancelled : callable
            Asked between the inversion's batches and after them.

        Raises
        ------
        Cancelled
            `cancelled` returned True during the inversion.
        """
        window = self.window_for(given.pairs if len(given.pairs) else None, cancelled)
        if len(given.pairs) and given.settings.content == "pixels" and not cancelled():
            sheet = window.draft_sheet
            editable = None if given.editable is None else sheet.mask(given.editable)
            self.background_for(sheet, sheet.pairs(given.pairs), editable, given.settings)

    def window_for(
        self, pairs: RegionPairs | None, cancelled: Callable[[], bool] = lambda: False
    ) -> PreparedWindow:
        """The window that an edit of these pairs works on, encoded and inverted.

        Parameters
        ----------
        pairs : RegionPairs or None
            Masks (H, W) of the picture's size; None for the whole picture.
        cancelled : callable
            Asked between the inversion's batches.

        Raises
        ------
        Cancelled
            `cancelled` returned True.
        """
        weights = self._model.backbone.fingerprint()  # adapters may come and go between two edits
        window = choose_window(
            self._picture.shape,
            None if pairs is None else bounding_box(pairs.handle | pairs.target),
            side=self._model.profile.side,
            min_side=self._model.profile.min_side,
            multiple=self._model.backbone.multiple,
            known=[prepared.window for prepared in self._cache.values("window")],
        )
        known: PreparedWindow | None = self._cache.get(("window", window, weights))
        if known is not None:
            return known
        sheet = Sheet.of(self._picture, window)
        with self._clock.stage("encode"):
            working = window.to_working(sheet.rgb.astype(np.float32))
            latents = self.coder.encode(working)
        with self._clock.stage("inversion"):
            noise = self._path_noise
            if noise is None:
                generator = torch.Generator().manual_seed(self._seed)
                noise = draw_path_noise(len(self._levels), tuple(latents.shape), generator)
            keeping = self._keeping_for(latents)
            inversion = invert(self._network, latents, self._levels, noise.to(latents), cancelled, keeping)
            self.keys_values = keeping
        pixels = torch.from_numpy(working).permute(2, 0, 1).to(latents.device) / 127.5 - 1
        colours = LatentColours(latents, pixels)
        prepared = PreparedWindow(window, weights, inversion, colours, sheet, sheet.at_working(working), {})
        sizes = {"host": inversion.cache.nbytes if keeping == "host" else 0}
        sizes[self.place] = inversion.nbytes - (sizes["host"] if self.place == "device" else 0)
        self._cache.put(("window", window, weights), prepared, sizes)
        return prepared

    def _keeping_for(self, latents: Tensor) -> str:
        """Where the keys and values of a window with these latents (C, h, w) go."""
        if self._keeping != "auto":
            return self._keeping
        h, w = latents.shape[-2:]
        needed = len(self._levels) * self._network.level_bytes(h, w)
        budgets = {place: self._cache.budget(place) for place in {self.place, "host"}}
        return choose_keeping(needed, budgets)

    def inversion_of(self, prepared: PreparedWindow, calls: int | None) -> Inversion:
        """A window's inversion.

        Parameters
        ----------
        prepared : PreparedWindow
            The window.
        calls : int or None
            Levels to visit at most, from 1; None for all.
        """
        if calls is None or calls >= len(self._levels):
            return prepared.inversion
        if calls not in prepared.coarse:
            prepared.coarse[calls] = thinned(prepared.inversion, calls, self._network.prediction_type)
        return prepared.coarse[calls]

    def background_for(
        self, sheet: Sheet, pairs: RegionPairs, editable: Bool | None, settings: EditSettings
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
        cutouts = tuple(self._kept(CutoutRequest(sheet, handle, settings.matte)) for handle in handles)
        background: Background = self._kept(
            BackgroundRequest(
                sheet,
                handles,
                editable,
                settings.matte,
                settings.prefill,
                settings.vacated == "keep",
                self._seed,
            ),
            cutouts,
        )
        self._cache.trim("background", BACKGROUNDS_KEPT)
        return background, list(cutouts)

    def composite_for(
        self,
        prepared: PreparedWindow,
        sheet: Sheet,
        pairs: RegionPairs,
        editable: Bool | None,
        settings: EditSettings,
        *,
        draft: bool = False,
    ) -> EncodedComposite:
        """The composite of pairs on a sheet of a window, encoded.

        Parameters
        ----------
        prepared, sheet : PreparedWindow, Sheet
            The window, and the sheet of it that is painted on.
        pairs, editable, settings
            As `background_for` takes them.
        draft : bool
            Encode with the draft codec where the model has one.
        """
        cheap = draft and self.coder.has_draft_codec
        request = CompositeRequest(
            sheet,
            prepared.weights,
            tuple(pairs),
            editable,
            settings.vacated,
            settings.matte,
            settings.method,
            settings.prefill,
            cheap,
        )
        key = key_of(request)
        known: EncodedComposite | None = self._cache.get(key)
        if known is not None:
            return known
        with self._clock.stage("compose"):
            background, cutouts = self.background_for(sheet, pairs, editable, settings)
            composite = compose(
                pairs,
                background,
                cutouts,
                alpha=sheet.alpha,
                editable=editable,
                method=settings.method,
            )
        with self._clock.stage("encode"):
            working = sheet.window.to_working(composite.rgb)
            if cheap:
                before = prepared.window.to_working(prepared.sheet.rgb.astype(np.float32))
                latents = self.coder.encode_draft(working, before, prepared.latents)
            else:
                latents = self.coder.encode(working)
        encoded = EncodedComposite(composite, latents)
        sizes = {"host": composite.nbytes}
        sizes[self.place] = sizes.get(self.place, 0) + latents.nbytes
        self._cache.put(key, encoded, sizes)
        self._cache.trim("composite", COMPOSITES_KEPT)
        return encoded

    def _kept(self, request: Any, *made_before: Any) -> Any:
        """What a request asks for, on the host; made where it is not kept yet."""
        key = key_of(request)
        known = self._cache.get(key)
        if known is None:
            made = request.make(*made_before)
            known = self._cache.put(key, made, {"host": made.nbytes})
        return known
