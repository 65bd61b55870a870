"""What a prompt becomes for each transformer family: what its own pipeline makes of it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline, QwenImagePipeline, StableDiffusion3Pipeline, ZImagePipeline

from regiondrag_widget.models.transformer_prompts import encode_qwen_image, encode_sd3, encode_z_image
from tests.unit.transformer_kit import SAVE

PROMPT = "a red duck on a pond"


@pytest.fixture(scope="module")
def pipes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("families")
    saved = {name: save(folder / name, folder / f"{name}-work") for name, save in SAVE.items()}
    pipes = {name: DiffusionPipeline.from_pretrained(path) for name, path in saved.items()}
    without = {**pipes["sd3"].components, "text_encoder_3": None, "tokenizer_3": None}
    return {**pipes, "sd3 without t5": StableDiffusion3Pipeline(**without)}


@pytest.mark.parametrize("name", ["sd3", "sd3 without t5"])
@pytest.mark.parametrize("prompt", ["", PROMPT])
def test_stable_diffusion_3(pipes: dict[str, Any], name: str, prompt: str):
    pipe: StableDiffusion3Pipeline = pipes[name]
    with torch.inference_mode():
        embeds, _, pooled, _ = pipe.encode_prompt(prompt, prompt, prompt, do_classifier_free_guidance=False)
    ours = encode_sd3(pipe.components, prompt)
    assert torch.allclose(ours.embeds, embeds, atol=1e-5)
    assert torch.allclose(ours.added["pooled"], pooled, atol=1e-6)


@pytest.mark.parametrize("prompt", ["", PROMPT])
def test_qwen_image(pipes: dict[str, Any], prompt: str):
    pipe: QwenImagePipeline = pipes["qwen"]
    with torch.inference_mode():
        embeds, mask = pipe.encode_prompt(prompt)
    assert mask is None
    assert torch.allclose(encode_qwen_image(pipe.components, prompt).embeds, embeds, atol=1e-6)


@pytest.mark.parametrize("prompt", ["", PROMPT])
def test_z_image(pipes: dict[str, Any], prompt: str):
    pipe: ZImagePipeline = pipes["zimage"]
    with torch.inference_mode():
        embeds, _ = pipe.encode_prompt(prompt, do_classifier_free_guidance=False)
    assert torch.allclose(encode_z_image(pipe.components, prompt).embeds[0], embeds[0], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "encode", "read"),
    [("sd3", encode_sd3, 77), ("qwen", encode_qwen_image, 1024 + 34), ("zimage", encode_z_image, 512)],
)
def test_a_prompt_that_is_too_long_is_cut_with_a_warning(
    pipes: dict[str, Any], name: str, encode: Any, read: int
):
    with pytest.warns(UserWarning, match=f"the model reads {read}: the last [0-9]+ are cut"):
        ours = encode(pipes[name].components, "duck " * 300)
    assert bool(ours.embeds.isfinite().all())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encode(pipes[name].components, PROMPT)


def test_a_missing_encoder_is_named(pipes: dict[str, Any]):
    parts = {**pipes["sd3"].components, "text_encoder_2": None}
    with pytest.raises(ValueError, match="needs its text_encoder_2"):
        encode_sd3(parts, PROMPT)
