"""The released algorithm, number by number: reference vectors reproduced through the public pipeline call."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from PIL import Image
from safetensors.torch import load_file

import regiondrag_widget as rd
from regiondrag_widget.engine.inversion import Inversion, invert
from regiondrag_widget.models.levels import released_levels
from regiondrag_widget.regions import RegionPair, cell_correspondence
from tests.unit.engine_kit import relative_error

CASES = Path(__file__).parents[2] / "data" / "parity"


class Case:
    """One folder of reference vectors, read."""

    def __init__(self, name: str) -> None:
        folder = CASES / name
        self.folder = folder
        self.settings: dict[str, Any] = json.loads((folder / "case.json").read_text())
        self.tensors = load_file(folder / "tensors.safetensors")
        self.unet = UNet2DConditionModel.from_pretrained(folder / "unet").eval()
        self.vae = AutoencoderKL.from_pretrained(folder / "vae").eval()

    def pipe(self) -> rd.RegionDragPipeline:
        scheduler = DDIMScheduler(**self.settings["scheduler"])
        return rd.RegionDragPipeline(
            vae=self.vae, unet=self.unet, scheduler=scheduler, text_encoder=None, tokenizer=None
        )

    def call(self, output_type: str, **changes: Any) -> Any:
        case, t = self.settings, self.tensors
        arguments = {
            "latents": t["latents"],
            "prompt_embeds": t["prompt_embeds"],
            "editable": t["editable"],
            "correspondence": rd.Correspondence(t["source_xy"], t["target_xy"]),
            "levels": case["chain"],
            "path_noise": t["forward_draws"],
            "handle_noise": t["handle_noise"],
            "handle_noise_scale": case["handle_noise_scale"],
            "copy_until": case["copy_while_t_at_least"],
            "attention_swap": case["attention_swap"],
            "preset": "released",
            "output_type": output_type,
        }
        return self.pipe()(**{**arguments, **changes}).images

    def inversion(self) -> Inversion:
        pipe = self.pipe()
        levels = released_levels(pipe.backbone.alphas_cumprod, 20, 0.5, self.settings["chain"])
        network = pipe.network(prompt_embeds=self.tensors["prompt_embeds"])
        return invert(network, self.tensors["latents"][0], levels, self.tensors["forward_draws"])


@pytest.fixture(scope="module", params=["case-as-released", "case-1", "case-two-pairs-mask", "case-no-swap"])
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


def test_the_final_latents_are_the_reference(case: Case):
    images = case.call("latent")
    assert images.dtype == torch.float32
    assert images.shape == case.tensors["final_latents"].shape
    assert relative_error(images, case.tensors["final_latents"]) < 1e-4


def test_the_final_image_is_the_reference(case: Case):
    images = case.call("pt")
    assert images.shape == case.tensors["final_image"].shape
    assert relative_error(images, case.tensors["final_image"]) < 1e-3


def test_the_trajectory_is_the_reference(case: Case):
    assert relative_error(case.inversion().latents, case.tensors["trajectory"]) < 1e-4


def test_the_noise_maps_are_the_reference(case: Case):
    assert relative_error(case.inversion().noise_maps, case.tensors["noise_maps"]) < 1e-4


def test_the_alphas_are_the_reference(case: Case):
    alphas = case.pipe().backbone.alphas_cumprod
    assert relative_error(alphas, case.tensors["alphas_cumprod"]) < 1e-6
    chain = released_levels(alphas, 20, 0.5, case.settings["chain"])
    assert chain.alphas[0] == pytest.approx(case.settings["clean_alpha"], rel=1e-6)


def test_the_released_preset_makes_the_reference_chain_itself(case: Case):
    levels = released_levels(
        case.pipe().backbone.alphas_cumprod, case.settings["steps"], case.settings["start"]
    )
    assert list(levels.timesteps) == case.settings["chain"]


def test_the_comparison_tells_another_edit_apart(case: Case):
    """The tolerances are worth something: with the swap the other way the result is another."""
    images = case.call("latent", attention_swap=not case.settings["attention_swap"])
    assert relative_error(images, case.tensors["final_latents"]) > 1e-3


def test_drawn_masks_give_the_reference_target_cells(case: Case):
    """The masks beside the vectors are those the correspondence was made of."""
    t = case.tensors
    pairs = []
    for file in sorted(case.folder.glob("handle_*.png")):
        handle, target = (
            np.asarray(Image.open(f).convert("L")) > 127
            for f in (file, file.with_name(file.name.replace("handle", "target")))
        )
        pairs.append(RegionPair(handle, target))
    grid = tuple(t["latents"].shape[-2:])
    ours = {tuple(xy) for xy in cell_correspondence(pairs, grid).target_xy.tolist()}
    reference = {tuple(xy) for xy in t["target_xy"].tolist()}
    assert len(ours & reference) / len(ours | reference) > 0.8
