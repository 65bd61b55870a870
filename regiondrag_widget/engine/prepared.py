"""What all edits of one picture share: its views encoded and inverted, and composites of it encoded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from regiondrag_widget.engine.backbones.unet import UNetNetwork
from regiondrag_widget.engine.composite import Composite, compose
from regiondrag_widget.engine.images import Picture
from regiondrag_widget.engine.levels import Levels
from regiondrag_widget.engine.path import Inversion, draw_path_noise, invert
from regiondrag_widget.engine.preview import LatentColours
from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.engine.timing import Stopwatch
from regiondrag_widget.engine.view import View, bounding_box, choose_view
from regiondrag_widget.regions import RegionPairs

if TYPE_CHECKING:
    from regiondrag_widget.engine.pipeline import RegionDragPipeline

__all__ = ["EncodedComposite", "PreparedPicture", "PreparedView"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

COMPOSITES_KEPT = 4  # a person goes back and forth between a few drawings


@dataclass(frozen=True)
class PreparedView:
    """One view of the picture, encoded and inverted; `colours` shows its latents as colour."""

    view: View
    inversion: Inversion
    colours: LatentColours

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
    """The composite of one set of regions in one view, and its latents (C, h, w) float32."""

    composite: Composite
    latents: Tensor


class PreparedPicture:
    """Computes what an edit needs of one picture and keeps it; the least recently used goes first.

    pipe, network : the model, and its UNet under the prompt's condition
    seed, path_noise : of the noising path; the draws (K, C, h, w) themselves where given
    max_bytes : memory the kept inversions may take; the latest stays whatever its size
    clock : gets the stages "encode", "inversion" and "compose"
    """

    def __init__(
        self,
        pipe: RegionDragPipeline,
        network: UNetNetwork,
        picture: Picture,
        levels: Levels,
        *,
        seed: int,
        path_noise: Tensor | None,
        max_bytes: int,
        clock: Stopwatch,
    ) -> None:
        self._pipe, self._network, self._picture, self._levels = pipe, network, picture, levels
        self._seed, self._path_noise, self._max_bytes, self._clock = seed, path_noise, max_bytes, clock
        self._views: OrderedDict[View, PreparedView] = OrderedDict()
        self._composites: OrderedDict[Any, EncodedComposite] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """Memory the kept inversions take, in bytes."""
        return sum(prepared.inversion.nbytes for prepared in self._views.values())

    def view_for(self, pairs: RegionPairs | None) -> PreparedView:
        """The view that an edit of these pairs works on, encoded and inverted; None for the whole picture."""
        view = choose_view(
            self._picture.shape,
            None if pairs is None else bounding_box(pairs.handle | pairs.target),
            side=self._pipe.profile.side,
            min_side=self._pipe.profile.min_side,
            multiple=self._pipe.backbone.multiple,
            known=list(reversed(self._views)),
        )
        if view in self._views:
            self._views.move_to_end(view)
            return self._views[view]
        with self._clock.stage("encode"):
            working = view.to_working(self._picture.rgb[view.crop].astype(np.float32))
            latents = self.encode(working)
        with self._clock.stage("inversion"):
            noise = self._path_noise
            if noise is None:
                generator = torch.Generator().manual_seed(self._seed)
                noise = draw_path_noise(len(self._levels), tuple(latents.shape), generator)
            inversion = invert(self._network, latents, self._levels, noise.to(latents))
        pixels = torch.from_numpy(working).permute(2, 0, 1).to(latents.device) / 127.5 - 1
        self._views[view] = PreparedView(view, inversion, LatentColours(latents, pixels))
        while self.nbytes > self._max_bytes and len(self._views) > 1:
            self._views.popitem(last=False)
        return self._views[view]

    def composite_for(
        self, view: View, pairs: RegionPairs, editable: Bool | None, settings: EditSettings
    ) -> EncodedComposite:
        """The composite of pairs in a view, encoded.

        pairs : masks (H, W) at the resolution of the view's box
        editable : (H, W) bool of that size, False where nothing may change; None for everywhere
        """
        key = (
            view,
            tuple(pairs),
            None if editable is None else editable.tobytes(),
            settings.vacated,
            settings.matte,
            settings.method,
            settings.prefill,
        )
        if key in self._composites:
            self._composites.move_to_end(key)
            return self._composites[key]
        with self._clock.stage("compose"):
            composite = compose(
                self._picture.rgb[view.crop],
                pairs,
                alpha=None if self._picture.alpha is None else self._picture.alpha[view.crop],
                editable=editable,
                vacated=settings.vacated,
                matte=settings.matte,
                method=settings.method,
                prefill=settings.prefill,
                seed=self._seed,
            )
        with self._clock.stage("encode"):
            latents = self.encode(view.to_working(composite.rgb))
        self._composites[key] = EncodedComposite(composite, latents)
        while len(self._composites) > COMPOSITES_KEPT:
            self._composites.popitem(last=False)
        return self._composites[key]

    def colour_of(self, prepared: PreparedView) -> Callable[[Tensor], Tensor]:
        """What shows a difference of latents (C, h, w) as one of colour, (3, any size), in [-1, 1] units.

        The model's own decoder where it is linear and cheap, the view's fitted colours otherwise.
        """
        if not self._pipe.profile.cheap_decoder:
            return prepared.colours
        backbone = self._pipe.backbone
        with torch.inference_mode():
            origin = backbone.decode(torch.zeros_like(prepared.latents)[None])[0]

        def decoded(difference: Tensor) -> Tensor:
            with torch.inference_mode():  # the codec is linear: a difference decodes to a difference
                return backbone.decode(difference[None])[0] - origin

        return decoded

    @torch.inference_mode()
    def encode(self, working: Float) -> Tensor:
        """(H, W, 3) float32 in 0..255 at working size -> (C, h, w) float32 clean latents."""
        pixels = torch.from_numpy(np.ascontiguousarray(working)).permute(2, 0, 1)[None] / 127.5 - 1
        return self._pipe.backbone.encode(pixels)[0]

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> Float:
        """(B, C, h, w) latents -> (B, H, W, 3) float32 in -127.5..127.5, but for overshoot."""
        pixels = torch.cat([self._pipe.backbone.decode(z[None]) for z in latents]) * 127.5
        return np.asarray(pixels.permute(0, 2, 3, 1).cpu().numpy(), np.float32)
