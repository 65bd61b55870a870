"""Stable Diffusion's family of UNets: 1.5, 2.1, SDXL, their few-step kin, and the bundled model."""

from __future__ import annotations

import copy
import math
import weakref
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from regiondrag_widget.models.attention import AttentionSwap, Injection, captured
from regiondrag_widget.models.backbone import Condition, Predict
from regiondrag_widget.models.device import device_errors
from regiondrag_widget.models.fingerprint import fingerprint
from regiondrag_widget.models.graphs import Accelerator, Inputs, accelerator_for
from regiondrag_widget.models.keyvalues import KeyValueCache, SourcePath
from regiondrag_widget.models.levels import Levels, PredictionType, edit_levels, released_levels
from regiondrag_widget.models.textattention import TextAttention
from regiondrag_widget.models.turns import turns_of
from regiondrag_widget.models.unet_source import beside_source, bytes_a_level

__all__ = ["UNetBackbone", "UNetNetwork"]

CPU_BUDGET = 1 << 30  # bytes of activations one batched call may take
# live feature maps of the top level, in multiples of its width, as measured on SD 1.5
ACTIVATION_CHANNELS = 60
# w of the guidance a latent consistency model is told: the least of the range [2, 14] they are trained with
# (Luo et al. 2023); an empty prompt makes it meaningless, any other asks for no more than it must
DISTILLED_GUIDANCE = 2.0


