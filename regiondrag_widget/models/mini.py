"""The bundled model: a small UNet and a linear codec, trained by us, used without a download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel

from regiondrag_widget.models.bundled import BundledWeightsMissingError
from regiondrag_widget.models.linear_codec import LinearCodec

__all__ = ["WEIGHTS", "load_mini"]

WEIGHTS = Path(__file__).resolve().parents[1] / "mini" / "weights"


def load_mini(dtype: torch.dtype, folder: Path = WEIGHTS) -> dict[str, Any]:
    """The components of the bundled model, as `RegionDragPipeline` takes them.

    Parameters
    ----------
    dtype : torch.dtype
        Of the UNet; the codec is float32.
    folder : Path
        Where the weights are.

    Raises
    ------
    FileNotFoundError
        The weights are missing.
    """
    if not (folder / "unet").is_dir():
        raise BundledWeightsMissingError("the bundled model", folder)
    vae = LinearCodec.from_pretrained(
        folder / "codec", use_safetensors=True, torch_dtype=torch.float32
    ).eval()
    unet = UNet2DConditionModel.from_pretrained(
        folder / "unet", use_safetensors=True, torch_dtype=dtype
    ).eval()
    return {"vae": vae, "unet": unet, "scheduler": DDIMScheduler.from_pretrained(folder / "scheduler")}
