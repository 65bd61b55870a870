"""The levels of noise an edit visits, one list for both ways, cleanest first.

At a level the latents are x = signal * clean + noise * e, with e standard normal. Variance preserving
schedules (Stable Diffusion) have signal^2 + noise^2 = 1, flows have signal + noise = 1; everything here holds
for both.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

__all__ = [
    "Level",
    "Levels",
    "PredictionType",
    "added_noise",
    "check_start",
    "check_steps",
    "checked_timesteps",
    "clean_and_noise",
    "edit_levels",
    "kept_signal",
    "released_levels",
    "reverse_mean",
]

PredictionType = Literal["epsilon", "v_prediction", "negative_v_prediction", "sample", "flow_prediction"]


@dataclass(frozen=True)
class Level:
    """One level of noise.

    Attributes
    ----------
    timestep : float
        What the network is told; -1 for the clean level, at which it is never asked.
    signal, noise : float
        Shares of the clean latents and of standard normal noise, each in [0, 1].
    fraction : float
        Where the level lies in the schedule: 0 clean, 1 pure noise.
    """

    timestep: float
    signal: float
    noise: float
    fraction: float

    @classmethod
    def of_alpha(cls, alpha: float, timestep: int = 0, total: int = 1000) -> Level:
        """A level of a variance preserving schedule.

        Parameters
        ----------
        alpha : float
            Cumulative signal variance (alpha bar) in (0, 1].
        timestep, total : int
            Index into the schedule, -1 for clean, and the schedule's length.
        """
        return cls(timestep, alpha**0.5, (1 - alpha) ** 0.5, (timestep + 1) / total)

    @property
    def alpha(self) -> float:
        """Signal variance as a share of the whole: alpha bar where the schedule preserves variance."""
        return self.signal**2 / (self.signal**2 + self.noise**2)


@dataclass(frozen=True)
class Levels:
    """K + 1 levels of noise. Entry 0 is where the clean latents stand; the network is never asked there.

    Attributes
    ----------
    all : tuple of Level
        Cleanest first.

    Raises
    ------
    ValueError
        Fewer than two levels, or timesteps that do not rise.
    """

    all: tuple[Level, ...]

    def __post_init__(self) -> None:
        if len(self.all) < 2:
            raise ValueError("an edit needs at least one noised level: raise `steps` or `start`")
        if any(b.timestep <= a.timestep for a, b in pairwise(self.all)):
            raise ValueError(f"levels must rise from the cleanest timestep, got {list(self.timesteps)}")

    def __len__(self) -> int:
        """Number of noised levels K, which is the number of network calls of one pass."""
        return len(self.all) - 1

    def at(self, k: int) -> Level:
        """Level k, from 0, the clean one, to K."""
        return self.all[k]

    @property
    def timesteps(self) -> tuple[float, ...]:
        """What the network is told at each of the K + 1 levels."""
        return tuple(level.timestep for level in self.all)

    @property
    def alphas(self) -> tuple[float, ...]:
        """Signal variance at each of the K + 1 levels, as a share of the whole."""
        return tuple(level.alpha for level in self.all)

    def fraction(self, k: int) -> float:
        """Level k as a fraction of the schedule: 0 clean, 1 pure noise."""
        return self.all[k].fraction

    def told(self, device: torch.device) -> Tensor:
        """(K,) the timesteps of the noised levels, whole numbers where all are."""
        return torch.tensor(self.timesteps[1:], device=device)


def edit_levels(
    alphas_cumprod: Tensor, steps: int, start: float, timesteps: Sequence[float] | None = None
) -> Levels:
    """Evenly spaced levels from truly clean (alpha 1) to the one nearest `start`.

    Parameters
    ----------
    alphas_cumprod : (T,) Tensor
        The scheduler's cumulative products.
    steps : int
        Number of levels the whole schedule would have; the edit uses about `steps * start` of them.
    start : float
        Fraction of the schedule in (0, 1], 0 clean, 1 pure noise.
    timesteps : sequence of int, optional
        The noised levels themselves, cleanest first, instead of `steps` and `start`.

    Raises
    ------
    ValueError
        Values out of range, timesteps that do not rise.
    """
    total = len(alphas_cumprod)
    if timesteps is None:
        check_steps(steps, total)
        check_start(start)
        count = max(1, round(start * steps))
        timesteps = [round(k * total / steps) - 1 for k in range(1, count + 1)]
    clean = Level.of_alpha(1.0, -1, total)
    return Levels((clean, *_levels_at(timesteps, alphas_cumprod)))


def released_levels(
    alphas_cumprod: Tensor, steps: int, start: float, timesteps: Sequence[float] | None = None
) -> Levels:
    """Levels as the released RegionDrag code has them: the clean latents stand at the first timestep.

    `timesteps` lists all K + 1 levels, the one for the clean latents first. The rest as `edit_levels`.
    """
    total = len(alphas_cumprod)
    if timesteps is None:
        edit_levels(alphas_cumprod, steps, start)  # the same refusals
        count = max(1, min(int(steps * start), steps - 1))  # the first level is taken by the clean latents
        timesteps = [round(k * total / steps) - 1 for k in range(1, count + 2)]
    return Levels(_levels_at(timesteps, alphas_cumprod))


def check_steps(steps: object, total: int) -> None:
    """ValueError unless `steps` is a whole number from 1 to `total`."""
    if not isinstance(steps, int) or isinstance(steps, bool) or not 1 <= steps <= total:
        raise ValueError(f"steps must be a whole number from 1 to {total}, got {steps!r}")


def checked_timesteps(timesteps: Sequence[float]) -> list[float]:
    """Timesteps that a user names, as numbers; TypeError unless they are a sequence of them."""
    try:
        if isinstance(timesteps, (str, bytes)):
            raise TypeError
        return [float(t) for t in timesteps]
    except (TypeError, ValueError):
        raise TypeError(f"levels must be a list of timesteps, got {timesteps!r}") from None


def check_start(start: object) -> None:
    """ValueError unless `start` is a fraction above 0 and up to 1."""
    if isinstance(start, bool) or not isinstance(start, numbers.Real) or not 0.0 < float(start) <= 1.0:
        raise ValueError(f"start must be a fraction above 0 and up to 1, got {start!r}")


def _levels_at(timesteps: Sequence[float], alphas_cumprod: Tensor) -> tuple[Level, ...]:
    total = len(alphas_cumprod)
    chosen = [int(t) for t in checked_timesteps(timesteps)]
    if any(not 0 <= t < total for t in chosen):
        raise ValueError(f"levels must be timesteps from 0 to {total - 1}, got {chosen}")
    return tuple(Level.of_alpha(float(alphas_cumprod[t]), t, total) for t in chosen)


def clean_and_noise(x: Tensor, output: Tensor, level: Level, kind: PredictionType) -> tuple[Tensor, Tensor]:
    """Predicted clean latents and noise from the network's output at a level, for any parametrisation.

    Parameters
    ----------
    x, output : Tensor
        Latents and what the network gave for them, of the same shape.
    level : Level
        With a share of noise above 0.
    kind : PredictionType
        "epsilon" (Ho et al. 2020), "v_prediction" (Salimans, Ho 2022) or its negative, "sample", or
        "flow_prediction", the velocity e - clean (Liu et al. 2022).

    Raises
    ------
    ValueError
        Another parametrisation.
    """
    signal, noise = level.signal, level.noise
    if kind == "epsilon":
        return (x - noise * output) / signal, output
    if kind == "v_prediction":
        return signal * x - noise * output, signal * output + noise * x
    if kind == "negative_v_prediction":
        return signal * x + noise * output, noise * x - signal * output
    if kind == "sample":
        return output, (x - signal * output) / noise
    if kind == "flow_prediction":
        return x - noise * output, x + signal * output
    raise ValueError(f"prediction_type {kind!r} is not one of epsilon, v_prediction, sample, flow_prediction")


def reverse_mean(clean: Tensor, noise: Tensor, level: Level, cleaner: Level, eta: float = 1.0) -> Tensor:
    """Mean of the reverse step from `level` to the cleaner one (Song et al. 2021, eq. 12, any schedule).

    eta 1 is the posterior of the noising path (its residual is what the inversion keeps), eta 0 is
    deterministic.
    """
    variance = 0.0
    if level.noise > 0:
        variance = eta**2 * (cleaner.noise / level.noise) ** 2 * added_noise(cleaner, level) ** 2
    mean: Tensor = cleaner.signal * clean + max(0.0, cleaner.noise**2 - variance) ** 0.5 * noise
    return mean


def kept_signal(level: Level, noisier: Level) -> float:
    """What the noising step from `level` to a noisier one multiplies the latents by."""
    return noisier.signal / level.signal


def added_noise(level: Level, noisier: Level) -> float:
    """Deviation of the noise that the noising step from `level` to a noisier one adds (RegionDrag eq. 3)."""
    variance = noisier.noise**2 - (kept_signal(level, noisier) * level.noise) ** 2
    return math.sqrt(max(0.0, variance))
