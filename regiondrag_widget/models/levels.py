"""The levels of noise an edit visits, one list for both ways, cleanest first."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

__all__ = ["Levels", "PredictionType", "clean_and_noise", "edit_levels", "released_levels", "reverse_mean"]

PredictionType = Literal["epsilon", "v_prediction", "sample"]


@dataclass(frozen=True)
class Levels:
    """K + 1 levels of noise. Entry 0 is where the clean latents stand; the network is never asked there.

    timesteps : K + 1 integers, entry 0 is -1 for a level that is truly clean
    alphas : K + 1 floats, the cumulative signal variance (alpha bar) of each level, falling
    num_train_timesteps : length of the schedule the timesteps index
    """

    timesteps: tuple[int, ...]
    alphas: tuple[float, ...]
    num_train_timesteps: int = 1000

    def __post_init__(self) -> None:
        if len(self.timesteps) < 2:
            raise ValueError("an edit needs at least one noised level: raise `steps` or `start`")
        if any(b <= a for a, b in pairwise(self.timesteps)):
            raise ValueError(f"levels must rise from the cleanest timestep, got {list(self.timesteps)}")

    def __len__(self) -> int:
        """Number of noised levels K, which is the number of network calls of one pass."""
        return len(self.timesteps) - 1

    def fraction(self, k: int) -> float:
        """Level k as a fraction of the schedule: 0 clean, 1 pure noise."""
        return (self.timesteps[k] + 1) / self.num_train_timesteps


def edit_levels(
    alphas_cumprod: Tensor, steps: int, start: float, timesteps: Sequence[int] | None = None
) -> Levels:
    """Evenly spaced levels from truly clean (alpha 1) to the one nearest `start`.

    alphas_cumprod : (T,) the scheduler's cumulative products
    steps : number of levels the whole schedule would have; the edit uses about `steps * start` of them
    start : fraction of the schedule in (0, 1], 0 clean, 1 pure noise
    timesteps : the noised levels themselves, cleanest first, instead of `steps` and `start`

    Raises ValueError for values out of range and for timesteps that do not rise.
    """
    total = len(alphas_cumprod)
    if timesteps is None:
        _check_steps(steps, total)
        _check_start(start)
        count = max(1, round(start * steps))
        timesteps = [round(k * total / steps) - 1 for k in range(1, count + 1)]
    chosen = _checked(timesteps, total)
    return Levels((-1, *chosen), (1.0, *(float(alphas_cumprod[t]) for t in chosen)), total)


def released_levels(
    alphas_cumprod: Tensor, steps: int, start: float, timesteps: Sequence[int] | None = None
) -> Levels:
    """Levels as the released RegionDrag code has them: the clean latents stand at the first timestep.

    `timesteps` lists all K + 1 levels, the one for the clean latents first.
    """
    total = len(alphas_cumprod)
    if timesteps is None:
        edit_levels(alphas_cumprod, steps, start)  # the same refusals
        count = max(1, min(int(steps * start), steps - 1))  # the first level is taken by the clean latents
        timesteps = [round(k * total / steps) - 1 for k in range(1, count + 2)]
    chosen = _checked(timesteps, total)
    return Levels(tuple(chosen), tuple(float(alphas_cumprod[t]) for t in chosen), total)


def _check_steps(steps: object, total: int) -> None:
    if not isinstance(steps, int) or isinstance(steps, bool) or not 1 <= steps <= total:
        raise ValueError(f"steps must be a whole number from 1 to {total}, got {steps!r}")


def _check_start(start: object) -> None:
    if isinstance(start, bool) or not isinstance(start, numbers.Real) or not 0.0 < float(start) <= 1.0:
        raise ValueError(f"start must be a fraction above 0 and up to 1, got {start!r}")


def _checked(timesteps: Sequence[int], total: int) -> list[int]:
    chosen = [int(t) for t in timesteps]
    if any(not 0 <= t < total for t in chosen):
        raise ValueError(f"levels must be timesteps from 0 to {total - 1}, got {chosen}")
    return chosen


def clean_and_noise(
    x: Tensor, output: Tensor, alpha: float | Tensor, kind: PredictionType
) -> tuple[Tensor, Tensor]:
    """Predicted clean latents and noise from the network's output at (x, alpha), for any parametrisation.

    x, output : any shape, alike
    alpha : cumulative signal variance in (0, 1), a number or a tensor that broadcasts against x

    Ho et al. 2020 (epsilon), Salimans & Ho 2022 (v). Raises ValueError for another parametrisation.
    """
    a = torch.as_tensor(alpha, dtype=x.dtype, device=x.device)
    signal, noise = a.sqrt(), (1 - a).sqrt()
    if kind == "epsilon":
        return (x - noise * output) / signal, output
    if kind == "v_prediction":
        return signal * x - noise * output, signal * output + noise * x
    if kind == "sample":
        return output, (x - signal * output) / noise
    raise ValueError(f"prediction_type {kind!r} is not one of epsilon, v_prediction, sample")


def reverse_mean(clean: Tensor, noise: Tensor, alpha: float, alpha_next: float, eta: float = 1.0) -> Tensor:
    """Mean of the reverse step from level `alpha` to the cleaner `alpha_next` (Song et al. 2021, eq. 12).

    eta 1 is the posterior of the noising path (its residual is what the inversion keeps), eta 0 is
    deterministic.
    """
    variance = eta**2 * (1 - alpha_next) / (1 - alpha) * (1 - alpha / alpha_next)
    mean: Tensor = float(alpha_next) ** 0.5 * clean + max(0.0, 1 - alpha_next - variance) ** 0.5 * noise
    return mean
