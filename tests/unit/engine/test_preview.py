"""Small pictures of an edit under way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import regiondrag_widget as rd
from regiondrag_widget.engine.denoise import EditStep
from regiondrag_widget.engine.preview import LatentColours
from tests.unit.engine_kit import box, box_pair, picture, tiny_pipeline


@pytest.fixture(scope="module")
def pipe() -> Any:
    return tiny_pipeline()


def steps_of(pipe: Any, size: tuple[int, int], **settings: Any) -> Any:
    return rd.ImageSession(pipe, picture(*size)).edit([box_pair(size)], **settings)


@pytest.mark.parametrize(
    ("size", "max_size", "expected"),
    [
        ((96, 128), 64, (48, 64)),
        ((96, 128), 384, (96, 128)),
        ((128, 96), 64, (64, 48)),
        ((100, 333), 50, (15, 50)),
        ((512, 512), 384, (384, 384)),
    ],
)
@pytest.mark.parametrize("content", ["pixels", "latents"])
def test_a_preview_has_the_pictures_shape_within_the_size_asked(
    pipe: Any, size: Any, max_size: int, expected: Any, content: str
):
    preview = next(steps_of(pipe, size, content=content)).preview(max_size)
    assert (preview.shape, preview.dtype) == ((*expected, 3), np.uint8)


def test_a_preview_is_at_most_384_px_unless_asked(pipe: Any):
    assert max(next(steps_of(pipe, (512, 700))).preview().shape) == 384


def test_a_preview_shows_the_picture_outside_the_edit(pipe: Any):
    pair = box_pair((96, 128))
    outside = ~(pair.handle | pair.target)
    for step in steps_of(pipe, (96, 128)):
        assert np.array_equal(step.preview(128)[outside], picture(96, 128)[outside])


def test_a_preview_shows_the_content_at_its_new_place(pipe: Any):
    given = np.full((96, 128, 3), 128, np.uint8)
    handle = box((96, 128), 8, 8, 32, 32)
    given[handle] = (230, 30, 30)
    session = rd.ImageSession(pipe, given)
    for step in session.edit([rd.RegionPair.move(handle, 60, 30)], matte="none", stop=0.0):
        assert np.abs(step.preview(128)[44:56, 74:86].astype(int) - (230, 30, 30)).max() < 12


def test_previews_of_one_step_are_the_same_at_every_call(pipe: Any):
    step = next(steps_of(pipe, (96, 128)))
    assert np.array_equal(step.preview(64), step.preview(64))


def test_a_preview_of_an_edit_in_a_window_shows_the_whole_picture(pipe: Any):
    given = picture(600, 800)
    session = rd.ImageSession(pipe, given)
    step = next(session.edit([rd.RegionPair.move(box((600, 800), 500, 400, 530, 430), 20, 0)]))
    preview = step.preview(800)
    assert preview.shape == (600, 800, 3)
    assert np.array_equal(preview[:300], given[:300])


def test_a_preview_may_be_asked_for_after_the_edit(pipe: Any):
    steps = list(steps_of(pipe, (96, 128)))
    assert steps[0].preview(64).shape == (48, 64, 3)


@pytest.mark.parametrize("max_size", [0, -5])
def test_a_preview_of_no_size_is_refused(pipe: Any, max_size: int):
    with pytest.raises(ValueError, match="max_size"):
        next(steps_of(pipe, (96, 128))).preview(max_size)


def test_bare_latents_say_how_to_look_at_them():
    step = EditStep(1, 1, 100, torch.zeros(4, 8, 8), torch.zeros(4, 8, 8))
    with pytest.raises(ValueError, match=r"decode step\.clean with the pipeline's vae"):
        step.preview()


# ---- latents as colours ----


def test_a_linear_relation_of_latents_and_colours_is_found():
    generator = torch.Generator().manual_seed(0)
    latents, weight = torch.randn(4, 16, 16, generator=generator), torch.randn(4, 3, generator=generator)
    pixels = torch.einsum("chw,cd->dhw", latents, weight) + 0.3
    colours = LatentColours(latents, pixels.repeat_interleave(8, 1).repeat_interleave(8, 2))
    assert torch.allclose(colours.weight, weight, atol=1e-2)


def test_no_difference_of_latents_is_no_difference_of_colour():
    colours = LatentColours(torch.randn(4, 8, 8), torch.rand(3, 64, 64))
    assert torch.equal(colours(torch.zeros(4, 8, 8)), torch.zeros(3, 8, 8))


def test_flat_latents_give_finite_colours():
    colours = LatentColours(torch.zeros(4, 8, 8), torch.zeros(3, 64, 64))
    assert bool(colours.weight.isfinite().all())
