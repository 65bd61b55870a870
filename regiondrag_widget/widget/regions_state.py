"""All regions of a widget in the form in which they are sent: entries (JSON) and masks (packed bits).

Masks are decoded only where they are needed; see `pair_list` for the list of decoded pairs.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.regions.bend import Bend
from regiondrag_widget.regions.codec import encode_mask, mask_header, unpack_mask
from regiondrag_widget.regions.densemap import DenseMap
from regiondrag_widget.regions.held_pair import HeldPair
from regiondrag_widget.regions.kept import KeptMask
from regiondrag_widget.regions.pair import CARRY, RegionPair
from regiondrag_widget.widget.protocol import Pins

Mask = NDArray[np.bool_]
PROTECT = "protect"
CHOSEN = "mask"  # an entry's word where what is carried was chosen: that is among the masks
NO_HANDLE = "handle is empty: draw what is to be moved"
NO_TARGET = "target is empty: drag the handle, or paint where it goes"
CARRIES = (*CARRY, CHOSEN)


class UnfinishedPair(HeldPair):
    """A pair still being drawn: its handle or its target is empty.

    It has the attributes of `RegionPair`, and ``missing`` in words.
    """

    missing: str

    def __init__(
        self,
        handle: KeptMask,
        target: KeptMask,
        matrix: NDArray[np.float64] | None,
        name: str,
        missing: str,
        carry: str | KeptMask | None = None,
        action: str = "move",
    ) -> None:
        self._hold(handle, target, matrix, name, carry, action=action)
        object.__setattr__(self, "missing", missing)

    @property
    def started(self) -> bool:
        """Whether anything is drawn of it."""
        return self._handle.any() or self._target.any()

    def __repr__(self) -> str:
        return f"UnfinishedPair({self.name!r}, {self.handle.sum()} -> {self.target.sum()} px: {self.missing})"


SharedMasks: TypeAlias = MutableMapping[bytes, KeptMask]  # by their encoded bytes
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
    pins
        Pins that bend the target: x and y on the handle, and where they go. The matrix, or the identity, is
        the map before the bending.
    dense
        The key of the dense map that moves the handle, among `Regions.maps`.
    color
        The number of its shade.
    visible, locked
        As the user set them in the list of pairs.
    rev
        Counts the changes of the pair in the browser.
    has_target
        Whether a target mask belongs to it.
    carry
        "object", "painted", "mask" (its own mask says it), or None where the setting ``matte`` decides.
    action
        "move", "copy" or "remove", as `RegionPair` has it.
    """

    key: str
    name: str = ""
    matrix: tuple[float, ...] | None = None
    color: int = 0
    visible: bool = True
    locked: bool = False
    rev: int = 0
    has_target: bool = False
    carry: str | None = None
    action: str = "move"
    pins: Pins | None = None
    dense: str | None = None

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
            "carry": self.carry,
            "action": self.action,
            "pins": None if self.pins is None else [list(pin) for pin in self.pins],
            "dense": self.dense,
        }

    @property
    def handle_key(self) -> str:
        """The key of its handle among the masks."""
        return f"h:{self.key}"

    @property
    def target_key(self) -> str:
        """The key of its target among the masks."""
        return f"t:{self.key}"

    @property
    def chosen_key(self) -> str:
        """The key among the masks of what was chosen to be carried."""
        return f"c:{self.key}"


