"""Stable Diffusion's family of UNets: 1.5, 2.1, SDXL, their few-step versions, and the bundled model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from regiondrag_widget.models.admission import check_images, check_network, check_parts, is_edm
from regiondrag_widget.models.backbone import Condition
from regiondrag_widget.models.device import device_errors
from regiondrag_widget.models.fingerprint import fingerprint
from regiondrag_widget.models.graphs import Accelerator, accelerator_for
from regiondrag_widget.models.image_prompt import adapters_of
from regiondrag_widget.models.levels import Levels, PredictionType, edit_levels, released_levels
from regiondrag_widget.models.placement import device_of, dtype_of, moving_turn
from regiondrag_widget.models.turns import turns_of
from regiondrag_widget.models.unet_network import UNetNetwork
from regiondrag_widget.models.upcast import Float32Twin

__all__ = ["UNetBackbone", "UNetNetwork"]


class UNetBackbone:
    """An autoencoder, a UNet and a noise schedule, taken as they are: nothing is cast, moved or reconfigured.

    Latents are float32 (B, C, h, w), scaled as the UNet expects; pictures float32 (B, 3, H, W) in [-1, 1].

    Parameters
    ----------
    vae, unet, scheduler : diffusers models and scheduler
        Of a Stable Diffusion pipeline, or of the bundled model.
    draft_vae : AutoencoderTiny, optional
        Of the same latents, for drafts.

    Attributes
    ----------
    alphas_cumprod : (T,) Tensor
        The scheduler's cumulative products; a schedule of EDM has none.
    prediction_type : PredictionType
        What the UNet's output stands for.
    batch_size : int or None
        Latents that one call may take; None decides by memory.

    Raises
    ------
    ValueError
        A scheduler without a noise schedule, or whose prediction type is not epsilon, v_prediction or
        sample; a UNet that upscales, or needs more than text; a draft autoencoder of other latents.
    """

    def __init__(self, vae: Any, unet: Any, scheduler: Any, draft_vae: Any = None) -> None:
        check_parts(vae, unet, scheduler)
        self.vae, self.unet = vae, unet
        self.draft_vae: Any = None
        self.set_draft_vae(draft_vae)
        self._acceleration: tuple[bool | str, torch.device | None, Accelerator | str] = ("auto", None, "")
        if not is_edm(scheduler):
            self.alphas_cumprod: Tensor = scheduler.alphas_cumprod.detach().cpu()
        self.prediction_type: PredictionType = scheduler.config.get("prediction_type", "epsilon")
        self.batch_size: int | None = None  # latents one call may take; by memory where None
        self._full = Float32Twin(vae)

    @property
    def device(self) -> torch.device:
        """Where the UNet computes, which is not where it lies while it is offloaded."""
        return device_of(self.unet)

    @property
    def dtype(self) -> torch.dtype:
        """The number format the UNet computes in."""
        return dtype_of(self.unet)

    @property
    def channels(self) -> int:
        """Channels of the latents."""
        return int(self.unet.config.out_channels)

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
        made = self.present_accelerator()
        return isinstance(made, Accelerator) and made.replays

    @property
    def told_guidance(self) -> bool:
        """Whether the UNet is told its guidance, as latent consistency models are."""
        return self.unet.config.get("time_cond_proj_dim") is not None

    @property
    def image_adapters(self) -> int:
        """How many IP-Adapters are loaded, each of which is told an image."""
        return len(adapters_of(self.unet))

    @property
    def has_draft_codec(self) -> bool:
        """Whether there is a small autoencoder for drafts."""
        return self.draft_vae is not None

    def levels(
        self,
        steps: int,
        start: float,
        timesteps: Sequence[float] | None = None,
        *,
        released: bool = False,
        size: tuple[int, int] | None = None,
    ) -> Levels:
        """See `Backbone.levels`; the size of the latents does not matter."""
        return (released_levels if released else edit_levels)(self.alphas_cumprod, steps, start, timesteps)

    def condition(self, embeds: Tensor | None, name: str = "prompt") -> Condition:
        """The condition of text embeds (1, tokens, dim), or an empty one.

        Raises
        ------
        ValueError
            Embeds of another shape; embeds for SDXL, which needs more than them.
        """
        config = self.unet.config
        projected = config.get("encoder_hid_dim_type") == "text_proj"  # by the UNet itself
        width = config.encoder_hid_dim if projected else config.cross_attention_dim
        if embeds is None:
            return Condition(torch.zeros(1, 1, width))
        if embeds.ndim != 3 or (len(embeds), embeds.shape[-1]) != (1, width):
            raise ValueError(
                f"{name}_embeds must be (1, tokens, {width}) for this model, got {tuple(embeds.shape)}"
            )
        if self.unet.config.get("addition_embed_type") == "text_time":
            raise ValueError(f"{name}_embeds alone do not condition SDXL: pass a {name}")
        return Condition(embeds)

    def network(self, condition: Condition) -> UNetNetwork:
        """The UNet under a condition.

        Raises
        ------
        ValueError
            Something has come to the UNet that an edit cannot use, or an IP-Adapter that the condition has no
            image for.
        """
        check_network(self.unet)
        check_images(self.unet, len(condition.images))
        return UNetNetwork(self, condition)

    def encode(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, C, h, w) float32, the posterior's mode, scaled."""
        with moving_turn(self.vae, self.unet), self._full.called() as vae, device_errors():
            encoded = vae.encode(pixels.to(device_of(vae), dtype_of(vae)))
        if hasattr(encoded, "latent_dist"):
            latents = encoded.latent_dist.mode().to(self.device, torch.float32)
            shift, scale = _scaling(vae, latents)
            return (latents - shift) * scale  # type: ignore[no-any-return]
        return encoded.latents.to(self.device, torch.float32)  # type: ignore[no-any-return]

    def decode(self, latents: Tensor) -> Tensor:
        """(B, C, h, w) scaled latents -> (B, 3, H, W) float32 in [-1, 1], apart from overshoot."""
        with moving_turn(self.vae, self.unet), self._full.called() as vae:
            return _decoded(vae, latents)

    def set_draft_vae(self, draft_vae: Any) -> None:
        """Encode and decode drafts by another small autoencoder.

        Parameters
        ----------
        draft_vae : AutoencoderTiny or None
            None uses the full one.

        Raises
        ------
        ValueError
            Its latents are not the model's.
        """
        if draft_vae is not None:
            _check_draft_vae(draft_vae, self.channels)
        self.draft_vae = draft_vae

    def accelerate(self, compile: bool | str) -> None:
        """See `RegionDragPipeline.accelerate`."""
        accelerator_for(self.device, compile)  # raises now for a wrong argument
        self._acceleration = (compile, None, "")

    def present_accelerator(self) -> Accelerator | str:
        """What replays the UNet's calls, or in words why nothing does; made again if the UNet moved."""
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
        if self.draft_vae is None:
            return self.decode(latents)
        with moving_turn(self.draft_vae, self.unet):
            return _decoded(self.draft_vae, latents)

    def encode_draft(self, pixels: Tensor) -> Tensor:
        """`encode` by the small autoencoder where there is one; compare its latents only with each other."""
        tiny = self.draft_vae
        if tiny is None:
            return self.encode(pixels)
        with moving_turn(tiny, self.unet), device_errors():
            encoded = tiny.encode(pixels.to(device_of(tiny), dtype_of(tiny))).latents
        latents = encoded.to(self.device, torch.float32)
        return (latents - (tiny.config.get("shift_factor") or 0.0)) * tiny.config.scaling_factor  # type: ignore[no-any-return]

    def fingerprint(self) -> tuple[object, ...]:
        """Equal as long as the UNet and the autoencoder compute the same: see `fingerprint`."""
        with turns_of(self.unet):  # hooks may be moving or casting the weights for another edit's call
            return fingerprint(self.unet, self.vae)


