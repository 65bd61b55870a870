"""From the masks of a browser's message to the regions of an edit; errors name the pair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias

from regiondrag_widget.regions.codec import mask_header
from regiondrag_widget.regions.densemap import DenseMap
from regiondrag_widget.regions.limits import MAX_MASK_BYTES
from regiondrag_widget.regions.pair import RegionPair
from regiondrag_widget.regions.pairs import RegionPairs
from regiondrag_widget.widget.incoming import Draft, Run
from regiondrag_widget.widget.regions_state import (
    NO_HANDLE,
    NO_TARGET,
    PROTECT,
    AnyPair,
    PairEntry,
    Regions,
    SharedMasks,
    UnfinishedPair,
    is_blank,
    require_size,
)

Maps: TypeAlias = "Mapping[str, DenseMap]"

NOTHING_DRAWN = "nothing is drawn: mark a handle and drag it to its target"


def sent_regions(message: Run | Draft, drawn: Regions) -> Regions:
    """The regions of a message, still encoded; pairs that name one buffer share it.

    What a message does not say of a pair, such as its shade, is taken from the regions ``drawn``, as far as
    these have arrived.
    """
    known = {entry.key: entry for entry in drawn.entries}
    entries: list[PairEntry] = []
    masks: dict[str, bytes] = {}
    for index, sent in enumerate(message.pairs):
        entry = replace(
            known.get(sent.key, PairEntry(sent.key, color=index, rev=1)),
            name=sent.name,
            matrix=sent.matrix,
            has_target=sent.target is not None,
            carry=sent.carry,
            action=sent.action,
            pins=sent.pins,
            dense=sent.dense,
        )
        entries.append(entry)
        masks[entry.handle_key] = message.buffers[sent.handle]
        if sent.target is not None:
            masks[entry.target_key] = message.buffers[sent.target]
        if sent.chosen is not None:
            masks[entry.chosen_key] = message.buffers[sent.chosen]
    if message.protect is not None:
        masks[PROTECT] = message.buffers[message.protect]
    return Regions(tuple(entries), masks, drawn.maps)


def require_drawn(regions: Regions) -> None:
    """Refuse regions with no pair, or with one that has nothing drawn, as far as headers tell.

    Raises
    ------
    ValueError
        The words name the pair.
    """
    if not regions.entries:
        raise ValueError(NOTHING_DRAWN)
    for number, entry in enumerate(regions.entries, start=1):
        if is_blank(regions.masks.get(entry.handle_key, b"")):
            raise ValueError(f"{_label(number, entry)}: {NO_HANDLE}")
        exact = any(way is not None for way in (entry.matrix, entry.pins, entry.dense))
        removed = entry.action == "remove"
        if not exact and not removed and is_blank(regions.masks.get(entry.target_key, b"")):
            raise ValueError(f"{_label(number, entry)}: {NO_TARGET}")


def require_masks(regions: Regions, shape: tuple[int, int]) -> None:
    """Refuse, by the headers alone, masks of another size than (H, W) ``shape`` and too much of them.

    Raises
    ------
    ValueError
        The words name the pair, or say how much is too much.
    """
    masks = regions.masks

    def check(number: int, entry: PairEntry) -> None:
        try:
            for key in (entry.handle_key, entry.target_key, entry.chosen_key):
                if masks.get(key):
                    require_size(masks[key], shape)
        except ValueError as error:
            raise ValueError(f"{_label(number, entry)}: {error}") from error

    for number, entry in enumerate(regions.entries, start=1):
        check(number, entry)
    if masks.get(PROTECT):
        require_size(masks[PROTECT], shape)
    require_room(masks.values())


def require_room(masks: Iterable[bytes]) -> None:
    """Refuse masks that take more than `MAX_MASK_BYTES` packed; equal ones count once.

    Raises
    ------
    ValueError
        They do, or a header is damaged.
    """
    headers = (mask_header(data) for data in set(masks) if data)
    needed = sum(header.packed_shape[0] * header.packed_shape[1] for header in headers)
    if needed > MAX_MASK_BYTES:
        raise ValueError(
            f"the regions take {needed / 2**20:.0f} MB packed, and at most {MAX_MASK_BYTES / 2**20:.0f} MB "
            "are kept: draw fewer or smaller ones"
        )


def complete_pairs(regions: Regions, shape: tuple[int, int]) -> RegionPairs:
    """The pairs of a run, at a picture of (H, W) ``shape``.

    Raises
    ------
    ValueError
        There are none, one lacks its handle or its target, or a mask cannot be read.
    """
    pairs = _decoded(regions, shape)
    for number, (pair, entry) in enumerate(zip(pairs, regions.entries, strict=True), start=1):
        if isinstance(pair, UnfinishedPair):
            raise ValueError(f"{_label(number, entry)}: {pair.missing}")
    if not pairs:
        raise ValueError(NOTHING_DRAWN)
    return RegionPairs(pair for pair in pairs if isinstance(pair, RegionPair))


def drawn_pairs(regions: Regions, shape: tuple[int, int]) -> RegionPairs:
    """The complete pairs of a draft, however few; ``ValueError`` when a mask cannot be read."""
    return RegionPairs(pair for pair in _decoded(regions, shape) if isinstance(pair, RegionPair))


def _decoded(regions: Regions, shape: tuple[int, int]) -> list[AnyPair]:
    shared: SharedMasks = {}

    def pair(index: int) -> AnyPair:
        try:
            return regions.pair(index, shape, shared)
        except ValueError as error:
            raise ValueError(f"{_label(index + 1, regions.entries[index])}: {error}") from error

    return [pair(index) for index in range(len(regions.entries))]


def _label(number: int, pair: PairEntry) -> str:
    return f"pair {number}{f' ({pair.name})' if pair.name else ''}"
