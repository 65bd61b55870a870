"""`w.pairs`: the regions of a widget, read as `RegionPair` objects and written like a list.

Masks are decoded when they are first asked for, and again only after they have changed.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, MutableSequence
from typing import Any, overload

from regiondrag_widget.regions.limits import MAX_TEXT
from regiondrag_widget.regions.pair import RegionPair
from regiondrag_widget.regions.pairs import RegionPairs
from regiondrag_widget.text import require_text
from regiondrag_widget.widget.live_pair import joined
from regiondrag_widget.widget.regions_state import AnyPair, Mask, Regions, SharedMasks


class PairList(MutableSequence[AnyPair]):
    """The live list behind ``w.pairs``: always what is drawn now; changes reach the browser.

    ``append``, ``insert``, item and slice assignment, ``del``, ``clear`` and ``+=`` work as on a list and
    take `RegionPair` objects of the picture's size. A pair that is only half drawn reads as an
    `UnfinishedPair`. What a pair carries can be assigned: ``w.pairs[0].carry = "painted"``.

    Parameters
    ----------
    read
        Returns the regions and the picture's (H, W).
    write
        Takes a function from the regions as they are to those that shall be, and applies it.
    carried
        Returns what the pair of a key carries, (H, W) bool.
    """

    def __init__(
        self,
        read: Callable[[], tuple[Regions, tuple[int, int]]],
        write: Callable[[Callable[[Regions], Regions]], None],
        carried: Callable[[str], Mask],
    ) -> None:
        self._read = read
        self._write = write
        self._carried = carried
        # by key: what the pair was decoded from, the pair, and the same as part of this list
        self._masks: SharedMasks = weakref.WeakValueDictionary()  # equal masks are held once
        self._cache: dict[str, tuple[Any, AnyPair, AnyPair]] = {}

    @overload
    def __getitem__(self, index: int) -> AnyPair: ...
    @overload
    def __getitem__(self, index: slice) -> list[AnyPair]: ...
    def __getitem__(self, index: int | slice) -> AnyPair | list[AnyPair]:
        regions, shape = self._read()
        if isinstance(index, slice):
            return [self._joined(regions, i, shape) for i in range(*index.indices(len(regions.entries)))]
        try:
            position = range(len(regions.entries))[index]
        except IndexError:
            raise IndexError(f"there is no pair {index}: {len(regions.entries)} are drawn") from None
        return self._joined(regions, position, shape)

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
        """Append several at once: the browser and observers are told once."""
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
        """The pairs ready for an edit. Entries with nothing drawn are left out.

        Raises
        ------
        ValueError
            No pair is drawn, or one lacks its handle or its target.
        """
        ready: list[RegionPair] = []
        for number, pair in enumerate(self._plain(), start=1):
            if isinstance(pair, RegionPair):
                ready.append(pair)
            elif pair.started:
                raise ValueError(f"pair {number}{f' ({pair.name})' if pair.name else ''}: {pair.missing}")
        if not ready:
            raise ValueError(
                "nothing is drawn: mark a handle and drag it to its target, or w.add_pair(handle, target)"
            )
        return RegionPairs(ready)

    def drawn(self) -> RegionPairs:
        """The complete pairs, however few: unfinished ones are left out."""
        return RegionPairs(pair for pair in self._plain() if isinstance(pair, RegionPair))

    def first_drawn(self) -> tuple[RegionPair, ...]:
        """The first complete pair, or nothing; no more is decoded than that takes."""
        regions, shape = self._read()
        pairs = (self._decoded(regions, index, shape)[0] for index in range(len(regions.entries)))
        found = next((pair for pair in pairs if isinstance(pair, RegionPair)), None)
        return () if found is None else (found,)

    def set_carry(self, key: str, carry: str | Mask | None) -> None:
        """Change what a pair carries; ``KeyError`` when it is not drawn any more."""
        self._write(lambda regions: regions.carrying(key, carry))

    def carried(self, key: str) -> Mask:
        """(H, W) bool, what a pair carries; ``KeyError`` when it is not drawn any more."""
        return self._carried(key)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (PairList, RegionPairs, list, tuple)):
            return list(self) == list(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"PairList({list(self)!r})"

    def _plain(self) -> list[AnyPair]:
        """All pairs, not tied to this list: an edit and its result keep them."""
        regions, shape = self._read()
        return [self._decoded(regions, index, shape)[0] for index in range(len(regions.entries))]

    def _joined(self, regions: Regions, index: int, shape: tuple[int, int]) -> AnyPair:
        return self._decoded(regions, index, shape)[1]

    def _decoded(self, regions: Regions, index: int, shape: tuple[int, int]) -> tuple[AnyPair, AnyPair]:
        entry = regions.entries[index]
        key = entry.key
        masks = tuple(regions.masks.get(k) for k in (entry.handle_key, entry.target_key, entry.chosen_key))
        said = entry.matrix, entry.pins, entry.dense, entry.name, entry.carry, entry.action
        stamp = (masks, *said, shape)
        known = self._cache.get(key)
        if known is not None and known[0] == stamp:
            return known[1:]
        if len(self._cache) > 2 * len(regions.entries) + 8:  # pairs long gone
            self._cache.clear()
        pair = regions.pair(index, shape, self._masks)
        live = joined(pair, self, key)
        self._cache[key] = (stamp, pair, live)
        return pair, live


def checked(pair: Any, shape: tuple[int, int]) -> RegionPair:
    """``pair`` itself, if it is a `RegionPair` of the picture's (H, W) ``shape``.

    Raises
    ------
    TypeError, ValueError
        It is none, of another size, or its name is no valid text or too long.
    """
    if not isinstance(pair, RegionPair):
        raise TypeError(f"expected a RegionPair, not {type(pair).__name__}: rd.RegionPair(handle, target)")
    if pair.shape != shape:
        raise ValueError(
            f"the pair is {pair.shape[1]}x{pair.shape[0]} and the picture {shape[1]}x{shape[0]} px: "
            "masks must have the picture's size"
        )
    require_text("the pair's name", pair.name)
    if len(pair.name) > MAX_TEXT:
        raise ValueError(f"the pair's name has {len(pair.name)} characters: at most {MAX_TEXT} are taken")
    return pair
