"""What all edits of one picture share: its windows, encoded and inverted."""

from __future__ import annotations

import gc
from collections.abc import Callable

import torch
from torch import Tensor

from regiondrag_widget.engine.cache import ByteCache, CacheReport
from regiondrag_widget.engine.coding import Coder
from regiondrag_widget.engine.composites import Composites
from regiondrag_widget.engine.edit_input import EditInput
from regiondrag_widget.engine.encodings import encoded_once
from regiondrag_widget.engine.inversion import Inversion, draw_path_noise, invert, thinned
from regiondrag_widget.engine.position_plan import path_alone
from regiondrag_widget.engine.prepared_window import PreparedWindow
from regiondrag_widget.engine.preview import LatentColours
from regiondrag_widget.engine.stopwatch import Stopwatch
from regiondrag_widget.imaging.picture import Picture
from regiondrag_widget.imaging.sheet import Sheet
from regiondrag_widget.imaging.window import choose_window
from regiondrag_widget.models.backbone import Network
from regiondrag_widget.models.keyvalues import choose_keeping
from regiondrag_widget.models.levels import Levels
from regiondrag_widget.models.model import Model
from regiondrag_widget.models.placement import empty_cache
from regiondrag_widget.models.references import with_picture
from regiondrag_widget.regions import RegionPairs

__all__ = ["PreparedPicture", "whole_size"]


def whole_size(model: Model, shape: tuple[int, int]) -> tuple[int, int]:
    """Height and width, in latent cells, of a whole picture (H, W) as a model works on it.

    The levels of all edits are those of this size, also where a window of the picture is smaller: edits of
    one picture then share them.
    """
    profile, backbone = model.profile, model.backbone
    window = choose_window(
        shape, None, side=profile.side, min_side=profile.min_side, multiple=backbone.multiple
    )
    return window.size[0] // backbone.cell, window.size[1] // backbone.cell


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
    path_noise : (K, C, h, w) Tensor or None
        The draws of the noising path; those of the seed where None.
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
    composites : Composites
        The pixels that edits begin from.
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
        path_noise: Tensor | None,
        cache: ByteCache,
        keeping: str,
        clock: Stopwatch,
    ) -> None:
        self._model, self._network, self._picture, self._levels = model, network, picture, levels
        self._path_noise, self._cache, self._clock = path_noise, cache, clock
        self.coder = Coder(model)
        self.place = "device" if cache.budget("device") else "host"
        self.composites = Composites(self.coder, cache, place=self.place, clock=clock)
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
        empty_cache(self._model.backbone.device)

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
        window = self.window_for(
            given.pairs if len(given.pairs) else None, given.seed, cancelled, inverted=given.inverts
        )
        if len(given.pairs) and given.settings.content == "pixels" and not cancelled():
            sheet = window.draft_sheet
            editable = None if given.editable is None else sheet.mask(given.editable)
            pairs = sheet.pairs(given.pairs)
            self.composites.background_for(sheet, pairs, editable, given.settings, given.seed)

    def window_for(
        self,
        pairs: RegionPairs | None,
        seed: int,
        cancelled: Callable[[], bool] = lambda: False,
        *,
        inverted: bool = True,
    ) -> PreparedWindow:
        """The window that an edit of these pairs works on, encoded and inverted.

        Parameters
        ----------
        pairs : RegionPairs or None
            Masks (H, W) of the picture's size; None for the whole picture.
        seed : int
            Of the noising path.
        cancelled : callable
            Asked between the inversion's batches.
        inverted : bool
            Whether the network is called; otherwise the inversion is the known path alone.

        Raises
        ------
        Cancelled
            `cancelled` returned True.
        """
        weights = self._model.backbone.fingerprint()  # adapters may come and go between two edits
        window = choose_window(
            self._picture.shape,
            None if pairs is None else pairs.box,
            side=self._model.profile.side,
            min_side=self._model.profile.min_side,
            multiple=self._model.backbone.multiple,
            known=[prepared.window for prepared in self._cache.values("window")],
        )
        known: PreparedWindow | None = self._cache.get(("window", window, weights, seed, inverted))
        if known is not None:
            return known
        self._clock.begins("prepare")
        sheet = Sheet.of(self._picture, window)
        with self._clock.stage("encode"):
            latents = encoded_once(self._model.backbone, sheet.working, self.coder.encode)
        with self._clock.stage("inversion"):
            noise = self._path_noise
            if noise is None:
                generator = torch.Generator().manual_seed(seed)
                noise = draw_path_noise(len(self._levels), tuple(latents.shape), generator)
            keeping = self._keeping_for(latents) if inverted else "device"
            noise = noise.to(latents)
            if inverted:
                shown = with_picture(self._network, latents)
                inversion = invert(shown, latents, self._levels, noise, cancelled, keeping)
                self.keys_values = keeping
            else:
                inversion = path_alone(latents, noise, self._levels)
        pixels = torch.from_numpy(sheet.working).permute(2, 0, 1).to(latents.device) / 127.5 - 1
        colours = LatentColours(latents, pixels)
        prepared = PreparedWindow(window, weights, inversion, colours, sheet, sheet.at_working(), {})
        sizes = {"host": inversion.cache.nbytes if keeping == "host" else 0}
        sizes[self.place] = inversion.nbytes - (sizes["host"] if self.place == "device" else 0)
        self._cache.put(("window", window, weights, seed, inverted), prepared, sizes)
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
