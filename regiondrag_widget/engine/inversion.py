"""The inversion of one picture: a path of rising noise, residuals, keys and values.

The next noised latents do not depend on the network's prediction, so the K calls of the inversion are
independent and run as one batch (chunked to a memory budget).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from regiondrag_widget.engine.finite import check_levels
from regiondrag_widget.models.backbone import Network, told_picture
from regiondrag_widget.models.keyvalues import HostKeyValues, KeyValueCache, SourcePath
from regiondrag_widget.models.levels import (
    Levels,
    PredictionType,
    added_noise,
    clean_and_noise,
    kept_signal,
    reverse_mean,
)

__all__ = ["Cancelled", "Inversion", "draw_path_noise", "invert", "noising_path", "thinned"]


class Cancelled(Exception):
    """An inversion was told to stop; its work so far is lost."""


@dataclass(frozen=True)
class Inversion:
    """Everything the reverse pass needs of one picture, independent of the regions.

    Attributes
    ----------
    levels : Levels
        The levels it visits.
    latents : (K + 1, C, h, w) float32 Tensor
        The path, cleanest first.
    noise : (K, C, h, w) float32 Tensor
        The standard normal draws of the path.
    residuals : (K, C, h, w) float32 Tensor
        Entry k - 1 is what the reverse mean lacks from level k to k - 1.
    cache : KeyValueCache
        The self-attentions' keys and values at each level.
    outputs : (K, C, h, w) float32 Tensor, optional
        The network's output at each level; needed to thin the inversion.
    slots : tuple of int
        The cache's own level of each level here, K whole numbers from 1; empty where they are the same.
    """

    levels: Levels
    latents: Tensor
    noise: Tensor
    residuals: Tensor
    cache: KeyValueCache
    outputs: Tensor | None = None
    slots: tuple[int, ...] = ()

    @property
    def nbytes(self) -> int:
        """Memory the tensors take, keys and values included, in bytes."""
        tensors = (self.latents, self.noise, self.residuals, self.outputs)
        return sum(t.nbytes for t in tensors if t is not None) + self.cache.nbytes

    def slot(self, k: int) -> int:
        """The level of the cache that belongs to level k."""
        return self.slots[k - 1] if self.slots else k

    @property
    def noise_maps(self) -> Tensor:
        """(K, C, h, w), CycleDiffusion's z: residuals over the posterior's deviation, 0 where that is 0."""
        sigmas = [low.noise / high.noise * added_noise(low, high) for low, high in pairwise(self.levels.all)]
        sigma = torch.tensor(sigmas, device=self.residuals.device).view(-1, 1, 1, 1)
        return torch.where(
            sigma > 0, self.residuals / sigma.clamp(min=1e-12), torch.zeros_like(self.residuals)
        )


def draw_path_noise(count: int, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Standard normal draws (count, *shape), float32 on the generator's device.

    A CPU generator gives the same draws for a seed, whatever device computes and in batches of any size.

    Parameters
    ----------
    count : int
        K, the draws of a path.
    shape : tuple of int
        Of one draw, (C, h, w).
    generator : torch.Generator
        Where they come from.
    """
    if generator.device.type != "cpu":
        return torch.randn((count, *shape), generator=generator, device=generator.device)
    return torch.randn((count, *shape), generator=generator)


def noising_path(clean: Tensor, noise: Tensor, levels: Levels) -> Tensor:
    """x_t = kept_signal x_s + added_noise noise, level by level (RegionDrag eq. 3).

    Parameters
    ----------
    clean : (C, h, w) Tensor
        Where the path begins.
    noise : (K, C, h, w) Tensor
        The standard normal draw of each step.
    levels : Levels
        The K + 1 levels of the path.

    Returns
    -------
    (K + 1, C, h, w) Tensor
        The path, cleanest first.
    """
    path = [clean]
    for k in range(1, len(levels) + 1):
        low, high = levels.at(k - 1), levels.at(k)
        path.append(kept_signal(low, high) * path[-1] + added_noise(low, high) * noise[k - 1])
    return torch.stack(path)


