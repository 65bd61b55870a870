"""The bundled flow model: FLUX.2 klein's architecture, tiny, over the codec of the bundled model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from regiondrag_widget.models.backbone import Condition
from regiondrag_widget.models.bundled import BundledWeightsMissingError
from regiondrag_widget.models.flux2 import Flux2Backbone
from regiondrag_widget.models.linear_codec import LinearCodec
from regiondrag_widget.models.mini import WEIGHTS
from regiondrag_widget.models.profile import MINI_FLOW_PROFILE, BackboneProfile
from regiondrag_widget.models.transformer import TransformerBackbone

__all__ = ["FLOW_WEIGHTS", "MiniFlowBackbone", "load_mini_flow"]

FLOW_WEIGHTS = WEIGHTS.parent / "flow"


class MiniFlowBackbone(Flux2Backbone):
    """The bundled flow transformer: a cell of the linear codec's latents is a token of 8 px, without text."""

    family = "the bundled flow model"
    folding = 1

    @property
    def profile(self) -> BackboneProfile:
        """See `MINI_FLOW_PROFILE`."""
        return MINI_FLOW_PROFILE

    def mu(self, tokens: int, steps: int) -> float | None:
        """See `TransformerBackbone.mu`; its schedule is the same for every size."""
        return None

    def condition(self, embeds: Tensor | None, name: str = "prompt") -> Condition:
        """The one condition it was trained with, where none is given."""
        return super().condition(torch.ones(1, 1, self.text_width()) if embeds is None else embeds, name)

    def scaled(self, vae: Any, raw: Tensor) -> Tensor:
        """The codec's latents are scaled already."""
        return TransformerBackbone.scaled(self, vae, raw)

    def unscaled(self, vae: Any, latents: Tensor) -> Tensor:
        """The inverse of `scaled`."""
        return TransformerBackbone.unscaled(self, vae, latents)


def load_mini_flow(dtype: torch.dtype, folder: Path = FLOW_WEIGHTS, codec: Path = WEIGHTS) -> dict[str, Any]:
    """The components of the bundled flow model, as `RegionDragPipeline` takes them.

    Parameters
    ----------
    dtype : torch.dtype
        Of the transformer; the codec is float32.
    folder : Path
        Where the transformer and its schedule are.
    codec : Path
        Where the bundled model's weights are, whose codec is used.

    Raises
    ------
    FileNotFoundError
        The weights are missing.
    """
    from diffusers import FlowMatchEulerDiscreteScheduler, Flux2Transformer2DModel

    for place in (folder / "transformer", codec / "codec"):
        if not place.is_dir():
            raise BundledWeightsMissingError("the bundled flow model", place)
    vae = LinearCodec.from_pretrained(codec / "codec", use_safetensors=True, torch_dtype=torch.float32)
    transformer = Flux2Transformer2DModel.from_pretrained(
        folder / "transformer", use_safetensors=True, torch_dtype=dtype
    )
    scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(folder / "scheduler")
    return {"vae": vae.eval(), "unet": None, "transformer": transformer.eval(), "scheduler": scheduler}
