"""What is kept between edits: the least recently used is dropped first, by bytes in each place."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import psutil
import torch

from regiondrag_widget.locks import OrderedLock, Rank
from regiondrag_widget.models.placement import free_memory
from regiondrag_widget.regions import RegionPair

__all__ = ["ByteCache", "CacheReport", "default_budgets", "key_of"]

DEVICE_SHARE = 0.25  # of a GPU's free memory: the network's own activations need the rest
HOST_SHARE = 0.25  # of the memory that is available: a notebook has other work
HOST_LEAST, HOST_MOST = 256 << 20, 8 << 30


@dataclass(frozen=True)
class CacheReport:
    """What a session keeps, for a read-out.

    Attributes
    ----------
    budget, used : int
        Bytes, where the network computes.
    host_budget, host_used : int
        Bytes of the computer's own memory; the same as `budget` and `used` without a GPU.
    entries : mapping of str to int
        How many of each kind, such as {"window": 1, "background": 2}.
    keys_values : str
        Where the inversion's keys and values are: "device", "host" or "recompute"; "" before the first
        inversion.
    """

    budget: int
    used: int
    host_budget: int
    host_used: int
    entries: Mapping[str, int]
    keys_values: str


class ByteCache:
    """Values by key, each with the bytes it takes in every place.

    A key's first entry names its kind, as `("window", ...)`. The latest of each kind stays whatever its size:
    an edit needs one of each. Safe to use from any thread.

    Parameters
    ----------
    budgets : mapping of str to int
        Bytes by place. Unlisted places have a budget of 0 and never evict.
    """

    def __init__(self, budgets: Mapping[str, int]) -> None:
        self._budgets = dict(budgets)
        self._entries: OrderedDict[tuple[Hashable, ...], tuple[Any, dict[str, int]]] = OrderedDict()
        self._lock = OrderedLock(Rank.CACHE)

    def get(self, key: tuple[Hashable, ...]) -> Any:
        """The value kept under a key, or None. It becomes the most recently used."""
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key][0]

    def put(self, key: tuple[Hashable, ...], value: Any, sizes: Mapping[str, int]) -> Any:
        """Keep a value, drop others to make room, and return it.

        Parameters
        ----------
        key : tuple
            Its first entry is the kind.
        value : object
            What is kept.
        sizes : mapping of str to int
            The bytes it takes, by place.
        """
        with self._lock:
            self._entries[key] = (value, dict(sizes))
            self._entries.move_to_end(key)
            self._evict(spared=self._latest())
        return value

    def trim(self, kind: str, count: int) -> None:
        """Keep only the `count` most recently used entries of a kind."""
        with self._lock:
            of_kind = [key for key in self._entries if key[0] == kind]
            for key in of_kind[: max(0, len(of_kind) - count)]:
                del self._entries[key]

    def values(self, kind: str) -> list[Any]:
        """All values of a kind, the most recently used first."""
        with self._lock:
            return [entry[0] for key, entry in reversed(self._entries.items()) if key[0] == kind]

    def used(self, place: str | None = None) -> int:
        """Bytes taken in a place, or in all places when left out."""
        with self._lock:
            return self._used(place)

    def budget(self, place: str) -> int:
        """Bytes that may be taken in a place; 0 for an unlisted one."""
        with self._lock:
            return self._budgets.get(place, 0)

    def counts(self) -> dict[str, int]:
        """Entries by kind."""
        with self._lock:
            kinds: dict[str, int] = {}
            for key in self._entries:
                kinds[str(key[0])] = kinds.get(str(key[0]), 0) + 1
            return kinds

    def shrink(self) -> None:
        """Halve every budget and drop what no longer fits, including the latest."""
        with self._lock:
            self._budgets = {place: budget // 2 for place, budget in self._budgets.items()}
            self._evict(spared=set())

    def _used(self, place: str | None) -> int:
        return sum(
            size for _, sizes in self._entries.values() for p, size in sizes.items() if place in (None, p)
        )

    def _latest(self) -> set[tuple[Hashable, ...]]:
        return set({key[0]: key for key in self._entries}.values())

    def _evict(self, spared: set[tuple[Hashable, ...]]) -> None:
        for place, budget in self._budgets.items():
            excess = self._used(place) - budget
            for key in list(self._entries):
                if excess <= 0:
                    break
                size = self._entries[key][1].get(place, 0)
                if size and key not in spared:  # what takes no bytes here would make no room
                    excess -= size
                    del self._entries[key]


def default_budgets(device: torch.device, max_bytes: int | None = None) -> dict[str, int]:
    """Bytes a session may keep by place: "device" and "host", or only "host" without a CUDA device.

    Parameters
    ----------
    device : torch.device
        Where the network computes.
    max_bytes : int, optional
        For each place, instead of shares of the free memory.
    """
    if max_bytes is not None:
        host = max_bytes
    else:
        host = int(min(HOST_MOST, max(HOST_LEAST, psutil.virtual_memory().available * HOST_SHARE)))
    free = free_memory(device)
    if free is None:
        return {"host": host}
    return {"device": int(free * DEVICE_SHARE) if max_bytes is None else max_bytes, "host": host}


def key_of(request: Any) -> tuple[Hashable, ...]:
    """The cache key of a request: its kind and all of its fields, so that none can be forgotten.

    Parameters
    ----------
    request : dataclass
        With a class attribute `kind`. Arrays count by their content, objects with a `key` by that.

    Raises
    ------
    TypeError
        A field that has no key.
    """
    return (request.kind, *(_part(getattr(request, field.name)) for field in fields(request)))


def _part(value: Any) -> Hashable:
    if isinstance(value, np.ndarray):
        packed = np.packbits(value) if value.dtype == bool else np.ascontiguousarray(value)
        digest = hashlib.blake2b(packed.tobytes(), digest_size=16).digest()
        return value.shape, value.dtype.str, digest
    if isinstance(value, RegionPair):
        parts = value.handle, value.target, value.matrix, value.carry, value.deformation, value.action
        return tuple(_part(v) for v in parts)
    if isinstance(value, (tuple, list)):
        return tuple(_part(item) for item in value)
    if hasattr(value, "key"):
        key: Hashable = value.key
        return key
    if value is None or isinstance(value, (str, bytes, int, float, torch.dtype)):
        return value
    raise TypeError(f"a {type(value).__name__} cannot be part of a cache key")
