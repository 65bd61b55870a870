"""A small network with weights from a formula, an edit by it, and what the edit gives in float32 on a CPU.

The engine that wrote the vectors reproduces those of the released algorithm (``tests/data/parity``), and a
test holds the file to what the engine gives. No weights are shipped: they are drawn anew, each tensor by its
name, from numpy's `RandomState`, whose streams never change.
"""

from __future__ import annotations

import zlib
from importlib import resources
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import load
from torch import Tensor

from regiondrag_widget.pipeline import RegionDragPipeline
from regiondrag_widget.regions import Correspondence

__all__ = ["computed", "expected", "reference_pipeline"]

CELLS = 16
WIDTH = 16  # of the text embeds


def reference_pipeline(device: torch.device, dtype: torch.dtype) -> RegionDragPipeline:
    """The small network as a pipeline on a device, in a number format."""
    unet = UNet2DConditionModel(
        sample_size=CELLS,
        layers_per_block=1,
        block_out_channels=(16, 32),
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=8,
        norm_num_groups=4,
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        force_upcast=False,
    )
    scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    for part in (unet, vae):
        _fill(part)
        part.to(device, dtype).eval()
    return RegionDragPipeline(vae, unet, scheduler)


@torch.inference_mode()
def computed(pipe: RegionDragPipeline) -> dict[str, Tensor]:
    """The edit by a pipeline: "latents" (1, 4, 16, 16) and "image" (1, 3, 32, 32), float32 on the CPU."""
    y, x = np.mgrid[2:6, 2:7]
    source = np.stack([x.ravel(), y.ravel()], 1)
    latents = torch.from_numpy(_normal("latents", (1, 4, CELLS, CELLS)))
    final = pipe(
        latents=latents.to(pipe.backbone.device),
        correspondence=Correspondence(source, source + np.array([6, 5])),
        prompt_embeds=torch.from_numpy(_normal("embeds", (1, 7, WIDTH))),
        preset="released",
        steps=8,
        start=0.5,
        path_noise=torch.from_numpy(_normal("path", (4, 4, CELLS, CELLS))),
        handle_noise=torch.from_numpy(_normal("handle", (4, len(source)))),
        output_type="latent",
    ).images
    image = pipe.backbone.decode(final)
    return {"latents": final.float().cpu(), "image": image.float().cpu()}


def expected() -> dict[str, Tensor]:
    """What `computed` gives in float32 on a CPU."""
    file = resources.files("regiondrag_widget.check") / "reference.safetensors"
    found: dict[str, Tensor] = load(file.read_bytes())
    return found


def _normal(name: str, shape: tuple[int, ...]) -> np.ndarray:
    random = np.random.RandomState(zlib.crc32(name.encode()))
    return random.standard_normal(shape).astype(np.float32)


@torch.no_grad()
def _fill(module: Any) -> None:
    for name, weight in module.named_parameters():
        drawn = torch.from_numpy(_normal(name, tuple(weight.shape)))
        if weight.ndim == 1:  # of norms about 1, biases about 0
            weight.copy_(drawn * 0.1 + (1.0 if "norm" in name and name.endswith("weight") else 0.0))
        else:
            weight.copy_(drawn / weight[0].numel() ** 0.5)
