"""Stable Diffusion's family of UNets: 1.5, 2.1, SDXL, their few-step kin, and the bundled model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from regiondrag_widget.engine.attention import AttentionSwap, KeyValueCache, captured, injected
from regiondrag_widget.engine.levels import PredictionType

__all__ = ["Condition", "UNetBackbone", "UNetNetwork"]

CPU_BUDGET = 1 << 30  # bytes of activations one batched call may take
# live feature maps of the top level, in multiples of its width, as measured on SD 1.5
ACTIVATION_CHANNELS = 60


@dataclass(frozen=True)
class Condition:
    """Text condition of one prompt: embeds (1, tokens, dim), and what SDXL adds to it."""

    embeds: Tensor
    added: dict[str, Tensor] | None = None


class UNetBackbone:
    """An autoencoder, a UNet and a noise schedule, taken as they are: nothing is cast, moved or reconfigured.

    Latents are float32 (B, C, h, w), scaled as the UNet expects; pictures float32 (B, 3, H, W) in [-1, 1].
    Raises ValueError for a scheduler whose prediction type is not epsilon, v_prediction or sample.
    """

    def __init__(self, vae: Any, unet: Any, scheduler: Any) -> None:
        channels, wanted = unet.config.in_channels, unet.config.out_channels
        if channels != wanted:
            raise ValueError(
                f"this UNet takes {channels} channels and gives {wanted}: it inpaints or upscales; "
                "use a text-to-image one"
            )
        self.vae, self.unet = vae, unet
        self.alphas_cumprod: Tensor = scheduler.alphas_cumprod.detach().cpu()
        kind = scheduler.config.get("prediction_type", "epsilon")
        if kind not in ("epsilon", "v_prediction", "sample"):
            raise ValueError(
                f"the scheduler's prediction_type {kind!r} is not one of epsilon, v_prediction, sample"
            )
        self.prediction_type: PredictionType = kind
        self._decoder: Any = None

    @property
    def device(self) -> torch.device:
        """Where the UNet is."""
        return next(self.unet.parameters()).device  # type: ignore[no-any-return]

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

    def encode(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, C, h, w) float32, the posterior's mode, scaled."""
        vae = self._codec()
        encoded = vae.encode(pixels.to(self.device, _dtype(vae)))
        if hasattr(encoded, "latent_dist"):
            latents = encoded.latent_dist.mode().float()
            return (latents - (vae.config.get("shift_factor") or 0.0)) * vae.config.scaling_factor  # type: ignore[no-any-return]
        return encoded.latents.float()  # type: ignore[no-any-return]

    def decode(self, latents: Tensor) -> Tensor:
        """(B, C, h, w) scaled latents -> (B, 3, H, W) float32 in [-1, 1], but for overshoot."""
        vae = self._codec()
        latents = latents / vae.config.scaling_factor + (vae.config.get("shift_factor") or 0.0)
        return vae.decode(latents.to(_dtype(vae)), return_dict=True).sample.float()  # type: ignore[no-any-return]

    def _codec(self) -> Any:
        """The autoencoder; of SDXL's, which overflows in half precision, a float32 copy of our own."""
        if self.vae.config.get("force_upcast") and _dtype(self.vae) == torch.float16:
            if self._decoder is None:
                self._decoder = copy.deepcopy(self.vae).float()
            return self._decoder
        return self.vae


class UNetNetwork:
    """A backbone's UNet under one condition, as the inversion and the reverse pass use it."""

    def __init__(self, backbone: UNetBackbone, condition: Condition, batch_size: int | None = None) -> None:
        self.unet, self.condition = backbone.unet, condition
        self.prediction_type = backbone.prediction_type
        self._batch_size = batch_size
        self.calls = 0

    def predict(self, x: Tensor, timesteps: Tensor) -> Tensor:
        """The UNet's output at (B, C, h, w) float32 latents and (B,) timesteps, float32 of the same shape."""
        self.calls += 1
        dtype = _dtype(self.unet)
        batch = len(x)
        extra: dict[str, Any] = {}
        if self.condition.added is not None:
            extra["added_cond_kwargs"] = {
                k: v.to(x.device, dtype if v.is_floating_point() else v.dtype).expand(batch, *v.shape[1:])
                for k, v in self.condition.added.items()
            }
        embeds = self.condition.embeds.to(x.device, dtype).expand(batch, -1, -1)
        return self.unet(x.to(dtype), timesteps, encoder_hidden_states=embeds, **extra).sample.float()  # type: ignore[no-any-return]

    def capture(self, x: Tensor, timesteps: Tensor, cache: KeyValueCache) -> Tensor:
        """The same, every self-attention's keys and values appended to `cache`."""
        with captured(self.unet, cache):
            return self.predict(x, timesteps)

    @contextmanager
    def inject(
        self, cache: KeyValueCache, swap: AttentionSwap, hidden: Tensor | None, blind: Tensor | None
    ) -> Iterator[Callable[[int, int, Tensor], Tensor]]:
        """While open, `predict(k, timestep, x)` reads the keys and values of level k from `cache`."""
        with injected(self.unet, cache, swap, hidden, blind) as set_level:

            def predict(k: int, timestep: int, x: Tensor) -> Tensor:
                set_level(k)
                return self.predict(x, torch.tensor([timestep], device=x.device).expand(len(x)))

            yield predict

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


def _dtype(module: Any) -> torch.dtype:
    return next(module.parameters()).dtype  # type: ignore[no-any-return]
