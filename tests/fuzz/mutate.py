"""Seeded damage: to values as JSON has them, and to bytes."""

from __future__ import annotations

import math
import random
from typing import Any

DEEP: Any = []
for _ in range(300):
    DEEP = [DEEP]

ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3.5, -0.0, 2**31, 2**53, 2**63, -(2**63), 10**400, -(10**400),
    math.nan, math.inf, -math.inf, 1e308, 5e-324, "", "a", "r1", "protect", "h:a", "object", "mask", "\ud83e",
    "\x00", "é" * 50, "x" * 20_000, "../../etc/passwd", "<img src=x onerror=alert(1)>", [], {}, [[]], [None],
    {"a": None}, [0] * 9, [1, 0, 0, 0, 1, 0, 0, 0, 1], [1e300] * 9, [math.nan] * 9,
    DEEP, b"", b"RDM1", object(),
)  # fmt: skip


def mutated(rng: random.Random, value: Any, times: int = 1) -> Any:
    """A copy of ``value`` with some of its parts replaced, removed, doubled or added."""
    for _ in range(times):
        value = _once(rng, value)
    return value


def _once(rng: random.Random, value: Any) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.85:
        changed = dict(value)
        key = rng.choice(list(changed))
        action = rng.random()
        if action < 0.1:
            del changed[key]
        elif action < 0.15:
            changed[rng.choice(["new", "v", "type", "id", "run", "seq", "part", 7, "\ud83e"])] = rng.choice(
                ODD
            )
        else:
            changed[key] = _once(rng, changed[key])
        return changed
    if isinstance(value, list) and value and rng.random() < 0.75:
        changed_list = list(value)
        at = rng.randrange(len(changed_list))
        action = rng.random()
        if action < 0.15:
            del changed_list[at]
        elif action < 0.3:
            changed_list.insert(at, changed_list[at])
        else:
            changed_list[at] = _once(rng, changed_list[at])
        return changed_list
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e15
    if number and rng.random() < 0.5:
        return value + rng.choice([-1, 1, 0.5, 100, -100])
    return rng.choice(ODD)


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Bytes with some of them flipped, cut off, doubled or replaced."""
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        action = rng.random()
        at = rng.randrange(len(out)) if out else 0
        if action < 0.5 and out:
            out[at] = rng.randrange(256)
        elif action < 0.6 and out:
            out[at : at + 4] = rng.choice(
                [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\x40\0"]
            )
        elif action < 0.7:
            del out[at:]
        elif action < 0.8:
            del out[at : at + rng.randrange(1, 20)]
        elif action < 0.9:
            out[at:at] = out[at : at + rng.randrange(1, 40)]
        else:
            out[at:at] = rng.randbytes(rng.randrange(1, 20))
    return bytes(out)
