"""What a call of the pipeline returns, by `output_type`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from diffusers.utils import BaseOutput
from torch import Tensor

from regiondrag_widget.engine.finite import check_finite
from regiondrag_widget.engine.result import EditResult
from regiondrag_widget.models.backbone import Backbone

__all__ = ["OUTPUT_TYPES", "RegionDragOutput", "decoded", "joined", "pictured"]

OUTPUT_TYPES = ("pil", "np", "pt", "latent")


@dataclass
class RegionDragOutput(BaseOutput):
    """What `RegionDragPipeline` returns, as diffusers' pipelines do.

    Attributes
    ----------
    images : list, array or Tensor, optional
        By `output_type`: list of PIL images, (B, H, W, 3) float32 array in [0, 1], (B, 3, H, W) Tensor in
        [0, 1], or (B, C, h, w) latents. None where the call was interrupted before its result.
    result : EditResult, optional
        Of a picture's edit, the first of several; None for bare latents.
    results : list of EditResult
        Of each picture.
    """

    images: Any
    result: EditResult | None = None
    results: list[EditResult] = field(default_factory=list)


def joined(parts: Sequence[Any]) -> Any:
    """The images of several edits as one list, array or tensor; None where there are none.

    Parameters
    ----------
    parts : sequence
        Of each edit, as `pictured` and `decoded` give them.
    """
    if not parts:
        return None
    if isinstance(parts[0], list):
        return [image for part in parts for image in part]
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else torch.cat(list(parts))


@torch.inference_mode()
def decoded(backbone: Backbone, latents: Tensor, output_type: str, to_pil: Any) -> Any:
    """Final latents in the form of an output type.

    Parameters
    ----------
    backbone : Backbone
        Decodes them.
    latents : (1, C, h, w) Tensor
        Scaled latents.
    output_type : str
        One of `OUTPUT_TYPES`.
    to_pil : callable
        Makes PIL images of (1, H, W, 3) arrays in [0, 1].
    """
    if output_type == "latent":
        return latents
    pixels = (backbone.decode(latents) / 2 + 0.5).clamp(0, 1)
    check_finite("decoding the picture", pixels)
    if output_type == "pt":
        return pixels
    arrays = pixels.permute(0, 2, 3, 1).cpu().float().numpy()
    return arrays if output_type == "np" else to_pil(arrays)


def pictured(result: EditResult, output_type: str) -> Any:
    """The picture of a result in the form of an output type.

    Parameters
    ----------
    result : EditResult
        Of an edit.
    output_type : str
        One of `OUTPUT_TYPES`; "latent" gives the PIL image.
    """
    if output_type == "np":
        return result.array[None, ..., :3].astype(np.float32) / 255
    if output_type == "pt":
        return torch.from_numpy(result.array[..., :3].copy()).permute(2, 0, 1)[None].float() / 255
    return [result.image]
