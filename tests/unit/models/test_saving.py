"""What `save_pretrained` writes is loaded by diffusers' own pipelines and by ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline, StableDiffusionPipeline

import regiondrag_widget as rd
from regiondrag_widget.models.linear_codec import LinearCodec
from regiondrag_widget.models.profile import MINI_PROFILE
from regiondrag_widget.models.saving import diffusers_pipeline
from tests.unit.engine_kit import (
    TEXT_WIDTH,
    box_pair,
    picture,
    tiny_scheduler,
    tiny_text_encoder,
    tiny_unet,
    tiny_vae,
)
from tests.unit.pipeline.test_users_pipeline import users_pipeline

SHAPE = (96, 128)


def edited(pipe: Any) -> np.ndarray:
    pipe.set_progress_bar_config(disable=True)
    return pipe(picture(*SHAPE), [box_pair(SHAPE)], steps=4).result.array


@torch.inference_mode()
def test_any_pipeline_loads_what_ours_saved(tmp_path: Path):
    users = users_pipeline(tmp_path / "words", torch.float32)
    ours = rd.RegionDragPipeline.from_pipe(users)
    ours.save_pretrained(tmp_path / "saved")
    index = json.loads((tmp_path / "saved" / "model_index.json").read_text())
    assert index["_class_name"] == "StableDiffusionPipeline"
    assert not {"draft_vae", "transformer", "text_encoder_2"} & set(index)
    plain = DiffusionPipeline.from_pretrained(tmp_path / "saved", safety_checker=None)
    assert type(plain) is StableDiffusionPipeline
    said = {"num_inference_steps": 2, "height": 64, "width": 64, "output_type": "np"}
    for pipe in (users, plain):
        pipe.set_progress_bar_config(disable=True)
    first, second = (p("a dog", generator=torch.manual_seed(0), **said).images for p in (users, plain))
    assert np.array_equal(first, second)
    again = rd.RegionDragPipeline.from_pretrained(tmp_path / "saved", device="cpu", dtype="float32")
    assert np.array_equal(edited(again), edited(ours))


def test_the_bundled_model_is_saved_and_loaded(tmp_path: Path):
    mini = rd.RegionDragPipeline.from_pretrained("mini", device="cpu", dtype="float32")
    mini.save_pretrained(tmp_path)
    again = rd.RegionDragPipeline.from_pretrained(tmp_path, device="cpu", dtype="bfloat16")
    assert (again.unet.dtype, again.vae.dtype) == (torch.bfloat16, torch.float32)
    assert again.profile is MINI_PROFILE
    for part in ("unet", "vae"):
        ours, theirs = getattr(again, part).state_dict(), getattr(mini, part).state_dict()
        assert all(torch.equal(ours[name], value.to(ours[name].dtype)) for name, value in theirs.items())
    # it has no text encoder, which diffusers' pipelines must be told
    plain = DiffusionPipeline.from_pretrained(tmp_path, text_encoder=None, tokenizer=None)
    assert isinstance(plain.vae, LinearCodec)
    plain.set_progress_bar_config(disable=True)
    embeds = torch.zeros(1, 1, mini.unet.config.cross_attention_dim)
    said = {"prompt_embeds": embeds, "num_inference_steps": 1, "height": 64, "width": 64, "guidance_scale": 1}
    assert plain(**said, output_type="np").images.shape == (1, 64, 64, 3)


@pytest.mark.parametrize(
    ("unet", "encoders", "kind"),
    [
        ({}, 1, "StableDiffusionPipeline"),
        ({"in_channels": 9}, 1, "StableDiffusionInpaintPipeline"),
        ({"addition_embed_type": "text_time"}, 2, "StableDiffusionXLPipeline"),
        ({"addition_embed_type": "text_time", "in_channels": 9}, 2, "StableDiffusionXLInpaintPipeline"),
        ({"addition_embed_type": "text_time"}, 0, "StableDiffusionXLImg2ImgPipeline"),
    ],
    ids=["sd", "inpainting", "sdxl", "sdxl inpainting", "refiner"],
)
def test_the_class_is_the_one_that_diffusers_has_for_the_parts(unet: Any, encoders: int, kind: str):
    if "addition_embed_type" in unet:
        width = 6 * 8 + TEXT_WIDTH
        unet = {**unet, "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": width}
    given = {"text_encoder": tiny_text_encoder()} if encoders else {}
    if encoders != 1:
        given["text_encoder_2"] = tiny_text_encoder(5, projection=True)
    made = rd.RegionDragPipeline(tiny_vae(), tiny_unet(**unet), tiny_scheduler(), **given)
    assert diffusers_pipeline(made) == kind
