"""From the masks of a browser's message to the regions of an edit; errors name the pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from regiondrag_widget.regions.densemap import DenseMap
from regiondrag_widget.regions.pair import RegionPair, RegionPairs
from regiondrag_widget.widget.messages import Draft, Run, SentPair
from regiondrag_widget.widget.regions_state import (
    PROTECT,
    AnyPair,
    Mask,
    PairEntry,
    Regions,
    UnfinishedPair,
    make_pair,
    read_mask,
)

Maps: TypeAlias = "Mapping[str, DenseMap]"


def complete_pairs(message: Run, shape: tuple[int, int], maps: Maps) -> RegionPairs:
    """The pairs of a run, at a picture of (H, W) ``shape``; ``maps`` as in `Regions`.

    Raises
    ------
    ValueError
        There are none, one lacks its handle or its target, or a mask cannot be read.
    """
    pairs = _decoded(message, shape, maps)
    for number, (pair, sent) in enumerate(zip(pairs, message.pairs, strict=True), start=1):
        if isinstance(pair, UnfinishedPair):
            raise ValueError(f"{_label(number, sent)}: {pair.missing}")
    if not pairs:
        raise ValueError("nothing is drawn: mark a handle and drag it to its target")
    return RegionPairs(pair for pair in pairs if isinstance(pair, RegionPair))


def drawn_pairs(message: Draft, shape: tuple[int, int], maps: Maps) -> RegionPairs:
    """The complete pairs of a draft, however few; ``ValueError`` when a mask cannot be read."""
    return RegionPairs(pair for pair in _decoded(message, shape, maps) if isinstance(pair, RegionPair))


def protect_mask(message: Run | Draft, shape: tuple[int, int]) -> Mask | None:
    """(H, W) bool, set where nothing may change; None where everything may."""
    if message.protect is None:
        return None
    mask = read_mask(message.buffers[message.protect], shape)
    return mask if mask.any() else None


def sent_regions(message: Run, drawn: Regions) -> Regions:
    """The regions of a run in their encoded form, for the history.

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


def _decoded(message: Run | Draft, shape: tuple[int, int], maps: Maps) -> list[AnyPair]:
    pairs = []
    for number, sent in enumerate(message.pairs, start=1):
        handle = message.buffers[sent.handle]
        target = b"" if sent.target is None else message.buffers[sent.target]
        try:
            masks = read_mask(handle, shape), read_mask(target, shape)
            carry: str | Mask | None = sent.carry
            if sent.chosen is not None:
                carry = read_mask(message.buffers[sent.chosen], shape)
            pairs.append(make_pair(*masks, sent, maps, carry))
        except ValueError as error:
            raise ValueError(f"{_label(number, sent)}: {error}") from error
    return pairs


def _label(number: int, pair: SentPair) -> str:
    return f"pair {number}{f' ({pair.name})' if pair.name else ''}"
