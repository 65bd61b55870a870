"""Token numbers of a prompt, cut with a warning where the text encoder reads no more."""

from __future__ import annotations

import warnings
from typing import Any

__all__ = ["tokenised"]


def tokenised(tokenizer: Any, text: str, length: int, *, pad: bool = True) -> Any:
    """What a tokenizer makes of a text: `input_ids` and `attention_mask`, (1, n) tensors.

    Parameters
    ----------
    tokenizer : transformers tokenizer
        The text encoder's.
    text : str
        With the template around it, where there is one.
    length : int
        Tokens the encoder reads. The rest is cut, and a warning says how many are lost.
    pad : bool
        Fill up to `length`.
    """
    tokens = len(tokenizer(text).input_ids)
    if tokens > length:
        warnings.warn(
            f"the prompt makes {tokens} tokens and the model reads {length}: "
            f"the last {tokens - length} are cut, so shorten it",
            stacklevel=6,
        )
    return tokenizer(
        text,
        padding="max_length" if pad else False,
        max_length=length,
        truncation=True,
        return_tensors="pt",
    )
