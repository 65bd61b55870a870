"""Which keys a query may see: hidden latent cells, at each resolution of a UNet."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["key_masks", "score_biases"]


def score_biases(
    hidden: Tensor, masked_queries: Tensor | None, dtype: torch.dtype, tokens: set[int] | None = None
) -> dict[int, Tensor]:
    """What to add to the attention scores so that queries do not see hidden keys.

    Parameters
    ----------
    hidden, masked_queries : (h, w) bool Tensor
        As `Injection` has them.
    dtype : torch.dtype
        Of the result.
    tokens : set of int, optional
        The token counts that are wanted; all when left out.

    Returns
    -------
    dict of Tensor
        By token count N: (1, 1, 1 or N, N), 0 where a query may see a key and -inf where not.
    """
    biases = {}
    for count, allowed in key_masks(hidden, masked_queries, tokens).items():
        bias = torch.zeros(allowed.shape, dtype=dtype, device=allowed.device)
        biases[count] = bias.masked_fill_(~allowed, float("-inf"))
    return biases


def key_masks(
    hidden: Tensor, masked_queries: Tensor | None, tokens: set[int] | None = None
) -> dict[int, Tensor]:
    """Token count N -> (1, 1, N or 1, N) bool, where a query may see a key, at each resolution of a UNet.

    A resolution at which every key would be hidden hides none.

    Parameters
    ----------
    hidden, masked_queries, tokens
        As `score_biases` takes them.
    """
    masks: dict[int, Tensor] = {}
    keys = hidden[None, None].float()
    queries = torch.ones_like(keys) if masked_queries is None else masked_queries[None, None].float()
    for _ in range(1 + int(math.log2(max(2, min(hidden.shape))))):
        if tokens is None or keys.numel() in tokens:
            seen = keys.flatten() < 0.5
            seen = seen | ~seen.any()
            allowed = seen.view(1, 1, 1, -1)
            if masked_queries is not None:
                allowed = allowed | (queries.flatten() < 0.5).view(1, 1, -1, 1)
            masks[seen.numel()] = allowed
        keys, queries = (F.avg_pool2d(grid, 2, ceil_mode=True) for grid in (keys, queries))
    return masks
