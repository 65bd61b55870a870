"""Inpainting UNets: 9 channels, of which 5 are the hole and the picture around it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionInpaintPipeline
from torch import Tensor

import regiondrag_widget as rd
from regiondrag_widget.models.unet import UNetBackbone
from tests.unit.engine_kit import (
    box_pair,
    picture,
    processors_of,
    tiny_embeds,
    tiny_pipeline,
    tiny_scheduler,
    tiny_text_encoder,
    tiny_tokenizer,
    tiny_unet,
    tiny_vae,
)

SHAPE = (128, 128)
PAIR = box_pair(SHAPE)


def nine_channels(seed: int = 0) -> Any:
    return tiny_unet(seed, in_channels=9)


@pytest.fixture(scope="module")
def pipe() -> rd.RegionDragPipeline:
    made = tiny_pipeline()
    made.unet = nine_channels()
    made.set_progress_bar_config(disable=True)
    return made


@contextmanager
def entries(unet: Any) -> Iterator[list[Tensor]]:
    """What the UNet is given while open."""
    given: list[Tensor] = []
    kind = type(unet)
    forward = kind.forward

    def called(self: Any, sample: Any, *args: Any, **kwargs: Any) -> Any:
        given.append(sample.detach().clone())
        return forward(self, sample, *args, **kwargs)

    kind.forward = called
    try:
        yield given
    finally:
        kind.forward = forward


@torch.inference_mode()
def test_a_prediction_is_that_of_the_unet_with_mask_and_picture_beside():
    backbone = UNetBackbone(tiny_vae(), nine_channels(), tiny_scheduler())
    network = backbone.network(backbone.condition(tiny_embeds()))
    x, clean, hole = torch.randn(2, 4, 16, 16), torch.randn(4, 16, 16), torch.rand(16, 16) > 0.5
    beside = torch.cat([hole[None].float(), clean])[None].expand(2, -1, -1, -1)
    t = torch.tensor([300, 400])
    embeds = tiny_embeds().expand(2, -1, -1)
    theirs = backbone.unet(torch.cat([x, beside], 1), t, encoder_hidden_states=embeds, return_dict=False)[0]
    assert torch.allclose(network.told_picture(clean, hole, None).predict(x, t), theirs, atol=1e-5)
    assert backbone.channels == 4


def test_the_inversion_is_told_the_picture_and_the_edit_its_hole(pipe: Any):
    session = rd.ImageSession(pipe, picture(*SHAPE))
    with entries(pipe.unet) as given:
        session.prepare()
    (inverted,) = given
    assert inverted.shape[1] == 9
    assert not inverted[:, 4].any()
    assert torch.allclose(inverted[0, 5:], session.inversion().latents[0])
    with entries(pipe.unet) as given:
        list(session.edit([PAIR], matte="none", crop=False))
    hole = given[0][0, 4]
    assert set(hole.unique().tolist()) == {0.0, 1.0}
    y, x = np.argwhere(PAIR.handle).mean(0).astype(int) // 8
    assert hole[y, x] == 1
    assert all(torch.equal(g[:, 4:], given[0][:, 4:]) for g in given)


def test_an_edit_that_changes_nothing_gives_the_picture_back(pipe: Any):
    session = rd.ImageSession(pipe, picture(*SHAPE))
    still = rd.RegionPair.move(PAIR.handle, 0, 0, carry="painted")
    for step in session.edit([still], vacated="keep"):
        last = step.latents
    assert torch.allclose(last, session.inversion().latents[0], atol=1e-4)


@pytest.mark.parametrize("options", [{"keys_values": "host"}, {"keys_values": "recompute"}])
def test_the_edit_is_the_same_wherever_keys_and_values_are_kept(pipe: Any, options: dict[str, Any]):
    def edited(**chosen: Any) -> np.ndarray:
        session = rd.ImageSession(pipe, picture(*SHAPE), guidance_scale=3.0, **chosen)
        list(session.edit([PAIR], matte="none"))
        return session.result.array.astype(int)

    assert np.abs(edited(**options) - edited()).max() <= 1


def test_a_draft_and_a_crop_are_told_the_hole_too(pipe: Any):
    session = rd.ImageSession(pipe, picture(*SHAPE))
    small = rd.RegionPair.move(np.pad(np.ones((16, 16), bool), ((0, 112), (0, 112))), 16, 0)
    with entries(pipe.unet) as given:
        list(session.draft([small], matte="none"))
        list(session.edit([small], matte="none", crop=True))
    assert given[-1].shape[-1] < 16
    assert all(g.shape[1] == 9 and g[:, 4].any() for g in given[1:])


def test_an_edit_of_latents_is_refused(pipe: Any):
    session = rd.ImageSession(pipe, picture(*SHAPE))
    with pytest.raises(ValueError, match="an inpainting network is told a picture with a hole"):
        session.edit([PAIR], content="latents")


def test_a_users_inpainting_pipeline_edits_and_is_left_as_it_was(tmp_path: Path):
    users = StableDiffusionInpaintPipeline(
        vae=tiny_vae(),
        text_encoder=tiny_text_encoder(),
        tokenizer=tiny_tokenizer(tmp_path / "words"),
        unet=nine_channels(),
        scheduler=tiny_scheduler(steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    before = processors_of(users.unet)
    rd.RegionDragPipeline.from_pipe(users)(picture(*SHAPE), [PAIR], steps=4, prompt="a dog")
    assert all(processors_of(users.unet)[name] is p for name, p in before.items())
    users.save_pretrained(tmp_path / "inpainting")
    loaded = rd.RegionDragPipeline.from_pretrained(tmp_path / "inpainting", device="cpu", dtype="float32")
    assert loaded(picture(*SHAPE), [PAIR], steps=4).result is not None
