"""Self-attention keys and values: from the inversion into the edit (RegionDrag, section 3.3)."""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from regiondrag_widget.models.keyvalues import KeyValueCache

__all__ = [
    "AttentionSwap",
    "Injection",
    "Reader",
    "attention_layers",
    "captured",
    "for_installing_thread",
    "injected",
    "installed",
    "score_biases",
    "swapped_layers",
]

AttentionSwap = bool | Callable[[str], bool]
"""True: every self-attention layer. False: none. A predicate: those whose name it accepts."""


def attended(
    attn: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """Scaled-dot-product attention of diffusers' `Attention`, from projections to output.

    query : (B, N, C); key, value : (B or 1, M, C)
    bias : (1, 1, 1 or N, M), added to the scores; scale : of the scores, one over the root of a head's width
        when left out

    Returns (B, N, C').
    """
    batch, tokens, _ = query.shape
    query, key, value = (t.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for t in (query, key, value))
    if attn.norm_q is not None:
        query = attn.norm_q(query)
    if attn.norm_k is not None:
        key = attn.norm_k(key)
    key, value = (t.expand(batch, -1, -1, -1) for t in (key, value))
    out = F.scaled_dot_product_attention(query, key, value, attn_mask=bias, scale=scale)
    out = out.transpose(1, 2).reshape(batch, tokens, -1).to(query.dtype)
    projected: Tensor = attn.to_out[1](attn.to_out[0](out))
    return projected


def for_installing_thread(call: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A processor's `__call__` that serves the thread which installed it; others get the one it replaced.

    The network's owner may run it on another thread at any time, and must not notice us.
    """

    @wraps(call)
    def served(self: Any, attn: Any, *args: Any, **kwargs: Any) -> Tensor:
        # compiled code is traced and run by the installing thread alone
        if not torch.compiler.is_compiling():
            found = self.__dict__.get("installation")
            if found is not None and found[0] != threading.get_ident():
                replaced: Tensor = found[1](attn, *args, **kwargs)
                return replaced
        return call(self, attn, *args, **kwargs)

    return served


class _SelfAttention:
    """Scaled-dot-product attention of diffusers' `Attention`, but for where keys and values come from.

    diffusers re-creates processors without arguments when adapters come and go, so none may be required.
    """

    _attention_backend = None
    bias: Tensor | None = None  # (1, 1, 1 or N, N), added to the scores

    @for_installing_thread
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
        query = attn.to_q(hidden_states)
        key, value = self._keys_values(attn, hidden_states)
        out = attended(attn, query, key, value, self.bias, attn.scale)
        if len(shape) == 4:
            out = out.transpose(1, 2).reshape(shape)
        if attn.residual_connection:
            out = out + residual
        return out / attn.rescale_output_factor  # type: ignore[no-any-return]

    def _keys_values(self, attn: Any, hidden_states: Tensor) -> tuple[Tensor, Tensor]:
        return attn.to_k(hidden_states), attn.to_v(hidden_states)


class _Writer(_SelfAttention):
    """Appends its keys and values to a cache."""

    def __init__(self, layer: str = "", cache: KeyValueCache | None = None) -> None:
        self.layer, self.cache = layer, cache

    def _keys_values(self, attn: Any, hidden_states: Tensor) -> tuple[Tensor, Tensor]:
        key, value = super()._keys_values(attn, hidden_states)
        if self.cache is not None:
            self.cache.append(self.layer, key.detach(), value.detach())
        return key, value


class Reader(_SelfAttention):
    """Attends to the keys and values it was given, (1, N, C); the live projections are not computed."""

    key: Tensor | None = None
    value: Tensor | None = None

    def _keys_values(self, attn: Any, hidden_states: Tensor) -> tuple[Tensor, Tensor]:
        if self.key is None or self.value is None:
            return super()._keys_values(attn, hidden_states)
        size = (len(hidden_states), -1, -1)
        return self.key.expand(size), self.value.expand(size)


class Injection:
    """An inversion's keys and values, for the chosen layers of a UNet to read while installed.

    One object serves all steps of an edit, so what does not change between them is made once, and nothing
    waits for the device. It does not keep the cache alive.

    hidden : (h, w) bool, latent cells whose keys may not be looked at (the moved object's old ones, which
        would bring it back)
    masked_queries : (h, w) bool, the cells that may not look at them; every cell when left out

    Attributes
    ----------
    layers : names of the layers that read
    biases : token count -> (1, 1, 1 or N, N), 0 where a query may see a key and -inf where not
    """

    def __init__(
        self,
        unet: Any,
        cache: KeyValueCache,
        swap: AttentionSwap,
        hidden: Tensor | None = None,
        masked_queries: Tensor | None = None,
    ) -> None:
        self._cache = weakref.ref(cache)
        self.layers = swapped_layers(unet, swap)
        found = attention_layers(unet)
        self._modules = [found[name] for name in self.layers]
        self._readers = [Reader() for _ in self.layers]
        self._weight = next(unet.parameters())  # the network's format and place
        stored = [cache.keys[name][0] for name in self.layers if cache.keys.get(name)]
        self.biases: dict[int, Tensor] = {}
        if hidden is not None:
            self.biases = score_biases(
                hidden, masked_queries, self._weight.dtype, {len(key) for key in stored}
            )

    def at(self, k: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Key and value, (tokens, channels), of every layer at level k of the cache."""
        cache = self._cache()
        if cache is None:
            raise RuntimeError("the inversion these keys and values belong to is gone")
        return cache.level(k, self.layers)

    def set_level(self, k: int) -> None:
        """Let the layers read what the cache keeps of level k."""
        for reader, (key, value) in zip(self._readers, self.at(k), strict=True):
            reader.key, reader.value = (self._here(t)[None] for t in (key, value))
            reader.bias = self.biases.get(len(key))

    def _here(self, t: Tensor) -> Tensor:
        # from pinned memory the copy goes on beside the computation
        return t.to(self._weight.device, self._weight.dtype, non_blocking=True)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """While open, the layers read; before and after, the UNet is as it was found."""
        try:
            with installed(zip(self._modules, self._readers, strict=True)):
                yield
        finally:
            for reader in self._readers:
                reader.key = reader.value = reader.bias = None


def attention_layers(unet: Any) -> dict[str, Any]:
    """The attention modules of a UNet by name, as `unet.attn_processors` names them without ".processor"."""
    unet = getattr(unet, "_orig_mod", unet)  # what torch.compile has wrapped
    return {name: module for name, module in unet.named_modules() if hasattr(module, "get_processor")}


def swapped_layers(unet: Any, swap: AttentionSwap) -> list[str]:
    """Names of the self-attention layers (`...attn1`) that `swap` chooses."""
    if not callable(swap) and not swap:
        return []
    names = [n for n in attention_layers(unet) if n.endswith("attn1")]
    return [n for n in names if swap(n)] if callable(swap) else names


@contextmanager
def installed(processors: Iterable[tuple[Any, Any]]) -> Iterator[None]:
    """While open, attention modules work by the processors given; then the very ones they had are back.

    Only the calling thread notices: see `for_installing_thread`. Hold the network's turn (`turns_of`) so that
    no other edit installs its own meanwhile. A processor that someone else has set in the meantime stays.
    """
    before: list[tuple[Any, Any, Any]] = []
    me = threading.get_ident()
    try:
        for module, processor in processors:
            before.append((module, processor, module.processor))
            processor.installation = (me, module.processor)
            module.set_processor(processor)
        yield
    finally:
        _restore(before)


def _restore(before: list[tuple[Any, Any, Any]]) -> None:
    """Put back what modules had: (module, ours, theirs) each. An interrupt in between waits until all are."""
    try:
        while before:
            module, ours, theirs = before[-1]
            if module.processor is ours:
                module.set_processor(theirs)
            ours.installation = None
            before.pop()
    except BaseException:
        _restore(before)
        raise


@contextmanager
def captured(unet: Any, cache: KeyValueCache) -> Iterator[None]:
    """While open, every self-attention of `unet` appends its keys and values to `cache`."""
    layers: Mapping[str, Any] = attention_layers(unet)
    with installed((layers[n], _Writer(n, cache)) for n in swapped_layers(unet, True)):
        yield


@contextmanager
def injected(
    unet: Any,
    cache: KeyValueCache,
    swap: AttentionSwap,
    hidden: Tensor | None = None,
    masked_queries: Tensor | None = None,
) -> Iterator[Callable[[int], None]]:
    """An `Injection` of the same arguments, installed; the yielded function sets which level k is read."""
    injection = Injection(unet, cache, swap, hidden, masked_queries)
    with injection.installed():
        if cache.keys:
            injection.set_level(1)
        yield injection.set_level


def score_biases(
    hidden: Tensor, masked_queries: Tensor | None, dtype: torch.dtype, tokens: set[int] | None = None
) -> dict[int, Tensor]:
    """Token count -> (1, 1, 1 or N, N), 0 where a query may see a key and -inf where not.

    hidden, masked_queries : as `Injection` has them
    tokens : the counts that are wanted; all when left out
    """
    biases = {}
    for count, allowed in _key_masks(hidden, masked_queries, tokens).items():
        bias = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
        biases[count] = bias.masked_fill_(~allowed, float("-inf"))
    return biases


def _key_masks(
    hidden: Tensor, masked_queries: Tensor | None, tokens: set[int] | None = None
) -> dict[int, Tensor]:
    """Token count -> (1, 1, N or 1, N) bool, where a query may see a key, at each resolution of a UNet.

    tokens : the counts that are wanted; all when left out

    A resolution at which every key would be hidden hides none.
    """
    masks: dict[int, Tensor] = {}
    keys = hidden[None, None].float()
    queries = torch.ones_like(keys) if masked_queries is None else masked_queries[None, None].float()
    for _ in range(1 + int(math.log2(max(2, min(hidden.shape))))):
        if tokens is None or keys.numel() in tokens:
            seen = keys.flatten() < 0.5
            seen = seen | ~seen.any()
            allowed = seen.view(1, 1, 1, -1)
            if masked_queries is not None:
                allowed = allowed | (queries.flatten() < 0.5).view(1, 1, -1, 1)
            masks[seen.numel()] = allowed
        keys, queries = (F.avg_pool2d(grid, 2, ceil_mode=True) for grid in (keys, queries))
    return masks
