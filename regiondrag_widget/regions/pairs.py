"""RegionPairs: all that the user asks for on one picture."""

from __future__ import annotations

from collections.abc import Iterable, MutableSequence
from typing import cast, overload

import numpy as np

from regiondrag_widget.regions.box import Box, slices_of, union_of
from regiondrag_widget.regions.kept import KeptMask
from regiondrag_widget.regions.mask import Mask
from regiondrag_widget.regions.pair import RegionPair

__all__ = ["RegionPairs"]


class RegionPairs(MutableSequence[RegionPair]):
    """A list of pairs on one picture: all have the same shape. Where targets overlap, the later pair wins."""

    def __init__(self, pairs: Iterable[RegionPair] = ()) -> None:
        self._pairs: list[RegionPair] = []
        self.extend(pairs)

    @classmethod
    def of(cls, pairs: RegionPair | Iterable[RegionPair]) -> RegionPairs:
        """Accept one pair, a list of pairs, or a ``RegionPairs`` (returned as it is)."""
        if isinstance(pairs, RegionPairs):
            return pairs
        return cls([pairs] if isinstance(pairs, RegionPair) else pairs)

    @property
    def shape(self) -> tuple[int, int] | None:
        """(H, W) of the picture, or None while there is no pair."""
        return self._pairs[0].shape if self._pairs else None

    @property
    def handle(self) -> Mask:
        """(H, W) the union of all handles; ``ValueError`` when there is no pair."""
        return self._union([pair._handle for pair in self._pairs])

    @property
    def target(self) -> Mask:
        """(H, W) the union of all targets; ``ValueError`` when there is no pair."""
        return self._union([pair._target for pair in self._pairs])

    @property
    def box(self) -> Box:
        """x0, y0, x1, y1 of all handles and targets; ``ValueError`` when there is no pair."""
        if not self._pairs:
            raise ValueError("there are no region pairs: add one first")
        return union_of(mask.box for pair in self._pairs for mask in (pair._handle, pair._target))

    def drawn_in(self, box: Box) -> Mask:
        """Return what all handles and targets cover of a box, (h, w) bool."""
        x0, y0, x1, y1 = box
        drawn = np.zeros((y1 - y0, x1 - x0), np.bool_)
        for pair in self._pairs:
            for mask in (pair.handle, pair.target):
                drawn |= mask[slices_of(box)]
        return drawn

    def insert(self, index: int, value: RegionPair) -> None:
        """Insert a pair before ``index``; ``ValueError`` when it has another size than the others."""
        self._check(value, self.shape)
        self._pairs.insert(index, value)

    @overload
    def __getitem__(self, index: int) -> RegionPair: ...
    @overload
    def __getitem__(self, index: slice) -> RegionPairs: ...
    def __getitem__(self, index: int | slice) -> RegionPair | RegionPairs:
        return RegionPairs(self._pairs[index]) if isinstance(index, slice) else self._pairs[index]

    @overload
    def __setitem__(self, index: int, value: RegionPair) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[RegionPair]) -> None: ...
    def __setitem__(self, index: int | slice, value: RegionPair | Iterable[RegionPair]) -> None:
        remaining = list(self._pairs)
        del remaining[index]
        shape = remaining[0].shape if remaining else None  # the pairs that remain set the size
        if isinstance(index, slice):
            values = RegionPairs(cast("Iterable[RegionPair]", value))
            for each in values:
                self._check(each, shape)
            self._pairs[index] = values
        else:
            self._check(value, shape)
            self._pairs[index] = cast("RegionPair", value)

    def __delitem__(self, index: int | slice) -> None:
        del self._pairs[index]

    def __len__(self) -> int:
        return len(self._pairs)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, RegionPairs):
            return self._pairs == other._pairs
        return self._pairs == other if isinstance(other, list) else NotImplemented

    def __repr__(self) -> str:
        return f"RegionPairs({self._pairs!r})"

    @staticmethod
    def _check(value: object, shape: tuple[int, int] | None) -> None:
        if not isinstance(value, RegionPair):
            raise TypeError(f"expected a RegionPair, got {type(value).__name__}: RegionPair(handle, target)")
        if shape is not None and value.shape != shape:
            raise ValueError(
                f"this pair is {value.shape[1]}x{value.shape[0]} but the others are {shape[1]}x{shape[0]}: "
                "all pairs of an edit belong to one picture"
            )

    @staticmethod
    def _union(masks: list[KeptMask]) -> Mask:
        if not masks:
            raise ValueError("there are no region pairs: add one first")
        union = np.zeros(masks[0].shape, np.bool_)
        for mask in masks:
            mask.add_to(union)
        return union
