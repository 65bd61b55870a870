"""Whether LoRA weights are a network's own, before diffusers changes anything for them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from diffusers.utils.state_dict_utils import convert_unet_state_dict_to_peft
from torch import Tensor, nn

from regiondrag_widget.models.families import Family
from regiondrag_widget.models.lora import FACTOR, TRANSFORMER_FACTOR, factors_of
from regiondrag_widget.models.lora_bases import base_of

__all__ = ["check_lora"]


def check_lora(network: Any, family: Family | None, told: Any, state: Mapping[str, Tensor]) -> None:
    """Refuse LoRA weights of another base, which torch would refuse half-way and in many lines.

    Parameters
    ----------
    network : UNet or transformer
        What they are for, quantised or not, with or without other adapters.
    family : Family, optional
        Of a transformer.
    told : str, path or dict
        What was named; a file's name is used in messages.
    state : mapping
        The weights, as diffusers' reader of the family translates them.

    Raises
    ------
    ValueError
        In one sentence.
    """
    name = os.fspath(told) if isinstance(told, (str, os.PathLike)) else "that was given"
    if family is None:
        state, ours, theirs = convert_unet_state_dict_to_peft(dict(state)), FACTOR, TRANSFORMER_FACTOR
    else:
        ours, theirs = TRANSFORMER_FACTOR, FACTOR
    factors = factors_of(state, ours)[0]
    strangers = factors_of(state, theirs)[0]
    if not factors and strangers:
        base = base_of(strangers) or ("a transformer" if family is None else "a UNet")
        what = "a UNet" if family is None else family.name
        raise ValueError(f"the LoRA {name} holds no LoRA of {what}, but one of {base}")
    base = base_of(factors)
    made_for = f" but one of {base}" if base and not (family and family.name.startswith(base)) else ""
    known = {layer: _shape_at(network, layer) for layer in factors}
    if factors and not any(known.values()):
        raise ValueError(f"the LoRA {name} is not this model's{made_for}: it has none of its layers")
    for layer, pair in factors.items():
        shape = known[layer]
        if shape is not None and not _fits(pair, shape):
            raise ValueError(f"the LoRA {name} is not this model's{made_for}: its {layer} has another size")


def _shape_at(network: nn.Module, name: str) -> tuple[int, int] | None:
    """What a layer takes and gives; None where there is no such layer, or it is of another kind."""
    try:
        layer = network.get_submodule(name)
    except AttributeError:
        return None
    layer = getattr(layer, "base_layer", layer)  # beside which there is an adapter
    if isinstance(layer, nn.Linear):  # also one that is quantised, whose weights have another shape
        return layer.in_features, layer.out_features
    if isinstance(layer, nn.Conv2d):
        return layer.in_channels, layer.out_channels
    return None


def _fits(pair: Mapping[str, Tensor], shape: tuple[int, int]) -> bool:
    taken, given = shape
    down, up = pair.get("A"), pair.get("B")
    return (down is None or down.shape[1] == taken) and (up is None or len(up) == given)
