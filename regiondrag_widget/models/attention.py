"""Self-attention keys and values: from the inversion into the edit (RegionDrag, section 3.3)."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from regiondrag_widget.models.attention_masks import score_biases
from regiondrag_widget.models.fingerprint import network_state
from regiondrag_widget.models.keyvalues import KeyValueCache
from regiondrag_widget.models.placement import device_of, dtype_of
from regiondrag_widget.models.processors import for_installing_thread, installed, owners_processor

__all__ = [
    "AttentionSwap",
    "Injection",
    "Reader",
    "attention_layers",
    "captured",
    "check_swap",
    "injected",
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

    Parameters
    ----------
    attn : diffusers Attention
        The layer.
    query : (B, N, C) Tensor
        Projected queries.
    key, value : (B or 1, M, C) Tensor
        Projected keys and values.
    bias : (1, 1, 1 or N, M) Tensor, optional
        Added to the scores.
    scale : float, optional
        Of the scores; one over the root of a head's width when left out.

    Returns
    -------
    (B, N, C') Tensor
        The layer's output.
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


class _SelfAttention:
    """Scaled-dot-product attention of diffusers' `Attention`; subclasses choose the keys and values.

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
        # a no-op but where a device map spreads the network's layers over several GPUs
        key, value = self.key.to(hidden_states.device), self.value.to(hidden_states.device)
        return key.expand(size), value.expand(size)


