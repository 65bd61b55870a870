"""Where an inversion's keys and values live: on the device, in the computer's memory, or nowhere.

At SD 1.5's size they take 44 MB a level, at SDXL's 400 MB (half precision): more than the latents by far.
Where they do not fit the device they are kept in pinned host memory and copied one level ahead of their use.
Where they fit neither, nothing is kept: the source's own pass runs beside the edit's as a batch of two.
All three give the same edit up to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from regiondrag_widget.models.pinned import PinnedBlocks

__all__ = [
    "KEEPING",
    "HostKeyValues",
    "KeyValueCache",
    "SourcePath",
    "checked_keeping",
    "choose_keeping",
]

KEEPING = ("auto", "device", "host", "recompute")


class KeyValueCache:
    """Keys and values of one picture's inversion.

    Attributes
    ----------
    keys, values : dict of list of Tensor
        By layer, K tensors (tokens, channels) in the network's dtype, entry k - 1 for level k.
    made_by : tuple
        Fingerprint of the network that gave them; empty where it is not known.
    negative : KeyValueCache or None
        Those of the same levels under a negative prompt, where the network is guided.
    """

    def __init__(self) -> None:
        self.made_by: tuple[object, ...] = ()
        self.negative: KeyValueCache | None = None
        self.keys: dict[str, list[Tensor]] = {}
        self.values: dict[str, list[Tensor]] = {}

    def append(self, layer: str, key: Tensor, value: Tensor) -> None:
        """Add a layer's keys and values (B, tokens, channels) of the next B levels."""
        self.keys.setdefault(layer, []).extend(key.unbind(0))
        self.values.setdefault(layer, []).extend(value.unbind(0))

    def level(self, k: int, layers: Sequence[str]) -> Iterator[tuple[Tensor, Tensor]]:
        """Key and value, (tokens, channels), of each of the layers at level k."""
        for name in layers:
            yield self.keys[name][k - 1], self.values[name][k - 1]

    def will_read(self, order: Sequence[int]) -> None:
        """Announce the levels an edit will read, in order, so that they can be fetched ahead."""
        if self.negative is not None:
            self.negative.will_read(order)

    def twin(self) -> KeyValueCache:
        """An empty cache of the same kind."""
        return KeyValueCache()

    @property
    def nbytes(self) -> int:
        """Memory the tensors take, in bytes, with those of a negative prompt."""
        return self._own_bytes() + (0 if self.negative is None else self.negative.nbytes)

    def _own_bytes(self) -> int:
        stored = [*self.keys.values(), *self.values.values()]
        return sum(t.numel() * t.element_size() for levels in stored for t in levels)


class HostKeyValues(KeyValueCache):
    """Keys and values in the computer's own memory, copied to the device a level at a time.

    On CUDA the memory is pinned, and the next level is fetched while the present one is used.

    Parameters
    ----------
    device : torch.device
        Where the network computes.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._device = device
        self._order: list[int] = []
        self._fetched: dict[int, tuple[dict[str, tuple[Tensor, Tensor]], Any]] = {}
        self._stream: Any = None
        self._blocks = PinnedBlocks()

    def twin(self) -> KeyValueCache:
        """See `KeyValueCache.twin`."""
        return HostKeyValues(self._device)

    def _own_bytes(self) -> int:
        return self._blocks.nbytes or super()._own_bytes()  # whole blocks where the memory is pinned

    def append(self, layer: str, key: Tensor, value: Tensor) -> None:
        """See `KeyValueCache.append`."""
        super().append(layer, self._to_host(key), self._to_host(value))

    def will_read(self, order: Sequence[int]) -> None:
        """See `KeyValueCache.will_read`."""
        super().will_read(order)
        self._order = list(order)
        self._fetched.clear()

    def level(self, k: int, layers: Sequence[str]) -> Iterator[tuple[Tensor, Tensor]]:
        """See `KeyValueCache.level`."""
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
        """Level k on the device, and the event after which it is there; None where it is there now."""
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
        host = self._blocks.empty(t.shape, t.dtype)
        host.copy_(t)  # blocking, since another stream may read it
        return host


class SourcePath(KeyValueCache):
    """The latents that keys and values are computed from, where none are kept.

    Parameters
    ----------
    path : (K, C, h, w) Tensor
        The source at each noised level.
    """

    def __init__(self, path: Tensor) -> None:
        super().__init__()
        self.path = path


def choose_keeping(needed: int, budgets: Mapping[str, int]) -> str:
    """The fastest of "device", "host" and "recompute" that fits.

    Parameters
    ----------
    needed : int
        Bytes of one inversion's keys and values.
    budgets : mapping of str to int
        Bytes by place: "device" and "host", or only "host" where the network computes there.
    """
    if needed <= budgets.get("device", budgets["host"]):
        return "device"
    return "host" if "device" in budgets and needed <= budgets["host"] else "recompute"


def checked_keeping(keeping: object) -> str:
    """Return where keys and values are to be kept, once checked.

    Raises
    ------
    ValueError
        It is not one of `KEEPING`.
    """
    if keeping not in KEEPING:
        raise ValueError(f"keys_values must be one of {', '.join(KEEPING)}, got {keeping!r}")
    return str(keeping)
