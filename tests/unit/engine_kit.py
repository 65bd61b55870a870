"""Tiny random networks of the Stable Diffusion family, and pictures and regions to edit with them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from regiondrag_widget.models.backbone import Condition
from regiondrag_widget.models.profile import BackboneProfile
from regiondrag_widget.pipeline import RegionDragPipeline
from regiondrag_widget.regions import RegionPair

TEXT_WIDTH = 16
WORKING_SIDE = 128  # the pixels a side the tiny pipeline works at: 16 cells of 8 px


def placed(values: np.ndarray, box: tuple[int, int, int, int], onto: np.ndarray) -> np.ndarray:
    """A copy of an array with other values in a box of it, of the values' type."""
    whole = onto.astype(values.dtype)
    x0, y0, x1, y1 = box
    whole[y0:y1, x0:x1] = values
    return whole


def tiny_unet(seed: int = 0, **changes: Any) -> UNet2DConditionModel:
    """Two levels, attention in both, random weights."""
    torch.manual_seed(seed)
    config = {
        "sample_size": WORKING_SIDE // 8,
        "in_channels": 4,
        "out_channels": 4,
        "layers_per_block": 1,
        "block_out_channels": (8, 16),
        "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        "cross_attention_dim": TEXT_WIDTH,
        "attention_head_dim": 2,
        "norm_num_groups": 4,
    }
    return UNet2DConditionModel(**{**config, **changes}).eval()


def tiny_vae(seed: int = 1, **changes: Any) -> AutoencoderKL:
    """An autoencoder of 8 px a cell, random weights."""
    torch.manual_seed(seed)
    config = {
        "block_out_channels": (4, 4, 4, 4),
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "layers_per_block": 1,
        "latent_channels": 4,
        "norm_num_groups": 2,
        "sample_size": WORKING_SIDE,
        "force_upcast": False,
    }
    return AutoencoderKL(**{**config, **changes}).eval()


def save_tiny_sd15(folder: Path, tokenizer: Path, **scheduler: Any) -> Path:
    """A tiny model folder as Stable Diffusion 1.5's is; `tokenizer` is an empty folder to work in."""
    StableDiffusionPipeline(
        vae=tiny_vae(),
        text_encoder=tiny_text_encoder(),
        tokenizer=tiny_tokenizer(tokenizer),
        unet=tiny_unet(),
        scheduler=tiny_scheduler(steps_offset=1, **scheduler),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


def tiny_scheduler(**changes: Any) -> DDIMScheduler:
    config = {
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "clip_sample": False,
    }
    return DDIMScheduler(**{**config, **changes})


def tiny_tokenizer(folder: Path) -> CLIPTokenizer:
    """A CLIP tokenizer that knows single letters, written to disk first since it comes from nowhere else."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77)


def tiny_text_encoder(
    seed: int = 2, *, projection: bool = False, width: int = TEXT_WIDTH, layers: int = 2
) -> CLIPTextModel | CLIPTextModelWithProjection:
    torch.manual_seed(seed)
    config = CLIPTextConfig(
        vocab_size=54,
        hidden_size=width,
        intermediate_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        max_position_embeddings=77,
        projection_dim=width,
        bos_token_id=52,
        eos_token_id=53,
        pad_token_id=53,
    )
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config).eval()


class Wordless(RegionDragPipeline):
    """Without a text encoder: a prompt is a fixed embedding, so that most tests need no tokenizer."""

    def _made_of(self, name: str) -> Any:
        model = super()._made_of(name)
        model.encode_prompt = lambda _: Condition(tiny_embeds())
        return model


def tiny_embeds() -> torch.Tensor:
    return torch.randn(1, 5, TEXT_WIDTH, generator=torch.Generator().manual_seed(3))


def tiny_pipeline(*, seed: int = 0, prediction_type: str = "epsilon") -> RegionDragPipeline:
    """A pipeline of random weights that works at 128 px, by default at 3 levels, pasting down to 0.2."""
    pipe = Wordless(tiny_vae(seed + 1), tiny_unet(seed), tiny_scheduler(prediction_type=prediction_type))
    pipe.profile = BackboneProfile(WORKING_SIDE, WORKING_SIDE, defaults=DEFAULTS)
    return pipe


DEFAULTS = {"steps": 6, "start": 0.5, "stop": 0.2}


def picture(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """(H, W, channels) uint8 noise: no pixel has its neighbour's colour, so nothing is right by accident."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def box(shape: tuple[int, int], x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """(H, W) bool, True in x0 <= x < x1, y0 <= y < y1."""
    mask = np.zeros(shape, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def box_pair(shape: tuple[int, int], dx: int = 0, dy: int = 0) -> RegionPair:
    """A box of a quarter of the picture's sides, moved by a third of them unless told otherwise."""
    height, width = shape
    dx, dy = dx or width // 3, dy or height // 3
    handle = box(shape, width // 8, height // 8, width // 8 + width // 4, height // 8 + height // 4)
    return RegionPair(handle, matrix=np.array([[1.0, 0, dx], [0, 1, dy], [0, 0, 1]]))


@contextmanager
def counted(pipe: RegionDragPipeline) -> Iterator[Counter[str]]:
    """Counts `unet` forward calls, `latents` they were asked for, `encode` and `decode` while open."""
    counts: Counter[str] = Counter()

    kind = type(pipe.unet)
    forward = kind.forward

    def unet_called(self: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
        if self is pipe.unet:
            counts["unet"] += 1
            counts["latents"] += len(sample)
        return forward(self, sample, *args, **kwargs)

    kind.forward = unet_called  # a hook on the network itself would make it another one
    originals = {name: getattr(type(pipe.vae), name) for name in ("encode", "decode")}

    def counting(name: str) -> Any:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            if self is pipe.vae:
                counts[name] += 1
            return originals[name](self, *args, **kwargs)

        return call

    codec = type(pipe.vae)
    for name in originals:
        setattr(codec, name, counting(name))
    try:
        yield counts
    finally:
        kind.forward = forward
        for name, original in originals.items():
            setattr(codec, name, original)


def processors_of(unet: Any) -> dict[str, Any]:
    """The very processor objects, by name."""
    return dict(unet.attn_processors)


def relative_error(ours: torch.Tensor, expected: torch.Tensor) -> float:
    return float((ours.double() - expected.double()).norm() / expected.double().norm())