class Injection:
    """An inversion's keys and values, for the chosen layers of a UNet to read while installed.

    One object serves all steps of an edit, so what does not change between them is made once, and nothing
    waits for the device. It does not keep the cache alive.

    Parameters
    ----------
    unet : UNet
        Whose layers read.
    cache : KeyValueCache
        The inversion's keys and values.
    swap : AttentionSwap
        The layers that read them.
    hidden : (h, w) bool Tensor, optional
        Latent cells whose keys may not be looked at (the moved object's old ones, which would bring it back).
    masked_queries : (h, w) bool Tensor, optional
        The cells that may not look at them; every cell when left out.
    modules : mapping, optional
        The network's attention modules by name, where they are known.

    Attributes
    ----------
    layers : list of str
        Names of the layers that read.
    biases : dict of Tensor
        By token count N: (1, 1, 1 or N, N), 0 where a query may see a key and -inf where not.
    """

    def __init__(
        self,
        unet: Any,
        cache: KeyValueCache,
        swap: AttentionSwap,
        hidden: Tensor | None = None,
        masked_queries: Tensor | None = None,
        modules: Mapping[str, Any] | None = None,
    ) -> None:
        self._cache = weakref.ref(cache)
        found = attention_layers(unet) if modules is None else modules
        self.layers = check_swap(found, swap)
        self._modules = [found[name] for name in self.layers]
        self._readers = [Reader() for _ in self.layers]
        self._device, self._dtype = device_of(unet), dtype_of(unet)
        stored = [cache.keys[name][0] for name in self.layers if cache.keys.get(name)]
        self.biases: dict[int, Tensor] = {}
        if hidden is not None:
            self.biases = score_biases(hidden, masked_queries, self._dtype, {len(key) for key in stored})

    def at(self, k: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Key and value, (tokens, channels), of every layer at level k of the cache.

        Raises
        ------
        RuntimeError
            The cache is gone.
        """
        cache = self._cache()
        if cache is None:
            raise RuntimeError("the inversion these keys and values belong to is gone")
        return cache.level(k, self.layers)

    def set_level(self, k: int) -> None:
        """Let the layers read the cache's level k."""
        for reader, (key, value) in zip(self._readers, self.at(k), strict=True):
            reader.key, reader.value = (self._here(t)[None] for t in (key, value))
            reader.bias = self.biases.get(len(key))

    def _here(self, t: Tensor) -> Tensor:
        # from pinned memory the copy goes on beside the computation
        return t.to(self._device, self._dtype, non_blocking=True)

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
    return network_state(unet).attention


def swapped_layers(unet: Any, swap: AttentionSwap) -> list[str]:
    """Names of the self-attention layers (`...attn1`) that `swap` chooses."""
    return _chosen(attention_layers(unet), swap)


def check_swap(layers: Mapping[str, Any], swap: AttentionSwap) -> list[str]:
    """Names of the self-attention layers that `swap` chooses, once it is known that they can be swapped.

    Parameters
    ----------
    layers : mapping
        A network's attention modules by name.
    swap : AttentionSwap
        Which of them are to read an inversion's keys and values.

    Raises
    ------
    ValueError
        One of them has an attention processor of the user's own, which ours would replace.
    """
    names = _chosen(layers, swap)
    for name in names:
        if not _replaceable(layers[name]):
            own = type(owners_processor(layers[name])).__name__
            raise ValueError(
                f"{name} has an attention processor of its own ({own}), which would not be called where an "
                "edit reads the original's keys and values: leave its layers out by "
                "attention_swap=lambda name: ..., say attention_swap=False, or reset the processors with "
                "unet.set_default_attn_processor()"
            )
    return names


def _chosen(layers: Mapping[str, Any], swap: AttentionSwap) -> list[str]:
    if not callable(swap) and not swap:
        return []
    names = [n for n in layers if n.endswith("attn1")]
    return [n for n in names if swap(n)] if callable(swap) else names


# diffusers' processors that compute plain attention, as ours do, up to rounding
PLAIN = {
    "AttnProcessor",
    "AttnProcessor2_0",
    "AttnProcessorNPU",
    "FusedAttnProcessor2_0",
    "SlicedAttnProcessor",
    "XFormersAttnProcessor",
    "XLAFlashAttnProcessor2_0",
}


def _replaceable(attn: Any) -> bool:
    """Whether a module's processor computes plain attention, so that one of ours may stand in for it."""
    kind = type(owners_processor(attn))
    return kind.__name__ in PLAIN and kind.__module__.startswith("diffusers.")


@contextmanager
def captured(unet: Any, cache: KeyValueCache, modules: Mapping[str, Any] | None = None) -> Iterator[None]:
    """While open, every self-attention of `unet` appends its keys and values to `cache`; for one call.

    Attention processors of the user's own are called, and what their layers' `to_k` and `to_v` give is kept.

    Raises
    ------
    ValueError
        Such a processor does not call them.
    """
    layers = attention_layers(unet) if modules is None else modules
    names = _chosen(layers, True)
    with ExitStack() as stack:
        ours = [n for n in names if _replaceable(layers[n])]
        stack.enter_context(installed((layers[n], _Writer(n, cache)) for n in ours))
        stack.enter_context(_overheard({n: layers[n] for n in names if n not in set(ours)}, cache))
        yield


@contextmanager
def _overheard(layers: Mapping[str, Any], cache: KeyValueCache) -> Iterator[None]:
    """While open, what the layers' `to_k` and `to_v` give to this thread is kept, and goes to the cache."""
    me, heard = threading.get_ident(), {}

    def listen(layer: str, which: str) -> Callable[[Any, Any, Tensor], None]:
        def hear(_: Any, __: Any, output: Tensor) -> None:
            if threading.get_ident() == me:
                heard[layer, which] = output.detach()

        return hear

    handles = [
        getattr(module, which).register_forward_hook(listen(name, which))
        for name, module in layers.items()
        for which in ("to_k", "to_v")
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
    for name, module in layers.items():
        key, value = heard.get((name, "to_k")), heard.get((name, "to_v"))
        if key is None or value is None or key.ndim != 3:
            own = type(owners_processor(module)).__name__
            raise ValueError(
                f"the attention processor {own} of {name} does not call the layer's to_k and to_v, so the "
                "original's keys and values cannot be read: reset it with unet.set_default_attn_processor()"
            )
        cache.append(name, key, value)


@contextmanager
def injected(
    unet: Any,
    cache: KeyValueCache,
    swap: AttentionSwap,
    hidden: Tensor | None = None,
    masked_queries: Tensor | None = None,
) -> Iterator[Callable[[int], None]]:
    """An `Injection` of the same arguments, installed while open.

    Yields
    ------
    callable
        Sets which level k is read.
    """
    injection = Injection(unet, cache, swap, hidden, masked_queries)
    with injection.installed():
        if cache.keys:
            injection.set_level(1)
        yield injection.set_level