@dataclass(frozen=True)
class Regions:
    """All pairs and the protect mask.

    Attributes
    ----------
    entries
        The pairs, without their masks.
    masks
        By key, encoded (see `regions.codec`).
    maps
        Dense maps by their key. They stay here: the page knows their keys alone.
    """

    entries: tuple[PairEntry, ...] = ()
    masks: Mapping[str, bytes] = field(default_factory=dict)
    maps: Mapping[str, DenseMap] = field(default_factory=dict)

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
        matrix, deformation, maps = pair.matrix, pair.deformation, self.maps
        pins = None
        if isinstance(deformation, Bend):
            matrix = deformation.matrix
            pins = tuple(map(tuple, np.hstack([deformation.from_points, deformation.to_points]).tolist()))
        elif deformation is not None:
            maps = {**maps, deformation.key: deformation}
        entry = PairEntry(
            key=uuid.uuid4().hex[:12],
            name=pair.name,
            matrix=None if matrix is None else tuple(float(v) for v in matrix.ravel()),
            color=next(shade for shade in range(len(self.entries) + 1) if shade not in used),
            rev=1,
            has_target=pair.moves,
            carry=_word(pair.carry),
            action=pair.action,
            pins=pins,
            dense=deformation.key if isinstance(deformation, DenseMap) else None,
        )
        entries = list(self.entries)
        entries.insert(index, entry)
        added = {entry.handle_key: encode_mask(pair.handle)}
        if pair.moves:
            added[entry.target_key] = encode_mask(pair.target)
        if isinstance(pair.carry, np.ndarray):
            added[entry.chosen_key] = encode_mask(pair.carry)
        return Regions(tuple(entries), {**self.masks, **added}, maps)

    def removed(self, index: int | slice) -> Regions:
        """Without the pair or pairs at ``index``; ``IndexError`` when there is none."""
        entries = list(self.entries)
        gone = entries[index] if isinstance(index, slice) else [entries[index]]
        del entries[index]
        keys = {key for e in gone for key in (e.handle_key, e.target_key, e.chosen_key)}
        return Regions(tuple(entries), {k: v for k, v in self.masks.items() if k not in keys}, self.maps)

    def carrying(self, key: str, carry: str | Mask | None) -> Regions:
        """With another ``carry`` of one pair; ``KeyError`` when there is no such pair."""
        entry = self.entry(key)
        new = replace(entry, carry=_word(carry), rev=entry.rev + 1)
        masks = {name: data for name, data in self.masks.items() if name != entry.chosen_key}
        if isinstance(carry, np.ndarray):
            masks[entry.chosen_key] = encode_mask(carry)
        return Regions(tuple(new if e is entry else e for e in self.entries), masks, self.maps)

    def entry(self, key: str) -> PairEntry:
        """The entry of one pair; ``KeyError`` when there is no such pair."""
        for entry in self.entries:
            if entry.key == key:
                return entry
        raise KeyError("this pair is not drawn any more: take it from w.pairs again")

    def protected(self, mask: Mask | None) -> Regions:
        """With another protect mask (set where nothing may change)."""
        masks = {key: data for key, data in self.masks.items() if key != PROTECT}
        if mask is not None and mask.any():
            masks[PROTECT] = encode_mask(mask)
        return Regions(self.entries, masks, self.maps)

    def pair(self, index: int, shape: tuple[int, int], shared: SharedMasks | None = None) -> AnyPair:
        """Decode one pair; pairs that are decoded with one ``shared`` hold equal masks once."""
        entry = self.entries[index]
        held = {} if shared is None else shared
        handle, target = (
            _shared_mask(self.masks.get(key, b""), shape, held)
            for key in (entry.handle_key, entry.target_key)
        )
        carry: str | Mask | None = entry.carry
        if carry == CHOSEN:
            carry = self.mask(entry.chosen_key, shape)
        return make_pair(handle, target, entry, self.maps, carry)


def read_mask(data: bytes, shape: tuple[int, int]) -> Mask:
    """Decode one mask, (H, W) bool; no bytes are an empty mask.

    Raises
    ------
    ValueError
        The bytes are damaged, or not of the picture's size.
    """
    return np.zeros(shape, bool) if not data else keep_mask(data, shape).full


def _shared_mask(data: bytes, shape: tuple[int, int], shared: SharedMasks) -> KeptMask:
    mask = shared.get(data)
    if mask is None or mask.shape != shape:
        mask = shared[data] = keep_mask(data, shape)
    return mask


