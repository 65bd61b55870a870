"""Attention of image and text tokens together, whose image keys and values come from an inversion.

A transformer of these families mixes tokens only in its attention, where image and text stand side by side.
Keys are exchanged after they have been told their positions, so what is kept needs none.

Where every layer reads the inversion's image keys and values, nothing that the edit changes reaches the text:
its tokens are then those of the inversion too. Their keys and values are kept beside the image's, and an edit
computes no text at all. For the same reason an edit may compute any part of the image tokens alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from torch import Tensor

from regiondrag_widget.models.attention import AttentionSwap
from regiondrag_widget.models.attention_masks import score_biases
from regiondrag_widget.models.keyvalues import KeyValueCache
from regiondrag_widget.models.processors import installed, owners_processor

__all__ = [
    "TEXT",
    "Exchange",
    "JointProcessor",
    "ProcessorOf",
    "Reading",
    "beside",
    "captured",
    "chosen_layers",
    "image_bias",
]

TEXT = ".text"  # a layer's text keys and values are kept under its name and this

Exchange: TypeAlias = "Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor | None]]"
"""exchange(key, value): for those of the live tokens, (B, tokens, heads, width) with the text's first, the
keys and values to attend to, and what is added to the scores."""


class JointProcessor:
    """A processor of a family's attention layers; subclasses project the tokens and place them.

    diffusers re-creates processors without arguments when adapters come and go, so none may be required.

    Attributes
    ----------
    exchange : callable, optional
        Changes the keys and values; None computes plain attention.
    """

    _attention_backend: Any = None
    exchange: Exchange | None = None

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attention of all tokens, the text's first.

        Parameters
        ----------
        query, key, value : (B, tokens, heads, width) Tensor
            Normed, and turned by their positions.

        Returns
        -------
        (B, tokens, heads * width) Tensor
            In the queries' number format.
        """
        bias = None
        if self.exchange is not None:
            key, value, bias = self.exchange(key, value)
        out: Tensor = dispatch_attention_fn(
            query, key, value, attn_mask=bias, backend=self._attention_backend
        )
        return out.flatten(2, 3).to(query.dtype)


class ProcessorOf(Protocol):
    """Makes our processor for an attention layer."""

    def __call__(self, module: Any) -> JointProcessor:
        """A new processor, without an exchange."""


def chosen_layers(
    layers: Mapping[str, Any], swap: AttentionSwap, plain: set[str], *, strict: bool = True
) -> list[str]:
    """Names of the layers that read an inversion's keys and values.

    Parameters
    ----------
    layers : mapping
        A network's attention modules by name.
    swap : AttentionSwap
        Which of them are wanted.
    plain : set of str
        diffusers' processors that ours may stand in for.
    strict : bool
        Whether a layer that cannot be swapped is refused, and not left out.

    Raises
    ------
    ValueError
        A layer has an attention processor of its owner's own, which ours would replace.
    """
    if not callable(swap) and not swap:
        return []
    names = [name for name in layers if not callable(swap) or swap(name)]
    found = []
    for name in names:
        kind = type(owners_processor(layers[name]))
        if kind.__name__ in plain and kind.__module__.startswith("diffusers."):
            found.append(name)
        elif strict:
            raise ValueError(
                f"{name} has an attention processor of its own ({kind.__name__}), which would not be called "
                "where an edit reads the original's keys and values: leave its layers out by "
                "attention_swap=lambda name: ..., or say attention_swap=False"
            )
    return found


@contextmanager
def captured(
    layers: Mapping[str, Any],
    names: list[str],
    processor_of: ProcessorOf,
    cache: KeyValueCache,
    tokens: int,
) -> Iterator[None]:
    """While open, the named layers append their keys and values to a cache, text and image apart.

    Parameters
    ----------
    layers : mapping
        A network's attention modules by name.
    names : list of str
        Those that are kept.
    processor_of : callable
        Makes our processor for a layer.
    cache : KeyValueCache
        Where they go.
    tokens : int
        Image tokens, the last of the sequence.
    """
    with installed(_made(layers, names, processor_of, lambda name: _writing(name, cache, tokens))):
        yield


def _writing(name: str, cache: KeyValueCache, tokens: int) -> Exchange:
    def write(key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, None]:
        text = key.shape[1] - tokens
        kept = [t.detach().flatten(2) for t in (key, value)]
        cache.append(name, *(t[:, text:].contiguous() for t in kept))
        cache.append(name + TEXT, *(t[:, :text].contiguous() for t in kept))
        return key, value, None

    return write


