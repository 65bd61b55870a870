"""A Stable Diffusion UNet under one condition, as the inversion and the reverse pass call it."""

from __future__ import annotations

import copy
import math
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from regiondrag_widget.models.admission import check_images, check_network
from regiondrag_widget.models.attention import AttentionSwap, Injection, captured, check_swap
from regiondrag_widget.models.backbone import Condition, Predict
from regiondrag_widget.models.device import device_errors
from regiondrag_widget.models.fingerprint import NetworkState, network_state
from regiondrag_widget.models.graphs import Accelerator
from regiondrag_widget.models.keyvalues import KeyValueCache, SourcePath
from regiondrag_widget.models.levels import PredictionType
from regiondrag_widget.models.placement import device_of, dtype_of, free_memory
from regiondrag_widget.models.profile import DISTILLED_GUIDANCE
from regiondrag_widget.models.static_call import Inputs, of_tensors
from regiondrag_widget.models.textattention import TextAttention
from regiondrag_widget.models.turns import turns_of
from regiondrag_widget.models.unet_source import beside_source, bytes_a_level

__all__ = ["UNetHost", "UNetNetwork", "guidance_embedding"]

CPU_BUDGET = 1 << 30  # bytes of activations one batched call may take
# live feature maps of the top level, in multiples of its width, as measured on SD 1.5
ACTIVATION_CHANNELS = 60


class UNetHost(Protocol):
    """What a `UNetNetwork` needs of its backbone, `UNetBackbone`.

    Attributes
    ----------
    unet : UNet
        The network.
    prediction_type : PredictionType
        What its output stands for.
    batch_size : int or None
        Latents that one call may take; None decides by memory.
    """

    unet: Any
    prediction_type: PredictionType
    batch_size: int | None

    def present_accelerator(self) -> Accelerator | str:
        """What replays the UNet's calls, or in words why nothing does."""


@dataclass(frozen=True)
class _Edit:
    """What an edit's steps share, and what it was made of; the inversion is not kept alive."""

    cache: weakref.ref[KeyValueCache]
    swap: AttentionSwap
    hidden: Tensor | None
    masked_queries: Tensor | None
    state: NetworkState
    injection: Injection

    def serves(
        self, cache: KeyValueCache, swap: AttentionSwap, hidden: Tensor | None, masked_queries: Tensor | None
    ) -> bool:
        mine = (self.cache(), self.swap, self.hidden, self.masked_queries)
        return all(a is b for a, b in zip(mine, (cache, swap, hidden, masked_queries), strict=True))


