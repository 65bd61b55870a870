"""Tiny model folders of SD 3.5, Qwen-Image and Z-Image beside those of `transformer_kit`: `KITS` has all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    ZImagePipeline,
    ZImageTransformer2DModel,
)
from diffusers.models.transformers import transformer_qwenimage, transformer_z_image
from torch import Tensor
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3Config,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from tests.unit.engine_kit import TEXT_WIDTH, tiny_text_encoder, tiny_tokenizer
from tests.unit.models import transformer_kit
from tests.unit.models.flow_reference import Seam
from tests.unit.models.transformer_kit import CODEC, Kit, chat_tokenizer, lively, shifted

__all__ = ["KITS"]


def save_sd3(folder: Path) -> Path:
    """Stable Diffusion 3.5 medium: the first block has a second attention of the image alone."""
    torch.manual_seed(0)
    transformer = SD3Transformer2DModel(
        sample_size=16,
        num_layers=3,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=2 * TEXT_WIDTH + 8,
        caption_projection_dim=16,
        pooled_projection_dim=2 * TEXT_WIDTH,
        pos_embed_max_size=64,
        dual_attention_layers=(0,),
        qk_norm="rms_norm",
    )
    clip = tiny_tokenizer(folder.parent / "clip")
    StableDiffusion3Pipeline(
        lively(transformer),
        FlowMatchEulerDiscreteScheduler(shift=3.0),
        kl_vae(scaling_factor=1.5305, shift_factor=0.0609),
        tiny_text_encoder(projection=True),
        clip,
        tiny_text_encoder(3, projection=True),
        clip,
        t5_encoder(),
        t5_tokenizer(),
    ).save_pretrained(folder)
    return folder


def save_qwen_image(folder: Path) -> Path:
    """Qwen-Image: two joint blocks, Qwen2.5-VL, a video autoencoder with means and deviations."""
    torch.manual_seed(0)
    transformer = QwenImageTransformer2DModel(
        in_channels=64,
        out_channels=16,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=TEXT_WIDTH,
        axes_dims_rope=(4, 6, 6),
    )
    vae = AutoencoderKLQwenImage(base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1)
    scheduler = FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=True, shift_terminal=0.02, max_image_seq_len=8192, max_shift=0.9
    )
    QwenImagePipeline(
        scheduler, lively(vae), qwen_vl(), chat_tokenizer(), lively(transformer)
    ).save_pretrained(folder)
    return folder


def save_z_image(folder: Path) -> Path:
    """Z-Image-Turbo: a refiner each of image and text, then two layers of both."""
    torch.manual_seed(0)
    transformer = ZImageTransformer2DModel(
        in_channels=16,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=TEXT_WIDTH,
        axes_dims=[4, 6, 6],
        axes_lens=[640, 64, 64],
    )
    text = Qwen3Model(Qwen3Config(**qwen_text(), head_dim=8)).eval()
    ZImagePipeline(
        FlowMatchEulerDiscreteScheduler(shift=3.0),
        kl_vae(scaling_factor=0.3611, shift_factor=0.1159),
        text,
        chat_tokenizer(),
        lively(transformer),
    ).save_pretrained(folder)
    return folder


def sd3_embeds(pipe: Any, prompt: str) -> Tensor:
    return sd3_condition(pipe, prompt)[0]


def sd3_condition(pipe: Any, prompt: str) -> tuple[Tensor, Tensor]:
    """Text, and its summary, as diffusers' Stable Diffusion 3 pipeline makes them."""
    given = pipe.encode_prompt(prompt, None, None, do_classifier_free_guidance=False, device="cpu")
    return given[0], given[2]


def sd3_velocity(pipe: Any, prompt: str) -> Callable[[Tensor, float], Tensor]:
    """The velocity as diffusers' Stable Diffusion 3 pipeline asks for it."""
    embeds, pooled = sd3_condition(pipe, prompt)

    def velocity(x: Tensor, sigma: float) -> Tensor:
        rows = len(x)
        return pipe.transformer(
            hidden_states=x,
            timestep=torch.full((rows,), 1000 * sigma),
            encoder_hidden_states=embeds.expand(rows, -1, -1),
            pooled_projections=pooled.expand(rows, -1),
            return_dict=False,
        )[0]

    return velocity


def qwen_embeds(pipe: Any, prompt: str) -> Tensor:
    return pipe.encode_prompt(prompt, device="cpu")[0]


