"""From a model's name to a pipeline that is set up to be fast; only models loaded here are changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from diffusers.pipelines import pipeline_utils

from regiondrag_widget.errors import first_line
from regiondrag_widget.locks import OrderedLock, Rank
from regiondrag_widget.models.checkpoint import (
    check_folder,
    check_index,
    check_no_code,
    class_in_index,
    explain_hub_failure,
    has_linear_codec,
    has_transformer,
    load_draft_vae,
    reads_pictures,
)
from regiondrag_widget.models.device import choose_device, choose_dtype
from regiondrag_widget.models.graphs import accelerator_for
from regiondrag_widget.models.lora import fuse_lora
from regiondrag_widget.models.placement import device_of
from regiondrag_widget.models.profile import BUNDLED_PROFILES
from regiondrag_widget.models.single_file import is_single_file, load_single_file
from regiondrag_widget.models.transformer_lora import fuse_transformer_lora
from regiondrag_widget.models.upcast import needs_float32

__all__ = ["arrange", "load_pretrained"]

# while diffusers loads it patches torch for the whole process (accelerate's init_empty_weights): two loads at
# once can leave the patch behind, and every layer made later has no weights
_one_at_a_time = OrderedLock(Rank.LOADING, reentrant=True)
# what diffusers' `from_pretrained` takes besides; it leaves other names out without a word
OPTIONS = (
    "cache_dir",
    "config",
    "device_map",
    "disable_mmap",
    "force_download",
    "local_files_only",
    "low_cpu_mem_usage",
    "max_memory",
    "offload_folder",
    "offload_state_dict",
    "proxies",
    "quantization_config",
    "revision",
    "token",
    "use_safetensors",
    "variant",
)
HUB = ("cache_dir", "local_files_only", "token")
DOWNLOAD = (*HUB, "revision", "variant", "force_download", "proxies", "use_safetensors")


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
    """The pipeline of a model.

    Parameters
    ----------
    kind : type
        The pipeline's class.
    load : callable
        diffusers' own loader of that class.
    model, device, dtype, compile, draft_vae, lora, lora_scale, **options
        As `RegionDragPipeline.from_pretrained` has them.

    Raises
    ------
    ValueError, FileNotFoundError
        In one sentence: see `RegionDragPipeline.from_pretrained`.
    """
    if options.pop("trust_remote_code", False) or options.pop("custom_pipeline", None):
        raise ValueError(
            "code from model folders is never run: leave trust_remote_code and custom_pipeline out"
        )
    where = choose_device(device)
    choose_dtype(where, dtype)
    accelerator_for(where, compile)  # refused before a long load
    with _one_at_a_time:
        return _load(kind, load, model, where, dtype, compile, draft_vae, lora, lora_scale, options)


def _load(
    kind: Callable[..., Any],
    load: Callable[..., Any],
    model: str | os.PathLike[str],
    device: torch.device,
    dtype: str | torch.dtype | None,
    compile: bool | str,
    draft_vae: Any,
    lora: str | os.PathLike[str] | None,
    lora_scale: float,
    options: dict[str, Any],
) -> Any:
    if str(model) in BUNDLED_PROFILES:
        if lora is not None:
            raise ValueError("the bundled model takes no LoRA: name a Stable Diffusion model")
        pipe = _bundled(kind, str(model), device, choose_dtype(device, dtype))
    else:
        shared = {name: options[name] for name in HUB if name in options}
        pipe, precision = _diffusers(load, model, device, dtype, options)
        if lora is not None and pipe.unet is None:
            fuse_transformer_lora(pipe.transformer, pipe.family, lora, lora_scale, **shared)
        elif lora is not None:
            fuse_lora(pipe.unet, lora, lora_scale, **shared)
        if draft_vae is not None and pipe.draft_vae is None:
            pipe.set_draft_vae(load_draft_vae(draft_vae, pipe.vae, precision, **shared))
        if options.get("device_map") is None:
            pipe.to(device)
        elif pipe.draft_vae is not None:  # the map has placed the other parts, and refuses to have them moved
            pipe.draft_vae.to(device_of(pipe.vae))
        arrange(pipe, device, precision)
        pipe.name = str(model) if lora is None else f"{model} + {os.fspath(lora)}"
    pipe.accelerate(compile)
    return pipe


def _bundled(kind: Callable[..., Any], name: str, device: torch.device, dtype: torch.dtype) -> Any:
    from regiondrag_widget.models.mini import load_mini
    from regiondrag_widget.models.mini_flow import load_mini_flow

    pipe = kind(**(load_mini if name == "mini" else load_mini_flow)(dtype))
    pipe.name = name
    pipe.vae.to(device)
    pipe.denoiser.to(device)
    return pipe


def _diffusers(
    load: Callable[..., Any],
    model: str | os.PathLike[str],
    device: torch.device,
    dtype: str | torch.dtype | None,
    options: dict[str, Any],
) -> tuple[Any, torch.dtype]:
    config = options.pop("config", None)
    # an IP-Adapter brings its own, and SD 1.5 folders name a class that transformers 5 does not have
    options = {"image_encoder": None, "feature_extractor": None, **options}
    if is_single_file(model):
        precision = choose_dtype(device, dtype)
        kind, told = load.__self__, {_dtype_argument(): precision}  # type: ignore[attr-defined]
        return load_single_file(kind, model, config, **told, **options), precision
    if config is not None:
        raise ValueError(f"config is for checkpoints that are one .safetensors file, which {model} is not")
    folder = Path(model).expanduser()
    local = folder.is_dir() or len(folder.parts) > 2 or str(model).startswith((".", "/", "~", "\\"))
    if local:
        options = {**check_folder(folder, options), **options}
    options["use_safetensors"] = True
    if not local:
        folder, local = _downloaded(load, str(model), options), True
    precision = choose_dtype(device, dtype, transformer=has_transformer(folder))
    formats: Any = precision
    if has_linear_codec(folder):
        formats = {"vae": torch.float32, "default": precision}
    named = class_in_index(folder)
    if "processor" not in options and reads_pictures(folder) and find_spec("torchvision") is None:
        raise ValueError(
            f"{model} reads the picture by a processor that needs torchvision: pip install torchvision"
        )
    try:
        pipe = load(str(folder if local else model), **{_dtype_argument(): formats}, **options)
        pipe.use_as(named)
        return pipe, precision
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} could not be loaded: {first_line(error)}") from error


def _downloaded(load: Callable[..., Any], model: str, options: dict[str, Any]) -> Path:
    """The folder of a hub id in the hub's cache, fetched where it is not there, and found to hold no code."""
    asked = {name: options[name] for name in DOWNLOAD if name in options}
    check_index(model, **{name: asked[name] for name in (*HUB, "revision") if name in asked})
    try:
        # `load` is a bound from_pretrained: the class it is bound to downloads what that class needs
        folder = Path(load.__self__.download(model, **asked))  # type: ignore[attr-defined]
    except (OSError, ValueError) as error:
        raise ValueError(explain_hub_failure(model, error)) from error
    check_no_code(folder)
    return folder


def arrange(pipe: Any, device: torch.device, dtype: torch.dtype) -> None:
    """Prepare the weights of a pipeline that was loaded here for a device and a number format.

    Parameters
    ----------
    pipe : RegionDragPipeline
        Its weights are changed in place.
    device : torch.device
        Where it computes.
    dtype : torch.dtype
        The number format it computes in.
    """
    if device.type == "cuda" and dtype != torch.float32:
        # half precision convolutions use tensor cores in this layout; on CPUs it is no faster
        for part in (pipe.unet, pipe.vae):
            if part is not None:
                part.to(memory_format=torch.channels_last)
    if dtype == torch.float16 and needs_float32(pipe.vae):
        pipe.vae.float()  # SDXL's autoencoder overflows in half precision


def _dtype_argument() -> str:
    """The name that this version of diffusers gives to the number format."""
    # the version that renamed `torch_dtype`, and warns of the old name, brought this function
    return "dtype" if hasattr(pipeline_utils, "_resolve_dtype") else "torch_dtype"
