"""What an edit does with the keys and values of a transformer's picture tokens: keep them, or read others.

A transformer's attention sees the tokens of the picture and of the text together. Only the picture's are kept
and replaced, as they are after normalisation and position encoding; the text's stay live. Each family computes
queries, keys and values in its own way and order, and asks a `KeyValueRole` for the picture's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from regiondrag_widget.models.keyvalues import KeyValueCache

__all__ = ["BesideSource", "KeyValueRole", "Project", "Read", "Written", "joint_bias", "split_heads"]

Project = Callable[[Tensor, int], tuple[Tensor, Tensor]]
"""project(hidden, start): keys and values (B, n, heads, dim) of tokens (B, n, C), the first at `start`."""


class KeyValueRole:
    """Leaves keys and values as they are; subclasses keep or replace the first `tokens` of a stream.

    Attributes
    ----------
    bias : (1 or B, 1, 1 or N, N) Tensor, optional
        Added to the scores of the picture's N tokens among themselves.
    """

    bias: Tensor | None = None

    def keys_values(self, hidden: Tensor, heads: int, project: Project) -> tuple[Tensor, Tensor]:
        """Keys and values (B, n, heads, dim) of tokens (B, n, C), whose first are the picture's."""
        return project(hidden, 0)


class Written(KeyValueRole):
    """Appends the picture's keys and values to a cache.

    Parameters
    ----------
    layer : str
        Their name in the cache.
    cache : KeyValueCache
        Where they go.
    tokens : int
        How many tokens are the picture's.
    """

    def __init__(self, layer: str, cache: KeyValueCache, tokens: int) -> None:
        self.layer, self.cache, self.tokens = layer, cache, tokens

    def keys_values(self, hidden: Tensor, heads: int, project: Project) -> tuple[Tensor, Tensor]:
        """See `KeyValueRole.keys_values`."""
        key, value = project(hidden, 0)
        mine = (t[:, : self.tokens].detach().flatten(2) for t in (key, value))
        # a part of a longer stream is copied, or the cache would hold the whole of it
        self.cache.append(self.layer, *(t.clone() if t.shape[1] < key.shape[1] else t for t in mine))
        return key, value


class Read(KeyValueRole):
    """Gives the picture's keys and values (1, N, C) that it was given; they are not computed."""

    key: Tensor | None = None
    value: Tensor | None = None

    def keys_values(self, hidden: Tensor, heads: int, project: Project) -> tuple[Tensor, Tensor]:
        """See `KeyValueRole.keys_values`."""
        if self.key is None or self.value is None:
            return project(hidden, 0)
        # a no-op but where a device map spreads the network's layers over several GPUs
        given = (self.key.to(hidden.device), self.value.to(hidden.device))
        key, value = (split_heads(t.expand(len(hidden), -1, -1), heads) for t in given)
        count = key.shape[1]
        if count == hidden.shape[1]:
            return key, value
        rest = project(hidden[:, count:], count)
        return torch.cat([key, rest[0]], 1), torch.cat([value, rest[1]], 1)


class BesideSource(KeyValueRole):
    """Every row attends to the first row's picture; the bias applies only to the other rows.

    Parameters
    ----------
    tokens : int
        How many tokens are the picture's.
    bias : (1, 1, 1 or N, N) Tensor, optional
        For the rows after the first.
    """

    def __init__(self, tokens: int, bias: Tensor | None = None) -> None:
        self.tokens, self._bias = tokens, bias

    def keys_values(self, hidden: Tensor, heads: int, project: Project) -> tuple[Tensor, Tensor]:
        """See `KeyValueRole.keys_values`."""
        rows, n = len(hidden), self.tokens
        if self._bias is not None:
            self.bias = torch.cat([torch.zeros_like(self._bias), *[self._bias] * (rows - 1)])
        key, value = project(hidden, 0)
        key, value = (torch.cat([t[:1, :n].expand(rows, -1, -1, -1), t[:, n:]], 1) for t in (key, value))
        return key, value


def split_heads(projected: Tensor, heads: int) -> Tensor:
    """(B, n, heads * dim) -> (B, n, heads, dim)."""
    return projected.unflatten(-1, (heads, -1))


def joint_bias(role: Any, before: int, after: int, mask: Tensor | None = None) -> Tensor | None:
    """The scores' mask for a sequence in which other tokens stand before and after the picture's.

    Parameters
    ----------
    role : KeyValueRole
        Whose bias it is.
    before, after : int
        Tokens around the picture's, which see and are seen.
    mask : (B, 1, 1, S) bool Tensor, optional
        Keys that the family lets queries see, of the whole sequence.
    """
    if role.bias is None:
        return mask
    rows = (before, after) if role.bias.shape[2] > 1 else (0, 0)
    bias = F.pad(role.bias, (before, after, *rows))
    return bias if mask is None else bias.masked_fill(~mask, float("-inf"))
