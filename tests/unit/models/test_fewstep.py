"""Weights for few steps, and small decoders for drafts: loaded by name, with no other change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    AutoencoderTiny,
    EulerAncestralDiscreteScheduler,
    LatentConsistencyModelPipeline,
    LCMScheduler,
    TCDScheduler,
)
from safetensors.torch import save_file
from torch import Tensor

import regiondrag_widget as rd
from regiondrag_widget.models.backbone import Condition
from regiondrag_widget.models.lora import fuse_lora, lora_source
from regiondrag_widget.models.profile import stable_diffusion_profile
from regiondrag_widget.models.unet import UNetBackbone, UNetNetwork
from regiondrag_widget.models.unet_network import guidance_embedding
from tests.unit.engine_kit import (
    box_pair,
    picture,
    save_tiny_sd15,
    tiny_embeds,
    tiny_scheduler,
    tiny_unet,
    tiny_vae,
)

SHAPE = (96, 128)
ATTENTION = "down_blocks.0.attentions.0.transformer_blocks.0.attn1"
CONVOLUTION = "down_blocks.0.resnets.0.conv1"


def factors(unet: Any, layer: str, rank: int = 2) -> tuple[Tensor, Tensor]:
    """Random B (out, rank, ...) and A (rank, in, ...) for a layer."""
    weight = unet.get_submodule(layer).weight
    generator = torch.Generator().manual_seed(len(layer))
    down = torch.randn(rank, *weight.shape[1:], generator=generator) / 10
    up = torch.randn(len(weight), rank, *[1] * (weight.ndim - 2), generator=generator) / 10
    return up, down


def write_lora(path: Path, style: str, unet: Any) -> Path:
    """A LoRA of one attention projection and one convolution, as several trainers write it."""
    layers = {f"{ATTENTION}.to_q": 1.0, CONVOLUTION: 4.0}  # and its alpha
    state: dict[str, Tensor] = {}
    for layer, alpha in layers.items():
        up, down = factors(unet, layer)
        if style == "kohya":
            name = "lora_unet_" + layer.replace(".", "_")
            state[f"{name}.lora_up.weight"], state[f"{name}.lora_down.weight"] = up, down
            state[f"{name}.alpha"] = torch.tensor(alpha)
        elif style == "diffusers":
            state[f"unet.{layer}.lora.up.weight"], state[f"unet.{layer}.lora.down.weight"] = up, down
        else:
            state[f"unet.{layer}.lora_B.weight"], state[f"unet.{layer}.lora_A.weight"] = up, down
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path)
    return path


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model folder as Stable Diffusion 1.5's is."""
    folder, tokenizer = tmp_path_factory.mktemp("sd15"), tmp_path_factory.mktemp("tokenizer")
    return save_tiny_sd15(folder, tokenizer)


def load(model: Any, **options: Any) -> rd.RegionDragPipeline:
    return rd.RegionDragPipeline.from_pretrained(model, **{"device": "cpu", "dtype": "float32", **options})


def edited(pipe: Any, **options: Any) -> Any:
    return pipe(picture(*SHAPE), [box_pair(SHAPE)], **options).result


# ---- LoRA ----


@pytest.mark.parametrize(("style", "alphas"), [("peft", (2, 2)), ("diffusers", (2, 2)), ("kohya", (1, 4))])
def test_a_lora_adds_its_product_to_the_weights(style: str, alphas: tuple[float, float], tmp_path: Path):
    before, after = tiny_unet(), tiny_unet()
    file = write_lora(tmp_path / "lcm.safetensors", style, before)
    assert fuse_lora(after, file, 0.5) == 2
    for layer, alpha in zip((f"{ATTENTION}.to_q", CONVOLUTION), alphas, strict=True):
        up, down = factors(before, layer)
        weight = before.get_submodule(layer).weight
        product = torch.einsum("or,r...->o...", up.flatten(1), down)
        expected = weight + 0.5 * alpha / 2 * product
        assert torch.allclose(after.get_submodule(layer).weight, expected, atol=1e-6)
    untouched = {n for n, p in after.named_parameters() if torch.equal(p, before.get_parameter(n))}
    assert len(untouched) == len(list(after.parameters())) - 2


