"""Text and numbers that came from outside: what is refused, and what can safely be shown."""

from __future__ import annotations

import math
from typing import Any


def is_text(value: str) -> bool:
    """Whether ``value`` can be sent and stored: half of a surrogate pair is no character and has no bytes."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def require_text(name: str, value: str) -> str:
    """``value`` itself; ``ValueError``, which names ``name``, where it is no valid text (see `is_text`)."""
    if not is_text(value):
        raise ValueError(f"{name} contains half a character (a lone surrogate): type it again")
    return value


def printable(value: str) -> str:
    """``value`` with a question mark for whatever cannot be sent: for messages that must arrive."""
    return value.encode("utf-8", "replace").decode("utf-8")


def shown(value: object, most: int = 80) -> str:
    """``repr(value)``, at most ``most`` characters; of a value that has none, its type."""
    try:
        words = repr(value)
    except Exception:  # a whole number of more than 4300 digits, for one
        return f"a {type(value).__name__}"
    return printable(words if len(words) <= most else f"{words[: most - 3]}...")


def is_finite_number(value: Any) -> bool:
    """Whether ``value`` is an int or a float that a float can hold; booleans are not numbers."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the range of floats
        return False
