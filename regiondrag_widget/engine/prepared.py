"""What all edits of one picture share: its windows inverted, its handles cut out, its composites."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regiondrag_widget.engine.cache import ByteCache, key_of
from regiondrag_widget.engine.coding import Coder
from regiondrag_widget.engine.inversion import Inversion, draw_path_noise, invert, thinned
from regiondrag_widget.engine.preview import LatentColours
from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.engine.stopwatch import Stopwatch
from regiondrag_widget.imaging.background import Background, empty
from regiondrag_widget.imaging.carry import MATTES, Carry
from regiondrag_widget.imaging.composite import Composite, compose
from regiondrag_widget.imaging.cutout import Cutout, cut_out
from regiondrag_widget.imaging.picture import Picture
from regiondrag_widget.imaging.sheet import Sheet
from regiondrag_widget.imaging.window import Window, bounding_box, choose_window
from regiondrag_widget.models.backbone import Network
from regiondrag_widget.models.keyvalues import choose_keeping
from regiondrag_widget.models.levels import Levels
from regiondrag_widget.models.model import Model
from regiondrag_widget.regions import RegionPair, RegionPairs

__all__ = ["EncodedComposite", "PreparedPicture", "PreparedWindow"]

Bool = npt.NDArray[np.bool_]

COMPOSITES_KEPT = 4  # a person goes back and forth between a few drawings; a drag makes one with every move
BACKGROUNDS_KEPT = 4


@dataclass(frozen=True)
class PreparedWindow:
    """One window of the picture, encoded and inverted.

    weights : fingerprint of the network it was made with
    sheet : the window's box at the picture's own resolution, what a full edit paints on
    draft_sheet : the same at the working resolution where that is lower
    colours : shows the window's latents as colour
    coarse : inversions of fewer levels, by their number of network calls; filled as they are asked for
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


@dataclass(frozen=True)
class EncodedComposite:
    """The composite of one set of regions on one sheet, and its latents (C, h, w) float32."""

    composite: Composite
    latents: Tensor


@dataclass(frozen=True, eq=False)
class CutoutRequest:
    """What the content of one handle, cut out of a sheet, depends on."""

    kind: ClassVar = "cutout"
    sheet: Sheet
    handle: Bool
    carry: Carry

    def make(self) -> Cutout:
        """Cut it out."""
        return cut_out(self.sheet.rgb, self.handle, self.carry, self.sheet.alpha)


@dataclass(frozen=True, eq=False)
class BackgroundRequest:
    """What a sheet without its handles' contents depends on."""

    kind: ClassVar = "background"
    sheet: Sheet
    handles: tuple[Bool, ...]
    carries: tuple[Carry, ...]
    editable: Bool | None
    prefill: str
    keeps: bool
    seed: int

    def make(self, cutouts: Sequence[Cutout]) -> Background:
        """Take the contents out and fill their places; `cutouts` are those of the handles, in order."""
        return empty(
            self.sheet.rgb,
            list(self.handles),
            list(cutouts),
            alpha=self.sheet.alpha,
            editable=self.editable,
            vacated="keep" if self.keeps else "fill",
            prefill=self.prefill,
            seed=self.seed,
        )


@dataclass(frozen=True, eq=False)
class CompositeRequest:
    """What an encoded composite depends on.

    weights : fingerprint of the network that encodes it
    cheap : whether the draft codec encodes it
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


class PreparedPicture:
    """Computes what an edit needs of one picture and keeps it; the least recently used goes first.

    model, network : the model, and its network under the prompt's condition
    seed, path_noise : of the noising path; the draws (K, C, h, w) themselves where given
    cache : keeps everything, by bytes
    keeping : where keys and values go, one of `KEEPING`
    clock : gets the stages "encode", "inversion" and "compose"

    coder : between pixels and latents
    place : "device" or "host", where the network computes
    keys_values : where the latest inversion's keys and values are; "" before the first
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

    def window_for(
        self, pairs: RegionPairs | None, cancelled: Callable[[], bool] = lambda: False
    ) -> PreparedWindow:
        """The window that an edit of these pairs works on, encoded and inverted; None for the whole picture.

        Raises Cancelled where `cancelled`, asked between the inversion's batches, says so.
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
        """The window's inversion, or one of it with at most `calls` levels."""
        if calls is None or calls >= len(self._levels):
            return prepared.inversion
        if calls not in prepared.coarse:
            prepared.coarse[calls] = thinned(prepared.inversion, calls, self._network.prediction_type)
        return prepared.coarse[calls]

    def background_for(
        self, sheet: Sheet, pairs: RegionPairs, editable: Bool | None, settings: EditSettings
    ) -> tuple[Background, list[Cutout]]:
        """The sheet without what the handles carry, and that itself: independent of the targets.

        pairs : masks (H, W) of the sheet's size
        editable : (H, W) bool, False where nothing may change; None for everywhere
        """
        if editable is not None and bool((editable | ~pairs.handle).all()):
            editable = None  # what is protected beside the handles makes no difference here
        handles = tuple(pair.handle for pair in pairs)
        by_default = MATTES[settings.matte]
        carries = tuple(by_default if pair.carry is None else pair.carry for pair in pairs)
        cutouts = tuple(
            self._kept(CutoutRequest(sheet, handle, carry))
            for handle, carry in zip(handles, carries, strict=True)
        )
        background: Background = self._kept(
            BackgroundRequest(
                sheet,
                handles,
                carries,
                editable,
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
        """The composite of pairs on a sheet of a window, encoded; by the cheap encoder for a draft.

        pairs : masks (H, W) of the sheet's size
        editable : (H, W) bool of that size, False where nothing may change; None for everywhere
        """
        cheap = draft and self.coder.has_cheap_encoder
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
        """What a request asks for, on the host, made where it is not kept."""
        key = key_of(request)
        known = self._cache.get(key)
        if known is None:
            made = request.make(*made_before)
            known = self._cache.put(key, made, {"host": made.nbytes})
        return known
