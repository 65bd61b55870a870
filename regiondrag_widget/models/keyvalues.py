"""Where an inversion's keys and values live: on the device, in the computer's memory, or nowhere.

At SD 1.5's size they take 44 MB a level, at SDXL's 400 MB (half precision): more than the latents by far.
Where they do not fit the device they wait in pinned host memory and are copied in a level ahead of their use;
where they fit neither, the source's own pass runs beside the edit's as a batch of two and nothing is kept.
All three give the same edit up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor

from regiondrag_widget.models.attention import (
    AttentionSwap,
    KeyValueCache,
    Reader,
    attention_layers,
    installed,
    score_biases,
    swapped_layers,
)
from regiondrag_widget.models.turns import Turns

__all__ = [
    "KEEPING",
    "EditingNetwork",
    "HostKeyValues",
    "SourcePath",
    "beside_source",
    "bytes_a_level",
    "checked_keeping",
    "choose_keeping",
    "injecting",
]

Predict: TypeAlias = "Callable[[int, int, Tensor], Tensor]"
KEEPING = ("auto", "device", "host", "recompute")


class HostKeyValues(KeyValueCache):
    """Keys and values in the computer's own memory, copied to the device a level at a time.

    On CUDA the memory is pinned, and the level that is read after the present one is fetched meanwhile.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._device = device
        self._order: list[int] = []
        self._fetched: dict[int, tuple[dict[str, tuple[Tensor, Tensor]], Any]] = {}
        self._stream: Any = None

    def append(self, layer: str, key: Tensor, value: Tensor) -> None:
        super().append(layer, self._to_host(key), self._to_host(value))

    def will_read(self, order: Sequence[int]) -> None:
        self._order = list(order)
        self._fetched.clear()

    def level(self, k: int, layers: Sequence[str]) -> Iterator[tuple[Tensor, Tensor]]:
        if self._device.type == "cpu":
            yield from super().level(k, layers)
            return
        if k not in self._fetched:
            self._fetched = {k: self._fetch(k, layers)}
        present, arrived = self._fetched[k]
        if arrived is not None:
            torch.cuda.current_stream(self._device).wait_event(arrived)
        following = self._after(k)
        self._fetched = {
            j: self._fetched.get(j) or self._fetch(j, layers) for j in (k, following) if j is not None
        }
        for name in layers:
            if name not in present:  # another choice of layers than the level was fetched for
                present[name] = self._copied(name, k)
            for t in present[name]:
                if arrived is not None:
                    t.record_stream(torch.cuda.current_stream(self._device))
            yield present[name]

    def _after(self, k: int) -> int | None:
        at = self._order.index(k) + 1 if k in self._order else len(self._order)
        return self._order[at] if at < len(self._order) else None

    def _fetch(self, k: int, layers: Sequence[str]) -> tuple[dict[str, tuple[Tensor, Tensor]], Any]:
        """Level k on the device, and the event after which it is there; None where it is already."""
        if self._device.type != "cuda":
            return {name: self._copied(name, k) for name in layers}, None
        if self._stream is None:
            self._stream = torch.cuda.Stream(self._device)
        with torch.cuda.stream(self._stream):
            copies = {name: self._copied(name, k) for name in layers}
            arrived = torch.cuda.Event()
            arrived.record(self._stream)
        return copies, arrived

    def _copied(self, name: str, k: int) -> tuple[Tensor, Tensor]:
        key, value = self.keys[name][k - 1], self.values[name][k - 1]
        return key.to(self._device, non_blocking=True), value.to(self._device, non_blocking=True)

    def _to_host(self, t: Tensor) -> Tensor:
        if t.device.type != "cuda":
            return t.cpu()
        host = torch.empty(t.shape, dtype=t.dtype, pin_memory=True)
        host.copy_(t)  # waits: what reads it may be another stream
        return host


class SourcePath(KeyValueCache):
    """No keys and values but the latents that give them: `path` (K, C, h, w), the source at each level."""

    def __init__(self, path: Tensor) -> None:
        super().__init__()
        self.path = path


