"""LoRA weights added permanently to a network we loaded: few-step weights (LCM, Hyper-SD) or a style."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.loaders import StableDiffusionLoraLoaderMixin
from diffusers.utils.state_dict_utils import convert_unet_state_dict_to_peft
from torch import Tensor

from regiondrag_widget.errors import first_line
from regiondrag_widget.models.lora_bases import base_of

__all__ = [
    "FACTOR",
    "TRANSFORMER_FACTOR",
    "add_changes",
    "factors_of",
    "fitting_layer",
    "fuse_lora",
    "lora_source",
    "refuse_pickled",
    "warn_of_text_parts",
]

TRANSFORMER_FACTOR = re.compile(r"^transformer\.(?P<layer>.+)\.lora_(?P<which>[AB])\.weight$")
FACTOR = re.compile(r"^unet\.(?P<layer>.+)\.lora_(?P<which>[AB])\.weight$")


def lora_source(lora: str | os.PathLike[str]) -> tuple[str, dict[str, Any]]:
    """Where LoRA weights are, as diffusers' loaders take it.

    Parameters
    ----------
    lora : str or path
        A .safetensors file, a folder that holds one, a hub id, or a file in a hub repository
        ("owner/name/file.safetensors").

    Returns
    -------
    place : str
        A folder or a hub id.
    named : dict
        The file's name in it, as `weight_name`, where it is known.

    Raises
    ------
    ValueError
        Pickled weights, another kind of file, a folder with none or several.
    FileNotFoundError
        There is no such file.
    """
    text, path = os.fspath(lora), Path(lora).expanduser()
    refuse_pickled(text)
    if path.is_file():
        if path.suffix != ".safetensors":
            raise ValueError(f"{text} is no .safetensors file")
        return str(path.parent), {"weight_name": path.name}
    if path.is_dir():
        files = sorted(f.name for f in path.glob("*.safetensors"))
        usual = "pytorch_lora_weights.safetensors"
        if not files:
            raise ValueError(f"{text} holds no .safetensors file")
        if usual not in files and len(files) > 1:
            raise ValueError(f"{text} holds several .safetensors files: name the one to use")
        return str(path), {"weight_name": usual if usual in files else files[0]}
    parts = text.split("/")
    if path.is_absolute() or text.startswith((".", "~", "\\")) or len(parts) < 2:
        raise FileNotFoundError(f"{text} is not there: name a .safetensors file, its folder, or a hub id")
    if path.suffix == ".safetensors":
        if len(parts) < 3:
            raise FileNotFoundError(f"{text} is not there: name a .safetensors file, its folder, or a hub id")
        return "/".join(parts[:2]), {"weight_name": "/".join(parts[2:])}
    if len(parts) != 2:
        raise FileNotFoundError(f"{text} is not there: name a .safetensors file, its folder, or a hub id")
    return text, {}


def refuse_pickled(name: str) -> None:
    """Refuse the name of a file of pickled weights.

    Raises
    ------
    ValueError
        In one sentence.
    """
    if name.endswith((".bin", ".ckpt", ".pt", ".pth")):
        raise ValueError(f"{name} holds pickled weights, which can run code when loaded: use .safetensors")


@torch.no_grad()
def fuse_lora(unet: Any, lora: str | os.PathLike[str], scale: float = 1.0, **options: Any) -> int:
    """Add `scale` times a LoRA to the UNet's weights (Hu et al. 2022): W + scale alpha / rank B A.

    The network keeps its layers, so an edit takes no longer. Parts for text encoders are left out with a
    warning; few-step weights have none.

    Parameters
    ----------
    unet : UNet
        Its weights are changed in place.
    lora : str or path
        See `lora_source`.
    scale : float
        Strength of the change.
    **options
        Passed on to the hub (`revision`, `cache_dir`, `local_files_only`...).

    Returns
    -------
    int
        The number of layers changed.

    Raises
    ------
    ValueError, OSError
        The weights are missing, pickled, or not this network's.
    """
    place, named = lora_source(lora)
    try:
        state, alphas, *described = StableDiffusionLoraLoaderMixin.lora_state_dict(
            place,
            unet_config=unet.config,
            use_safetensors=True,
            return_lora_metadata=True,
            **named,
            **options,
        )
    except Exception as error:  # safetensors and the hub have exceptions of their own
        first = first_line(error)
        raise ValueError(f"the LoRA {os.fspath(lora)} could not be loaded: {first}") from error
    factors, others = factors_of(convert_unet_state_dict_to_peft(state), FACTOR)
    unknown = next((k for k in others if k.startswith("unet.") and not k.endswith("alpha")), None)
    if unknown is not None and factors:
        raise ValueError(
            f"the LoRA {os.fspath(lora)} has {unknown}, which is no factor of a layer: load it with PEFT on "
            "diffusers' own pipeline, and pass that to RegionDragPipeline.from_pipe"
        )
    base = base_of(factors)
    made_for = f" but one of {base}" if base else ""
    layers = {
        name: fitting_layer(unet, name, pair, f"the LoRA {os.fspath(lora)} is not this model's{made_for}")
        for name, pair in factors.items()
    }  # checked before any change
    if not layers:
        other = any(key.split(".")[0] in ("transformer", "diffusion_model") for key in state)
        theirs = base_of(factors_of(state, TRANSFORMER_FACTOR)[0]) or "a transformer"
        raise ValueError(
            f"{os.fspath(lora)} holds no LoRA of a UNet{f', but one of {theirs}' if other else ''}"
        )
    warn_of_text_parts(lora, others)
    alpha_of = _alphas(alphas or {}, described[0] if described and described[0] else {})
    add_changes(layers, alpha_of, scale)
    return len(layers)


def factors_of(
    state: Mapping[str, Tensor], pattern: re.Pattern[str]
) -> tuple[dict[str, dict[str, Tensor]], list[str]]:
    """The factors A and B of each layer, and the names of what is none.

    Parameters
    ----------
    state
        What a LoRA file holds, by name.
    pattern
        Finds ``layer`` and ``which`` ("A" or "B") in a factor's name.
    """
    factors: dict[str, dict[str, Tensor]] = {}
    others: list[str] = []
    for key, value in state.items():
        found = pattern.match(key)
        if found is None:
            others.append(key)
        else:
            factors.setdefault(found["layer"], {})[found["which"]] = value
    return factors, others


def warn_of_text_parts(lora: str | os.PathLike[str], others: list[str]) -> None:
    """Warn of the parts of a LoRA that are for text encoders, which are not added.

    Parameters
    ----------
    lora
        What messages call it.
    others
        The names of what is no factor of the network's layers.
    """
    if any(name.startswith("text_encoder") for name in others):
        warnings.warn(
            f"the LoRA {os.fspath(lora)} changes the text encoder as well, which is left out: load it by "
            "load_lora_weights on the pipeline, which adds both (PEFT must be installed)",
            stacklevel=4,
        )


def add_changes(
    layers: Mapping[str, tuple[Any, Tensor, Tensor]], alpha_of: Callable[[str], float | None], scale: float
) -> None:
    """Add ``scale`` alpha / rank B A to the weights of layers, in place (Hu et al. 2022).

    Parameters
    ----------
    layers
        Module, B and A of each, as `fitting_layer` gives them.
    alpha_of
        A layer's alpha by its name; None stands for the rank.
    scale
        Strength of the change.
    """
    for name, (module, up, down) in layers.items():
        rank, weight = len(down), module.weight
        strength = float(alpha_of(name) or rank) / rank * scale
        up, down = (factor.to(weight.device, torch.float32).flatten(1) for factor in (up, down))
        weight.copy_(weight.float() + strength * (up @ down).view(weight.shape))


def _alphas(alphas: dict[str, float], described: dict[str, Any]) -> Callable[[str], float | None]:
    """Layer's name -> its alpha, from beside the layer or the file's description; None for the rank."""
    beside = {
        re.sub(r"(\.lora_A\.weight)?\.alpha$", "", key).removeprefix("unet."): value
        for key, value in convert_unet_state_dict_to_peft(alphas).items()
    }
    pattern, usual = described.get("unet.alpha_pattern") or {}, described.get("unet.lora_alpha")
    return lambda name: beside.get(name, pattern.get(name, usual))


def fitting_layer(unet: Any, name: str, pair: dict[str, Tensor], refusal: str) -> tuple[Any, Tensor, Tensor]:
    """The module of a layer's name and the factors B, A; ValueError where they do not fit each other."""
    try:
        module = unet.get_submodule(name)
        up, down = pair["B"], pair["A"]
    except (AttributeError, KeyError):
        raise ValueError(f"{refusal}: it has no matching layer {name}") from None
    weight = module.weight
    if not weight.is_floating_point() or type(weight.data) is not Tensor:
        raise ValueError(
            f"{name} is quantised, so LoRA weights cannot be added into it: use load_lora_weights, which "
            "keeps them beside it, or a network that is not quantised"
        )
    fits = len(up) == len(weight) and up[0].numel() == len(down) and down[0].numel() == weight[0].numel()
    if not fits:
        raise ValueError(f"{refusal}: its {name} has another size")
    return module, up, down
