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
    AutoencoderKL,
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    FluxPipeline,
    FluxTransformer2DModel,
)
from diffusers.models.transformers import transformer_flux, transformer_flux2
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu
from tokenizers.pre_tokenizers import ByteLevel
from torch import Tensor, nn
from transformers import (
    Qwen2TokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Config,
    T5EncoderModel,
    T5TokenizerFast,
)

from tests.unit.engine_kit import TEXT_WIDTH, tiny_text_encoder, tiny_tokenizer
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


def embeds_of(pipe: Any, prompt: str) -> Tensor:
    """The condition as diffusers' pipeline makes it of a prompt."""
    return pipe.encode_prompt(prompt, device="cpu")[0]


def save_flux1(folder: Path, *, guidance: bool = True) -> Path:
    """FLUX.1 dev: one joint block and two single ones, CLIP and T5; schnell without `guidance`."""
    torch.manual_seed(0)
    transformer = FluxTransformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=8,
        pooled_projection_dim=TEXT_WIDTH,
        guidance_embeds=guidance,
        axes_dims_rope=(4, 4, 8),
    )
    vae = AutoencoderKL(**CODEC, latent_channels=4, scaling_factor=0.3611, shift_factor=0.1159)
    FluxPipeline(
        FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=guidance, shift=3.0 if guidance else 1.0),
        lively(vae),
        tiny_text_encoder(),
        tiny_tokenizer(folder / "made"),
        t5(),
        t5_tokenizer(),
        lively(transformer),
    ).save_pretrained(folder)
    return folder


def flux1_velocity(pipe: Any, prompt: str) -> Callable[[Tensor, float], Tensor]:
    """The velocity as diffusers' FLUX.1 pipeline asks for it."""
    embeds, pooled, text_ids = pipe.encode_prompt(prompt, device="cpu")

    def velocity(x: Tensor, sigma: float) -> Tensor:
        batch, channels, height, width = x.shape
        tokens = pipe.transformer(
            hidden_states=pipe._pack_latents(x, batch, channels, height, width),
            timestep=torch.full((batch,), sigma),
            guidance=torch.full((batch,), 3.5),
            pooled_projections=pooled.expand(batch, -1),
            encoder_hidden_states=embeds.expand(batch, -1, -1),
            txt_ids=text_ids,
            img_ids=pipe._prepare_latent_image_ids(batch, height // 2, width // 2, "cpu", torch.float32),
            return_dict=False,
        )[0]
        return pipe._unpack_latents(tokens, 8 * height, 8 * width, 8)

    return velocity


def scaled_mode(pipe: Any, pixels: Tensor) -> Tensor:
    """The latents as diffusers' image-to-image pipelines scale them, for pictures in [-1, 1]."""
    config = pipe.vae.config
    return (pipe.vae.encode(pixels).latent_dist.mode() - config.shift_factor) * config.scaling_factor


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
    "flux1": Kit(
        save_flux1,
        FluxPipeline,
        flux1_velocity,
        scaled_mode,
        embeds_of,
        shifted(lambda tokens, _: calculate_shift(tokens)),
        Seam(transformer_flux),
        patch=2,
    ),
    "flux2": Kit(
        save_flux2_klein,
        Flux2KleinPipeline,
        flux2_velocity,
        flux2_encoded,
        embeds_of,
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


def t5() -> T5EncoderModel:
    """T5's encoder, as FLUX.1 and Stable Diffusion 3 read text by."""
    config = T5Config(vocab_size=100, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    return T5EncoderModel(config).eval()


def t5_tokenizer() -> T5TokenizerFast:
    """T5's tokenizer, which knows single letters."""
    letters = [(chr(c), -3.0) for c in range(ord("a"), ord("z") + 1)]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0), *letters]
    return T5TokenizerFast(vocab=pieces, extra_ids=0)
