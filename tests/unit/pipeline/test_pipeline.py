"""The diffusers face: one call, its outputs, its draws, its callback, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

import regiondrag_widget as rd
from tests.unit.engine_kit import (
    TEXT_WIDTH,
    box_pair,
    picture,
    tiny_embeds,
    tiny_pipeline,
    tiny_scheduler,
    tiny_unet,
    tiny_vae,
)

SHAPE = (96, 128)
CELLS = rd.Correspondence([[2, 3], [3, 3]], [[9, 9], [10, 9]])
LATENTS = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def pipe() -> rd.RegionDragPipeline:
    return tiny_pipeline()


def edit_picture(pipe: Any, **options: Any) -> Any:
    return pipe(picture(*SHAPE), [box_pair(SHAPE)], **options)


def edit_latents(pipe: Any, **options: Any) -> Any:
    return pipe(**{"latents": LATENTS, "correspondence": CELLS, "output_type": "latent", **options})


def eight_bits(values: np.ndarray) -> np.ndarray:
    """Values in [0, 1] as a picture has them."""
    return (values * 255).round().astype(np.uint8)


# ---- outputs ----


def test_pillow_images_come_by_default(pipe: Any):
    images = edit_picture(pipe).images
    assert isinstance(images, list)
    assert isinstance(images[0], Image.Image)
    assert images[0].size == (128, 96)


def test_an_array_runs_from_0_to_1_as_in_diffusers(pipe: Any):
    out = edit_picture(pipe, output_type="np")
    assert (out.images.shape, out.images.dtype) == ((1, *SHAPE, 3), np.float32)
    assert np.array_equal(eight_bits(out.images[0]), out.result.array)
    decoded = edit_latents(pipe, output_type="np").images
    assert (decoded.dtype, decoded.min() >= 0, decoded.max() <= 1) == (np.float32, True, True)


def test_a_tensor_runs_from_0_to_1(pipe: Any):
    images = edit_picture(pipe, output_type="pt").images
    assert (tuple(images.shape), images.dtype) == ((1, 3, *SHAPE), torch.float32)
    assert float(images.min()) >= 0
    assert 0.5 < float(images.max()) <= 1


def test_latents_come_as_the_network_has_them(pipe: Any):
    images = edit_picture(pipe, output_type="latent").images
    assert (images.ndim, images.shape[:2], images.dtype) == (4, (1, 4), torch.float32)


@pytest.mark.parametrize(("output_type", "shape"), [("np", (1, 128, 128, 3)), ("pt", (1, 3, 128, 128))])
def test_bare_latents_are_decoded_when_asked(pipe: Any, output_type: str, shape: tuple[int, ...]):
    assert tuple(edit_latents(pipe, output_type=output_type).images.shape) == shape


def test_bare_latents_as_pillow_images(pipe: Any):
    (image,) = edit_latents(pipe, output_type="pil").images
    assert image.size == (128, 128)
    assert np.array_equal(np.asarray(image), eight_bits(edit_latents(pipe, output_type="np").images[0]))


def test_the_formats_agree(pipe: Any):
    array = eight_bits(edit_picture(pipe, output_type="np").images[0])
    assert np.array_equal(np.asarray(edit_picture(pipe).images[0]), array)
    tensor = edit_picture(pipe, output_type="pt").images[0]
    assert np.array_equal((tensor.permute(1, 2, 0) * 255).round().byte().numpy(), array)


def test_a_tuple_comes_when_no_dict_is_wanted(pipe: Any):
    out = edit_picture(pipe, return_dict=False)
    assert isinstance(out, tuple)
    assert isinstance(out[0][0], Image.Image)


def test_the_output_holds_the_whole_result(pipe: Any):
    out = edit_picture(pipe)
    assert isinstance(out.result, rd.EditResult)
    assert out.images[0] is out.result.image


def test_the_call_and_a_session_make_the_same_edit(pipe: Any):
    session = rd.ImageSession(pipe, picture(*SHAPE), seed=4)
    for _ in session.edit([box_pair(SHAPE)], stop=0.3):
        pass
    out = edit_picture(pipe, seed=4, stop=0.3)
    assert np.array_equal(out.result.array, session.result.array)


def test_an_edit_in_one_call_is_the_same_edit_too(pipe: Any):
    result = rd.edit(picture(*SHAPE), [box_pair(SHAPE)], model=pipe, seed=4, stop=0.3)
    assert np.array_equal(result.array, edit_picture(pipe, seed=4, stop=0.3).result.array)


# ---- draws ----


def test_a_list_of_one_generator_is_that_generator(pipe: Any):
    alone, listed = torch.Generator().manual_seed(5), torch.Generator().manual_seed(5)
    assert torch.equal(
        edit_latents(pipe, generator=alone).images, edit_latents(pipe, generator=[listed]).images
    )


@pytest.mark.parametrize(
    ("generator", "error", "words"),
    [
        (
            [torch.Generator(), torch.Generator()],
            ValueError,
            "takes as many generators, one for each picture, got 2",
        ),
        ([], ValueError, "got 0"),
        (7, TypeError, "generator must be a torch.Generator, got int"),
    ],
)
def test_other_generators_are_refused(pipe: Any, generator: Any, error: type[Exception], words: str):
    with pytest.raises(error, match=words):
        edit_latents(pipe, generator=generator)


@pytest.mark.parametrize(
    ("keyword", "words"),
    [
        ("control_image", "an edit has no ControlNet"),
        ("sed", "Did you mean 'seed'"),
    ],
)
def test_what_diffusers_takes_and_an_edit_does_not_is_explained(pipe: Any, keyword: str, words: str):
    with pytest.raises(TypeError, match=words):
        edit_latents(pipe, **{keyword: 1})


def test_a_generator_makes_an_edit_reproducible(pipe: Any):
    runs = [edit_latents(pipe, generator=torch.Generator().manual_seed(s)).images for s in (5, 5, 6)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_a_generator_goes_on_from_call_to_call(pipe: Any):
    generator = torch.Generator().manual_seed(5)
    assert not torch.equal(
        edit_latents(pipe, generator=generator).images, edit_latents(pipe, generator=generator).images
    )


def test_a_generator_makes_the_edit_of_a_picture_reproducible(pipe: Any):
    runs = [
        edit_picture(pipe, generator=torch.Generator().manual_seed(s), output_type="latent").images
        for s in (5, 5, 6)
    ]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_the_global_state_of_random_numbers_plays_no_part(pipe: Any):
    torch.manual_seed(1)
    first = edit_latents(pipe, handle_noise_scale=0.5, vacated="noise").images
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert torch.equal(edit_latents(pipe, handle_noise_scale=0.5, vacated="noise").images, first)
    assert torch.equal(torch.get_rng_state(), state)


# ---- callback ----


@pytest.mark.parametrize("edit", [edit_latents, edit_picture])
def test_the_callback_is_told_pipe_index_timestep_and_tensors(pipe: Any, edit: Any):
    seen: list[tuple[Any, int, int, dict[str, Tensor]]] = []
    edit(pipe, callback_on_step_end=lambda *given: seen.append(given))
    assert [index for _, index, _, _ in seen] == [0, 1, 2]
    assert all(given[0] is pipe for given in seen)
    assert [t for _, _, t, _ in seen] == [499, 332, 166]
    assert all(set(given[3]) == {"latents"} for given in seen)
    assert all(given[3]["latents"].shape[:2] == (1, 4) for given in seen)


def test_the_callback_gets_the_tensors_it_asks_for(pipe: Any):
    seen: list[set[str]] = []
    edit_latents(
        pipe,
        callback_on_step_end=lambda *given: seen.append(set(given[3])),
        callback_on_step_end_tensor_inputs=["pred_original_sample", "latents"],
    )
    assert seen == [{"pred_original_sample", "latents"}] * 3


@pytest.mark.parametrize("edit", [edit_latents, edit_picture])
def test_latents_the_callback_returns_replace_the_edits(pipe: Any, edit: Any):
    def doubled(_: Any, index: int, __: int, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"latents": tensors["latents"] * 2} if index == 1 else {}

    plain = edit(pipe, output_type="latent").images
    changed = edit(pipe, output_type="latent", callback_on_step_end=doubled).images
    assert not torch.allclose(changed, plain, atol=1e-3)


@pytest.mark.parametrize("edit", [edit_latents, edit_picture])
def test_latents_the_callback_returns_last_are_the_result(pipe: Any, edit: Any):
    def seven(_: Any, index: int, __: int, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"latents": torch.full_like(tensors["latents"], 7.0)} if index == 2 else tensors

    assert float(edit(pipe, output_type="latent", callback_on_step_end=seven).images.min()) == 7.0


@pytest.mark.parametrize("edit", [edit_latents, edit_picture])
def test_a_callback_that_returns_what_it_got_changes_nothing(pipe: Any, edit: Any):
    same = edit(pipe, output_type="latent", callback_on_step_end=lambda *given: given[3]).images
    assert torch.equal(same, edit(pipe, output_type="latent").images)


@pytest.mark.parametrize("edit", [edit_latents, edit_picture])
def test_interrupting_stops_after_the_step(pipe: Any, edit: Any):
    seen: list[int] = []

    def interrupting(pipe: Any, index: int, *_: Any) -> None:
        seen.append(index)
        pipe.interrupt = index >= 1

    edit(pipe, callback_on_step_end=interrupting)
    assert seen == [0, 1]


def test_an_interrupted_edit_of_a_picture_has_no_result(pipe: Any):
    def interrupting(pipe: Any, *_: Any) -> None:
        pipe.interrupt = True

    out = edit_picture(pipe, callback_on_step_end=interrupting)
    assert out.result is None


def test_a_call_after_an_interrupted_one_runs_to_its_end(pipe: Any):
    def interrupting(pipe: Any, *_: Any) -> None:
        pipe.interrupt = True

    edit_latents(pipe, callback_on_step_end=interrupting)
    seen: list[int] = []
    edit_latents(pipe, callback_on_step_end=lambda *given: seen.append(given[1]))
    assert seen == [0, 1, 2]


# ---- the door ----


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "give a picture and region pairs"),
        (
            {"image": picture(64, 64), "pairs": [], "correspondence": CELLS},
            "region pairs or a correspondence, not both",
        ),
        ({"image": picture(64, 64), "correspondence": CELLS}, "outside the latent grid"),
        ({"latents": LATENTS}, "latents need a correspondence"),
        ({"latents": LATENTS, "correspondence": CELLS, "image": picture(64, 64)}, "not both"),
        ({"latents": LATENTS[0], "correspondence": CELLS}, r"latents must be \(1, C, h, w\)"),
        ({"latents": LATENTS.repeat(2, 1, 1, 1), "correspondence": CELLS}, "one picture at a time"),
        ({"latents": LATENTS[:, :3], "correspondence": CELLS}, "latents must have 4 channels"),
        (
            {"latents": LATENTS, "correspondence": CELLS, "output_type": "jpeg"},
            "output_type must be pil, np, pt or latent",
        ),
        (
            {"latents": LATENTS, "correspondence": CELLS, "preset": "paper"},
            "preset must be one of default, released",
        ),
        ({"latents": LATENTS, "correspondence": CELLS, "stop": -1}, "stop must be a number from 0 to 1"),
        ({"latents": LATENTS, "correspondence": CELLS, "seed": -1}, "seed must be a whole number"),
        ({"latents": LATENTS, "correspondence": CELLS, "steps": 0}, "steps must be"),
        (
            {"latents": LATENTS, "correspondence": CELLS, "callback_on_step_end_tensor_inputs": ["noise"]},
            "callback_on_step_end_tensor_inputs knows",
        ),
        (
            {"latents": LATENTS, "correspondence": CELLS, "prompt_embeds": torch.zeros(1, 5, 3)},
            rf"prompt_embeds must be \(1, tokens, {TEXT_WIDTH}\)",
        ),
        (  # as diffusers stacks a negative prompt's and a prompt's: the first is not what was meant
            {"latents": LATENTS, "correspondence": CELLS, "prompt_embeds": torch.zeros(2, 5, TEXT_WIDTH)},
            rf"prompt_embeds must be \(1, tokens, {TEXT_WIDTH}\)",
        ),
        (
            {"latents": LATENTS, "correspondence": CELLS, "path_noise": torch.zeros(1, 4, 16, 16)},
            r"path_noise must have shape \(3, 4, 16, 16\)",
        ),
        ({"image": picture(64, 64), "pairs": [], "copy_until": 200}, "go with latents, not with a picture"),
    ],
)
def test_a_call_that_does_not_fit_is_refused(pipe: Any, given: dict[str, Any], message: str):
    with pytest.raises((ValueError, TypeError), match=message):
        pipe(**given)


def test_a_pipeline_without_a_text_encoder_asks_for_embeddings():
    bare = rd.RegionDragPipeline(tiny_vae(), tiny_unet(), tiny_scheduler())
    with pytest.raises(ValueError, match="no text encoder: pass prompt_embeds"):
        edit_latents(bare)


def test_a_prediction_type_nobody_knows_is_refused():
    scheduler = tiny_scheduler()
    scheduler.register_to_config(prediction_type="flow")
    with pytest.raises(ValueError, match="prediction_type 'flow' is not one of"):
        rd.RegionDragPipeline(tiny_vae(), tiny_unet(), scheduler)


def test_the_embeddings_of_the_tests_are_fixed():
    assert torch.equal(tiny_embeds(), tiny_embeds())


def test_a_correspondence_of_cells_edits_a_picture(pipe: Any):
    given = picture(*SHAPE)
    result = pipe(given, correspondence=CELLS, seed=3).result
    (pair,) = result.pairs
    changed = (np.asarray(result.image) != np.asarray(given)).any(axis=2)
    assert changed.any()
    assert not changed[~(pair.handle | pair.target)].any()
