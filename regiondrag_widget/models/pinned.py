"""Pinned host memory for many tensors, cut from blocks of a power of two bytes.

torch rounds every pinned allocation up to a power of two, so tensors allocated one by one take up to twice
what they hold, and no budget knows of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["PinnedBlocks"]

BLOCK = 64 << 20
ALIGNMENT = 256


def _pinned(size: int) -> Tensor:
    return torch.empty(size, dtype=torch.uint8, pin_memory=True)


class PinnedBlocks:
    """Makes tensors in pinned memory. The memory of a block is free when none of its tensors is left.

    Parameters
    ----------
    allocate : callable
        Bytes to a (bytes,) uint8 Tensor in pinned memory.

    Attributes
    ----------
    nbytes : int
        Memory of all blocks made so far, in bytes.
    """

    def __init__(self, allocate: Callable[[int], Tensor] = _pinned) -> None:
        self._allocate, self._used = allocate, 0
        self._block: Tensor | None = None
        self.nbytes = 0

    def empty(self, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        """A tensor without content.

        Parameters
        ----------
        shape : torch.Size
            Its shape.
        dtype : torch.dtype
            Its number format.
        """
        size = math.prod(shape) * dtype.itemsize
        start = -(-self._used // ALIGNMENT) * ALIGNMENT
        if self._block is None or start + size > len(self._block):
            # room for four at least, since the next ones are seldom smaller
            wanted = max(BLOCK, 1 << max(0, 4 * size - 1).bit_length())
            self._block, start = self._allocate(wanted), 0
            self.nbytes += wanted
        self._used = start + size
        return self._block[start : start + size].view(dtype).view(shape)
