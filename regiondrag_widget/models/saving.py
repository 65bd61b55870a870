"""A saved pipeline's list of parts, so that diffusers' own pipelines load the folder as well as ours."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import diffusers

__all__ = ["diffusers_pipeline", "write_index"]


def write_index(pipe: Any, folder: Path) -> None:
    """Name diffusers' class of the pipeline in a saved folder, and the parts that this class has.

    Parameters
    ----------
    pipe : RegionDragPipeline
        What was saved.
    folder : Path
        Where; its model_index.json is rewritten.
    """
    file = folder / "model_index.json"
    index = json.loads(file.read_text("utf-8"))
    kind = diffusers_pipeline(pipe)
    known = inspect.signature(getattr(diffusers, kind).__init__).parameters
    kept = {
        name: value
        for name, value in index.items()
        # what is not there is left out where the class has no such part, and a draft autoencoder stays ours
        if name.startswith("_") or name in known or value != [None, None]
    }
    file.write_text(json.dumps({**kept, "_class_name": kind}, indent=2) + "\n", "utf-8")


def diffusers_pipeline(pipe: Any) -> str:
    """The class of diffusers that a pipeline's parts belong to."""
    if pipe.unet is None:
        return str(pipe.family.pipelines[0])
    config = pipe.unet.config
    xl = "XL" if config.get("addition_embed_type") == "text_time" else ""
    if config.in_channels != config.out_channels:
        return f"StableDiffusion{xl}InpaintPipeline"
    refiner = bool(xl) and pipe.text_encoder is None
    return f"StableDiffusion{xl}{'Img2Img' if refiner else ''}Pipeline"