class _BesideSource(Reader):
    """Every row attends to the first row's keys and values; the mask is for the other rows alone."""

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


class EditingNetwork(Protocol):
    """What the reverse pass asks of a backbone on top of `path.Network`."""

    unet: Any
    turns: Turns

    def predict(self, x: Tensor, timesteps: Tensor) -> Tensor:
        """The network's output at (B, C, h, w) latents and (B,) timesteps, float32."""

    def inject(
        self, cache: KeyValueCache, swap: AttentionSwap, hidden: Tensor | None, blind: Tensor | None
    ) -> AbstractContextManager[Predict]:
        """Predictions that read the inversion's keys and values: `predict(k, timestep, x)` for level k."""


def injecting(
    network: EditingNetwork,
    cache: KeyValueCache,
    swap: AttentionSwap,
    hidden: Tensor | None,
    blind: Tensor | None,
) -> AbstractContextManager[Predict]:
    """The network's `inject`, or what stands in for it where no keys and values are kept."""
    if isinstance(cache, SourcePath):
        return beside_source(network, cache, swap, hidden, blind)
    return network.inject(cache, swap, hidden, blind)


@contextmanager
def beside_source(
    network: EditingNetwork,
    source: SourcePath,
    swap: AttentionSwap,
    hidden: Tensor | None,
    blind: Tensor | None,
) -> Iterator[Predict]:
    """While open, `predict(k, timestep, x)` reads the keys and values that the source has at level k now.

    As a network's `inject`, but each prediction is a batch of the source and the edit. The UNet works by our
    processors during a prediction alone.
    """
    names = swapped_layers(network.unet, swap)
    found = attention_layers(network.unet)
    dtype = next(network.unet.parameters()).dtype
    biases = {}
    if hidden is not None:
        tokens = layer_tokens(network.unet, *hidden.shape)
        biases = score_biases(hidden, blind, dtype, {tokens[name] for name in names})
    readers = [(found[name], _BesideSource(biases)) for name in names]

    def predict(k: int, timestep: int, x: Tensor) -> Tensor:
        times = torch.tensor([timestep], device=x.device)
        if not readers:
            return network.predict(x, times.expand(len(x)))
        both = torch.cat([source.path[k - 1][None].to(x), x])
        with network.turns, installed(readers):
            return network.predict(both, times.expand(len(both)))[1:]

    yield predict


def layer_tokens(unet: Any, height: int, width: int) -> dict[str, int]:
    """By the name of each self-attention, its tokens for (height, width) latent cells."""
    deepest = len(unet.config.block_out_channels) - 1
    found = {}
    for name in swapped_layers(unet, True):
        block, _, rest = name.partition(".")
        index = int(rest.split(".", 1)[0]) if block != "mid_block" else deepest
        depth = {"down_blocks": index, "up_blocks": deepest - index}.get(block, deepest)
        found[name] = -(-height // 2**depth) * -(-width // 2**depth)
    return found


def bytes_a_level(unet: Any, height: int, width: int) -> int:
    """Bytes of all self-attentions' keys and values at one level, for (height, width) latent cells."""
    size = torch.finfo(next(unet.parameters()).dtype).bits // 8
    layers = attention_layers(unet)
    return sum(
        tokens * (layers[name].to_k.out_features + layers[name].to_v.out_features) * size
        for name, tokens in layer_tokens(unet, height, width).items()
    )


def choose_keeping(needed: int, budgets: Mapping[str, int]) -> str:
    """The fastest of "device", "host" and "recompute" whose bytes there are.

    needed : bytes of one inversion's keys and values
    budgets : bytes by place, "device" and "host"; "host" alone where the network computes there
    """
    if needed <= budgets.get("device", budgets["host"]):
        return "device"
    return "host" if "device" in budgets and needed <= budgets["host"] else "recompute"


def checked_keeping(keeping: object) -> str:
    """The same; ValueError unless it is one of `KEEPING`."""
    if keeping not in KEEPING:
        raise ValueError(f"keys_values must be one of {', '.join(KEEPING)}, got {keeping!r}")
    return str(keeping)
