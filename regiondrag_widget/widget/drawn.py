"""`w.pairs`: the regions as the browser keeps them, read as `RegionPair` objects and written like a list.

The truth is two synced traits, ``_pairs`` (JSON) and ``_masks`` (packed bits). Masks are decoded when they
are first asked for, and again only after they have changed.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, MutableSequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.regions.codec import decode_mask, encode_mask
from regiondrag_widget.regions.pair import RegionPair, RegionPairs

Mask = NDArray[np.bool_]
PROTECT = "protect"


@dataclass(frozen=True, eq=False)
class DraftPair:
    """A pair still being drawn: its handle or its target is empty. Same attributes as `RegionPair`."""

    handle: Mask
    target: Mask
    matrix: NDArray[np.float64] | None
    name: str
    missing: str

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the picture."""
        return self.handle.shape[0], self.handle.shape[1]

    def __repr__(self) -> str:
        return f"DraftPair({self.name!r}, {self.handle.sum()} -> {self.target.sum()} px: {self.missing})"


AnyPair: TypeAlias = "RegionPair | DraftPair"


@dataclass(frozen=True)
class Regions:
    """The browser's form of all regions: what the traits ``_pairs`` and ``_masks`` hold."""

    entries: tuple[dict[str, Any], ...] = ()
    masks: Mapping[str, bytes] = field(default_factory=dict)

    def mask(self, key: str, shape: tuple[int, int]) -> Mask:
        """(H, W) bool; all False when there is none."""
        data = self.masks.get(key, b"")
        return read_mask(data, shape)

    def inserted(self, index: int, pair: RegionPair) -> Regions:
        """With one more pair, in the first shade not in use."""
        key = uuid.uuid4().hex[:12]
        used = {entry.get("color") for entry in self.entries}
        entry = {
            "id": key,
            "name": pair.name,
            "color": next(shade for shade in range(len(self.entries) + 1) if shade not in used),
            "matrix": None if pair.matrix is None else [float(v) for v in pair.matrix.ravel()],
            "visible": True,
            "locked": False,
            "rev": 1,
            "hasTarget": True,
        }
        entries = list(self.entries)
        entries.insert(index, entry)
        masks = {**self.masks, f"h:{key}": encode_mask(pair.handle), f"t:{key}": encode_mask(pair.target)}
        return Regions(tuple(entries), masks)

    def removed(self, index: int | slice) -> Regions:
        """Without the pair or pairs at ``index``; ``IndexError`` when there is none."""
        entries = list(self.entries)
        gone = entries[index] if isinstance(index, slice) else [entries[index]]
        del entries[index]
        keys = {f"{side}:{entry['id']}" for entry in gone for side in "ht"}
        return Regions(tuple(entries), {k: v for k, v in self.masks.items() if k not in keys})

    def protected(self, mask: Mask | None) -> Regions:
        """With another protect mask (set where nothing may change)."""
        masks = {key: data for key, data in self.masks.items() if key != PROTECT}
        if mask is not None and mask.any():
            masks[PROTECT] = encode_mask(mask)
        return Regions(self.entries, masks)

    def pair(self, index: int, shape: tuple[int, int]) -> AnyPair:
        """Decode one pair."""
        entry = self.entries[index]
        handle = self.mask(f"h:{entry['id']}", shape)
        target = self.mask(f"t:{entry['id']}", shape)
        numbers = entry.get("matrix")
        matrix = None if numbers is None else np.array(numbers, np.float64).reshape(3, 3)
        return make_pair(handle, target, matrix, str(entry.get("name", "")))


def read_mask(data: bytes, shape: tuple[int, int]) -> Mask:
    """Decode one mask of the browser; no bytes, an empty mask. ``ValueError`` when it is not of the
    picture's size.
    """
    if not data:
        return np.zeros(shape, bool)
    mask = decode_mask(data, max_pixels=shape[0] * shape[1])
    if mask.shape != shape:
        raise ValueError(
            f"a mask is {mask.shape[1]}x{mask.shape[0]} and the picture {shape[1]}x{shape[0]} px: "
            "draw it again"
        )
    return mask


def make_pair(handle: Mask, target: Mask, matrix: NDArray[np.float64] | None, name: str) -> AnyPair:
    """A `RegionPair`, or a `DraftPair` that says what is missing."""
    missing = "handle is empty: draw what is to be moved"
    if handle.any():
        try:
            return RegionPair(handle, target if target.any() else None, matrix, name=name)
        except ValueError as error:
            empty = not target.any() and matrix is None
            missing = "target is empty: drag the handle, or paint where it goes" if empty else str(error)
    handle.flags.writeable = target.flags.writeable = False
    return DraftPair(handle, target, matrix, name, missing)