class UNetBackbone:
    """An autoencoder, a UNet and a noise schedule, taken as they are: nothing is cast, moved or reconfigured.

    Latents are float32 (B, C, h, w), scaled as the UNet expects; pictures float32 (B, 3, H, W) in [-1, 1].
    Raises ValueError for a scheduler whose prediction type is not epsilon, v_prediction or sample.
    """

    def __init__(self, vae: Any, unet: Any, scheduler: Any, draft_vae: Any = None) -> None:
        """draft_vae : an `AutoencoderTiny` of the same latents, for drafts; None where there is none."""
        channels, wanted = unet.config.in_channels, unet.config.out_channels
        if channels != wanted:
            raise ValueError(
                f"this UNet takes {channels} channels and gives {wanted}: it inpaints or upscales; "
                "use a text-to-image one"
            )
        self.vae, self.unet = vae, unet
        self.draft_vae: Any = None
        self.set_draft_vae(draft_vae)
        self._acceleration: tuple[bool | str, torch.device | None, Accelerator | str] = ("auto", None, "")
        self.alphas_cumprod: Tensor = scheduler.alphas_cumprod.detach().cpu()
        kind = scheduler.config.get("prediction_type", "epsilon")
        if kind not in ("epsilon", "v_prediction", "sample"):
            raise ValueError(
                f"the scheduler's prediction_type {kind!r} is not one of epsilon, v_prediction, sample"
            )
        self.prediction_type: PredictionType = kind
        self.batch_size: int | None = None  # latents one call may take; by memory where None
        self._decoder: Any = None

    @property
    def device(self) -> torch.device:
        """Where the UNet is."""
        return next(self.unet.parameters()).device  # type: ignore[no-any-return]

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the UNet's weights."""
        return _dtype(self.unet)

    @property
    def channels(self) -> int:
        """Channels of the latents."""
        return int(self.unet.config.in_channels)

    @property
    def cell(self) -> int:
        """Pixels per latent cell."""
        config = self.vae.config
        if "patch_size" in config and isinstance(config["patch_size"], int):
            return int(config["patch_size"])
        blocks = config.get("block_out_channels") or config.get("decoder_block_out_channels")
        return int(2 ** (len(blocks) - 1))

    @property
    def multiple(self) -> int:
        """Working sizes are multiples of this many pixels, so that every level of the UNet divides evenly."""
        return int(self.cell * 2 ** (len(self.unet.config.block_out_channels) - 1))

    @property
    def replays(self) -> bool:
        """Whether the UNet's calls are replayed from tensors of fixed shapes."""
        return isinstance(self.present_accelerator(), Accelerator)

    @property
    def has_draft_codec(self) -> bool:
        """Whether there is a small autoencoder for drafts."""
        return self.draft_vae is not None

    def levels(
        self, steps: int, start: float, timesteps: Sequence[int] | None = None, *, released: bool = False
    ) -> Levels:
        """See `Backbone.levels`."""
        return (released_levels if released else edit_levels)(self.alphas_cumprod, steps, start, timesteps)

    def condition(self, embeds: Tensor | None) -> Condition:
        """The condition of text embeds (1, tokens, dim), or an empty one.

        Raises ValueError for embeds of another width, and for SDXL, which wants more than them.
        """
        width = self.unet.config.cross_attention_dim
        if embeds is None:
            return Condition(torch.zeros(1, 1, width))
        if embeds.ndim != 3 or embeds.shape[-1] != width:
            raise ValueError(
                f"prompt_embeds must be (1, tokens, {width}) for this model, got {tuple(embeds.shape)}"
            )
        if self.unet.config.get("addition_embed_type") == "text_time":
            raise ValueError("prompt_embeds alone do not condition SDXL: pass a prompt")
        return Condition(embeds[:1])

    def network(self, condition: Condition) -> UNetNetwork:
        """The UNet under a condition."""
        return UNetNetwork(self, condition)

    def encode(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, C, h, w) float32, the posterior's mode, scaled."""
        vae = self._codec()
        with device_errors():
            encoded = vae.encode(pixels.to(self.device, _dtype(vae)))
        if hasattr(encoded, "latent_dist"):
            latents = encoded.latent_dist.mode().float()
            return (latents - (vae.config.get("shift_factor") or 0.0)) * vae.config.scaling_factor  # type: ignore[no-any-return]
        return encoded.latents.float()  # type: ignore[no-any-return]

    def decode(self, latents: Tensor) -> Tensor:
        """(B, C, h, w) scaled latents -> (B, 3, H, W) float32 in [-1, 1], but for overshoot."""
        return _decoded(self._codec(), latents)

    def set_draft_vae(self, draft_vae: Any) -> None:
        """Another `AutoencoderTiny` for drafts, or None; ValueError where its latents are not the model's."""
        if draft_vae is not None:
            _check_draft_vae(draft_vae, self.unet.config.in_channels)
        self.draft_vae = draft_vae

    def accelerate(self, compile: bool | str) -> None:
        """See `RegionDragPipeline.accelerate`."""
        accelerator_for(self.device, compile)  # what is wrong is said now
        self._acceleration = (compile, None, "")

    def present_accelerator(self) -> Accelerator | str:
        """What replays the UNet's calls, or in words why nothing does; made anew where the UNet was moved."""
        compile, place, made = self._acceleration
        if place != self.device:
            made = accelerator_for(self.device, compile)
            self._acceleration = (compile, self.device, made)
        return made

    @property
    def acceleration(self) -> str:
        """How the UNet's calls are made, in words."""
        made = self.present_accelerator()
        return made if isinstance(made, str) else made.words

    def decode_draft(self, latents: Tensor) -> Tensor:
        """`decode` by the small autoencoder where there is one: an approximation, many times faster."""
        return _decoded(self._codec() if self.draft_vae is None else self.draft_vae, latents)

    def encode_draft(self, pixels: Tensor) -> Tensor:
        """`encode` by the small autoencoder where there is one; compare its latents with its own alone."""
        tiny = self.draft_vae
        if tiny is None:
            return self.encode(pixels)
        with device_errors():
            latents = tiny.encode(pixels.to(self.device, _dtype(tiny))).latents.float()
        return (latents - (tiny.config.get("shift_factor") or 0.0)) * tiny.config.scaling_factor  # type: ignore[no-any-return]

    def fingerprint(self) -> tuple[object, ...]:
        """Equal as long as the UNet and the autoencoder compute the same: weights, adapters, their scales."""
        return fingerprint(self.unet, self.vae)

    def _codec(self) -> Any:
        """The autoencoder; of SDXL's, which overflows in half precision, a float32 copy of our own."""
        if self.vae.config.get("force_upcast") and _dtype(self.vae) == torch.float16:
            with turns_of(self.vae):
                if self._decoder is None:
                    self._decoder = copy.deepcopy(self.vae).float()
                return self._decoder
        return self.vae


