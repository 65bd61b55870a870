"""From the browser's messages to what is to be edited: masks decoded, pairs checked, errors name the pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.regions.pair import RegionPair, RegionPairs
from regiondrag_widget.widget.drawn import PROTECT, AnyPair, DraftPair, Regions, make_pair, read_mask
from regiondrag_widget.widget.incoming import Draft, Run, WirePair


def complete_pairs(message: Run, shape: tuple[int, int]) -> RegionPairs:
    """The pairs of a run; ``ValueError`` when there are none, or one lacks its handle or target."""
    pairs = _decoded(message, shape)
    for number, (pair, wire) in enumerate(zip(pairs, message.pairs, strict=True), start=1):
        if isinstance(pair, DraftPair):
            raise ValueError(f"{_label(number, wire)}: {pair.missing}")
    if not pairs:
        raise ValueError("nothing is drawn: mark a handle and drag it to its target")
    return RegionPairs(pair for pair in pairs if isinstance(pair, RegionPair))


def drawn_pairs(message: Draft, shape: tuple[int, int]) -> RegionPairs:
    """The pairs of a draft that are complete, however few; ``ValueError`` when a mask cannot be read."""
    return RegionPairs(pair for pair in _decoded(message, shape) if isinstance(pair, RegionPair))


def protect_mask(message: Run | Draft, shape: tuple[int, int]) -> NDArray[np.bool_] | None:
    """(H, W) bool, set where nothing may change; None where all may."""
    if message.protect is None:
        return None
    mask = read_mask(message.buffers[message.protect], shape)
    return mask if mask.any() else None


def sent_regions(message: Run, drawn: Sequence[Mapping[str, Any]]) -> Regions:
    """The regions of a run in the browser's own form, for the history; what the message lacks comes from the
    entries ``drawn``, as far as they have arrived.
    """
    masks: dict[str, bytes] = {}
    for wire in message.pairs:
        masks[f"h:{wire.key}"] = message.buffers[wire.handle]
        if wire.target is not None:
            masks[f"t:{wire.key}"] = message.buffers[wire.target]
    if message.protect is not None:
        masks[PROTECT] = message.buffers[message.protect]
    return Regions(tuple(_entry(wire, index, drawn) for index, wire in enumerate(message.pairs)), masks)


def _decoded(message: Run | Draft, shape: tuple[int, int]) -> list[AnyPair]:
    pairs = []
    for number, wire in enumerate(message.pairs, start=1):
        matrix = None if wire.matrix is None else np.array(wire.matrix).reshape(3, 3)
        handle = message.buffers[wire.handle]
        target = b"" if wire.target is None else message.buffers[wire.target]
        try:
            pairs.append(make_pair(read_mask(handle, shape), read_mask(target, shape), matrix, wire.name))
        except ValueError as error:
            raise ValueError(f"{_label(number, wire)}: {error}") from error
    return pairs


def _label(number: int, wire: WirePair) -> str:
    return f"pair {number}{f' ({wire.name})' if wire.name else ''}"


def _entry(wire: WirePair, index: int, drawn: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The pair's entry as drawn, or a fresh one when its trait has not arrived yet."""
    known: Mapping[str, Any] = next((e for e in drawn if e.get("id") == wire.key), {})
    fresh = {"color": index, "visible": True, "locked": False, "rev": 1}
    return {
        **fresh, **known, "id": wire.key, "name": wire.name, "hasTarget": wire.target is not None,
        "matrix": None if wire.matrix is None else list(wire.matrix),
    }  # fmt: skip