def _decoded(vae: Any, latents: Tensor) -> Tensor:
    """Scaled latents to pixels; an AutoencoderTiny's own scaling factor is 1: it works on the scaled ones."""
    shift, scale = _scaling(vae, latents)
    scaled = latents / scale + shift
    with device_errors():
        pixels = vae.decode(scaled.to(device_of(vae), dtype_of(vae)), return_dict=True).sample
    return pixels.to(latents.device, torch.float32)  # type: ignore[no-any-return]


def _scaling(vae: Any, latents: Tensor) -> tuple[Any, Any]:
    """What is taken off an autoencoder's latents and what they are multiplied by, for the UNet."""
    config = vae.config
    mean, deviation = config.get("latents_mean"), config.get("latents_std")
    if mean is None or deviation is None:
        return config.get("shift_factor") or 0.0, config.scaling_factor
    shift, spread = (torch.tensor(v, device=latents.device).view(1, -1, 1, 1) for v in (mean, deviation))
    return shift, config.scaling_factor / spread


def _check_draft_vae(tiny: Any, channels: int) -> None:
    given = tiny.config.get("latent_channels")
    if given != channels:
        raise ValueError(
            f"draft_vae has latents of {given} channels but this model's have {channels}: "
            "take madebyollin/taesd for Stable Diffusion 1 and 2, madebyollin/taesdxl for SDXL"
        )
