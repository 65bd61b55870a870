"""What the browser may write into the widget's state, checked before it gets there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from regiondrag_widget.widget.drawn import PROTECT, read_mask
from regiondrag_widget.widget.protocol import MAX_BUFFER_BYTES, MAX_PAIRS, MAX_TEXT

MAX_COLOR = 1000


def admit_pairs(value: Any) -> list[dict[str, Any]]:
    """The ``_pairs`` trait as the browser sent it; ``ValueError`` names what is wrong."""
    if not isinstance(value, list) or len(value) > MAX_PAIRS:
        raise ValueError(f"the pairs must be a list of at most {MAX_PAIRS}")
    entries = [_entry(item) for item in value]
    if len({entry["id"] for entry in entries}) != len(entries):
        raise ValueError("two pairs have the same id")
    return entries


def admit_masks(value: Any, shape: tuple[int, int], known: Mapping[str, bytes]) -> dict[str, bytes]:
    """The ``_masks`` trait as the browser sent it, immutable; masks already ``known`` are not decoded
    again.
    """
    if not isinstance(value, Mapping) or len(value) > 2 * MAX_PAIRS + 1:
        raise ValueError("the masks must be an object")
    masks: dict[str, bytes] = {}
    for key, data in value.items():
        if not isinstance(key, str) or not (key == PROTECT or key[:2] in ("h:", "t:")):
            raise ValueError(f"unknown mask {str(key)[:40]!r}")
        if data is None:
            continue
        if isinstance(data, str) or not hasattr(data, "__len__"):
            raise ValueError(f"mask {key[:40]!r} is not binary")
        if len(data) > MAX_BUFFER_BYTES:
            raise ValueError(f"mask {key[:40]!r} is larger than {MAX_BUFFER_BYTES // 2**20} MiB")
        mask = bytes(data)
        if mask and known.get(key) != mask:
            read_mask(mask, shape)
        masks[key] = mask
    return masks


def _entry(item: Any) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        raise ValueError("every pair must be an object")
    key, name, matrix = item.get("id"), item.get("name", ""), item.get("matrix")
    if not isinstance(key, str) or not 0 < len(key) <= 100:
        raise ValueError("a pair needs an id of 1 to 100 characters")
    if not isinstance(name, str) or len(name) > MAX_TEXT:
        raise ValueError("a pair's name must be a string")
    if matrix is not None and not _is_matrix(matrix):
        raise ValueError("a pair's matrix must be nine finite numbers or null")
    return {
        "id": key,
        "name": name,
        "color": _whole(item.get("color", 0), MAX_COLOR),
        "matrix": None if matrix is None else [float(v) for v in matrix],
        "visible": bool(item.get("visible", True)),
        "locked": bool(item.get("locked", False)),
        "rev": _whole(item.get("rev", 0), 2**53),
        "hasTarget": bool(item.get("hasTarget", False)),
    }


def _is_matrix(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 9
        and all(isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v) for v in value)
    )


def _whole(value: Any, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(f"a pair's color and rev must be whole numbers from 0 to {most}")
    return value
