"""Copies of tokenizers for our own calls: a tokenizer is not to be used by two threads at once.

Those of transformers keep padding and truncation as state that every call sets. A pipeline's owner may use
its tokenizer on another thread at any time, and would get our padding, as we would get theirs.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

__all__ = ["with_own_tokenizers"]


class _Copies(threading.local):
    """A thread's copies, each with what its tokenizer was like when it was copied."""

    def __init__(self) -> None:
        self.known: WeakKeyDictionary[Any, tuple[object, Any]] = WeakKeyDictionary()


_copies = _Copies()


def with_own_tokenizers(components: Mapping[str, Any]) -> dict[str, Any]:
    """A pipeline's parts, with copies of the tokenizers that the calling thread alone uses.

    A copy is kept until words are added to its tokenizer or taken out, as textual inversion does.

    Parameters
    ----------
    components : mapping
        The parts by name.
    """
    return {name: _with_own(name, part) for name, part in components.items()}


def _with_own(name: str, part: Any) -> Any:
    if part is not None and name.startswith("tokenizer"):
        return _own(part)
    if part is not None and name == "processor":  # it reads pictures, and the prompt by a tokenizer inside it
        part = copy.copy(part)
        part.tokenizer = _own(part.tokenizer)
    return part


def _own(tokenizer: Any) -> Any:
    added = getattr(tokenizer, "added_tokens_encoder", {})
    state = (tuple(added.items()), getattr(tokenizer, "chat_template", None), tokenizer.model_max_length)
    known = _copies.known.get(tokenizer)
    if known is None or known[0] != state:
        known = _copies.known[tokenizer] = state, copy.deepcopy(tokenizer)
    return known[1]