def keep_mask(data: bytes, shape: tuple[int, int]) -> KeptMask:
    """As `read_mask`, but the mask stays packed until it is read."""
    if not data:
        return KeptMask.packed(shape, (0, 0, 0, 0), np.zeros((0, 0), np.uint8))
    require_size(data, shape)
    return unpack_mask(data, max_pixels=shape[0] * shape[1])


def is_blank(data: bytes) -> bool:
    """Whether encoded bytes say in their header that no pixel is set; damaged ones are not blank."""
    if not data:
        return True
    try:
        return mask_header(data).place[2] == 0
    except ValueError:
        return False


def require_size(data: bytes, shape: tuple[int, int]) -> None:
    """Refuse a mask of another size than the picture's (H, W) ``shape``, by its header alone.

    Raises
    ------
    ValueError
        The header is damaged or contradicts itself, or the mask is of another size.
    """
    height, width = mask_header(data, max_pixels=shape[0] * shape[1]).shape
    if (height, width) != shape:
        raise ValueError(
            f"a mask is {width}x{height} and the picture {shape[1]}x{shape[0]} px: draw it again"
        )


class Described(Protocol):
    """What a `PairEntry` and a `SentPair` say of a pair besides its masks."""

    @property
    def name(self) -> str:
        """The user's label."""

    @property
    def matrix(self) -> tuple[float, ...] | None:
        """As `PairEntry.matrix`."""

    @property
    def pins(self) -> Pins | None:
        """As `PairEntry.pins`."""

    @property
    def dense(self) -> str | None:
        """As `PairEntry.dense`."""

    @property
    def action(self) -> str:
        """As `PairEntry.action`."""


def make_pair(
    handle: KeptMask,
    target: KeptMask,
    described: Described,
    maps: Mapping[str, DenseMap],
    carry: str | Mask | None = None,
) -> AnyPair:
    """A `RegionPair`, or an `UnfinishedPair` that says what is missing.

    Parameters
    ----------
    handle, target
        Masks of the picture's size.
    described
        Everything else.
    maps
        The dense maps that there are.
    carry
        As `RegionPair` takes it. What of a mask was erased from the handle since is cut off; when nothing is
        left, nothing is said.

    Notes
    -----
    A removal leaves its target and its matrix unused.
    """
    if isinstance(carry, np.ndarray):
        carry = carry & handle.full
        carry = carry if carry.any() else None
    matrix = None if described.matrix is None else np.array(described.matrix, np.float64).reshape(3, 3)
    missing = NO_HANDLE
    if handle.any():
        if described.action == "remove":
            return RegionPair.remove(handle, name=described.name, carry=carry)
        try:
            return _finished(handle, target if target.any() else None, matrix, described, maps, carry)
        except ValueError as error:
            given = matrix, described.pins, described.dense
            empty = not target.any() and all(part is None for part in given)
            missing = NO_TARGET if empty else str(error)
    held = KeptMask(carry) if isinstance(carry, np.ndarray) else carry
    return UnfinishedPair(handle, target, matrix, described.name, missing, held, described.action)


def _finished(
    handle: KeptMask,
    target: KeptMask | None,
    matrix: NDArray[np.float64] | None,
    described: Described,
    maps: Mapping[str, DenseMap],
    carry: str | Mask | None,
) -> RegionPair:
    name, action = described.name, described.action
    if described.pins is not None:
        pins = np.array(described.pins, np.float64)
        return RegionPair.bend(
            handle,
            pins[:, :2],
            pins[:, 2:],
            matrix=matrix,
            target=target,
            name=name,
            carry=carry,
            action=action,
        )
    if described.dense is None:
        return RegionPair(handle, target, matrix, name=name, carry=carry, action=action)
    if described.dense not in maps:
        raise ValueError("its dense map is gone: make the pair again with rd.RegionPair.warp")
    route = maps[described.dense]
    return RegionPair(handle, target, name=name, carry=carry, action=action, deformation=route)


def _word(carry: str | Mask | None) -> str | None:
    return CHOSEN if isinstance(carry, np.ndarray) else carry
