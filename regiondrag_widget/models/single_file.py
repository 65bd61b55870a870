"""Checkpoints that are one .safetensors file, as they are shared for Stable Diffusion 1.5, 2.1 and SDXL.

Such a file has the weights alone. Sizes, tokeniser and noise schedule come from a diffusers folder of the
same family, `config`, of which the .json and .txt files suffice; without one diffusers asks the hub for them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.loaders import FromSingleFileMixin
from diffusers.loaders.single_file_utils import (
    DIFFUSERS_DEFAULT_PIPELINE_PATHS,
    infer_diffusers_model_type,
)
from safetensors import SafetensorError, safe_open

from regiondrag_widget.errors import first_line
from regiondrag_widget.models.admission import KNOWN_MODELS
from regiondrag_widget.models.checkpoint import check_config

__all__ = ["is_single_file", "load_single_file"]

HUB = "https://huggingface.co/"
FAMILIES = (
    "v1",
    "v2",
    "xl_base",
    "xl_refiner",
    "inpainting",
    "inpainting_v2",
    "xl_inpaint",
    "playground-v2-5",
)
UNET = "model.diffusion_model.input_blocks.0.0.weight"
# options of `from_pretrained` that mean nothing where there are no folders
FOLDERS_ONLY = (
    "device_map",
    "max_memory",
    "offload_folder",
    "offload_state_dict",
    "quantization_config",
    "variant",
)


def is_single_file(model: str | os.PathLike[str]) -> bool:
    """Whether a model's name is that of one file of weights, here or on the hub."""
    name = os.fspath(model)
    return name.endswith((".safetensors", ".ckpt")) and (
        name.startswith(HUB) or Path(name).expanduser().is_file()
    )


def load_single_file(
    kind: Any, model: str | os.PathLike[str], config: str | os.PathLike[str] | None, **options: Any
) -> Any:
    """The pipeline of a checkpoint that is one file.

    Parameters
    ----------
    kind : type
        The pipeline's class.
    model : str or path
        A .safetensors file, or the address of one on the hub.
    config : str or path, optional
        A diffusers folder or hub id of the same family.
    **options
        Passed on to diffusers.

    Raises
    ------
    ValueError
        In one sentence: pickled weights, another kind of file, another family, a configuration that cannot
        be had.
    """
    name = os.fspath(model)
    if not name.endswith(".safetensors"):
        raise ValueError(f"{name} holds pickled weights, which can run code when loaded: use .safetensors")
    for option in FOLDERS_ONLY:
        if options.get(option) is not None:
            raise ValueError(f"{option} is for model folders: a single file such as {name} takes none")
    family = None if name.startswith(HUB) else _family_of(Path(name).expanduser())
    if config is not None and Path(config).expanduser().is_dir():
        check_config(Path(config).expanduser())
        config, options = Path(config).expanduser(), {**options, "local_files_only": True}
    given = {
        key: value for key, value in options.items() if key not in ("low_cpu_mem_usage", "use_safetensors")
    }
    if config is not None:
        given["config"] = os.fspath(config)
    path = name if name.startswith(HUB) else str(Path(name).expanduser())
    try:
        # not the pipeline's own method of this name, which leads here
        return FromSingleFileMixin.from_single_file.__func__(kind, path, **given)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        if config is None:
            paths = DIFFUSERS_DEFAULT_PIPELINE_PATHS.get(family or "", {})
            such = f" such as {paths['pretrained_model_name_or_path']}" if paths else ""
            raise ValueError(
                f"{name} could not be loaded without a configuration beside it ({first_line(error)}): pass "
                f"config=, a diffusers folder of the same family{such}; its .json and .txt files suffice"
            ) from error
        raise ValueError(
            f"{name} could not be loaded with the configuration of {os.fspath(config)}, which must be of the "
            f"same family: {first_line(error)}"
        ) from error


def _family_of(file: Path) -> str:
    """What diffusers calls the family of a checkpoint; only the file's header is read."""
    try:
        with safe_open(file, framework="pt") as opened:
            shapes = {key: opened.get_slice(key).get_shape() for key in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{file} is no readable .safetensors file: fetch it again") from error
    family = str(infer_diffusers_model_type(_on_meta(shapes)))
    if family not in FAMILIES or UNET not in shapes:
        what = "a LoRA: pass it as lora=" if any("lora" in key for key in shapes) else "another model"
        if family in FAMILIES:  # diffusers' answer for what it does not know
            what = what if shapes else "an empty file"
        else:
            what = f"a checkpoint of another family ({family})"
        raise ValueError(f"{file} is {what}; {KNOWN_MODELS} can be loaded from a single file")
    return family


def _on_meta(shapes: Mapping[str, list[int]]) -> dict[str, torch.Tensor]:
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
