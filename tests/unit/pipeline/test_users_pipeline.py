"""A pipeline the user hands us: its parts are used as they are and left as they were."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny, EulerDiscreteScheduler, PNDMScheduler, StableDiffusionPipeline

import regiondrag_widget as rd
from tests.unit.engine_kit import (
    box_pair,
    picture,
    processors_of,
    tiny_scheduler,
    tiny_text_encoder,
    tiny_tokenizer,
    tiny_unet,
    tiny_vae,
)

SHAPE = (96, 128)


def edit_picture(pipe: Any, **options: Any) -> Any:
    return pipe(picture(*SHAPE), [box_pair(SHAPE)], **options)


def users_pipeline(folder: Path, dtype: torch.dtype, scheduler: Any = None) -> StableDiffusionPipeline:
    pipe = StableDiffusionPipeline(
        vae=tiny_vae(force_upcast=True),
        text_encoder=tiny_text_encoder(),
        tokenizer=tiny_tokenizer(folder),
        unet=tiny_unet(),
        scheduler=scheduler
        or PNDMScheduler.from_config(tiny_scheduler(steps_offset=1).config, skip_prk_steps=True),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.scheduler.set_timesteps(7)  # as the user's last call has left it
    return pipe.to(dtype)


def snapshot(pipe: StableDiffusionPipeline) -> dict[str, Any]:
    modules = {name: getattr(pipe, name) for name in ("vae", "unet", "text_encoder")}
    return {
        "dtypes": {n: {k: p.dtype for k, p in m.named_parameters()} for n, m in modules.items()},
        "values": {n: {k: p.detach().clone() for k, p in m.named_parameters()} for n, m in modules.items()},
        "training": {n: m.training for n, m in modules.items()},
        "scheduler": pipe.scheduler,
        "config": copy.deepcopy(dict(pipe.scheduler.config)),
        "timesteps": pipe.scheduler.timesteps.clone(),
        "processors": {n: processors_of(m) for n, m in modules.items() if hasattr(m, "attn_processors")},
        "components": dict(pipe.components),
        "dtype": pipe.dtype,
    }


def assert_unchanged(pipe: StableDiffusionPipeline, before: dict[str, Any]) -> None:
    now = snapshot(pipe)
    assert now["dtype"] == before["dtype"]
    assert now["dtypes"] == before["dtypes"]
    for name, values in before["values"].items():
        assert all(torch.equal(now["values"][name][k], v) for k, v in values.items())
    assert now["training"] == before["training"]
    assert now["scheduler"] is before["scheduler"]
    assert now["config"] == before["config"]
    assert torch.equal(now["timesteps"], before["timesteps"])
    for name, processors in before["processors"].items():
        assert all(now["processors"][name][k] is p for k, p in processors.items())
    assert all(now["components"][k] is v for k, v in before["components"].items())


@pytest.fixture(params=[torch.float16, torch.float32], ids=["float16", "float32"])
def users(request: pytest.FixtureRequest, tmp_path: Path) -> StableDiffusionPipeline:
    return users_pipeline(tmp_path, request.param)


@pytest.mark.parametrize("content", ["pixels", "latents"])
def test_a_users_pipeline_is_what_it_was_after_an_edit(users: StableDiffusionPipeline, content: str):
    before = snapshot(users)
    ours = rd.RegionDragPipeline.from_pipe(users)
    out = edit_picture(ours, steps=4, content=content, prompt="a dog")
    assert out.result is not None
    assert_unchanged(users, before)


@pytest.mark.parametrize("call", [1, 2])
def test_a_users_pipeline_is_what_it_was_after_an_exception_in_the_middle(
    users: StableDiffusionPipeline, call: int
):
    before = snapshot(users)
    ours = rd.RegionDragPipeline.from_pipe(users)
    calls = [0]

    def fail(*_: Any) -> None:
        calls[0] += 1
        if calls[0] == call:
            raise RuntimeError("out of memory")

    hook = users.unet.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        edit_picture(ours, steps=4, prompt="a dog")
    hook.remove()
    assert_unchanged(users, before)


def test_a_users_pipeline_shares_its_weights(users: StableDiffusionPipeline):
    ours = rd.RegionDragPipeline.from_pipe(users)
    assert ours.unet is users.unet
    assert ours.vae is users.vae
    assert ours.text_encoder is users.text_encoder
    assert ours.scheduler is not users.scheduler


def test_a_users_pipeline_makes_the_pictures_it_made(tmp_path: Path):
    users = users_pipeline(tmp_path, torch.float32)
    users.set_progress_bar_config(disable=True)

    def generated() -> np.ndarray:
        return users(
            "a dog",
            num_inference_steps=2,
            height=64,
            width=64,
            output_type="np",
            generator=torch.manual_seed(0),
        ).images

    before = generated()
    edit_picture(rd.RegionDragPipeline.from_pipe(users), steps=4, prompt="a dog")
    assert np.array_equal(generated(), before)


def test_an_edit_with_a_users_pipeline_is_finite_in_half_precision(tmp_path: Path):
    users = users_pipeline(tmp_path, torch.float16)
    out = edit_picture(rd.RegionDragPipeline.from_pipe(users), steps=4, output_type="latent")
    assert bool(out.images.isfinite().all())


def test_a_users_scheduler_may_be_any_with_a_noise_schedule(tmp_path: Path):
    euler = EulerDiscreteScheduler.from_config(
        tiny_scheduler(prediction_type="v_prediction", steps_offset=1).config
    )
    ours = rd.RegionDragPipeline.from_pipe(users_pipeline(tmp_path, torch.float32, euler))
    assert ours.backbone.prediction_type == "v_prediction"
    assert isinstance(ours.scheduler, EulerDiscreteScheduler)


def test_a_prompt_changes_the_edit(tmp_path: Path):
    ours = rd.RegionDragPipeline.from_pipe(users_pipeline(tmp_path, torch.float32))
    plain, dog = (edit_picture(ours, steps=4, prompt=p, output_type="latent").images for p in ("", "a dog"))
    assert not torch.equal(plain, dog)


def test_embeddings_given_stand_for_a_prompt(tmp_path: Path):
    ours = rd.RegionDragPipeline.from_pipe(users_pipeline(tmp_path, torch.float32))
    tokens = ours.tokenizer("a dog", padding="max_length", max_length=77, return_tensors="pt").input_ids
    embeds = ours.text_encoder(tokens)[0]
    said = edit_picture(ours, steps=4, prompt="a dog", output_type="latent").images
    assert torch.allclose(
        edit_picture(ours, steps=4, prompt_embeds=embeds, output_type="latent").images, said, atol=1e-5
    )


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ({}, "this pipeline has no unet: RegionDrag needs a network, an autoencoder and a schedule"),
        ({"transformer": object()}, "the network is a object: Stable Diffusion 1.5, 2.1 and SDXL, FLUX.1"),
    ],
)
def test_a_pipeline_without_a_known_network_is_refused(network: dict[str, Any], said: str):
    class Other:
        def __init__(self) -> None:
            self.components = {"vae": tiny_vae(), "scheduler": tiny_scheduler(), **network}

    with pytest.raises(ValueError, match=said):
        rd.RegionDragPipeline.from_pipe(Other())


def test_a_replaced_part_is_used_and_the_choice_of_calls_stays(tmp_path: Path):
    ours = rd.RegionDragPipeline.from_pipe(users_pipeline(tmp_path, torch.float32), compile=False)
    blocks = {"encoder_block_out_channels": (8,) * 4, "decoder_block_out_channels": (8,) * 4}
    ones = {"num_encoder_blocks": (1,) * 4, "num_decoder_blocks": (1,) * 4}
    tiny = AutoencoderTiny(**blocks, **ones)
    ours.draft_vae = tiny
    assert ours.backbone.draft_vae is tiny
    other = tiny_unet(seed=9)
    ours.unet = other
    assert ours.backbone.unet is other
    assert ours.acceleration == "eager", "and not again the default"
    ours.set_draft_vae(None)
    assert not ours.backbone.has_draft_codec
