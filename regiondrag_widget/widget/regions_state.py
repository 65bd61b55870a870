"""All regions of a widget in the form in which they are sent: entries (JSON) and masks (packed bits).

Masks are decoded only where they are needed; see `pair_list` for the list of decoded pairs.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.regions.codec import decode_mask, encode_mask
from regiondrag_widget.regions.pair import RegionPair

Mask = NDArray[np.bool_]
PROTECT = "protect"


@dataclass(frozen=True, eq=False)
class UnfinishedPair:
    """A pair still being drawn: its handle or its target is empty.

    It has the attributes of `RegionPair`, and ``missing`` in words.
    """

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
        return f"UnfinishedPair({self.name!r}, {self.handle.sum()} -> {self.target.sum()} px: {self.missing})"


AnyPair: TypeAlias = "RegionPair | UnfinishedPair"


@dataclass(frozen=True)
class PairEntry:
    """What is known of a pair besides its masks, which lie under ``h:<key>`` and ``t:<key>``.

    Attributes
    ----------
    key
        Unique among the pairs of a widget.
    name
        The user's label.
    matrix
        Nine numbers row by row, handle pixel -> target pixel; None where the target was painted.
    color
        The number of its shade.
    visible, locked
        As the user set them in the list of pairs.
    rev
        Counts the changes of the pair in the browser.
    has_target
        Whether a target mask belongs to it.
    """

    key: str
    name: str = ""
    matrix: tuple[float, ...] | None = None
    color: int = 0
    visible: bool = True
    locked: bool = False
    rev: int = 0
    has_target: bool = False

    def as_json(self) -> dict[str, Any]:
        """The entry in the ``_pairs`` trait; `validation.read_entry` reads it."""
        return {
            "id": self.key,
            "name": self.name,
            "color": self.color,
            "matrix": None if self.matrix is None else list(self.matrix),
            "visible": self.visible,
            "locked": self.locked,
            "rev": self.rev,
            "hasTarget": self.has_target,
        }

    @property
    def handle_key(self) -> str:
        """The key of its handle among the masks."""
        return f"h:{self.key}"

    @property
    def target_key(self) -> str:
        """The key of its target among the masks."""
        return f"t:{self.key}"


@dataclass(frozen=True)
class Regions:
    """All pairs and the protect mask; ``masks`` are encoded (see `regions.codec`)."""

    entries: tuple[PairEntry, ...] = ()
    masks: Mapping[str, bytes] = field(default_factory=dict)

    def mask(self, key: str, shape: tuple[int, int]) -> Mask:
        """(H, W) bool; all False when there is none."""
        return read_mask(self.masks.get(key, b""), shape)

    def protect(self, shape: tuple[int, int]) -> Mask | None:
        """(H, W) bool, set where nothing may change; None where everything may."""
        mask = self.mask(PROTECT, shape)
        return mask if mask.any() else None

    def inserted(self, index: int, pair: RegionPair) -> Regions:
        """With one more pair, in the first shade not in use."""
        used = {entry.color for entry in self.entries}
        entry = PairEntry(
            key=uuid.uuid4().hex[:12],
            name=pair.name,
            matrix=None if pair.matrix is None else tuple(float(v) for v in pair.matrix.ravel()),
            color=next(shade for shade in range(len(self.entries) + 1) if shade not in used),
            rev=1,
            has_target=True,
        )
        entries = list(self.entries)
        entries.insert(index, entry)
        added = {entry.handle_key: encode_mask(pair.handle), entry.target_key: encode_mask(pair.target)}
        return Regions(tuple(entries), {**self.masks, **added})

    def removed(self, index: int | slice) -> Regions:
        """Without the pair or pairs at ``index``; ``IndexError`` when there is none."""
        entries = list(self.entries)
        gone = entries[index] if isinstance(index, slice) else [entries[index]]
        del entries[index]
        keys = {key for entry in gone for key in (entry.handle_key, entry.target_key)}
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
        handle, target = self.mask(entry.handle_key, shape), self.mask(entry.target_key, shape)
        return make_pair(handle, target, entry.matrix, entry.name)


def read_mask(data: bytes, shape: tuple[int, int]) -> Mask:
    """Decode one mask, (H, W) bool; no bytes are an empty mask.

    Raises
    ------
    ValueError
        The bytes are damaged, or not of the picture's size.
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


def make_pair(handle: Mask, target: Mask, numbers: tuple[float, ...] | None, name: str) -> AnyPair:
    """A `RegionPair`, or an `UnfinishedPair` that says what is missing; ``numbers`` are the matrix's nine."""
    matrix = None if numbers is None else np.array(numbers, np.float64).reshape(3, 3)
    missing = "handle is empty: draw what is to be moved"
    if handle.any():
        try:
            return RegionPair(handle, target if target.any() else None, matrix, name=name)
        except ValueError as error:
            empty = not target.any() and matrix is None
            missing = "target is empty: drag the handle, or paint where it goes" if empty else str(error)
    handle.flags.writeable = target.flags.writeable = False
    return UnfinishedPair(handle, target, matrix, name, missing)
