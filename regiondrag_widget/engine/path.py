"""The inversion of one picture: a path of rising noise, what each reverse step misses, keys and values.

The next noised latents do not depend on the network's prediction, so the K calls of the inversion are
independent and run as one batch (chunked to a memory budget).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from regiondrag_widget.engine.attention import KeyValueCache
from regiondrag_widget.engine.levels import Levels, PredictionType, clean_and_noise, reverse_mean

__all__ = ["Inversion", "Network", "draw_path_noise", "invert", "noising_path"]


class Network(Protocol):
    """What the inversion and the reverse pass ask of a backbone."""

    prediction_type: PredictionType

    def predict(self, x: Tensor, timesteps: Tensor) -> Tensor:
        """The network's output at (B, C, h, w) latents and (B,) timesteps, float32."""

    def capture(self, x: Tensor, timesteps: Tensor, cache: KeyValueCache) -> Tensor:
        """The same, every self-attention's keys and values appended to `cache`."""

    def batch_size(self, height: int, width: int) -> int:
        """How many latents of this size fit the memory budget at once."""


@dataclass(frozen=True)
class Inversion:
    """Everything the reverse pass needs of one picture, independent of the regions.

    latents : (K + 1, C, h, w) float32, the path, cleanest first
    noise : (K, C, h, w) float32, the standard normal draws of the path
    residuals : (K, C, h, w) float32, entry k - 1 is what the reverse mean lacks from level k to k - 1
    cache : the self-attentions' keys and values at each level
    """

    levels: Levels
    latents: Tensor
    noise: Tensor
    residuals: Tensor
    cache: KeyValueCache

    @property
    def nbytes(self) -> int:
        """Memory the tensors take, keys and values included, in bytes."""
        tensors = (self.latents, self.noise, self.residuals)
        return sum(t.numel() * t.element_size() for t in tensors) + self.cache.nbytes

    @property
    def noise_maps(self) -> Tensor:
        """(K, C, h, w), CycleDiffusion's z: residuals over the posterior's deviation; 0 where that is 0."""
        sigmas = [
            ((1 - a_s) / (1 - a_t) * (1 - a_t / a_s)) ** 0.5 for a_s, a_t in pairwise(self.levels.alphas)
        ]
        sigma = torch.tensor(sigmas, device=self.residuals.device).view(-1, 1, 1, 1)
        return torch.where(
            sigma > 0, self.residuals / sigma.clamp(min=1e-12), torch.zeros_like(self.residuals)
        )


def draw_path_noise(count: int, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """(count, *shape) standard normal float32 on the generator's device.

    Of a CPU generator the draws are the same for a seed, whatever device computes, in batches of any size.
    """
    if generator.device.type != "cpu":
        return torch.randn((count, *shape), generator=generator, device=generator.device)
    return torch.randn((count, *shape), generator=generator)


def noising_path(clean: Tensor, noise: Tensor, levels: Levels) -> Tensor:
    """x_t = sqrt(a_t / a_s) x_s + sqrt(1 - a_t / a_s) noise, level by level (RegionDrag eq. 3).

    clean (C, h, w), noise (K, C, h, w) -> (K + 1, C, h, w)
    """
    path = [clean]
    for k in range(1, len(levels) + 1):
        ratio = levels.alphas[k] / levels.alphas[k - 1]
        path.append(ratio**0.5 * path[-1] + (1 - ratio) ** 0.5 * noise[k - 1])
    return torch.stack(path)


@torch.inference_mode()
def invert(network: Network, clean: Tensor, levels: Levels, noise: Tensor) -> Inversion:
    """Noise `clean` (C, h, w) along `levels` and keep what makes the way back exact.

    noise : (K, C, h, w), the standard normal draw of each step

    The residuals are those of CycleDiffusion (Wu, De la Torre 2023). Raises ValueError for noise of another
    shape.
    """
    expected = (len(levels), *clean.shape)
    if tuple(noise.shape) != expected:
        raise ValueError(
            f"path_noise must have shape {expected} for these levels and latents, got {tuple(noise.shape)}"
        )
    path = noising_path(clean, noise, levels)
    timesteps = torch.tensor(levels.timesteps[1:], device=clean.device)
    cache = KeyValueCache()
    outputs = []
    size = max(1, network.batch_size(*clean.shape[-2:]))
    for x, t in zip(path[1:].split(size), timesteps.split(size), strict=True):
        outputs.append(network.capture(x, t, cache))
    output = torch.cat(outputs)
    residuals = []
    for k in range(1, len(levels) + 1):
        x0, e = clean_and_noise(path[k], output[k - 1], levels.alphas[k], network.prediction_type)
        residuals.append(path[k - 1] - reverse_mean(x0, e, levels.alphas[k], levels.alphas[k - 1]))
    return Inversion(levels, path, noise, torch.stack(residuals), cache)
