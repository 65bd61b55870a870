"""The bundled model: a small UNet and a linear codec, trained by us, used without a download."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel

from regiondrag_widget.imaging.bundled import BundledWeightsMissingError
from regiondrag_widget.models.linear_codec import LinearCodec
from regiondrag_widget.models.profile import BackboneProfile

__all__ = ["MINI_PROFILE", "WEIGHTS", "load_mini"]

WEIGHTS = Path(__file__).resolve().parents[1] / "mini" / "weights"

MINI_PROFILE = BackboneProfile(
    side=512,
    min_side=256,
    cheap_decoder=True,
    takes_text=False,
    max_start=0.7,
    # a crop cost nothing in quality on 24 scenes with known truth (+0.01 +- 0.02 dB over what was touched);
    # three levels from 0.2 lie nearer to the truth than from 0.3 on 33 others (FLIP 0.0005 +- 0.0002 lower);
    # from 0.1 (0.0004 lower again) there would be next to nothing to watch
    defaults={"steps": 15, "start": 0.2, "stop": 0.0, "crop": True},
)


def load_mini(dtype: torch.dtype, folder: Path = WEIGHTS) -> dict[str, Any]:
    """The components of the bundled model, as `RegionDragPipeline` takes them.

    dtype : of the UNet; the codec is float32

    Raises FileNotFoundError where the weights are missing.
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
