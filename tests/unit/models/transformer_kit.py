"""Model folders of the flow transformer families: exactly their architecture, tiny, with random weights.

A function a family saves its folder, and others call diffusers' own pipeline of it as a reference; `KITS` has
them by the family's name. Tokenizers are made here, so that nothing comes from a hub.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
)
from diffusers.models.transformers import transformer_flux2
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu
from tokenizers.pre_tokenizers import ByteLevel
from torch import Tensor, nn
from transformers import Qwen2TokenizerFast, Qwen3Config, Qwen3ForCausalLM

from tests.unit.models.flow_reference import Seam

SIDE = 96  # the pixels a side that tests work at

CODEC = {
    "block_out_channels": (4, 4, 4, 4),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 1,
    "norm_num_groups": 2,
    "sample_size": SIDE,
}


def save_flux2_klein(folder: Path) -> Path:
    """FLUX.2 klein: one joint block and two parallel ones, Qwen3's text at three of its layers."""
    torch.manual_seed(0)
    text = qwen3(layers=27)
    transformer = Flux2Transformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=3 * text.config.hidden_size,
        timestep_guidance_channels=16,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=False,
    )
    vae = AutoencoderKLFlux2(**CODEC, latent_channels=4)
    vae.bn.running_mean.uniform_(-0.5, 0.5)
    vae.bn.running_var.uniform_(0.5, 1.5)
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0)
    Flux2KleinPipeline(
        scheduler, lively(vae), text, chat_tokenizer(), lively(transformer), is_distilled=True
    ).save_pretrained(folder)
    return folder


def flux2_velocity(pipe: Any, prompt: str) -> Callable[[Tensor, float], Tensor]:
    """The velocity as diffusers' FLUX.2 klein pipeline asks for it."""
    embeds, text_ids = pipe.encode_prompt(prompt, device="cpu")

    def velocity(x: Tensor, sigma: float) -> Tensor:
        ids = pipe._prepare_latent_ids(x)
        tokens = pipe.transformer(
            hidden_states=pipe._pack_latents(x),
            timestep=torch.full((len(x),), sigma),
            guidance=None,
            encoder_hidden_states=embeds.expand(len(x), -1, -1),
            txt_ids=text_ids,
            img_ids=ids,
            return_dict=False,
        )[0]
        return pipe._unpack_latents_with_ids(tokens, ids, *x.shape[-2:])

    return velocity


def flux2_encoded(pipe: Any, pixels: Tensor) -> Tensor:
    """The latents as diffusers' FLUX.2 klein pipeline makes them of pictures in [-1, 1]."""
    return pipe._encode_vae_image(pixels, None)


def flux2_embeds(pipe: Any, prompt: str) -> Tensor:
    """The condition as diffusers' FLUX.2 klein pipeline makes it of a prompt."""
    return pipe.encode_prompt(prompt, device="cpu")[0]


@dataclass(frozen=True)
class Kit:
    """What tests need of a family.

    Attributes
    ----------
    save : callable
        Saves a model folder.
    pipeline : type
        diffusers' pipeline, which loads it.
    velocity, encoded, embeds : callable
        What that pipeline computes.
    schedule : callable
        Sets the timesteps of its scheduler as it does, for a number of image tokens and steps.
    attention : Seam
        Where the transformer calls attention.
    patch : int
        Latent cells a side of one token.
    layer : str
        The end of the name of a layer that sees image and text.
    """

    save: Callable[[Path], Path]
    pipeline: Any
    velocity: Callable[[Any, str], Callable[[Tensor, float], Tensor]]
    encoded: Callable[[Any, Tensor], Tensor]
    embeds: Callable[[Any, str], Tensor]
    schedule: Callable[[Any, int, int], None]
    attention: Seam
    patch: int
    layer: str = ".0.attn"


def shifted(mu: Callable[[int, int], float]) -> Callable[[Any, int, int], None]:
    """Even sigmas, shifted by the number of image tokens and steps."""

    def schedule(scheduler: Any, tokens: int, steps: int) -> None:
        scheduler.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps), mu=mu(tokens, steps))

    return schedule


KITS = {
    "flux2": Kit(
        save_flux2_klein,
        Flux2KleinPipeline,
        flux2_velocity,
        flux2_encoded,
        flux2_embeds,
        shifted(compute_empirical_mu),
        Seam(transformer_flux2),
        patch=1,
    ),
}


def lively(network: nn.Module) -> Any:
    """Weights of a size at which attention and positions matter; no bias or gate stays at its 0."""
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.ndim > 1:
                weight.normal_(0, 1.2 / weight[0].numel() ** 0.5)
            elif not name.endswith("weight"):
                weight.normal_(0, 0.1)
    return network.eval()


def qwen3(layers: int) -> Qwen3ForCausalLM:
    """Qwen3, the text encoder of FLUX.2 klein and Z-Image."""
    config = Qwen3Config(
        vocab_size=300,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=layers,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=1024,
    )
    return Qwen3ForCausalLM(config).eval()


def chat_tokenizer() -> Qwen2TokenizerFast:
    """Qwen's tokenizer, which knows single bytes, with a chat template."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    words = [*sorted(ByteLevel.alphabet()), *special]
    tokenizer = Qwen2TokenizerFast(vocab={word: i for i, word in enumerate(words)}, merges=[])
    tokenizer.chat_template = (
        "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    return tokenizer
