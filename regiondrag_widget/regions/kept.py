"""Masks held in little memory: the packed bits of a box, unpacked when they are read.

A mask of a 12-megapixel photograph takes 12 MB, and a drawing may have hundreds. So pairs hold their masks as
`KeptMask`. Those that were read last stay unpacked as well, up to `MAX_UNPACKED` bytes in all: on pictures of
an ordinary size nothing is ever packed.
"""

from __future__ import annotations

import os
import weakref
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.locks import OrderedLock, Rank
from regiondrag_widget.regions.box import Box, bounding_box, slices_of
from regiondrag_widget.regions.mask import Mask
from regiondrag_widget.regions.region import Region

MAX_UNPACKED = 96 * 2**20  # bytes of unpacked masks, all together


class KeptMask:
    """An (H, W) mask that is unpacked when it is read.

    Parameters
    ----------
    mask
        (H, W) bool, read-only: it is kept as it is.

    Attributes
    ----------
    shape
        (H, W).
    """

    __slots__ = ("__weakref__", "_bits", "_full", "_place", "shape")

    def __init__(self, mask: Mask) -> None:
        self.shape: tuple[int, int] = (int(mask.shape[0]), int(mask.shape[1]))
        self._bits: NDArray[np.uint8] | None = None  # (bh, stride), of the box
        self._place = (0, 0, 0, 0)  # x0, y0, width and height of the box
        self._full: Mask | None = mask
        _unpacked.add(self, mask.nbytes)

    @classmethod
    def boxed(cls, shape: tuple[int, int], x0: int, y0: int, box: Mask) -> KeptMask:
        """A mask that is set in a box only; ``box`` is (h, w) bool and lies within the (H, W) ``shape``."""
        height, width = box.shape
        return cls.packed(shape, (x0, y0, width, height), np.packbits(box, axis=1))

    @classmethod
    def packed(
        cls, shape: tuple[int, int], place: tuple[int, int, int, int], bits: NDArray[np.uint8]
    ) -> KeptMask:
        """A mask of the bits of a box.

        Parameters
        ----------
        shape
            (H, W).
        place
            x0, y0, width and height of the box, within the shape; all 0 for an empty mask.
        bits
            (height, stride) uint8, most significant bit first, each row padded to a whole byte.
        """
        made = cls.__new__(cls)
        spare = 0xFF >> (place[2] % 8) if place[2] % 8 else 0  # bits of the last byte beyond the box
        if spare and (bits[:, -1] & spare).any():
            bits = bits.copy()
            bits[:, -1] &= 0xFF ^ spare
        made.shape, made._place, made._bits, made._full = shape, place, bits, None
        return made

    def __reduce__(self) -> Any:
        self._pack()
        return KeptMask.packed, (self.shape, self._place, self._bits)

    @property
    def full(self) -> Mask:
        """(H, W) bool, read-only."""
        mask = self._full
        if mask is None:
            mask = np.zeros(self.shape, bool)
            x0, y0, width, height = self._place
            mask[y0 : y0 + height, x0 : x0 + width] = self._box()
            mask.flags.writeable = False
            self._full = mask
            _unpacked.add(self, mask.nbytes)
        return mask

    def any(self) -> bool:
        """Whether a pixel is set."""
        full, bits = self._full, self._bits  # in this order: another thread may be packing it
        if bits is not None:
            return bool(bits.any())
        assert full is not None
        return bool(full.any())

    def region(self) -> Region:
        """The set pixels, of which there is at least one."""
        full = self._full
        if full is not None:
            return Region.of(full)
        inner = Region.of(self._box())
        return Region(inner.x0 + self._place[0], inner.y0 + self._place[1], inner.mask)

    @property
    def box(self) -> Box:
        """x0, y0, x1, y1 of the set pixels, of which there is at least one."""
        region = self.region()
        return region.x0, region.y0, region.x0 + region.width, region.y0 + region.height

    def add_to(self, union: Mask) -> None:
        """Set its pixels in another mask, of the same shape."""
        full = self._full
        if full is not None:
            union |= full
        else:
            x0, y0, width, height = self._place
            union[y0 : y0 + height, x0 : x0 + width] |= self._box()

    @property
    def nbytes(self) -> int:
        """Bytes it takes once it is packed."""
        self._pack()
        assert self._bits is not None
        return self._bits.nbytes

    def digest(self, algorithm: Any) -> bytes:
        """Equal for equal masks; ``algorithm`` is one of `hashlib`'s."""
        self._pack()
        assert self._bits is not None
        found: bytes = algorithm(repr((self.shape, self._place)).encode() + self._bits.tobytes()).digest()
        return found

    def _box(self) -> Mask:
        assert self._bits is not None
        return np.unpackbits(self._bits, axis=1, count=self._place[2]).view(np.bool_)

    def _pack(self) -> None:
        full = self._full
        if self._bits is not None or full is None:
            return
        if full.any():
            box = bounding_box(full)
            self._place = (box[0], box[1], box[2] - box[0], box[3] - box[1])
            self._bits = np.packbits(full[slices_of(box)], axis=1)
        else:
            self._bits = np.zeros((0, 0), np.uint8)

    def _let_go(self) -> None:
        """Hold the packed bits alone."""
        self._pack()
        self._full = None


class _Unpacked:
    """The masks that are unpacked, the oldest first; those over the limit are packed."""

    def __init__(self) -> None:
        self._lock = OrderedLock(Rank.MASKS)
        self._masks: deque[tuple[weakref.ref[KeptMask], int]] = deque()
        self._bytes = 0  # those of masks that are gone included, until there seem to be too many

    def add(self, mask: KeptMask, size: int) -> None:
        with self._lock:
            self._masks.append((weakref.ref(mask), size))
            self._bytes += size
            if self._bytes > MAX_UNPACKED:
                self._shrink()

    def _shrink(self) -> None:
        self._masks = deque(item for item in self._masks if item[0]() is not None)
        self._bytes = sum(size for _, size in self._masks)
        while self._bytes > MAX_UNPACKED and len(self._masks) > 1:
            oldest, size = self._masks.popleft()
            self._bytes -= size
            mask = oldest()
            if mask is not None:
                mask._let_go()


_unpacked = _Unpacked()


def _after_fork() -> None:
    """Another thread may have held the lock when this process was forked off."""
    _unpacked._lock = OrderedLock(Rank.MASKS)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