class Reading:
    """The named layers read a level's keys and values while `installed` is open.

    Parameters
    ----------
    layers, names, processor_of
        As `captured` takes them.
    with_text : bool
        Whether the text's keys and values are read too; otherwise the text is computed.
    bias : (1, 1, 1 or rows, tokens) Tensor, optional
        What is added to the scores of image queries and the last keys, which are the image's.
    live : (n,) int64 Tensor, optional
        The image tokens that are computed, where they read each other as they are.
    """

    def __init__(
        self,
        layers: Mapping[str, Any],
        names: list[str],
        processor_of: ProcessorOf,
        *,
        with_text: bool,
        bias: Tensor | None = None,
        live: Tensor | None = None,
    ) -> None:
        self._live = live
        self.names, self.with_text = names, with_text
        self._bias = bias
        self._framed: dict[tuple[int, int, int], Tensor] = {}
        self._level: dict[str, tuple[Tensor, Tensor]] = {}
        self._processors = list(_made(layers, names, processor_of, self._read))

    @property
    def stored(self) -> list[str]:
        """The names under which a cache has what is read."""
        return [*self.names, *(n + TEXT for n in self.names if self.with_text)]

    def set_level(self, level: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Let the layers read these keys and values, (tokens, channels) each."""
        self._level = dict(level)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """While open, the layers read."""
        try:
            with installed(self._processors):
                yield
        finally:
            self._level = {}

    def _read(self, name: str) -> Exchange:
        def read(key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
            live, image = key.shape, self._level[name]
            text = 0 if self.with_text else live[1] - len(image[0])
            words = self._level[name + TEXT] if self.with_text else None
            given = []
            for index, t in enumerate((key, value)):
                first = (
                    t[:, :text]
                    if words is None
                    else words[index].to(t).unflatten(-1, live[2:]).expand(live[0], -1, -1, -1)
                )
                rest = image[index].to(t).unflatten(-1, live[2:]).expand(live[0], -1, -1, -1)
                if self._live is not None:
                    rest = rest.clone()
                    rest[:, self._live] = t[:, live[1] - len(self._live) :]
                given.append(torch.cat([first, rest], 1))
            return given[0], given[1], self._bias_of(text, given[0].shape[1], live[1])

        return read

    def _bias_of(self, text: int, keys: int, queries: int) -> Tensor | None:
        sizes = text, keys, queries
        if self._bias is not None and sizes not in self._framed:
            self._framed[sizes] = _framed(self._bias, *sizes)
        return self._framed.get(sizes)


@contextmanager
def beside(
    layers: Mapping[str, Any],
    names: list[str],
    processor_of: ProcessorOf,
    tokens: int,
    bias: Tensor | None,
) -> Iterator[None]:
    """While open, every row of a batch reads the first row's image keys and values.

    Parameters
    ----------
    layers, names, processor_of, tokens
        As `captured` takes them.
    bias : (1, 1, 1 or tokens, tokens) Tensor, optional
        What is added to the scores of the rows after the first.
    """

    def share(key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        rows, text = len(key), key.shape[1] - tokens
        shared = [torch.cat([t[:, :text], t[:1, text:].expand(rows, -1, -1, -1)], 1) for t in (key, value)]
        mask = None
        if bias is not None:
            one = _framed(bias, text, key.shape[1], key.shape[1]).expand(1, 1, key.shape[1], -1)
            mask = torch.cat([torch.zeros_like(one), *[one] * (rows - 1)])
        return shared[0], shared[1], mask

    with installed(_made(layers, names, processor_of, lambda _: share)):
        yield


def _made(
    layers: Mapping[str, Any],
    names: list[str],
    processor_of: ProcessorOf,
    exchange_of: Callable[[str], Exchange],
) -> Iterator[tuple[Any, JointProcessor]]:
    for name in names:
        processor = processor_of(layers[name])
        owner = owners_processor(layers[name])
        processor._attention_backend = getattr(owner, "_attention_backend", None)  # as its owner chose
        processor.exchange = exchange_of(name)
        yield layers[name], processor


def image_bias(
    hidden: Tensor | None,
    masked_queries: Tensor | None,
    dtype: torch.dtype,
    tokens: int,
    where: Tensor | None = None,
) -> Tensor | None:
    """What is added to the scores so that image queries do not see hidden image keys.

    Parameters
    ----------
    hidden, masked_queries : (h, w) bool Tensor, optional
        As `Network.inject` takes them.
    dtype : torch.dtype
        Of the result.
    tokens : int
        Of the whole image.
    where : (n,) int64 Tensor, optional
        The queries there are; all when left out.

    Returns
    -------
    (1, 1, 1 or n, tokens) Tensor or None
        None where nothing is hidden.
    """
    if hidden is None:
        return None
    bias = score_biases(hidden, masked_queries, dtype, {tokens})[tokens]
    return bias if where is None or bias.shape[2] == 1 else bias[:, :, where]


def _framed(bias: Tensor, text_queries: int, keys: int, queries: int) -> Tensor:
    """A bias of image tokens with the text's rows and columns before it: the text sees all, and is seen."""
    seen = torch.nn.functional.pad(bias, (keys - bias.shape[3], 0))
    if not text_queries:
        return seen
    rows = seen.expand(1, 1, queries - text_queries, -1)
    return torch.nn.functional.pad(rows, (0, 0, text_queries, 0))
