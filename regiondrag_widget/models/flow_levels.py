"""The levels of a flow, chosen by signal-to-noise ratio: `start` and `stop` mean the same in each family.

A flow mixes x = (1 - sigma) * clean + sigma * e. Its schedule moves most steps to high sigmas, the more the
larger the picture, so a share of its steps says little about how noisy the picture is there. `start` and
`stop` are therefore fractions of Stable Diffusion 1.5's schedule, and stand for the sigma of equal
signal-to-noise ratio: start = 0.551 (t = 550) is sigma 0.66.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from regiondrag_widget.models.levels import Level, Levels, check_start, check_steps, checked_timesteps

__all__ = [
    "FlowSchedule",
    "even_sigmas",
    "flow_levels",
    "fraction_of_sigma",
    "sigma_of_fraction",
    "timestep_levels",
]

TIMESTEPS = 1000  # what networks are told is sigma times this


class FlowSchedule:
    """A flow matching scheduler of diffusers, read and never changed.

    Parameters
    ----------
    scheduler : FlowMatchEulerDiscreteScheduler
        Of the pipeline.
    family : str
        What the network is called, for messages.

    Raises
    ------
    ValueError
        A scheduler of another kind.
    """

    def __init__(self, scheduler: Any, family: str) -> None:
        kind = type(scheduler).__name__
        if kind not in ("FlowMatchEulerDiscreteScheduler", "FlowMatchLCMScheduler"):
            raise ValueError(
                f"{kind} is not a schedule of {family}: use FlowMatchEulerDiscreteScheduler, which the "
                "model's folder has"
            )
        if scheduler.config.get("invert_sigmas"):
            raise ValueError(f"a scheduler with invert_sigmas is not one of {family}")
        self._kind, self._config = type(scheduler), dict(scheduler.config)

    @property
    def config(self) -> dict[str, Any]:
        """The scheduler's configuration."""
        return self._config

    def sigmas(
        self, steps: int, mu: float | None = None, given: Sequence[float] | None = None
    ) -> list[float]:
        """The sigmas that the scheduler visits in `steps` steps, the highest first, without the final 0.

        Parameters
        ----------
        steps : int
            Of the whole schedule.
        mu : float, optional
            The shift by the picture's size, where the scheduler takes one.
        given : sequence of float, optional
            Sigmas before the shift, as the family's pipeline gives them; the scheduler's own when left out.
        """
        scheduler = self._kind.from_config(self._config)
        options: dict[str, Any] = {"mu": mu} if self._config.get("use_dynamic_shifting") else {}
        if given is not None:
            scheduler.set_timesteps(sigmas=list(given), **options)
        else:
            scheduler.set_timesteps(steps, **options)
        return [float(s) for s in scheduler.sigmas if s > 0]


def flow_levels(sigmas: Sequence[float], start: float) -> Levels:
    """Levels from clean up to the sigma of a schedule that lies nearest to `start`; one at least.

    Parameters
    ----------
    sigmas : sequence of float
        In (0, 1], in any order.
    start : float
        In (0, 1], a fraction of Stable Diffusion 1.5's schedule: see `sigma_of_fraction`.

    Raises
    ------
    ValueError
        A start out of range.
    """
    check_start(start)
    rising = sorted(set(sigmas))
    fractions = [fraction_of_sigma(s) for s in rising]
    nearest = min(range(len(rising)), key=lambda i: abs(fractions[i] - start))
    return Levels((_CLEAN, *(_level(s) for s in rising[: nearest + 1])))


def timestep_levels(timesteps: Sequence[float]) -> Levels:
    """Levels at given timesteps, sigma times 1000, cleanest first.

    Raises
    ------
    ValueError
        One that is not above 0 and up to 1000, or that does not rise.
    """
    given = checked_timesteps(timesteps)
    for t, told in zip(given, timesteps, strict=True):
        if isinstance(told, bool) or not 0 < t <= TIMESTEPS:
            raise ValueError(f"levels of a flow must be above 0 and up to {TIMESTEPS}, got {list(timesteps)}")
    return Levels((_CLEAN, *(_level(t / TIMESTEPS) for t in given)))


def even_sigmas(steps: int) -> list[float]:
    """The sigmas 1, 1 - 1 / steps, ..., 1 / steps, which most pipelines give their scheduler to shift."""
    check_steps(steps, TIMESTEPS)
    return [float(s) for s in np.linspace(1.0, 1 / steps, steps)]


def sigma_of_fraction(fraction: float) -> float:
    """The sigma of a flow that is as noisy as Stable Diffusion 1.5 is at a fraction of its schedule.

    Parameters
    ----------
    fraction : float
        From 0, clean, to 1, pure noise; t / 1000 for timestep t - 1.
    """
    fractions, sigmas = _same_noise()
    return float(np.interp(fraction, fractions, sigmas))


def fraction_of_sigma(sigma: float) -> float:
    """The inverse of `sigma_of_fraction`."""
    fractions, sigmas = _same_noise()
    return float(np.interp(sigma, sigmas, fractions))


@lru_cache(maxsize=1)
def _same_noise() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Fractions of Stable Diffusion 1.5's schedule, and the sigmas of equal signal-to-noise ratio."""
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    alphas = np.cumprod(1 - betas)
    signal, noise = alphas**0.5, (1 - alphas) ** 0.5
    sigmas = noise / (signal + noise)
    # the last timestep stands for pure noise, which it is meant to be and is not quite
    return np.arange(1001) / 1000, np.concatenate([[0.0], sigmas[:-1], [1.0]])


def _level(sigma: float) -> Level:
    return Level(TIMESTEPS * sigma, 1 - sigma, sigma, fraction_of_sigma(sigma))


_CLEAN = Level(-1.0, 1.0, 0.0, 0.0)
