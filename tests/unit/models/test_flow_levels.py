"""The levels of a flow, chosen by signal-to-noise ratio."""

from __future__ import annotations

import pytest
from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler

from regiondrag_widget.models.flow_levels import (
    FlowSchedule,
    even_sigmas,
    flow_levels,
    fraction_of_sigma,
    sigma_of_fraction,
    timestep_levels,
)


def test_timestep_550_of_stable_diffusion_is_sigma_two_thirds():
    assert sigma_of_fraction(0.551) == pytest.approx(0.66, abs=0.005)


def test_the_noise_is_that_of_stable_diffusion():
    config = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    alphas = DDIMScheduler(**config).alphas_cumprod
    for t in (0, 99, 499, 899):
        sigma = sigma_of_fraction((t + 1) / 1000)
        ratio = (float(alphas[t]) / (1 - float(alphas[t]))) ** 0.5
        assert (1 - sigma) / sigma == pytest.approx(ratio, rel=1e-4)


@pytest.mark.parametrize("fraction", [0.0, 0.2, 0.5, 0.93, 1.0])
def test_fractions_and_sigmas_are_each_others_inverse(fraction: float):
    assert fraction_of_sigma(sigma_of_fraction(fraction)) == pytest.approx(fraction, abs=1e-9)


def test_levels_go_up_to_the_sigma_nearest_the_start():
    levels = flow_levels([0.9, 0.66, 0.4, 0.2], 0.55)
    assert [round(level.noise, 2) for level in levels.all] == [0, 0.2, 0.4, 0.66]
    assert levels.timesteps == pytest.approx((-1, 200, 400, 660))
    assert len(flow_levels([0.9, 0.8], 0.1)) == 1  # one at least


def test_a_schedules_shift_and_terminal_are_its_own():
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    schedule = FlowSchedule(scheduler, "a flow")
    assert schedule.sigmas(4, given=even_sigmas(4)) == pytest.approx([1, 0.9, 0.75, 0.5])
    assert len(scheduler.timesteps) == 1000  # untouched


def test_a_dynamic_shift_depends_on_the_size():
    schedule = FlowSchedule(FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), "a flow")
    small, large = (schedule.sigmas(4, mu, even_sigmas(4)) for mu in (0.5, 1.15))
    assert all(a <= b for a, b in zip(small, large, strict=True))
    assert small != large


def test_levels_may_be_given_by_timestep():
    assert timestep_levels([250, 500.5]).timesteps == pytest.approx((-1, 250, 500.5))
    for wrong in ([0], [500, 250], [1001]):
        with pytest.raises(ValueError, match="levels"):
            timestep_levels(wrong)


def test_another_schedule_is_refused():
    with pytest.raises(ValueError, match="DDIMScheduler is not a schedule of FLUX"):
        FlowSchedule(DDIMScheduler(), "FLUX")
    with pytest.raises(ValueError, match="invert_sigmas"):
        FlowSchedule(FlowMatchEulerDiscreteScheduler(invert_sigmas=True), "FLUX")