def test_a_lora_is_loaded_with_the_model_and_changes_the_edit(folder: Path, tmp_path: Path):
    file = write_lora(tmp_path / "hyper-sd15-8steps.safetensors", "peft", tiny_unet())
    plain, few = load(folder), load(folder, lora=file, lora_scale=8.0)
    assert few.edit_defaults["steps"] == 8
    assert plain.edit_defaults["steps"] == 20
    ours, theirs = edited(few), edited(plain, steps=8)
    assert ours.settings["model"] == f"{folder} + {file}"
    assert not (ours.array == theirs.array).all()


def test_a_lora_is_found_in_its_folder_and_in_the_hub():
    assert lora_source("latent-consistency/lcm-lora-sdv1-5") == ("latent-consistency/lcm-lora-sdv1-5", {})
    assert lora_source("ByteDance/Hyper-SD/Hyper-SD15-8steps-lora.safetensors") == (
        "ByteDance/Hyper-SD",
        {"weight_name": "Hyper-SD15-8steps-lora.safetensors"},
    )


def test_the_one_file_of_a_folder_is_taken(tmp_path: Path):
    write_lora(tmp_path / "any.safetensors", "peft", tiny_unet())
    assert lora_source(tmp_path) == (str(tmp_path), {"weight_name": "any.safetensors"})
    write_lora(tmp_path / "more.safetensors", "peft", tiny_unet())
    with pytest.raises(ValueError, match=r"several \.safetensors files: name the one to use"):
        lora_source(tmp_path)


@pytest.mark.parametrize("name", ["lora.bin", "lora.ckpt", "owner/name/lora.pt", "lora.pth"])
def test_a_pickled_lora_is_refused(name: str):
    with pytest.raises(ValueError, match=r"pickled weights, which can run code .* use \.safetensors"):
        lora_source(name)


@pytest.mark.parametrize("name", ["nothing", "./not/here", "/not/here.safetensors", "a/b/c"])
def test_a_lora_that_is_not_there_is_refused(name: str):
    with pytest.raises(FileNotFoundError, match="is not there: name a"):
        lora_source(name)


def test_another_models_lora_is_refused_and_changes_nothing(tmp_path: Path):
    other = tiny_unet(block_out_channels=(16, 16))
    file = write_lora(tmp_path / "other.safetensors", "peft", other)
    unet, before = tiny_unet(), tiny_unet()
    with pytest.raises(ValueError, match=r"is not this model's: its .* has another size"):
        fuse_lora(unet, file)
    assert all(torch.equal(p, before.get_parameter(n)) for n, p in unet.named_parameters())


@pytest.mark.parametrize(("width", "base"), [(768, "Stable Diffusion 1.5"), (2048, "SDXL")])
def test_the_base_that_a_lora_was_made_for_is_named(tmp_path: Path, width: int, base: str):
    layer = f"unet.{ATTENTION.replace('attn1', 'attn2')}.to_k"
    up, down = torch.zeros(320, 2), torch.zeros(2, width)
    save_file({f"{layer}.lora_B.weight": up, f"{layer}.lora_A.weight": down}, tmp_path / "style.safetensors")
    with pytest.raises(ValueError, match=f"is not this model's but one of {base}: "):
        fuse_lora(tiny_unet(), tmp_path)
    save_file({"transformer.blocks.0.attn.to_q.lora_A.weight": down}, tmp_path / "style.safetensors")
    with pytest.raises(ValueError, match="holds no LoRA of a UNet, but one of a transformer"):
        fuse_lora(tiny_unet(), tmp_path)
    down = torch.zeros(2, 3840)
    save_file({"transformer.layers.0.attention.to_q.lora_A.weight": down}, tmp_path / "style.safetensors")
    with pytest.raises(ValueError, match="holds no LoRA of a UNet, but one of Z-Image"):
        fuse_lora(tiny_unet(), tmp_path)


