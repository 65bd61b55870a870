"""Tensors of another kind, shape or content than an edit needs are refused in words, by their names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import regiondrag_widget as rd
from tests.unit.engine_kit import TEXT_WIDTH, box_pair, picture, tiny_embeds, tiny_pipeline

SHAPE = (96, 128)
CELLS = rd.Correspondence([[2, 3]], [[9, 9]])
LATENTS = torch.zeros(1, 4, 16, 16)
NAN = float("nan")


@pytest.fixture(scope="module")
def pipe() -> rd.RegionDragPipeline:
    made = tiny_pipeline()
    made.set_progress_bar_config(disable=True)
    return made


def edit_latents(pipe: Any, **options: Any) -> Any:
    given = {"latents": LATENTS, "correspondence": CELLS, **options}
    return pipe(output_type="latent", steps=4, **given).images


def edit_picture(pipe: Any, **options: Any) -> Any:
    return pipe(picture(*SHAPE), [box_pair(SHAPE)], steps=4, **options)


@pytest.mark.parametrize("name", ["latents", "path_noise", "handle_noise", "prompt_embeds"])
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda t: t.numpy(), TypeError, "must be a torch.Tensor, got ndarray: torch.as_tensor makes one"),
        (lambda t: t.long(), TypeError, "must hold floating point numbers, got torch.int64"),
        (lambda t: t * NAN, ValueError, "holds values that are not numbers"),
        (lambda t: t.to("meta"), ValueError, "has no values: it is on torch's meta device"),
        (lambda t: t[:, :0], ValueError, "is empty: its shape is"),
    ],
    ids=["numpy", "whole", "nan", "meta", "empty"],
)
def test_what_is_no_tensor_of_numbers_is_refused(
    pipe: Any, name: str, change: Any, error: type[Exception], words: str
):
    fitting = {
        "latents": LATENTS,
        "path_noise": torch.zeros(2, 4, 16, 16),
        "handle_noise": torch.zeros(4, 1),
        "prompt_embeds": tiny_embeds(),
    }
    with pytest.raises(error, match=f"^{name} {words}"):
        edit_latents(pipe, **{name: change(fitting[name])})


def test_half_precision_is_taken(pipe: Any):
    assert bool(
        edit_latents(pipe, latents=LATENTS.half(), prompt_embeds=tiny_embeds().half()).isfinite().all()
    )


def test_the_path_noise_of_a_picture_is_checked_too(pipe: Any):
    with pytest.raises(ValueError, match=r"^path_noise holds values that are not numbers"):
        edit_picture(pipe, path_noise=torch.full((2, 4, 12, 16), NAN))


def test_negative_embeds_are_named(pipe: Any):
    with pytest.raises(ValueError, match=rf"^negative_prompt_embeds must be \(1, tokens, {TEXT_WIDTH}\)"):
        edit_latents(pipe, guidance_scale=3.0, negative_prompt_embeds=torch.zeros(1, 5, TEXT_WIDTH + 1))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"correspondence": [[0, 0]]}, "correspondence must be an rd.Correspondence"),
        ({"editable": "all"}, "editable must be a mask of the latents' cells, got 'all'"),
        ({"levels": "all"}, "levels must be a list of timesteps, got 'all'"),
        ({"levels": [None]}, r"levels must be a list of timesteps, got \[None\]"),
        ({"callback_on_step_end": 5}, "callback_on_step_end must be a function, got int"),
    ],
)
def test_what_is_of_another_type_is_refused(pipe: Any, options: dict[str, Any], words: str):
    with pytest.raises(TypeError, match=words):
        edit_latents(pipe, **options)


@pytest.mark.parametrize("edit", [edit_latents, edit_picture])
@pytest.mark.parametrize(
    ("returned", "error", "words"),
    [
        ([1], TypeError, "must return a dict of tensors or None, got list"),
        ({"latents": torch.zeros(1, 4, 3, 3)}, ValueError, r"must be \(1, 4, 1\d, 16\), got \(1, 4, 3, 3\)"),
        (
            {"latents": np.zeros((1, 4, 3, 3))},
            TypeError,
            "callback_on_step_end returns must be a torch.Tensor",
        ),
    ],
)
def test_what_a_callback_returns_is_checked(
    pipe: Any, edit: Any, returned: Any, error: type[Exception], words: str
):
    with pytest.raises(error, match=words):
        edit(pipe, callback_on_step_end=lambda *_: returned)


def test_a_callback_is_told_a_timestep_as_diffusers_tells_it(pipe: Any):
    """A tensor of no dimension: code for diffusers' pipelines asks it for .item() and .dtype."""
    seen: list[Any] = []
    edit_latents(pipe, callback_on_step_end=lambda *given: seen.append(given[2]))
    assert all(isinstance(t, torch.Tensor) and t.ndim == 0 and t.dtype == torch.int64 for t in seen)
    assert [t.item() for t in seen] == [499, 249]