class UNetNetwork:
    """A backbone's UNet under one condition: see `Network`.

    Parameters
    ----------
    backbone : UNetBackbone
        Whose UNet is called.
    condition : Condition
        What it is conditioned on.
    batch_size : int, optional
        Latents that one call may take; the backbone decides when left out.
    """

    def __init__(self, backbone: UNetHost, condition: Condition, batch_size: int | None = None) -> None:
        self.unet, self.condition = backbone.unet, condition
        self.prediction_type = backbone.prediction_type
        self._backbone, self._batch_size = backbone, batch_size or backbone.batch_size
        self.turns = turns_of(backbone.unet)
        self.calls = 0
        self._beside: Tensor | None = None  # (1 or 2, 1 + C, h, w), what an inpainting UNet reads besides
        self._text: tuple[tuple[object, ...], TextAttention] | None = None
        self._edit: _Edit | None = None
        self._state: NetworkState | None = None  # as the latest walk over the modules found it
        self._timesteps: dict[float, Tensor] = {}
        self._given: tuple[torch.device, torch.dtype, dict[str, Any]] | None = None

    def predict(self, x: Tensor, timesteps: Tensor) -> Tensor:
        """The UNet's output at (B, C, h, w) float32 latents and (B,) timesteps, float32 of the same shape."""
        with self.turns:
            check_images(self.unet, len(self.condition.images))  # none is captured where none is kept
            return self._predict(x, timesteps)

    def _predict(self, x: Tensor, timesteps: Tensor) -> Tensor:
        self.calls += 1
        batch, given = len(x), self._condition_at(x.device)
        expanded = {
            name: of_tensors(value, lambda t: t.expand(batch, *t.shape[1:])) for name, value in given.items()
        }
        with device_errors():
            out: Tensor = self.unet(self._entry(x), timesteps, return_dict=False, **expanded)[0]
        return out.float()

    @property
    def inpaints(self) -> bool:
        """See `backbone.inpaints`."""
        return bool(self.unet.config.in_channels != self.unet.config.out_channels)

    def told_picture(self, clean: Tensor, hole: Tensor | None, source: Tensor | None) -> UNetNetwork:
        """See `backbone.told_picture`."""
        mask = clean.new_zeros(1, *clean.shape[1:]) if hole is None else hole[None].to(clean)
        rows = [torch.cat([mask, clean])]
        if source is not None:
            rows.insert(0, torch.cat([torch.zeros_like(mask), source]))
        told = copy.copy(self)
        told._beside, told._edit = torch.stack(rows), None
        return told

    def _entry(self, x: Tensor) -> Tensor:
        """What the UNet takes in place of latents (B, C, h, w), in its own format."""
        if self.inpaints:
            if self._beside is None:
                raise ValueError("this network inpaints and was not told a picture: see `told_picture`")
            beside = self._beside[-len(x) :]  # one row is that of all
            x = torch.cat([x, beside.to(x).expand(len(x), *beside.shape[1:])], 1)
        return x.to(dtype_of(self.unet))

    def capture(self, x: Tensor, timesteps: Tensor, cache: KeyValueCache) -> Tensor:
        """See `Network.capture`."""
        with self.turns:
            check_network(self.unet)
            check_images(self.unet, len(self.condition.images))
            state = self._state = network_state(self.unet)
            cache.made_by = state.key
            text = self._text_attention(state, x.device)
            with text.installed(), captured(self.unet, cache, state.attention):
                return self._predict(x, timesteps)

    def check_swap(self, swap: AttentionSwap) -> None:
        """Refuse layers whose attention processors are the user's own and would have to be replaced.

        Raises
        ------
        ValueError
            In one sentence.
        """
        if self._state is None:
            with self.turns:
                self._state = network_state(self.unet)
        check_swap(self._state.attention, swap)

    def inject(
        self, cache: KeyValueCache, swap: AttentionSwap, hidden: Tensor | None, masked_queries: Tensor | None
    ) -> AbstractContextManager[Predict]:
        """See `Network.inject`."""
        if isinstance(cache, SourcePath):
            return beside_source(self, cache, swap, hidden, masked_queries)
        return self._injected(cache, swap, hidden, masked_queries)

    @contextmanager
    def _injected(
        self, cache: KeyValueCache, swap: AttentionSwap, hidden: Tensor | None, masked_queries: Tensor | None
    ) -> Iterator[Predict]:
        """While open, `predict(k, timestep, x)` reads the keys and values of level k from `cache`.

        The UNet has our processors only during a prediction. Entered again with the same arguments, as for
        the next step of an edit, it reuses what it made. Each prediction waits for the network's turn.
        """
        with self.turns:
            state, injection = self._injection(cache, swap, hidden, masked_queries)

        def predict(k: int, timestep: float, x: Tensor) -> Tensor:
            with self.turns:
                return predict_in_turn(k, timestep, x)

        def predict_in_turn(k: int, timestep: float, x: Tensor) -> Tensor:
            t, text = self._timestep(timestep, x.device), self._text_attention(state, x.device)
            fast = self._backbone.present_accelerator()
            if not isinstance(fast, str) and len(x) == 1:
                inputs = Inputs(self._entry(x), t, self._condition_at(x.device), text)
                out = fast.predict(self.unet, inputs, injection, k, state)
                if out is not None:
                    self.calls += 1
                    return out.float()
            injection.set_level(k)
            with text.installed(), injection.installed():
                return self._predict(x, t.expand(len(x)))

        yield predict

    def _injection(
        self, cache: KeyValueCache, swap: AttentionSwap, hidden: Tensor | None, masked_queries: Tensor | None
    ) -> tuple[NetworkState, Injection]:
        """The network's state and the injection; those of the previous step in the same edit.

        An edit has found its inversion by the network's fingerprint, so where the latest walk found the
        network that made the keys and values, it is not walked again.
        """
        known = self._edit
        if known is None or not known.serves(cache, swap, hidden, masked_queries):
            state = self._state
            if state is None or not cache.made_by or cache.made_by != state.key:
                state = self._state = network_state(self.unet)
            injection = Injection(self.unet, cache, swap, hidden, masked_queries, state.attention)
            known = _Edit(weakref.ref(cache), swap, hidden, masked_queries, state, injection)
            self._edit = known
        return known.state, known.injection

    def _text_attention(self, state: NetworkState, device: torch.device) -> TextAttention:
        if self._text is None or self._text[0] != state.key:
            embeds = self._condition_at(device)["encoder_hidden_states"]
            with torch.inference_mode(False), device_errors():
                layers = {} if state.moved else state.attention
                self._text = (state.key, TextAttention(self.unet, embeds, layers))
        return self._text[1]

    def _condition_at(self, device: torch.device) -> dict[str, Any]:
        """The UNet's arguments besides latents and timestep, one row each, where and as it computes."""
        dtype = dtype_of(self.unet)
        if self._given is None or self._given[:2] != (device, dtype):
            with torch.inference_mode(False), torch.no_grad():  # a caller may want gradients later
                self._given = (device, dtype, self._conditions(device, dtype))
        return self._given[2]

    def _conditions(self, device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
        given: dict[str, Any] = {"encoder_hidden_states": self.condition.embeds.to(device, dtype)}
        if self.condition.added is not None:
            given["added_cond_kwargs"] = {
                k: v.to(device, dtype if v.is_floating_point() else v.dtype)
                for k, v in self.condition.added.items()
            }
        if self.condition.images:
            images = [t.to(device, dtype) for t in self.condition.images]
            given.setdefault("added_cond_kwargs", {})["image_embeds"] = images
        size = self.unet.config.get("time_cond_proj_dim")
        if size is not None:
            told = DISTILLED_GUIDANCE if self.condition.guidance is None else self.condition.guidance
            # w of Meng et al. 2023, where 0 is no guidance, is one below the scale as others count it
            given["timestep_cond"] = guidance_embedding(told - 1, size).to(device, dtype)
        return given

    def _timestep(self, timestep: float, device: torch.device) -> Tensor:
        """(1,) on the device; kept, so that later edits need not wait for a copy."""
        found = self._timesteps.get(timestep)
        if found is None or found.device != device:
            found = self._timesteps[timestep] = torch.tensor([timestep], device=device)
        return found

    def level_bytes(self, height: int, width: int) -> int:
        """Bytes of the keys and values of one level, for latents of (height, width) cells."""
        return bytes_a_level(self.unet, height, width)

    def batch_size(self, height: int, width: int) -> int:
        """How many latents of (height, width) cells one call may take, by the free memory of a GPU."""
        if self._batch_size is not None:
            return self._batch_size
        device = device_of(self.unet)
        if device.type == "mps":
            return 1  # batches are known to fail there
        free = free_memory(device)
        budget = CPU_BUDGET if free is None else free // 2
        width_of_top = self.unet.config.block_out_channels[0]
        each = (
            height * width * width_of_top * ACTIVATION_CHANNELS * torch.finfo(dtype_of(self.unet)).bits // 8
        )
        return int(max(1, budget // max(1, each)))


def guidance_embedding(guidance: float, size: int) -> Tensor:
    """Fourier features that tell a distilled network its guidance, as diffusers' pipelines compute them.

    Luo et al. 2023 (latent consistency models), after Meng et al. 2023.

    Parameters
    ----------
    guidance : float
        w.
    size : int
        Number of features.

    Returns
    -------
    (1, size) float32 Tensor
        The features.
    """
    half = size // 2
    frequencies = torch.exp(torch.arange(half).float() * (-math.log(10000.0) / (half - 1)))
    angles = 1000.0 * guidance * frequencies
    return F.pad(torch.cat([angles.sin(), angles.cos()]), (0, size % 2))[None]