def qwen_velocity(pipe: Any, prompt: str) -> Callable[[Tensor, float], Tensor]:
    """The velocity as diffusers' Qwen-Image pipeline asks for it."""
    embeds = qwen_embeds(pipe, prompt)

    def velocity(x: Tensor, sigma: float) -> Tensor:
        rows, channels, height, width = x.shape
        tokens = pipe.transformer(
            hidden_states=pipe._pack_latents(x, rows, channels, height, width),
            timestep=torch.full((rows,), sigma),
            encoder_hidden_states=embeds.expand(rows, -1, -1),
            img_shapes=[[(1, height // 2, width // 2)]] * rows,
            return_dict=False,
        )[0]
        return pipe._unpack_latents(tokens, 8 * height, 8 * width, 8)[:, :, 0]

    return velocity


def qwen_encoded(pipe: Any, pixels: Tensor) -> Tensor:
    """The latents as diffusers' Qwen-Image pipelines make them of pictures in [-1, 1]."""
    raw = pipe.vae.encode(pixels[:, :, None]).latent_dist.mode()[:, :, 0]
    config = pipe.vae.config
    mean, deviation = (torch.tensor(t).view(1, -1, 1, 1) for t in (config.latents_mean, config.latents_std))
    return (raw - mean) / deviation


def z_embeds(pipe: Any, prompt: str) -> Tensor:
    return pipe.encode_prompt(prompt, device="cpu", do_classifier_free_guidance=False)[0][0][None]


def z_velocity(pipe: Any, prompt: str) -> Callable[[Tensor, float], Tensor]:
    """The velocity as diffusers' Z-Image pipeline asks for it."""
    embeds = z_embeds(pipe, prompt)[0]

    def velocity(x: Tensor, sigma: float) -> Tensor:
        out = pipe.transformer(list(x[:, :, None]), torch.full((len(x),), 1 - sigma), [embeds] * len(x))
        return -torch.stack(list(out.sample))[:, :, 0]

    return velocity


def kl_encoded(pipe: Any, pixels: Tensor) -> Tensor:
    """The latents as diffusers' pipelines with a plain autoencoder make them of pictures in [-1, 1]."""
    raw = pipe.vae.encode(pixels).latent_dist.mode()
    return (raw - pipe.vae.config.shift_factor) * pipe.vae.config.scaling_factor


def qwen_mu(tokens: int, steps: int) -> float:
    """The shift that Qwen-Image's pipeline works out with the numbers of its scheduler."""
    return 0.5 + (0.9 - 0.5) * (tokens - 256) / (8192 - 256)


def kl_vae(**changes: Any) -> AutoencoderKL:
    """16 channels, 8 px a cell, no quantisation layers, as Stable Diffusion 3 and FLUX.1 have."""
    torch.manual_seed(1)
    vae = AutoencoderKL(
        **CODEC, latent_channels=16, use_quant_conv=False, use_post_quant_conv=False,
        force_upcast=False, mid_block_add_attention=False, **changes,
    )  # fmt: skip
    return lively(vae)


def t5_tokenizer() -> T5Tokenizer:
    """A T5 tokenizer that knows single letters."""
    words = ["<pad>", "</s>", "<unk>", "▁", *map(chr, range(ord("a"), ord("z") + 1))]
    return T5Tokenizer([(word, -float(i > 2)) for i, word in enumerate(words)], extra_ids=0)


def t5_encoder() -> T5EncoderModel:
    torch.manual_seed(4)
    config = T5Config(
        vocab_size=32,
        d_model=2 * TEXT_WIDTH + 8,
        d_kv=8,
        d_ff=16,
        num_layers=1,
        num_heads=2,
        is_gated_act=True,
    )
    return T5EncoderModel(config).eval()


def qwen_vl() -> Qwen2_5_VLForConditionalGeneration:
    """Qwen2.5-VL, of which Qwen-Image uses the text half for a prompt."""
    torch.manual_seed(5)
    rope = {"rope_type": "default", "mrope_section": [2, 1, 1]}
    config = Qwen2_5_VLConfig(
        text_config={**qwen_text(), "rope_parameters": rope},
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": TEXT_WIDTH,
            "fullatt_block_indexes": [0],
        },
        image_token_id=280,
        video_token_id=281,
        vision_start_token_id=282,
        vision_end_token_id=283,
    )
    return Qwen2_5_VLForConditionalGeneration(config).eval()


def qwen_text() -> dict[str, Any]:
    return {
        "vocab_size": 300,
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 2048,
        "bos_token_id": 256,
        "eos_token_id": 256,
        "pad_token_id": 256,
    }


KITS = {
    **transformer_kit.KITS,
    "sd3": Kit(
        save_sd3,
        StableDiffusion3Pipeline,
        sd3_velocity,
        kl_encoded,
        sd3_embeds,
        lambda scheduler, tokens, steps: scheduler.set_timesteps(steps),
        Seam(torch.nn.functional, "scaled_dot_product_attention", axis=2, image_first=True),
        patch=2,
    ),
    "qwen": Kit(
        save_qwen_image,
        QwenImagePipeline,
        qwen_velocity,
        qwen_encoded,
        qwen_embeds,
        shifted(qwen_mu),
        Seam(transformer_qwenimage),
        patch=2,
    ),
    "zimage": Kit(
        save_z_image,
        ZImagePipeline,
        z_velocity,
        kl_encoded,
        z_embeds,
        shifted(lambda tokens, steps: 1.0),
        Seam(transformer_z_image, image_first=True),
        patch=2,
        layer="layers.0.attention",
    ),
}
