"""What was computed last, by the arrays that it was computed from."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from regiondrag_widget.locks import OrderedLock, Rank

__all__ = ["Recent"]

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """The last few results of one computation; nobody may write into them.

    Parameters
    ----------
    most
        How many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = OrderedLock(Rank.REGISTRY)
        self._kept: OrderedDict[bytes, Value] = OrderedDict()

    def of(self, arrays: Sequence[npt.NDArray[Any] | np.generic], compute: Callable[[], Value]) -> Value:
        """What `compute` gave for these arrays, or gives now; two threads may both compute it."""
        key = _digest(arrays)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        value = compute()
        with self._lock:
            self._kept[key] = value
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return value


def _digest(arrays: Sequence[npt.NDArray[Any] | np.generic]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape};".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()