def test_a_damaged_lora_is_refused(tmp_path: Path):
    (tmp_path / "lora.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="could not be loaded"):
        fuse_lora(tiny_unet(), tmp_path / "lora.safetensors")


def test_a_file_without_a_lora_is_refused(tmp_path: Path):
    save_file({"weight": torch.zeros(1)}, tmp_path / "weights.safetensors")
    with pytest.raises(ValueError, match="holds no LoRA of a UNet"):
        fuse_lora(tiny_unet(), tmp_path / "weights.safetensors")


def test_the_bundled_model_takes_no_lora():
    with pytest.raises(ValueError, match="the bundled model takes no LoRA"):
        load("mini", lora="owner/name")


# ---- few steps ----


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("stable-diffusion-v1-5/stable-diffusion-v1-5", 20),
        ("/home/lcm/models/realistic/v5", 20),
        ("stabilityai/sd-turbo", 4),
        ("SimianLuo/LCM_Dreamshaper_v7", 10),
        ("some/model + latent-consistency/lcm-lora-sdv1-5", 10),
        ("some/model + ByteDance/Hyper-SD/Hyper-SD15-8steps-lora.safetensors", 8),
        ("some/model + ByteDance/Hyper-SD/Hyper-SD15-1step-lora.safetensors", 4),
        ("ByteDance/SDXL-Lightning", 8),
        ("some/12steps-of-garden", 20),
    ],
)
def test_few_step_weights_are_known_by_name(name: str, steps: int):
    profile = stable_diffusion_profile(tiny_unet(), 8, tiny_scheduler(), name)
    assert profile.defaults["steps"] == steps


@pytest.mark.parametrize(
    ("scheduler", "steps"),
    [
        (LCMScheduler(), 10),
        (TCDScheduler(), 8),
        (EulerAncestralDiscreteScheduler(timestep_spacing="trailing"), 4),
        (EulerAncestralDiscreteScheduler(), 20),
    ],
)
def test_few_step_weights_are_known_by_their_scheduler(scheduler: Any, steps: int):
    assert stable_diffusion_profile(tiny_unet(), 8, scheduler).defaults["steps"] == steps


def test_a_latent_consistency_model_is_told_its_guidance():
    unet = tiny_unet(time_cond_proj_dim=8)
    network = UNetNetwork(UNetBackbone(tiny_vae(), unet, tiny_scheduler()), Condition(tiny_embeds()))
    x, t = torch.randn(2, 4, 16, 16), torch.tensor([300, 100])
    with torch.inference_mode():
        ours = network.predict(x, t)
        told = {
            w: unet(
                x,
                t,
                encoder_hidden_states=tiny_embeds().expand(2, -1, -1),
                timestep_cond=guidance_embedding(w, 8).expand(2, -1),
            ).sample
            for w in (2.0, 7.0)
        }
    assert torch.allclose(ours, told[2.0], atol=1e-5)
    assert not torch.allclose(ours, told[7.0], atol=1e-5)


@pytest.mark.parametrize("size", [8, 9, 256])
def test_the_guidance_is_embedded_as_diffusers_does(size: int):
    theirs = LatentConsistencyModelPipeline.get_guidance_scale_embedding(
        None, torch.tensor([2.0]), embedding_dim=size
    )
    assert torch.allclose(guidance_embedding(2.0, size), theirs, atol=1e-5)


def test_a_latent_consistency_model_edits():
    pipe = rd.RegionDragPipeline(tiny_vae(), tiny_unet(time_cond_proj_dim=8), tiny_scheduler())
    assert pipe.edit_defaults["steps"] == 10
    assert edited(pipe, prompt_embeds=tiny_embeds(), steps=4).array.shape == (*SHAPE, 3)