@torch.inference_mode()
def invert(
    network: Network,
    clean: Tensor,
    levels: Levels,
    noise: Tensor,
    cancelled: Callable[[], bool] = lambda: False,
    keeping: str = "device",
) -> Inversion:
    """Noise clean latents level by level and keep what makes the way back exact.

    The residuals are those of CycleDiffusion (Wu, De la Torre 2023).

    Parameters
    ----------
    network : Network
        Predicts at every level.
    clean : (C, h, w) Tensor
        The picture's latents.
    levels : Levels
        The levels to visit.
    noise : (K, C, h, w) Tensor
        The standard normal draw of each step.
    cancelled : callable
        Asked before each batched call.
    keeping : str
        Where keys and values go: "device", "host", or "recompute" for nowhere.

    Raises
    ------
    ValueError
        Noise of another shape.
    Cancelled
        `cancelled` returned True.
    NotFiniteError
        The network gave values that are not numbers.
    """
    expected = (len(levels), *clean.shape)
    if tuple(noise.shape) != expected:
        raise ValueError(
            f"path_noise must have shape {expected} for these levels and latents, got {tuple(noise.shape)}"
        )
    network = told_picture(network, clean)
    path = noising_path(clean, noise, levels)
    timesteps = levels.told(clean.device)
    if keeping == "recompute":
        cache: KeyValueCache = SourcePath(path[1:])
    else:
        cache = HostKeyValues(clean.device) if keeping == "host" else KeyValueCache()
    outputs = []
    size = max(1, network.batch_size(*clean.shape[-2:]))
    for x, t in zip(path[1:].split(size), timesteps.split(size), strict=True):
        if cancelled():
            raise Cancelled("the inversion was stopped")
        alone = keeping == "recompute"
        outputs.append(network.predict(x, t) if alone else network.capture(x, t, cache))
    output = torch.cat(outputs)
    check_levels(output, timesteps)
    residuals = _residuals(path, output, levels, network.prediction_type)
    return Inversion(levels, path, noise, residuals, cache, output)


@torch.inference_mode()
def thinned(inversion: Inversion, calls: int, kind: PredictionType) -> Inversion:
    """The same path with fewer levels, evenly spaced from the top one down.

    The path, keys and values are shared. A coarse step's residual comes from the network's output at the
    level it starts from, so an edit that changes nothing is exact here too. Its noise is the sum of the finer
    steps', standard normal again.

    Parameters
    ----------
    inversion : Inversion
        With all levels; returned as it is where it has no more than `calls`.
    calls : int
        Levels to keep, from 1.
    kind : PredictionType
        What the network predicts.

    Raises
    ------
    ValueError
        The inversion kept no outputs.
    """
    levels, total = inversion.levels, len(inversion.levels)
    if calls >= total:
        return inversion
    if inversion.outputs is None:
        raise ValueError("this inversion kept no outputs: make it with `invert` to thin it")
    chosen = [0, *sorted(int(total * (calls - i) / calls + 0.5) for i in range(calls))]
    coarse = Levels(tuple(levels.at(k) for k in chosen))
    path, outputs = inversion.latents[chosen], inversion.outputs[[k - 1 for k in chosen[1:]]]
    noise = torch.stack([_merged_noise(inversion, low, high) for low, high in pairwise(chosen)])
    residuals = _residuals(path, outputs, coarse, kind)
    slots = tuple(inversion.slot(k) for k in chosen[1:])
    return Inversion(coarse, path, noise, residuals, inversion.cache, outputs, slots)


def _residuals(path: Tensor, outputs: Tensor, levels: Levels, kind: PredictionType) -> Tensor:
    """What the reverse mean of each step lacks to arrive on the path, (K, C, h, w)."""
    residuals = []
    for k in range(1, len(levels) + 1):
        x0, e = clean_and_noise(path[k], outputs[k - 1], levels.at(k), kind)
        residuals.append(path[k - 1] - reverse_mean(x0, e, levels.at(k), levels.at(k - 1)))
    return torch.stack(residuals)


def _merged_noise(inversion: Inversion, low: int, high: int) -> Tensor:
    """The one draw (C, h, w) that leads from level `low` to `high` as the draws between them do."""
    levels = inversion.levels
    added = torch.zeros_like(inversion.noise[0])
    for k in range(low + 1, high + 1):
        here, next_up = levels.at(k - 1), levels.at(k)
        added = kept_signal(here, next_up) * added + added_noise(here, next_up) * inversion.noise[k - 1]
    merged: Tensor = added / added_noise(levels.at(low), levels.at(high))
    return merged
