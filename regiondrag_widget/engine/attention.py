"""Self-attention keys and values: from the inversion into the edit (RegionDrag, section 3.3)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["AttentionSwap", "KeyValueCache", "captured", "injected", "swapped_layers"]

AttentionSwap = bool | Callable[[str], bool]
"""True: every self-attention layer. False: none. A predicate: those whose name it accepts."""

SUFFIX = ".processor"


class KeyValueCache:
    """Keys and values of one picture's inversion.

    keys, values : by layer, K tensors (tokens, channels) in the network's dtype, entry k - 1 for level k
    """

    def __init__(self) -> None:
        self.keys: dict[str, list[Tensor]] = {}
        self.values: dict[str, list[Tensor]] = {}

    def append(self, layer: str, key: Tensor, value: Tensor) -> None:
        """Add the keys and values (B, tokens, channels) of the next B levels."""
        self.keys.setdefault(layer, []).extend(key.unbind(0))
        self.values.setdefault(layer, []).extend(value.unbind(0))

    @property
    def nbytes(self) -> int:
        """Memory the tensors take, in bytes."""
        stored = [*self.keys.values(), *self.values.values()]
        return sum(t.numel() * t.element_size() for levels in stored for t in levels)


class _Processor:
    """Scaled-dot-product attention of diffusers' `Attention`, with its keys and values kept or replaced.

    diffusers re-creates processors without arguments when adapters come and go, so none is required.
    """

    _attention_backend = None

    def __init__(self, layer: str = "", cache: KeyValueCache | None = None) -> None:
        self.layer, self.cache = layer, cache
        self.level: int | None = None  # None: capture; k: inject what level k kept
        self.hidden: dict[int, Tensor] = {}

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Tensor:
        residual, shape = hidden_states, hidden_states.shape
        if attn.spatial_norm is not None:
            hidden_states = attn.spatial_norm(hidden_states, temb)
        if hidden_states.ndim == 4:
            hidden_states = hidden_states.flatten(2).transpose(1, 2)  # (B, N, C)
        if attn.group_norm is not None:
            hidden_states = attn.group_norm(hidden_states.transpose(1, 2)).transpose(1, 2)
        batch, tokens, _ = hidden_states.shape
        query = attn.to_q(hidden_states)
        mask = None
        if self.level is None or self.cache is None:
            key, value = attn.to_k(hidden_states), attn.to_v(hidden_states)
            if self.cache is not None:
                self.cache.append(self.layer, key.detach(), value.detach())
        else:  # the live projections would be overwritten: do not compute them
            index = self.level - 1
            key = self.cache.keys[self.layer][index].to(query).expand(batch, -1, -1)
            value = self.cache.values[self.layer][index].to(query).expand(batch, -1, -1)
            mask = self.hidden.get(key.shape[1])
        query, key, value = (self._heads(attn, t) for t in (query, key, value))
        if attn.norm_q is not None:
            query = attn.norm_q(query)
        if attn.norm_k is not None:
            key = attn.norm_k(key)
        out = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=attn.scale)
        out = out.transpose(1, 2).reshape(batch, tokens, -1).to(query.dtype)
        out = attn.to_out[1](attn.to_out[0](out))
        if len(shape) == 4:
            out = out.transpose(1, 2).reshape(shape)
        if attn.residual_connection:
            out = out + residual
        return out / attn.rescale_output_factor  # type: ignore[no-any-return]

    @staticmethod
    def _heads(attn: Any, t: Tensor) -> Tensor:
        heads: Tensor = t.unflatten(-1, (attn.heads, -1)).transpose(1, 2)  # (B, heads, N, C / heads)
        return heads


def swapped_layers(unet: Any, swap: AttentionSwap) -> list[str]:
    """Names of the self-attention layers (`...attn1`) that `swap` chooses."""
    names = [n[: -len(SUFFIX)] for n in unet.attn_processors if n.endswith("attn1" + SUFFIX)]
    if callable(swap):
        return [n for n in names if swap(n)]
    return names if swap else []


@contextmanager
def captured(unet: Any, cache: KeyValueCache) -> Iterator[None]:
    """While open, every self-attention of `unet` appends its keys and values to `cache`."""
    with _installed(unet, {n: _Processor(n, cache) for n in swapped_layers(unet, True)}):
        yield


@contextmanager
def injected(
    unet: Any,
    cache: KeyValueCache,
    swap: AttentionSwap,
    hidden: Tensor | None = None,
    blind: Tensor | None = None,
) -> Iterator[Callable[[int], None]]:
    """While open, the chosen layers read the cache; the yielded function sets which level k they read.

    hidden : (h, w) bool, latent cells whose keys may not be looked at (the moved object's old ones, which
        would bring it back)
    blind : (h, w) bool, the cells that may not look at them; every cell when left out
    """
    processors = {n: _Processor(n, cache) for n in swapped_layers(unet, swap)}
    masks = {} if hidden is None else _key_masks(hidden, blind)
    for processor in processors.values():
        processor.level = 1
        processor.hidden = masks

    def set_level(k: int) -> None:
        for processor in processors.values():
            processor.level = k

    with _installed(unet, processors):
        yield set_level


def _key_masks(hidden: Tensor, blind: Tensor | None) -> dict[int, Tensor]:
    """Token count -> (1, 1, N or 1, N) bool, where a query may see a key, at each resolution of a UNet."""
    masks: dict[int, Tensor] = {}
    keys = hidden[None, None].float()
    queries = torch.ones_like(keys) if blind is None else blind[None, None].float()
    for _ in range(1 + int(math.log2(max(2, min(hidden.shape))))):
        seen = keys.flatten() < 0.5
        if not bool(seen.any()):
            break
        allowed = seen.view(1, 1, 1, -1)
        if blind is not None:
            allowed = allowed | (queries.flatten() < 0.5).view(1, 1, -1, 1)
        masks[seen.numel()] = allowed
        keys, queries = (F.avg_pool2d(grid, 2, ceil_mode=True) for grid in (keys, queries))
    return masks


@contextmanager
def _installed(unet: Any, ours: dict[str, _Processor]) -> Iterator[None]:
    before = dict(unet.attn_processors)
    unet.set_attn_processor({n: ours.get(n[: -len(SUFFIX)], p) for n, p in before.items()})
    try:
        yield
    finally:
        unet.set_attn_processor(dict(before))  # set_attn_processor consumes the dict it is given
