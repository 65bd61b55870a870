"""Networks trained on EDM's schedule: their clean latents are those that diffusers' scheduler finds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import EDMDPMSolverMultistepScheduler, EDMEulerScheduler

import regiondrag_widget as rd
from regiondrag_widget.models.edm import EDMBackbone
from regiondrag_widget.models.flow_levels import sigma_of_fraction
from regiondrag_widget.models.levels import clean_and_noise
from tests.unit.engine_kit import box_pair, picture, tiny_embeds, tiny_pipeline, tiny_unet, tiny_vae

SHAPE = (96, 128)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
@torch.inference_mode()
def test_the_prediction_is_that_of_diffusers(kind: str):
    scheduler = EDMEulerScheduler(prediction_type=kind)
    backbone = EDMBackbone(tiny_vae(), tiny_unet(), scheduler)
    levels = backbone.levels(6, 0.5)
    level = levels.at(3)
    sigma = torch.tensor(0.5 * level.noise / level.signal)
    assert level.timestep == pytest.approx(float(scheduler.precondition_noise(sigma)))
    clean, noise = torch.randn(1, 4, 16, 16), torch.randn(1, 4, 16, 16)
    noised = 0.5 * clean + sigma * noise  # as EDM has it, of clean latents of its own deviation
    embeds, t = tiny_embeds(), torch.tensor([level.timestep])
    read = scheduler.precondition_inputs(noised, sigma)
    out = backbone.unet(read, t, encoder_hidden_states=embeds, return_dict=False)[0]
    theirs = scheduler.precondition_outputs(noised, out, sigma) / 0.5
    ours = level.signal * clean + level.noise * noise
    assert torch.allclose(ours, read, atol=1e-5)
    network = backbone.network(backbone.condition(embeds))
    found, _ = clean_and_noise(ours, network.predict(ours, t), level, network.prediction_type)
    assert torch.allclose(found, theirs, atol=1e-4)


def test_levels_are_chosen_by_the_noise_that_stable_diffusion_has():
    levels = EDMBackbone(tiny_vae(), tiny_unet(), EDMEulerScheduler()).levels(20, 0.5)
    assert len(levels) == 10
    mixed = sigma_of_fraction(0.5)
    assert levels.at(10).noise / levels.at(10).signal == pytest.approx(mixed / (1 - mixed))
    assert all(math.isclose(v.signal**2 + v.noise**2, 1.0) for v in levels.all)


@pytest.mark.parametrize("scheduler", [EDMEulerScheduler(), EDMDPMSolverMultistepScheduler()])
def test_a_pipeline_edits_and_an_edit_that_changes_nothing_is_exact(scheduler: Any):
    pipe = tiny_pipeline()
    pipe.scheduler = scheduler
    session = rd.ImageSession(pipe, picture(*SHAPE), "a dog")
    for step in session.edit([rd.RegionPair.move(box_pair(SHAPE).handle, 0, 0)], content="latents"):
        last = step.latents
    assert torch.allclose(last, session.inversion().latents[0], atol=1e-4)
    list(session.edit([box_pair(SHAPE)]))
    assert np.isfinite(session.result.array).all()
    assert session.result.settings["levels"] == list(session.levels.timesteps[1:])  # also those below 0
    with pytest.raises(ValueError, match="this model was trained on EDM's"):
        rd.ImageSession(pipe, picture(*SHAPE), preset="released")


@torch.inference_mode()
def test_latents_with_a_mean_and_a_deviation_go_there_and_back():
    told = {"latents_mean": [0.5, -0.5, 0.1, 0.0], "latents_std": [2.0, 0.5, 1.0, 4.0]}
    scheduler = EDMEulerScheduler()
    plain = EDMBackbone(tiny_vae(), tiny_unet(), scheduler)
    told_so = EDMBackbone(tiny_vae(**told), tiny_unet(), scheduler)
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    factor = plain.vae.config.scaling_factor
    mean, deviation = (torch.tensor(v).view(1, 4, 1, 1) for v in told.values())
    raw = plain.encode(x) * 0.5 / factor
    assert torch.allclose(told_so.encode(x) * 0.5, (raw - mean) * factor / deviation, atol=1e-5)
    assert torch.allclose(told_so.decode(told_so.encode(x)), plain.decode(plain.encode(x)), atol=1e-4)
