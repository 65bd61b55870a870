"""What the flow transformers have in common: sizes, levels, the autoencoder. A file a family has the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from regiondrag_widget.models.admission import check_network
from regiondrag_widget.models.backbone import Condition
from regiondrag_widget.models.device import device_errors
from regiondrag_widget.models.fingerprint import fingerprint
from regiondrag_widget.models.flow_levels import FlowSchedule, even_sigmas, flow_levels, timestep_levels
from regiondrag_widget.models.joint_attention import JointProcessor
from regiondrag_widget.models.levels import Levels, check_steps
from regiondrag_widget.models.placement import device_of, dtype_of, moving_turn
from regiondrag_widget.models.profile import BackboneProfile
from regiondrag_widget.models.references import References
from regiondrag_widget.models.transformer_network import TransformerNetwork
from regiondrag_widget.models.turns import turns_of

__all__ = ["TransformerBackbone", "check_codec", "scattered"]

SIDE = 1024  # pixels a side that the families were trained at


class TransformerBackbone:
    """An autoencoder, a flow transformer and its schedule, taken as they are: nothing is cast or moved.

    A family says how latents become tokens and how its transformer is called: `velocity`, `processor_of`,
    `plain`, `mu` and `encode_prompt`; and where its autoencoder differs, `encode` and `decode`.

    Parameters
    ----------
    vae, transformer, scheduler : diffusers models and scheduler
        Of a pipeline of the family.
    draft_vae : AutoencoderTiny, optional
        Of the same latents, for drafts.

    Attributes
    ----------
    batch_size : int or None
        Latents that one call may take; None decides by memory.

    Raises
    ------
    ValueError
        A schedule of another kind, a draft autoencoder of other latents.
    """

    family: ClassVar[str]
    plain: ClassVar[set[str]]  # diffusers' processors that ours may stand in for
    patch = 2  # latent cells a side of one token
    turbo: int | None = None  # levels of weights that call themselves so; None where the schedule tells
    replays = False
    reads_references = False  # whether `velocity` takes `references`, a `References`
    pictured = False  # whether it is always told the picture: with the prompt, and beside the latents

    def __init__(self, vae: Any, transformer: Any, scheduler: Any, draft_vae: Any = None) -> None:
        self.vae, self.transformer = vae, transformer
        self.schedule = FlowSchedule(scheduler, self.family)
        self.draft_vae: Any = None
        self.set_draft_vae(draft_vae)
        self.batch_size: int | None = None
        self.check_transformer()

    @classmethod
    def encode_prompt(cls, components: dict[str, Any], prompt: str) -> Condition:
        """The condition of a prompt, by the family's own text encoders."""
        raise NotImplementedError

    def velocity(
        self,
        x: Tensor,
        timesteps: Tensor,
        condition: Condition,
        where: Tensor | None,
        with_text: bool,
        **shown: References,
    ) -> Tensor:
        """The transformer's output as a velocity e - clean.

        Parameters
        ----------
        x : (B, C, h, w) Tensor
            Latents in the transformer's number format.
        timesteps : (B,) Tensor
            Sigma times 1000.
        condition : Condition
            In the transformer's number format, one row.
        where : (n,) int64 Tensor or None
            The image tokens to compute; all when None. The result is 0 elsewhere.
        with_text : bool
            False where every layer reads kept text keys and values, so that no text need be computed.
        **shown : References
            `references`, where the family reads a picture beside the latents.
        """
        raise NotImplementedError

    def processor_of(self, module: Any) -> JointProcessor:
        """A new processor for an attention layer."""
        raise NotImplementedError

    def mu(self, tokens: int, steps: int) -> float | None:
        """The schedule's shift for a picture of so many tokens, where the family's pipeline gives one."""
        config = self.schedule.config
        low, high = config["base_image_seq_len"], config["max_image_seq_len"]
        slope = (config["max_shift"] - config["base_shift"]) / (high - low)
        return float(config["base_shift"] + slope * (tokens - low))

    def sigmas(self, tokens: int, steps: int) -> list[float]:
        """The sigmas of the whole schedule, as the family's pipeline has them."""
        return self.schedule.sigmas(steps, self.mu(tokens, steps), even_sigmas(steps))

    @property
    def profile(self) -> BackboneProfile:
        """Working size and default levels."""
        defaults = {"steps": 20, "start": 0.5, "stop": 0.2, "crop": True}
        return BackboneProfile(side=SIDE, min_side=512, defaults=defaults)

    @property
    def device(self) -> torch.device:
        """Where the transformer computes, which is not where it lies while it is offloaded."""
        return device_of(self.transformer)

    @property
    def dtype(self) -> torch.dtype:
        """The number format the transformer computes in."""
        return dtype_of(self.transformer)

    @property
    def channels(self) -> int:
        """Channels of the latents."""
        return int(self.vae.config.latent_channels)

    @property
    def cell(self) -> int:
        """Pixels a side of one latent cell."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @property
    def multiple(self) -> int:
        """Working sizes are multiples of this many pixels: whole tokens."""
        return self.cell * self.patch

    @property
    def has_draft_codec(self) -> bool:
        """Whether there is a small autoencoder for drafts."""
        return self.draft_vae is not None

    def tokens(self, height: int, width: int) -> int:
        """Image tokens of latents of (height, width) cells."""
        return -(-height // self.patch) * -(-width // self.patch)

    def width(self) -> int:
        """Channels of a token inside the network: heads times their width."""
        config = self.transformer.config
        return int(config.num_attention_heads * config.attention_head_dim)

    def called(self, partly: bool) -> Any:
        """The transformer, without torch.compile's wrapper where some of its tokens alone are computed."""
        return getattr(self.transformer, "_orig_mod", self.transformer) if partly else self.transformer

    def text_width(self) -> int:
        """Width of text embeds."""
        return int(self.transformer.config.joint_attention_dim)

    def attention_layers(self, found: dict[str, Any]) -> dict[str, Any]:
        """Those of the transformer's attention layers, by name, that see the image: all, in most families."""
        return found

    def kept_tokens(self, layer: str, image: int, text: int) -> int:
        """How many tokens an attention layer sees, of so many image and text tokens."""
        return image + text

    def levels(
        self,
        steps: int,
        start: float,
        timesteps: Sequence[float] | None = None,
        *,
        released: bool = False,
        size: tuple[int, int] | None = None,
    ) -> Levels:
        """See `Backbone.levels`: the scheduler's for a picture of this size, up to the one at `start`."""
        if released:
            raise ValueError(
                f"the released code's levels are those of Stable Diffusion, and {self.family} has a schedule "
                "of its own: leave preset='released' out"
            )
        if timesteps is not None:
            return timestep_levels(timesteps)
        check_steps(steps, 1000)
        side = SIDE // self.cell
        return flow_levels(self.sigmas(self.tokens(*(size or (side, side))), steps), start)

    def condition(self, embeds: Tensor | None, name: str = "prompt") -> Condition:
        """The condition of text embeds (1, tokens, dim).

        Raises
        ------
        ValueError
            None, embeds of another shape, or a family that needs more than them.
        """
        width = self.text_width()
        if embeds is None or embeds.ndim != 3 or (len(embeds), embeds.shape[-1]) != (1, width):
            got = None if embeds is None else tuple(embeds.shape)
            raise ValueError(f"{name}_embeds must be (1, tokens, {width}) for this model, got {got}")
        return Condition(embeds)

    def network(self, condition: Condition) -> TransformerNetwork:
        """The transformer under a condition.

        Raises
        ------
        ValueError
            Something has come to it that an edit cannot use, such as an IP-Adapter.
        """
        self.check_transformer()
        return TransformerNetwork(self, condition)

    def check_transformer(self) -> None:
        """Refuse what may have come to the transformer since it was loaded, and weights that are not there.

        Raises
        ------
        ValueError
            In one sentence.
        """
        check_network(self.transformer)

    def encode(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) in [-1, 1] -> (B, C, h, w) float32, the posterior's mode, scaled."""
        return self._encoded(self.vae, pixels)

    def decode(self, latents: Tensor) -> Tensor:
        """(B, C, h, w) scaled latents -> (B, 3, H, W) float32 in [-1, 1], apart from overshoot."""
        return self._decoded(self.vae, latents)

    def encode_draft(self, pixels: Tensor) -> Tensor:
        """`encode` by the small autoencoder where there is one; compare its latents only with each other."""
        return self._encoded(self.draft_vae or self.vae, pixels)

    def decode_draft(self, latents: Tensor) -> Tensor:
        """`decode` by the small autoencoder where there is one."""
        return self._decoded(self.draft_vae or self.vae, latents)

    def _encoded(self, vae: Any, pixels: Tensor) -> Tensor:
        with moving_turn(vae, self.transformer), device_errors():
            encoded = vae.encode(pixels.to(device_of(vae), dtype_of(vae)))
        found = encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents
        return self.scaled(vae, found.to(self.device, torch.float32))

    def _decoded(self, vae: Any, latents: Tensor) -> Tensor:
        raw = self.unscaled(vae, latents)
        with moving_turn(vae, self.transformer), device_errors():
            pixels = vae.decode(raw.to(device_of(vae), dtype_of(vae)), return_dict=True).sample
        return pixels.to(latents.device, torch.float32)  # type: ignore[no-any-return]

    def scaled(self, vae: Any, raw: Tensor) -> Tensor:
        """An autoencoder's latents as the transformer expects them."""
        return (raw - (vae.config.get("shift_factor") or 0.0)) * vae.config.scaling_factor  # type: ignore[no-any-return]

    def unscaled(self, vae: Any, latents: Tensor) -> Tensor:
        """The inverse of `scaled`."""
        return latents / vae.config.scaling_factor + (vae.config.get("shift_factor") or 0.0)  # type: ignore[no-any-return]

    def set_draft_vae(self, draft_vae: Any) -> None:
        """Encode and decode drafts by another small autoencoder; None uses the full one.

        Raises
        ------
        ValueError
            Its latents are not the model's.
        """
        if draft_vae is not None:
            given, wanted = draft_vae.config.get("latent_channels"), self.vae.config.latent_channels
            if given != wanted:
                raise ValueError(
                    f"draft_vae has latents of {given} channels but this model's have {wanted}: take the "
                    f"small autoencoder that was made for {self.family}"
                )
        self.draft_vae = draft_vae

    def accelerate(self, compile: bool | str) -> None:
        """See `RegionDragPipeline.accelerate`; calls of these families are plain ones.

        Raises
        ------
        ValueError
            `compile` is True, or none of True, False and "auto".
        """
        if compile is True:
            raise ValueError(f"calls of {self.family} are not compiled yet: leave compile out")
        if compile is not False and compile != "auto":
            raise ValueError(f"compile must be 'auto', True or False, got {compile!r}")

    @property
    def acceleration(self) -> str:
        """How the transformer's calls are made, in words."""
        return "eager: calls of transformers are not recorded"

    def fingerprint(self) -> tuple[object, ...]:
        """Equal as long as the transformer and the autoencoder compute the same: see `fingerprint`."""
        with turns_of(self.transformer):
            return fingerprint(self.transformer, self.vae)


def check_codec(family: str, given: int | None, wanted: int) -> None:
    """Refuse an autoencoder of another family.

    Parameters
    ----------
    family : str
        What the transformer's family is called.
    given, wanted : int
        Channels of the autoencoder's latents, and those that the transformer takes.

    Raises
    ------
    ValueError
        They differ.
    """
    if given != wanted:
        raise ValueError(
            f"the autoencoder's latents have {given or 'other'} channels and {family}'s transformer "
            f"takes {wanted}: use the model's own autoencoder"
        )


def scattered(values: Tensor, where: Tensor | None, tokens: int) -> Tensor:
    """Values (B, n, C) of some tokens among all of them, (B, tokens, C), 0 elsewhere."""
    if where is None:
        return values
    whole = values.new_zeros(len(values), tokens, values.shape[2])
    whole[:, where] = values
    return whole
