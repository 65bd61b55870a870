"""The flow form of RegionDrag in plain torch, one level at a time: what transformers must match.

It knows nothing of the package. The transformer is called as diffusers' own pipeline calls it, and the edit
reads the original's keys and values by running beside it, where the package keeps them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor

Velocity = Callable[[Tensor, float], Tensor]
"""velocity(x, sigma): noise minus clean, at latents x (B, C, h, w)."""


class Seam(NamedTuple):
    """Where a transformer of diffusers calls attention, and in which order it gives its tokens.

    Attributes
    ----------
    module, function
        What it calls, by its name in the module.
    axis : int
        Of the tokens in what it gives.
    image_first : bool
        Whether image tokens come before the others, and not after them.
    """

    module: ModuleType
    function: str = "dispatch_attention_fn"
    axis: int = 1
    image_first: bool = False


@torch.inference_mode()
def reference_edit(
    velocity: Velocity,
    attention: Seam,
    tokens: int,
    clean: Tensor,
    sigmas: list[float],
    noise: Tensor,
    source: Tensor,
    target: Tensor,
) -> Tensor:
    """Carry cells of latents (C, h, w) from `source` to `target`, (n,) cells counted row by row.

    `sigmas` rise; `noise` (K, C, h, w) is the draw of each. `tokens` are those of the image.
    """
    levels = [0.0, *sigmas]
    path = [clean]
    for k, (s, t) in enumerate(pairwise(levels)):
        kept = (1 - t) / (1 - s)
        path.append(kept * path[-1] + (t * t - (kept * s) ** 2) ** 0.5 * noise[k])
    residuals = []
    for k in range(1, len(levels)):
        mean = posterior(path[k], velocity(path[k][None], levels[k])[0], levels[k], levels[k - 1])
        residuals.append(path[k - 1] - mean)
    y = path[-1]
    for k in range(len(sigmas), 0, -1):
        y = pasted(y, path[k], source, target)
        with first_row_shared(attention, tokens):
            v = velocity(torch.stack([path[k], y]), levels[k])[1]
        y = posterior(y, v, levels[k], levels[k - 1]) + residuals[k - 1]
    return pasted(y, path[0], source, target)


def posterior(x: Tensor, v: Tensor, t: float, s: float) -> Tensor:
    """The mean at sigma s of what was clean at 0 and is x at sigma t, by the predicted clean and noise."""
    clean, noise = x - t * v, x + (1 - t) * v
    kept = (1 - t) / (1 - s)
    added = t * t - (kept * s) ** 2
    mean: Tensor = (1 - s) * clean + max(0.0, s * s - (s / t) ** 2 * added) ** 0.5 * noise
    return mean


def pasted(y: Tensor, x: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """y with its target cells taken from x's source cells."""
    out = y.flatten(1).clone()
    out[:, target] = x.flatten(1)[:, source]
    return out.view_as(y)


@contextmanager
def first_row_shared(attention: Seam, tokens: int) -> Iterator[None]:
    """While open, every row of a batch attends to the keys and values of the first row's image tokens."""
    module, name, axis, image_first = attention
    original = getattr(module, name)

    def shared(query: Tensor, key: Tensor, value: Tensor, *args: Any, **options: Any) -> Tensor:
        count = key.shape[axis]
        where = torch.arange(count) < tokens if image_first else torch.arange(count) >= count - tokens
        here = where.view([-1 if i == axis else 1 for i in range(4)])
        key, value = (torch.where(here, t[:1], t) for t in (key, value))
        out: Tensor = original(query, key, value, *args, **options)
        return out

    setattr(module, name, shared)
    try:
        yield
    finally:
        setattr(module, name, original)
