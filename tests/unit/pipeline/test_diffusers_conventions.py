"""What people know from diffusers' pipelines works here too: guidance, several pictures, names, the bar."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

import regiondrag_widget as rd
from regiondrag_widget.models.guidance import GuidedNetwork
from tests.unit.engine_kit import (
    TEXT_WIDTH,
    box_pair,
    counted,
    picture,
    processors_of,
    tiny_embeds,
    tiny_pipeline,
    tiny_scheduler,
    tiny_text_encoder,
    tiny_unet,
    tiny_vae,
)
from tests.unit.pipeline.test_users_pipeline import users_pipeline

SHAPE = (96, 128)
CELLS = rd.Correspondence([[2, 3], [3, 3]], [[9, 9], [10, 9]])
LATENTS = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> StableDiffusionPipeline:
    return users_pipeline(tmp_path_factory.mktemp("words"), torch.float32)


@pytest.fixture(scope="module")
def pipe(users: StableDiffusionPipeline) -> rd.RegionDragPipeline:
    made = rd.RegionDragPipeline.from_pipe(users)
    made.set_progress_bar_config(disable=True)
    return made


def edit_latents(pipe: Any, **options: Any) -> Any:
    return pipe(latents=LATENTS, correspondence=CELLS, output_type="latent", steps=4, **options).images


def edit_picture(pipe: Any, **options: Any) -> Any:
    return pipe(picture(*SHAPE), [box_pair(SHAPE)], steps=4, **options)


# ---- guidance ----


@torch.inference_mode()
def test_a_guided_prediction_is_that_of_diffusers(pipe: Any, users: Any):
    """u + g (p - u), with the embeds as StableDiffusionPipeline makes them."""
    prompted, negative = users.encode_prompt("a dog", "cpu", 1, True, "a cat")
    x, t = torch.randn(1, 4, 16, 16), torch.tensor([300])
    u, p = users.unet(
        torch.cat([x, x]), t, encoder_hidden_states=torch.cat([negative, prompted]), return_dict=False
    )[0].chunk(2)
    network = pipe.model.network("a dog", guidance_scale=7.5, negative_prompt="a cat")
    assert torch.allclose(network.predict(x, t), u + 7.5 * (p - u), atol=1e-5)
    assert network.calls == 2


@pytest.mark.parametrize("swap", [True, False, lambda name: name.startswith("up"), "gathered"])
def test_an_edit_that_changes_nothing_gives_the_picture_back_at_any_guidance(pipe: Any, swap: Any):
    session = rd.ImageSession(pipe, picture(*SHAPE), "a dog", 4, guidance_scale=7.5, negative_prompt="x")
    pair = rd.RegionPair.move(box_pair(SHAPE).handle, 0, 0)
    for step in session.edit([pair], content="latents", attention_swap=swap, vacated="keep"):
        last = step.latents
    assert torch.allclose(last, session.inversion().latents[0], atol=1e-4)


@pytest.mark.parametrize("keeping", ["host", "recompute"])
def test_a_guided_edit_is_the_same_wherever_keys_and_values_are_kept(pipe: Any, keeping: str):
    def edited(kept: str) -> np.ndarray:
        session = rd.ImageSession(
            pipe, picture(*SHAPE), "a dog", 4, guidance_scale=5, negative_prompt="a cat", keys_values=kept
        )
        list(session.edit([box_pair(SHAPE)]))
        return session.result.array.astype(int)

    assert np.abs(edited(keeping) - edited("auto")).max() <= 1


def test_guidance_and_a_negative_prompt_change_the_edit(pipe: Any):
    plain, guided, other = (
        edit_latents(pipe, prompt="a dog", **more)
        for more in ({}, {"guidance_scale": 4.0}, {"guidance_scale": 4.0, "negative_prompt": "a cat"})
    )
    assert not torch.allclose(plain, guided, atol=1e-3)
    assert not torch.allclose(guided, other, atol=1e-3)


def test_guidance_costs_twice_the_calls_and_the_memory(pipe: Any):
    sizes = {}
    for scale, calls in ((1.0, 1), (3.0, 2)):
        session = rd.ImageSession(pipe, picture(*SHAPE), "a dog", 4, guidance_scale=scale)
        session.prepare()
        sizes[scale] = session.inversion().cache.nbytes
        with counted(pipe) as counts:
            list(session.edit([box_pair(SHAPE)]))
        assert counts["unet"] == calls * len(session.levels)
    assert sizes[3.0] == 2 * sizes[1.0]


def test_processors_are_the_users_own_after_a_guided_edit_and_after_an_exception_in_one(
    pipe: Any, users: Any
):
    before = processors_of(users.unet)
    edit_picture(pipe, prompt="a dog", guidance_scale=3.0)
    hook = users.unet.mid_block.register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        edit_picture(pipe, prompt="a dog", guidance_scale=3.0)
    hook.remove()
    assert all(processors_of(users.unet)[name] is p for name, p in before.items())


def test_a_result_says_its_guidance(pipe: Any):
    settings = edit_picture(pipe, prompt="a dog", guidance_scale=3, negative_prompt="a cat").result.settings
    assert (settings["guidance_scale"], settings["negative_prompt"]) == (3.0, "a cat")
    assert edit_picture(pipe).result.settings["guidance_scale"] == 1.0


def test_embeds_stand_for_a_negative_prompt(pipe: Any):
    said = edit_latents(pipe, prompt="a dog", guidance_scale=3.0, negative_prompt="a cat")
    embeds = pipe.model.encode_prompt("a cat").embeds
    given = edit_latents(pipe, prompt="a dog", guidance_scale=3.0, negative_prompt_embeds=embeds)
    assert torch.equal(given, said)


def test_a_negative_prompt_without_guidance_warns(pipe: Any):
    with pytest.warns(UserWarning, match="counts where guidance_scale is above 1"):
        edit_latents(pipe, negative_prompt="a cat")


@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_guidance_up_to_1_is_the_prompt_alone(pipe: Any, scale: float):
    assert not isinstance(pipe.model.network("a dog", guidance_scale=scale), GuidedNetwork)


@pytest.mark.parametrize("scale", [-1, 31, float("nan"), "7"])
def test_another_guidance_is_refused(pipe: Any, scale: Any):
    with pytest.raises((ValueError, TypeError), match="guidance_scale must be a number from 0 to 30"):
        edit_picture(pipe, guidance_scale=scale)


@torch.inference_mode()
def test_a_network_distilled_for_guidance_is_told_it():
    """As diffusers tells it: w is one below the scale."""
    unet = tiny_unet(time_cond_proj_dim=8)
    lcm = rd.RegionDragPipeline(tiny_vae(), unet, tiny_scheduler())
    x, t, embeds = torch.randn(1, 4, 16, 16), torch.tensor([300]), tiny_embeds()
    w = StableDiffusionPipeline.get_guidance_scale_embedding(None, torch.tensor([6.0]), embedding_dim=8)
    theirs = unet(x, t, encoder_hidden_states=embeds, timestep_cond=w, return_dict=False)[0]
    network = lcm.model.network(prompt_embeds=embeds, guidance_scale=7.0)
    assert torch.allclose(network.predict(x, t), theirs, atol=1e-5)
    assert lcm.edit_defaults["guidance_scale"] == 3.0


def test_an_empty_negative_prompt_is_zeros_for_sdxl(tmp_path: Path):
    from tests.unit.engine_kit import tiny_tokenizer

    tokenizer = tiny_tokenizer(tmp_path)
    unet = tiny_unet(
        cross_attention_dim=2 * TEXT_WIDTH,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + TEXT_WIDTH,
    )
    encoders = (tiny_text_encoder(), tokenizer, tiny_text_encoder(5, projection=True), tokenizer)
    sdxl = rd.RegionDragPipeline(tiny_vae(), unet, tiny_scheduler(), *encoders)
    empty = sdxl.model.network("a dog", guidance_scale=3.0).negative.condition
    assert not empty.embeds.any()
    assert not empty.added["text_embeds"].any()
    assert empty.added["time_ids"].any()
    said = sdxl.model.network("a dog", guidance_scale=3.0, negative_prompt="a cat").negative.condition
    assert said.embeds.any()


def test_the_bundled_model_has_no_use_for_guidance():
    mini = rd.load_pipeline("mini", device="cpu")
    assert not isinstance(mini.model.network(guidance_scale=7.0), GuidedNetwork)


# ---- several pictures ----


def test_several_pictures_are_encoded_once_and_inverted_once_each(pipe: Any):
    image, pairs = picture(*SHAPE, seed=7), [box_pair(SHAPE)]  # not encoded by another test
    with counted(pipe) as counts:
        out = pipe(image, pairs, steps=4, num_images_per_prompt=3, seed=[5, 6, 9], content="latents")
    assert counts["encode"] == 1
    assert counts["unet"] == 3 * (1 + 2)  # the inversion in one call, and the levels of the edit
    assert [r.seed for r in out.results] == [5, 6, 9]
    for made, seed in zip(out.images, (5, 6, 9), strict=True):
        alone = pipe(image, pairs, steps=4, seed=seed, content="latents")
        assert np.array_equal(np.asarray(made), alone.result.array)


@pytest.mark.parametrize(("kind", "shape"), [("np", (2, *SHAPE, 3)), ("pt", (2, 3, *SHAPE))])
def test_several_pictures_come_as_one_batch(pipe: Any, kind: str, shape: tuple[int, ...]):
    assert tuple(edit_picture(pipe, num_images_per_prompt=2, output_type=kind).images.shape) == shape


def test_seeds_count_on_from_the_first(pipe: Any):
    assert [r.seed for r in edit_picture(pipe, seed=3, num_images_per_prompt=2).results] == [3, 4]


def test_bare_latents_are_edited_once_for_each_seed(pipe: Any):
    both = edit_latents(pipe, num_images_per_prompt=2, seed=8)
    assert torch.equal(both, torch.cat([edit_latents(pipe, seed=8), edit_latents(pipe, seed=9)]))


def test_generators_are_one_for_each_picture_or_one_for_all(pipe: Any):
    def generators() -> list[torch.Generator]:
        return [torch.Generator().manual_seed(s) for s in (1, 2)]

    listed = edit_latents(pipe, num_images_per_prompt=2, generator=generators())
    alone = torch.cat([edit_latents(pipe, generator=g) for g in generators()])
    assert torch.equal(listed, alone)
    one = edit_latents(pipe, num_images_per_prompt=2, generator=torch.Generator().manual_seed(1))
    assert torch.equal(one[:1], listed[:1])
    assert not torch.equal(one[:1], one[1:])


@pytest.mark.parametrize("count", [0, -1, 2.5, "2"])
def test_another_number_of_pictures_is_refused(pipe: Any, count: Any):
    with pytest.raises(ValueError, match="num_images_per_prompt must be a whole number from 1"):
        edit_latents(pipe, num_images_per_prompt=count)


def test_seeds_and_pictures_that_disagree_are_refused(pipe: Any):
    with pytest.raises(ValueError, match="2 seeds are given for 3 pictures"):
        edit_latents(pipe, num_images_per_prompt=3, seed=[1, 2])


def test_a_session_edits_with_any_seed(pipe: Any):
    session = rd.ImageSession(pipe, picture(*SHAPE), steps=4, seed=1)
    list(session.edit([box_pair(SHAPE)], seed=7))
    other = rd.ImageSession(pipe, picture(*SHAPE), steps=4, seed=7)
    list(other.edit([box_pair(SHAPE)]))
    assert np.array_equal(session.result.array, other.result.array)
    with counted(pipe) as counts:
        list(session.edit([box_pair(SHAPE)], seed=7))
    assert counts["unet"] == len(session.levels)


def test_an_interrupted_call_gives_the_pictures_that_are_done(pipe: Any):
    seen: list[int] = []

    def stop(given: Any, *_: Any) -> dict[str, Any]:
        seen.append(1)
        given.interrupt = len(seen) == 3  # in the second picture
        return {}

    out = edit_picture(pipe, num_images_per_prompt=3, seed=0, callback_on_step_end=stop)
    assert [r.seed for r in out.results] == [0]
    assert len(out.images) == 1


# ---- names and the bar ----


def test_diffusers_names_of_steps_and_start_are_known(pipe: Any):
    pipe_said = pipe(latents=LATENTS, correspondence=CELLS, output_type="latent", steps=6, start=0.7)
    theirs = pipe(
        latents=LATENTS, correspondence=CELLS, output_type="latent", num_inference_steps=6, strength=0.7
    )
    assert torch.equal(pipe_said.images, theirs.images)
    with pytest.raises(ValueError, match="strength is start by the name that diffusers has for it"):
        pipe(picture(*SHAPE), [box_pair(SHAPE)], start=0.5, strength=0.5)


def test_the_progress_bar_is_as_it_was_set(capfd: pytest.CaptureFixture[str]):
    bare = tiny_pipeline()
    edit_picture(bare, num_images_per_prompt=2)
    assert "4/4" in capfd.readouterr().err
    bare.set_progress_bar_config(disable=True)
    edit_picture(bare)
    assert capfd.readouterr().err == ""


def test_nothing_here_warns(pipe: Any):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        edit_latents(pipe, prompt="a dog", guidance_scale=2.0, negative_prompt="a cat")