# ---- a small decoder ----


def tiny_decoder(**changes: Any) -> AutoencoderTiny:
    torch.manual_seed(5)
    config = {
        "encoder_block_out_channels": (8, 8, 8, 8),
        "decoder_block_out_channels": (8, 8, 8, 8),
        "num_encoder_blocks": (1, 1, 1, 1),
        "num_decoder_blocks": (1, 1, 1, 1),
    }
    return AutoencoderTiny(**{**config, **changes}).eval()


@torch.inference_mode()
def test_drafts_are_decoded_by_the_small_decoder():
    """Its latents are the scaled ones themselves: nothing is divided by the large one's factor."""
    tiny = tiny_decoder()
    backbone = UNetBackbone(tiny_vae(), tiny_unet(), tiny_scheduler(), tiny)
    z = torch.randn(1, 4, 8, 8)
    assert torch.equal(backbone.decode_draft(z), tiny.decode(z).sample)
    assert not torch.equal(backbone.decode(z), tiny.decode(z).sample)
    x = torch.rand(1, 3, 64, 64) * 2 - 1
    assert torch.equal(backbone.encode_draft(x), tiny.encode(x).latents)


@torch.inference_mode()
def test_without_one_drafts_are_decoded_as_results_are():
    backbone = UNetBackbone(tiny_vae(), tiny_unet(), tiny_scheduler())
    z, x = torch.randn(1, 4, 8, 8), torch.rand(1, 3, 64, 64) * 2 - 1
    assert torch.equal(backbone.decode_draft(z), backbone.decode(z))
    assert torch.equal(backbone.encode_draft(x), backbone.encode(x))


@torch.inference_mode()
def test_a_small_decoder_is_loaded_from_its_folder(folder: Path, tmp_path: Path):
    tiny = tiny_decoder()
    tiny.save_pretrained(tmp_path)
    z = torch.randn(1, 4, 8, 8)
    for pipe in (
        load(folder, draft_vae=tmp_path),
        rd.RegionDragPipeline.from_pipe(load(folder), draft_vae=str(tmp_path)),
        rd.RegionDragPipeline.from_pipe(load(folder), draft_vae=tiny),
    ):
        assert torch.equal(pipe.backbone.decode_draft(z), tiny.decode(z).sample)


def test_a_small_decoder_takes_the_models_number_format(folder: Path, tmp_path: Path):
    tiny_decoder().save_pretrained(tmp_path)
    pipe = load(folder, draft_vae=tmp_path, dtype="bfloat16")
    assert pipe.draft_vae.dtype == torch.bfloat16
    assert pipe.backbone.decode_draft(torch.randn(1, 4, 8, 8)).dtype == torch.float32


def test_nothing_is_fetched_unasked(folder: Path, tmp_path: Path):
    assert load(folder, cache_dir=tmp_path).draft_vae is None
    assert not any(tmp_path.rglob("*taesd*"))


def test_a_pipeline_with_a_small_decoder_saves_and_loads(folder: Path, tmp_path: Path):
    pipe = load(folder, draft_vae=tiny_decoder())
    pipe.save_pretrained(tmp_path)
    assert isinstance(load(tmp_path).draft_vae, AutoencoderTiny)


def test_a_small_decoder_of_other_latents_is_refused(folder: Path):
    with pytest.raises(ValueError, match="draft_vae has latents of 16 channels but this model's have 4"):
        load(folder, draft_vae=tiny_decoder(latent_channels=16))


def test_a_small_decoder_that_is_not_there_is_refused(folder: Path, tmp_path: Path):
    with pytest.raises(ValueError, match=r"draft_vae .* could not be loaded"):
        load(folder, draft_vae=str(tmp_path / "nowhere"))
