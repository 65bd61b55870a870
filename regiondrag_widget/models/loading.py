"""From a model's name to a pipeline, set up to be fast: what we load ourselves is ours to change."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers.pipelines import pipeline_utils

from regiondrag_widget.models.checkpoint import check_folder, explain_hub_failure, load_draft_vae
from regiondrag_widget.models.device import choose_device, choose_dtype
from regiondrag_widget.models.graphs import accelerator_for
from regiondrag_widget.models.lora import fuse_lora
from regiondrag_widget.models.profile import stable_diffusion_profile

__all__ = ["arrange", "load_pretrained"]

# while diffusers loads it patches torch for the whole process (accelerate's init_empty_weights): two loads at
# once can leave the patch behind, and every layer made from then on without its weights
_one_at_a_time = threading.RLock()
HUB = ("cache_dir", "local_files_only", "token")


def load_pretrained(
    kind: Callable[..., Any],
    load: Callable[..., Any],
    model: str | os.PathLike[str],
    *,
    device: str | torch.device | None,
    dtype: str | torch.dtype | None,
    compile: bool | str,
    draft_vae: Any,
    lora: str | os.PathLike[str] | None,
    lora_scale: float,
    **options: Any,
) -> Any:
    """The pipeline of a model: see `RegionDragPipeline.from_pretrained`.

    kind : the pipeline's class
    load : diffusers' own loader of that class

    Raises ValueError or FileNotFoundError in one sentence.
    """
    if options.pop("trust_remote_code", False) or options.pop("custom_pipeline", None):
        raise ValueError(
            "code from model folders is never run: leave trust_remote_code and custom_pipeline out"
        )
    place = choose_device(device)
    precision = choose_dtype(place, dtype)
    accelerator_for(place, compile)  # refused before a long load
    with _one_at_a_time:
        return _load(kind, load, model, place, precision, compile, draft_vae, lora, lora_scale, options)


def _load(
    kind: Callable[..., Any],
    load: Callable[..., Any],
    model: str | os.PathLike[str],
    place: torch.device,
    precision: torch.dtype,
    compile: bool | str,
    draft_vae: Any,
    lora: str | os.PathLike[str] | None,
    lora_scale: float,
    options: dict[str, Any],
) -> Any:
    if str(model) == "mini":
        if lora is not None:
            raise ValueError("the bundled model takes no LoRA: name a Stable Diffusion model")
        pipe = _mini(kind, place, precision)
    else:
        shared = {name: options[name] for name in HUB if name in options}
        pipe = _diffusers(load, model, precision, options)
        if lora is not None:
            fuse_lora(pipe.unet, lora, lora_scale, **shared)
        if draft_vae is not None and pipe.draft_vae is None:
            pipe.set_draft_vae(load_draft_vae(draft_vae, pipe.vae, precision, **shared))
        pipe.to(place)
        arrange(pipe, place, precision)
        pipe.name = str(model) if lora is None else f"{model} + {os.fspath(lora)}"
        pipe.profile = stable_diffusion_profile(pipe.unet, pipe.backbone.cell, pipe.scheduler, pipe.name)
    pipe.accelerate(compile)
    return pipe


def _mini(kind: Callable[..., Any], device: torch.device, dtype: torch.dtype) -> Any:
    from regiondrag_widget.models.mini import MINI_PROFILE, load_mini

    pipe = kind(**load_mini(dtype))
    pipe.profile, pipe.name = MINI_PROFILE, "mini"
    pipe.vae.to(device)
    pipe.unet.to(device)
    return pipe


def _diffusers(
    load: Callable[..., Any], model: str | os.PathLike[str], dtype: torch.dtype, options: dict[str, Any]
) -> Any:
    folder = Path(model).expanduser()
    local = folder.is_dir() or len(folder.parts) > 2 or str(model).startswith((".", "/", "~", "\\"))
    if local:
        options = {**check_folder(folder), **options}
    options["use_safetensors"] = True
    try:
        return load(str(folder if local else model), **{_dtype_argument(): dtype}, **options)
    except (OSError, ValueError) as error:
        if local:
            raise ValueError(f"{folder} could not be loaded: {_first_line(error)}") from error
        raise ValueError(explain_hub_failure(str(model), error)) from error


def arrange(pipe: Any, place: torch.device, dtype: torch.dtype) -> None:
    """Lay a pipeline of our own out for a device and a number format."""
    if place.type == "cuda" and dtype != torch.float32:
        # half precision convolutions run on tensor cores in this layout; on processors it wins nothing
        for part in (pipe.unet, pipe.vae):
            part.to(memory_format=torch.channels_last)
    if pipe.vae.config.get("force_upcast") and dtype == torch.float16:
        pipe.vae.float()  # SDXL's autoencoder overflows in half precision


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _dtype_argument() -> str:
    """What this version of diffusers calls the number format to load in."""
    # the version that renamed `torch_dtype`, and warns of the old name, brought this function
    return "dtype" if hasattr(pipeline_utils, "_resolve_dtype") else "torch_dtype"
