"""An inversion's keys and values, moved with the content."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from regiondrag_widget.models.keyvalues import KeyValueCache

__all__ = ["gathered"]


def gathered(cache: KeyValueCache, index: Tensor) -> KeyValueCache:
    """The cache with each cell's keys and values taken from the cell its content came from.

    At the coarser resolutions of a UNet a cell follows the finer ones it covers, where at least half of them
    moved: by their mean movement, rounded. The cache is read, not copied.

    Parameters
    ----------
    cache : KeyValueCache
        The inversion's keys and values.
    index : (h, w) int64 Tensor
        The source of each latent cell, counted row by row; the cell itself where nothing moved.

    Raises
    ------
    ValueError
        A cache that keeps nothing.
    """
    if not cache.keys:
        raise ValueError(
            "attention_swap='gathered' moves kept keys and values, and none are kept: "
            "say keys_values='host' or 'device', or choose another attention_swap"
        )
    return _Gathered(cache, _sources(index))


class _Gathered(KeyValueCache):
    """Another cache with its cells in another order."""

    def __init__(self, cache: KeyValueCache, sources: dict[int, Tensor]) -> None:
        super().__init__()
        self.keys, self.values, self.made_by = cache.keys, cache.values, cache.made_by
        self._cache, self._sources = cache, sources
        if cache.negative is not None:
            self.negative = _Gathered(cache.negative, sources)

    def level(self, k: int, layers: Sequence[str]) -> Iterator[tuple[Tensor, Tensor]]:
        """See `KeyValueCache.level`."""
        for key, value in self._cache.level(k, layers):
            index = self._sources[len(key)].to(key.device)
            yield key[index], value[index]

    def will_read(self, order: Sequence[int]) -> None:
        """See `KeyValueCache.will_read`."""
        self._cache.will_read(order)


def _sources(index: Tensor) -> dict[int, Tensor]:
    """Token count -> (tokens,) int64, the source of each token, at each resolution of a UNet."""
    h, w = index.shape
    own = torch.arange(h * w, device=index.device).view(h, w)
    dx, dy = (index % w - own % w).float(), (index // w - own // w).float()
    moves = index != own
    # (3, h, w): whether a cell moved, and how far: a mean of them is one over the moved cells
    grids = torch.stack([moves.float(), dx, dy])
    found: dict[int, Tensor] = {}
    scale = 1
    while True:
        share, x, y = grids
        h, w = share.shape
        rows, columns = torch.meshgrid(
            torch.arange(h, device=index.device), torch.arange(w, device=index.device), indexing="ij"
        )
        follows = (share >= 0.5) / share.clamp(min=1e-6) / scale
        from_x = (columns + (x * follows).round().long()).clamp(0, w - 1)
        from_y = (rows + (y * follows).round().long()).clamp(0, h - 1)
        found[h * w] = (from_y * w + from_x).flatten()
        if h == w == 1:
            return found
        grids = F.avg_pool2d(grids[None], 2, ceil_mode=True)[0]
        scale *= 2
