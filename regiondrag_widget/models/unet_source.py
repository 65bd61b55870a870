"""A UNet's keys and values computed beside the edit where none are kept, and the bytes they would need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from regiondrag_widget.models.attention import AttentionSwap, Reader, attention_layers, check_swap
from regiondrag_widget.models.attention_masks import score_biases
from regiondrag_widget.models.backbone import Predict
from regiondrag_widget.models.keyvalues import SourcePath
from regiondrag_widget.models.placement import dtype_of
from regiondrag_widget.models.processors import installed

__all__ = ["beside_source", "bytes_a_level", "layer_tokens"]


class _BesideSource(Reader):
    """Every row attends to the first row's keys and values; the bias applies only to the other rows."""

    def __init__(self, biases: dict[int, Tensor]) -> None:
        self._biases = biases

    def _keys_values(self, attn: Any, hidden_states: Tensor) -> tuple[Tensor, Tensor]:
        source, rows = hidden_states[:1], len(hidden_states)
        bias = self._biases.get(hidden_states.shape[1])
        if bias is None:
            self.bias = None
        else:
            self.bias = torch.cat([torch.zeros_like(bias), *[bias] * (rows - 1)])
        size = (rows, -1, -1)
        return attn.to_k(source).expand(size), attn.to_v(source).expand(size)


@contextmanager
def beside_source(
    network: Any,
    source: SourcePath,
    swap: AttentionSwap,
    hidden: Tensor | None,
    masked_queries: Tensor | None,
) -> Iterator[Predict]:
    """As `Network.inject`, but each prediction is a batch of the source and the edit.

    The UNet has our processors only during a prediction.

    Parameters
    ----------
    network : UNetNetwork
        What predicts.
    source : SourcePath
        The source's latents at each level.
    swap, hidden, masked_queries
        As `Network.inject` takes them.

    Yields
    ------
    Predict
        Reads the keys and values that the source has at level k.
    """
    found = attention_layers(network.unet)
    names = check_swap(found, swap)
    dtype = dtype_of(network.unet)
    biases = {}
    if hidden is not None:
        height, width = hidden.shape
        tokens = layer_tokens(network.unet, height, width, found)
        biases = score_biases(hidden, masked_queries, dtype, {tokens[name] for name in names})
    readers = [(found[name], _BesideSource(biases)) for name in names]

    def predict(k: int, timestep: float, x: Tensor) -> Tensor:
        times = torch.tensor([timestep], device=x.device)
        if not readers:
            alone: Tensor = network.predict(x, times.expand(len(x)))
            return alone
        both = torch.cat([source.path[k - 1][None].to(x), x])
        with network.turns, installed(readers):
            output: Tensor = network.predict(both, times.expand(len(both)))
            return output[1:]

    yield predict


def layer_tokens(
    unet: Any, height: int, width: int, modules: Mapping[str, Any] | None = None
) -> dict[str, int]:
    """Tokens of each self-attention by its name, for (height, width) latent cells.

    Parameters
    ----------
    unet : UNet
        Whose layers are counted.
    height, width : int
        Latent cells.
    modules : mapping, optional
        Its attention modules by name, where they are known.
    """
    deepest = len(unet.config.block_out_channels) - 1
    found = {}
    for name in attention_layers(unet) if modules is None else modules:
        if not name.endswith("attn1"):
            continue
        block, _, rest = name.partition(".")
        index = int(rest.split(".", 1)[0]) if block != "mid_block" else deepest
        depth = {"down_blocks": index, "up_blocks": deepest - index}.get(block, deepest)
        found[name] = -(-height // 2**depth) * -(-width // 2**depth)
    return found


def bytes_a_level(unet: Any, height: int, width: int) -> int:
    """Bytes of all self-attentions' keys and values at one level, for (height, width) latent cells."""
    size = torch.finfo(dtype_of(unet)).bits // 8
    layers = attention_layers(unet)
    return sum(
        tokens * (layers[name].to_k.out_features + layers[name].to_v.out_features) * size
        for name, tokens in layer_tokens(unet, height, width, layers).items()
    )