@dataclass(frozen=True)
class _Edit:
    """What an edit's steps share, and what it was made of; the inversion is not kept alive."""

    cache: weakref.ref[KeyValueCache]
    swap: AttentionSwap
    hidden: Tensor | None
    masked_queries: Tensor | None
    weights: tuple[object, ...]
    injection: Injection

    def serves(
        self, cache: KeyValueCache, swap: AttentionSwap, hidden: Tensor | None, masked_queries: Tensor | None
    ) -> bool:
        mine = (self.cache(), self.swap, self.hidden, self.masked_queries)
        return all(a is b for a, b in zip(mine, (cache, swap, hidden, masked_queries), strict=True))


class UNetNetwork:
    """A backbone's UNet under one condition, as the inversion and the reverse pass use it."""

    def __init__(self, backbone: UNetBackbone, condition: Condition, batch_size: int | None = None) -> None:
        self.unet, self.condition = backbone.unet, condition
        self.prediction_type = backbone.prediction_type
        self._backbone, self._batch_size = backbone, batch_size or backbone.batch_size
        self.turns = turns_of(backbone.unet)
        self.calls = 0
        self._text: tuple[tuple[object, ...], TextAttention] | None = None
        self._edit: _Edit | None = None
        self._timesteps: dict[float, Tensor] = {}
        self._given: tuple[torch.device, torch.dtype, dict[str, Any]] | None = None

    def predict(self, x: Tensor, timesteps: Tensor) -> Tensor:
        """The UNet's output at (B, C, h, w) float32 latents and (B,) timesteps, float32 of the same shape."""
        with self.turns:
            return self._predict(x, timesteps)

    def _predict(self, x: Tensor, timesteps: Tensor) -> Tensor:
        self.calls += 1
        batch, given = len(x), self._condition_at(x.device)
        expanded = {
            name: {k: v.expand(batch, *v.shape[1:]) for k, v in value.items()}
            if isinstance(value, dict)
            else value.expand(batch, *value.shape[1:])
            for name, value in given.items()
        }
        with device_errors():
            out: Tensor = self.unet(x.to(_dtype(self.unet)), timesteps, return_dict=False, **expanded)[0]
        return out.float()

    def capture(self, x: Tensor, timesteps: Tensor, cache: KeyValueCache) -> Tensor:
        """The same, every self-attention's keys and values appended to `cache`."""
        with self.turns:
            text = self._text_attention(fingerprint(self.unet), x.device)
            with text.installed(), captured(self.unet, cache):
                return self._predict(x, timesteps)

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

        The UNet works by our processors during a prediction alone. Entered again with the same arguments, as
        for the next step of an edit, nothing is made anew. Each prediction waits for the network's turn.
        """
        with self.turns:
            weights, injection = self._injection(cache, swap, hidden, masked_queries)

        def predict(k: int, timestep: float, x: Tensor) -> Tensor:
            with self.turns:
                return predict_in_turn(k, timestep, x)

        def predict_in_turn(k: int, timestep: float, x: Tensor) -> Tensor:
            t, text = self._timestep(timestep, x.device), self._text_attention(weights, x.device)
            fast = self._backbone.present_accelerator()
            if not isinstance(fast, str) and len(x) == 1:
                inputs = Inputs(x.to(_dtype(self.unet)), t, self._condition_at(x.device), text)
                out = fast.predict(self.unet, inputs, injection, k, weights)
                if out is not None:
                    self.calls += 1
                    return out.float()
            injection.set_level(k)
            with text.installed(), injection.installed():
                return self._predict(x, t.expand(len(x)))

        yield predict

    def _injection(
        self, cache: KeyValueCache, swap: AttentionSwap, hidden: Tensor | None, masked_queries: Tensor | None
    ) -> tuple[tuple[object, ...], Injection]:
        """The weights' fingerprint and the injection, those of the step before where it is the same edit."""
        known = self._edit
        if known is None or not known.serves(cache, swap, hidden, masked_queries):
            injection = Injection(self.unet, cache, swap, hidden, masked_queries)
            known = _Edit(weakref.ref(cache), swap, hidden, masked_queries, fingerprint(self.unet), injection)
            self._edit = known
        return known.weights, known.injection

    def _text_attention(self, weights: tuple[object, ...], device: torch.device) -> TextAttention:
        if self._text is None or self._text[0] != weights:
            embeds = self._condition_at(device)["encoder_hidden_states"]
            with torch.inference_mode(False):
                self._text = (weights, TextAttention(self.unet, embeds))
        return self._text[1]

    def _condition_at(self, device: torch.device) -> dict[str, Any]:
        """The UNet's arguments besides latents and timestep, one row each, where and as it computes."""
        dtype = _dtype(self.unet)
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
        size = self.unet.config.get("time_cond_proj_dim")
        if size is not None:
            given["timestep_cond"] = guidance_embedding(DISTILLED_GUIDANCE, size).to(device, dtype)
        return given

    def _timestep(self, timestep: float, device: torch.device) -> Tensor:
        """(1,); kept, so that no step of a later edit waits for a copy to the device."""
        found = self._timesteps.get(timestep)
        if found is None or found.device != device:
            found = self._timesteps[timestep] = torch.tensor([timestep], device=device)
        return found

    def level_bytes(self, height: int, width: int) -> int:
        """Bytes of the keys and values of one level, for latents of (height, width) cells."""
        return bytes_a_level(self.unet, height, width)

    def batch_size(self, height: int, width: int) -> int:
        """How many latents of this size one call may take: half of the free GPU memory, or a fixed budget."""
        if self._batch_size is not None:
            return self._batch_size
        device = next(self.unet.parameters()).device
        if device.type == "mps":
            return 1  # batches are documented to fail there
        budget = torch.cuda.mem_get_info(device)[0] // 2 if device.type == "cuda" else CPU_BUDGET
        width_of_top = self.unet.config.block_out_channels[0]
        each = height * width * width_of_top * ACTIVATION_CHANNELS * torch.finfo(_dtype(self.unet)).bits // 8
        return int(max(1, budget // max(1, each)))


def guidance_embedding(guidance: float, size: int) -> Tensor:
    """(1, size) float32, the Fourier features a distilled network is told its guidance by.

    Luo et al. 2023 (latent consistency models), after Meng et al. 2023; as diffusers' pipelines compute it.
    """
    half = size // 2
    frequencies = torch.exp(torch.arange(half).float() * (-math.log(10000.0) / (half - 1)))
    angles = 1000.0 * guidance * frequencies
    return F.pad(torch.cat([angles.sin(), angles.cos()]), (0, size % 2))[None]


def _decoded(vae: Any, latents: Tensor) -> Tensor:
    """Scaled latents to pixels; an AutoencoderTiny's own scaling factor is 1: it works on the scaled ones."""
    latents = latents / vae.config.scaling_factor + (vae.config.get("shift_factor") or 0.0)
    with device_errors():
        return vae.decode(latents.to(_dtype(vae)), return_dict=True).sample.float()  # type: ignore[no-any-return]


def _check_draft_vae(tiny: Any, channels: int) -> None:
    given = tiny.config.get("latent_channels")
    if given != channels:
        raise ValueError(
            f"draft_vae has latents of {given} channels but this model's have {channels}: "
            "take madebyollin/taesd for Stable Diffusion 1 and 2, madebyollin/taesdxl for SDXL"
        )


def _dtype(module: Any) -> torch.dtype:
    return next(module.parameters()).dtype  # type: ignore[no-any-return]
