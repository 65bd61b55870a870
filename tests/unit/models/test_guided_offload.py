"""Guidance above 1 where hooks move the weights for every call: the edit is the usual one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import accelerate
import pytest
import torch
from accelerate.hooks import add_hook_to_module
from diffusers import DiffusionPipeline

import regiondrag_widget as rd
from tests.unit.engine_kit import box_pair, picture, processors_of, save_tiny_sd15
from tests.unit.models.families_kit import KITS
from tests.unit.models.test_placement import Parked

SHAPE = (64, 96)
CPU = torch.device("cpu")


def save_unet(folder: Path) -> Path:
    return save_tiny_sd15(folder, folder.parent / "words")


SAVED: dict[str, Callable[[Path], Path]] = {
    "sd15": save_unet,
    "sd3": KITS["sd3"].save,
    "flux2": KITS["flux2"].save,
}


@pytest.fixture(scope="module", params=SAVED)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SAVED[request.param](tmp_path_factory.mktemp(request.param) / "model")


def loaded(folder: Path) -> Any:
    return DiffusionPipeline.from_pretrained(folder)


def network_of(users: Any) -> Any:
    return users.components.get("unet") or users.transformer


def edited(users: Any) -> torch.Tensor:
    """The latents of an edit under guidance, which made the inversion of the next one needless."""
    pipe = rd.RegionDragPipeline.from_pipe(users)
    defaults = {**pipe.profile.defaults, "steps": 4, "start": 0.7}
    pipe.profile = replace(pipe.profile, side=96, min_side=96, defaults=defaults)
    session = rd.ImageSession(pipe, picture(*SHAPE), "a dog", guidance_scale=4.0, negative_prompt="a cat")
    last = list(session.edit([box_pair(SHAPE)]))[-1].latents
    calls = session._network.calls
    assert torch.allclose(list(session.edit([box_pair(SHAPE)]))[-1].latents, last, atol=1e-5)
    assert session._network.calls - calls == 2 * len(session.levels)
    return last


@pytest.fixture(scope="module")
def expected(folder: Path) -> torch.Tensor:
    return edited(loaded(folder))


def grouped(users: Any) -> None:
    for name in ("unet", "transformer", "vae", "text_encoder"):
        part = users.components.get(name)
        if hasattr(part, "enable_group_offload"):
            part.enable_group_offload(onload_device=CPU, offload_device=CPU, offload_type="leaf_level")


def whole(users: Any) -> None:
    """As `enable_model_cpu_offload` does, whose own hooks want a GPU."""
    add_hook_to_module(network_of(users), Parked())


def in_sequence(users: Any) -> None:
    accelerate.cpu_offload(network_of(users), execution_device=CPU)


@pytest.mark.parametrize("move", [grouped, whole, in_sequence])
def test_a_guided_edit_is_the_usual_one(folder: Path, expected: torch.Tensor, move: Callable[[Any], None]):
    users = loaded(folder)
    network = network_of(users)
    move(users)
    processors = processors_of(network)
    assert torch.allclose(edited(users), expected, atol=1e-4)
    assert all(network.attn_processors[name] is one for name, one in processors.items())


def test_weights_kept_in_eight_bits_lose_some_digits(folder: Path, expected: torch.Tensor):
    users = loaded(folder)
    network_of(users).enable_layerwise_casting(torch.float8_e4m3fn, torch.float32)
    assert 0 < float((edited(users) - expected).norm() / expected.norm()) < 0.5
