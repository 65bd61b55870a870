"""Tiny model folders of transformer families: the architecture is exact, the weights are random.

Nothing comes from a hub: the tokenisers are made on the spot, of bytes or single letters.
"""

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
from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from tests.unit.engine_kit import TEXT_WIDTH, tiny_text_encoder, tiny_tokenizer

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
# the chat template of Qwen3 as Z-Image's pipeline calls it: one message, thinking allowed
CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def save_sd3(folder: Path, tokenizer: Path, *, dual: bool = True) -> Path:
    """A tiny Stable Diffusion 3.5 folder; `tokenizer` is an empty folder to work in.

    Parameters
    ----------
    dual : bool
        With a second attention in the first block, as 3.5 medium has, and normalised keys; 3.0 has neither.
    """
    clip = tiny_tokenizer(tokenizer)
    StableDiffusion3Pipeline(
        transformer=sd3_transformer(dual=dual),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=kl_vae(scaling_factor=1.5305, shift_factor=0.0609),
        text_encoder=tiny_text_encoder(projection=True),
        tokenizer=clip,
        text_encoder_2=tiny_text_encoder(3, projection=True),
        tokenizer_2=clip,
        text_encoder_3=t5_encoder(),
        tokenizer_3=t5_tokenizer(),
    ).save_pretrained(folder)
    return folder


def save_qwen_image(folder: Path) -> Path:
    """A tiny Qwen-Image folder."""
    QwenImagePipeline(
        transformer=qwen_transformer(),
        scheduler=dynamic_scheduler(shift_terminal=0.02, max_image_seq_len=8192, max_shift=0.9),
        vae=qwen_vae(),
        text_encoder=qwen_vl(),
        tokenizer=qwen_tokenizer(),
    ).save_pretrained(folder)
    return folder


def save_z_image(folder: Path) -> Path:
    """A tiny Z-Image-Turbo folder."""
    ZImagePipeline(
        transformer=z_transformer(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=kl_vae(scaling_factor=0.3611, shift_factor=0.1159),
        text_encoder=qwen3(),
        tokenizer=qwen_tokenizer(),
    ).save_pretrained(folder)
    return folder


SAVE: dict[str, Callable[[Path, Path], Path]] = {
    "sd3": save_sd3,
    "qwen": lambda folder, _: save_qwen_image(folder),
    "zimage": lambda folder, _: save_z_image(folder),
}
"""By family: saves a tiny folder of it; the second argument is an empty folder to work in."""


def sd3_transformer(seed: int = 0, *, dual: bool = True) -> SD3Transformer2DModel:
    torch.manual_seed(seed)
    return SD3Transformer2DModel(
        sample_size=16,
        num_layers=3,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=2 * TEXT_WIDTH + 8,
        caption_projection_dim=16,
        pooled_projection_dim=2 * TEXT_WIDTH,
        pos_embed_max_size=24,
        dual_attention_layers=(0,) if dual else (),
        qk_norm="rms_norm" if dual else None,
    ).eval()


def qwen_transformer(seed: int = 0) -> QwenImageTransformer2DModel:
    torch.manual_seed(seed)
    return QwenImageTransformer2DModel(
        in_channels=64,
        out_channels=16,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=TEXT_WIDTH,
        axes_dims_rope=(4, 6, 6),
    ).eval()


def z_transformer(seed: int = 0) -> ZImageTransformer2DModel:
    torch.manual_seed(seed)
    return ZImageTransformer2DModel(
        in_channels=16,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=TEXT_WIDTH,
        axes_dims=[4, 6, 6],
        axes_lens=[640, 64, 64],
    ).eval()


def kl_vae(seed: int = 1, **changes: Any) -> AutoencoderKL:
    """16 channels, 8 px a cell, no quantisation layers, as Stable Diffusion 3 and FLUX have."""
    torch.manual_seed(seed)
    config: dict[str, Any] = {
        "block_out_channels": (4, 4, 4, 4),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 1,
        "latent_channels": 16,
        "norm_num_groups": 2,
        "sample_size": 128,
        "use_quant_conv": False,
        "use_post_quant_conv": False,
        "force_upcast": False,
        "mid_block_add_attention": False,
    }
    return AutoencoderKL(**{**config, **changes}).eval()


def qwen_vae(seed: int = 1) -> AutoencoderKLQwenImage:
    """The video autoencoder of Qwen-Image, 16 channels, 8 px a cell; its own means and deviations."""
    torch.manual_seed(seed)
    return AutoencoderKLQwenImage(base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1).eval()


def dynamic_scheduler(**changes: Any) -> FlowMatchEulerDiscreteScheduler:
    """A flow whose shift follows the size of the picture."""
    return FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, **changes)


def t5_tokenizer() -> T5Tokenizer:
    """A T5 tokenizer that knows single letters."""
    words = ["<pad>", "</s>", "<unk>", "▁", *map(chr, range(ord("a"), ord("z") + 1))]
    return T5Tokenizer([(word, -float(i > 2)) for i, word in enumerate(words)], extra_ids=0)


def t5_encoder(seed: int = 4) -> T5EncoderModel:
    torch.manual_seed(seed)
    config = T5Config(
        vocab_size=32, d_model=2 * TEXT_WIDTH + 8, d_kv=8, d_ff=16, num_layers=1, num_heads=2, is_gated_act=True
    )
    return T5EncoderModel(config).eval()


def qwen_tokenizer() -> Qwen2Tokenizer:
    """Qwen's tokenizer with one token a byte and its special tokens."""
    words = [*sorted(_byte_letters()), *SPECIAL]
    return Qwen2Tokenizer(
        {word: i for i, word in enumerate(words)},
        [],
        additional_special_tokens=list(SPECIAL[1:]),
        chat_template=CHAT,
        model_max_length=2048,
    )


def qwen_vl(seed: int = 5) -> Qwen2_5_VLForConditionalGeneration:
    """Qwen2.5-VL as Qwen-Image reads prompts with it."""
    torch.manual_seed(seed)
    ids = {word: len(_byte_letters()) + i for i, word in enumerate(SPECIAL)}
    config = Qwen2_5_VLConfig(
        text_config=_qwen_text() | {"rope_parameters": {"rope_type": "default", "mrope_section": [2, 1, 1]}},
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": TEXT_WIDTH,
            "fullatt_block_indexes": [0],
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    return Qwen2_5_VLForConditionalGeneration(config).eval()


def qwen3(seed: int = 5) -> Qwen3Model:
    """Qwen3 as Z-Image reads prompts with it."""
    torch.manual_seed(seed)
    return Qwen3Model(Qwen3Config(**_qwen_text(), head_dim=8)).eval()


def _qwen_text() -> dict[str, Any]:
    return {
        "vocab_size": len(_byte_letters()) + len(SPECIAL),
        "hidden_size": TEXT_WIDTH,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 2048,
        "bos_token_id": len(_byte_letters()),
        "eos_token_id": len(_byte_letters()),
        "pad_token_id": len(_byte_letters()),
    }


def _byte_letters() -> list[str]:
    """The letters that byte level tokenizers write the 256 bytes as."""
    from tokenizers.pre_tokenizers import ByteLevel

    return ByteLevel.alphabet()