class PairList(MutableSequence[AnyPair]):
    """The live list behind ``w.pairs``: always what is drawn now; changes reach the browser.

    ``append``, ``insert``, item and slice assignment, ``del``, ``clear`` and ``+=`` work as on a list and
    take `RegionPair` objects of the picture's size. A pair that is only half drawn reads as a `DraftPair`.
    """

    def __init__(
        self,
        read: Callable[[], tuple[Regions, tuple[int, int]]],
        write: Callable[[Callable[[Regions], Regions]], None],
    ) -> None:
        self._read = read
        self._write = write
        self._cache: dict[str, tuple[Any, AnyPair]] = {}

    @overload
    def __getitem__(self, index: int) -> AnyPair: ...
    @overload
    def __getitem__(self, index: slice) -> list[AnyPair]: ...
    def __getitem__(self, index: int | slice) -> AnyPair | list[AnyPair]:
        regions, shape = self._read()
        if isinstance(index, slice):
            return [self._decoded(regions, i, shape) for i in range(*index.indices(len(regions.entries)))]
        try:
            position = range(len(regions.entries))[index]
        except IndexError:
            raise IndexError(f"there is no pair {index}: {len(regions.entries)} are drawn") from None
        return self._decoded(regions, position, shape)

    def __setitem__(self, index: Any, value: Any) -> None:
        shape = self._read()[1]
        single = not isinstance(index, slice)
        new = [checked(pair, shape) for pair in ([value] if single else value)]

        def change(regions: Regions) -> Regions:
            positions = list(range(len(regions.entries)))
            start = positions[index] if single else slice(*index.indices(len(positions))).start
            regions = regions.removed(index)
            for offset, pair in enumerate(new):
                regions = regions.inserted(start + offset, pair)
            return regions

        self._write(change)

    def __delitem__(self, index: int | slice) -> None:
        self._write(lambda regions: regions.removed(index))

    def __len__(self) -> int:
        return len(self._read()[0].entries)

    def insert(self, index: int, value: AnyPair) -> None:
        """Insert a `RegionPair` before ``index``."""
        pair = checked(value, self._read()[1])
        self._write(lambda regions: regions.inserted(index, pair))

    def extend(self, values: Iterable[AnyPair]) -> None:
        """Append several at once: the browser and observers hear of it once."""
        shape = self._read()[1]
        new = [checked(pair, shape) for pair in values]

        def change(regions: Regions) -> Regions:
            for pair in new:
                regions = regions.inserted(len(regions.entries), pair)
            return regions

        self._write(change)

    def clear(self) -> None:
        """Remove all pairs."""
        self._write(lambda regions: regions.removed(slice(None)))

    def complete(self) -> RegionPairs:
        """The pairs ready for an edit. Entries with nothing drawn are passed over.

        Raises
        ------
        ValueError
            No pair is drawn, or one lacks its handle or its target.
        """
        ready: list[RegionPair] = []
        for number, pair in enumerate(self, start=1):
            if isinstance(pair, RegionPair):
                ready.append(pair)
            elif pair.handle.any() or pair.target.any():
                raise ValueError(f"pair {number}{f' ({pair.name})' if pair.name else ''}: {pair.missing}")
        if not ready:
            raise ValueError(
                "nothing is drawn: mark a handle and drag it to its target, or w.add_pair(handle, target)"
            )
        return RegionPairs(ready)

    def drawn(self) -> RegionPairs:
        """The complete pairs, however few: those half drawn are passed over."""
        return RegionPairs(pair for pair in self if isinstance(pair, RegionPair))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (PairList, RegionPairs, list, tuple)):
            return list(self) == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"PairList({list(self)!r})"

    def _decoded(self, regions: Regions, index: int, shape: tuple[int, int]) -> AnyPair:
        entry = regions.entries[index]
        key = str(entry["id"])
        masks = regions.masks.get(f"h:{key}"), regions.masks.get(f"t:{key}")
        stamp = (masks, entry.get("matrix"), entry.get("name"), shape)
        known = self._cache.get(key)
        if known is not None and known[0] == stamp:
            return known[1]
        if len(self._cache) > 2 * len(regions.entries) + 8:  # pairs long gone
            self._cache.clear()
        pair = regions.pair(index, shape)
        self._cache[key] = (stamp, pair)
        return pair


def checked(pair: Any, shape: tuple[int, int]) -> RegionPair:
    """``pair`` if it is a `RegionPair` of the picture's (H, W); ``TypeError`` or ``ValueError`` otherwise."""
    if not isinstance(pair, RegionPair):
        raise TypeError(f"expected a RegionPair, not {type(pair).__name__}: rd.RegionPair(handle, target)")
    if pair.shape != shape:
        raise ValueError(
            f"the pair is {pair.shape[1]}x{pair.shape[0]} and the picture {shape[1]}x{shape[0]} px: "
            "masks must have the picture's size"
        )
    return pair
