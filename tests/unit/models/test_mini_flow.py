"""The bundled flow model: small, without text, edits along the known path and by position."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import regiondrag_widget as rd
from regiondrag_widget.models.mini_flow import FLOW_WEIGHTS, MiniFlowBackbone, load_mini_flow
from regiondrag_widget.models.profile import MINI_FLOW_PROFILE
from tests.unit.engine_kit import box

SIDE = 128
HANDLE = (16, 24, 56, 64)  # x0, y0, x1, y1


@pytest.fixture(scope="module")
def pipe() -> Any:
    return rd.load_pipeline("mini-flow", device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def duck() -> np.ndarray:
    """A part of a bundled photograph, of 16 x 16 cells."""
    image = rd.examples.load("rubber-duck").image.convert("RGB").resize((192, 192))
    return np.asarray(image)[40 : 40 + SIDE, 40 : 40 + SIDE]


def test_its_weights_take_at_most_3_megabytes_and_are_no_pickles():
    files = [file for file in FLOW_WEIGHTS.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 3e6
    assert {file.suffix for file in files} == {".json", ".safetensors"}


def test_it_is_loaded_by_its_name(pipe: Any):
    assert (pipe.name, type(pipe.backbone), pipe.profile) == (
        "mini-flow",
        MiniFlowBackbone,
        MINI_FLOW_PROFILE,
    )
    assert load_mini_flow(torch.bfloat16)["transformer"].dtype == torch.bfloat16


def test_missing_weights_are_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"the bundled flow model is missing from .*reinstall"):
        load_mini_flow(torch.float32, tmp_path)


def test_a_prompt_is_said_to_be_unused(pipe: Any):
    with pytest.warns(UserWarning, match="takes no text"):
        pipe.network("a duck")


def test_it_is_saved_and_loaded(pipe: Any, tmp_path: Path):
    pipe.save_pretrained(tmp_path)
    again = rd.RegionDragPipeline.from_pretrained(tmp_path, device="cpu", dtype="float32")
    assert type(again.backbone) is MiniFlowBackbone
    theirs = again.transformer.state_dict()
    assert all(torch.equal(theirs[name], value) for name, value in pipe.transformer.state_dict().items())


@pytest.mark.parametrize("content", ["pixels", "latents"])
def test_an_edit_that_moves_nothing_gives_the_picture_back(pipe: Any, duck: np.ndarray, content: str):
    pair = rd.RegionPair.move(box((SIDE, SIDE), *HANDLE), dx=0)
    found = rd.edit(duck, [pair], model=pipe, content=content, start=0.5, steps=6)
    assert np.abs(found.array[..., :3].astype(int) - duck).max() <= 1


def test_a_move_by_position_carries_the_content(pipe: Any, duck: np.ndarray):
    """From pure noise, nearer to the moved content than to what stood there, by 6 dB at least."""
    pair = rd.RegionPair.move(box((SIDE, SIDE), *HANDLE), dx=56)
    found = rd.edit(duck, [pair], model=pipe, content="positions", start=1.0, steps=4).array[..., :3]
    x0, y0, x1, y1 = HANDLE
    carried = error(found[y0:y1, x0 + 56 : x1 + 56], duck[y0:y1, x0:x1])
    assert carried < error(found[y0:y1, x0 + 56 : x1 + 56], duck[y0:y1, x0 + 56 : x1 + 56]) / 4
    assert np.array_equal(found[:, : x0 - 8], duck[:, : x0 - 8])


def test_what_no_reference_stands_for_is_filled_by_its_surroundings(pipe: Any):
    """The middle of a picture that gets darker to the right: half the error of its mean, at most."""
    ramp = np.linspace(220, 40, SIDE, dtype=np.float32)[None, :, None]
    picture = np.broadcast_to(ramp, (SIDE, SIDE, 3)).astype(np.uint8)
    place = box((SIDE, SIDE), 40, 40, 88, 88)
    found = rd.edit(
        picture, [rd.RegionPair.remove(place)], model=pipe, content="positions", start=0.5, steps=8
    )
    filled = found.array[40:88, 40:88, :3]
    assert error(filled, picture[40:88, 40:88]) < picture[40:88, 40:88].astype(float).var() / 2


def error(found: np.ndarray, wanted: np.ndarray) -> float:
    """Mean squared difference."""
    return float(np.square(found.astype(float) - wanted).mean())
