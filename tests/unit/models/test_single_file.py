"""Checkpoints that are one file: read offline with a local configuration, refused in one sentence."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from safetensors.torch import save_file
from torch import Tensor

import regiondrag_widget as rd
from tests.unit.engine_kit import (
    box_pair,
    picture,
    tiny_scheduler,
    tiny_text_encoder,
    tiny_tokenizer,
    tiny_unet,
    tiny_vae,
)
from tests.unit.models.unet_kit import make_sdxl, sdxl_unet, second_text_encoder

SHAPE = (96, 128)
LAYERS = 2  # in a block; one more in a block that goes up
RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def ldm_unet(key: str) -> str:
    """The name that CompVis' code gives to a weight of diffusers' UNet."""
    plain = {
        "add_embedding.linear_1": "label_emb.0.0",
        "add_embedding.linear_2": "label_emb.0.2",
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "conv_in": "input_blocks.0.0",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
    }
    for ours, theirs in plain.items():
        key = re.sub(rf"^{re.escape(ours)}\.", f"{theirs}.", key)
    found = re.match(r"(down|up)_blocks\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.", key)
    if found:
        way, block, kind, index = found[1], int(found[2]), found[3], int(found[4])
        place, part = {"resnets": (index, "0."), "attentions": (index, "1.")}.get(kind, (0, ""))
        if way == "down":
            at = 1 + block * (LAYERS + 1) + (LAYERS if kind == "downsamplers" else place)
            name = f"input_blocks.{at}.{'0.' if kind == 'downsamplers' else part}"
        else:
            at = block * (LAYERS + 1) + (LAYERS if kind == "upsamplers" else place)
            name = f"output_blocks.{at}.{'2.' if kind == 'upsamplers' else part}"
        rest = key[found.end() :]
        key = name + (rest.replace("conv", "op", 1) if kind == "downsamplers" else rest)
    if ".transformer_blocks." not in key:
        for ours, theirs in RESNET.items():
            key = key.replace(f".{ours}.", f".{theirs}.")
    return f"model.diffusion_model.{key}"


def ldm_vae(key: str, value: Tensor, levels: int = 4) -> tuple[str, Tensor]:
    """The same of an autoencoder."""
    key = re.sub(r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2", key)
    key = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", key)
    key = re.sub(
        r"up_blocks\.(\d)\.resnets\.(\d)", lambda m: f"up.{levels - 1 - int(m[1])}.block.{m[2]}", key
    )
    key = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{levels - 1 - int(m[1])}.upsample", key)
    key = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", key)
    key = key.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
    if "mid_block.attentions.0." in key:
        key = key.replace("mid_block.attentions.0.", "mid.attn_1.")
        for ours, theirs in VAE_ATTENTION.items():
            key = key.replace(f".{ours}.", f".{theirs}.")
        if value.ndim == 2:
            value = value[..., None, None]  # there they are convolutions
    return f"first_stage_model.{key}", value


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model as a diffusers folder."""
    made = tmp_path_factory.mktemp("folder")
    StableDiffusionPipeline(
        vae=tiny_vae(layers_per_block=LAYERS),
        text_encoder=tiny_text_encoder(),
        tokenizer=tiny_tokenizer(tmp_path_factory.mktemp("words")),
        unet=tiny_unet(layers_per_block=LAYERS),
        scheduler=tiny_scheduler(steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(made)
    return made


@pytest.fixture(scope="module")
def file(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model as one file, named as CompVis' code names weights."""
    pipe = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    weights = {ldm_unet(key): value for key, value in pipe.unet.state_dict().items()}
    weights |= dict(ldm_vae(key, value) for key, value in pipe.vae.state_dict().items())
    encoder = "cond_stage_model.transformer"
    weights |= {
        f"{encoder}.{key if key.startswith('text_model.') else f'text_model.{key}'}": value
        for key, value in pipe.text_encoder.state_dict().items()
    }
    path = tmp_path_factory.mktemp("file") / "checkpoint.safetensors"
    save_file({key: value.contiguous().clone() for key, value in weights.items()}, path)
    return path


def open_clip(encoder: Any) -> dict[str, Tensor]:
    """The weights of SDXL's second text encoder, as OpenCLIP names and joins them."""
    weights = encoder.state_dict()
    plain = {
        "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
        "text_model.embeddings.position_embedding.weight": "positional_embedding",
        "text_model.final_layer_norm.weight": "ln_final.weight",
        "text_model.final_layer_norm.bias": "ln_final.bias",
    }
    made = {theirs: weights[ours] for ours, theirs in plain.items()}
    made["text_projection"] = weights["text_projection.weight"].T
    parts = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
    for i in range(encoder.config.num_hidden_layers):
        ours, theirs = f"text_model.encoder.layers.{i}.", f"transformer.resblocks.{i}."
        for end in ("weight", "bias"):
            joined = [weights[f"{ours}self_attn.{which}_proj.{end}"] for which in "qkv"]
            made[f"{theirs}attn.in_proj_{end}"] = torch.cat(joined)
            made[f"{theirs}attn.out_proj.{end}"] = weights[f"{ours}self_attn.out_proj.{end}"]
            for part, name in parts.items():
                made[f"{theirs}{name}.{end}"] = weights[f"{ours}{part}.{end}"]
    return made


def test_a_single_file_of_sdxl_edits_as_its_folder_does(tmp_path: Path):
    """Both text encoders are in it; diffusers tells SDXL by the tenth layer of the second."""
    users = make_sdxl(
        tmp_path / "words",
        unet=sdxl_unet(layers_per_block=LAYERS),
        vae=tiny_vae(layers_per_block=LAYERS, force_upcast=True, scaling_factor=0.13025),
        text_encoder_2=second_text_encoder(layers=10),
    )
    users.save_pretrained(tmp_path / "folder")
    weights = {ldm_unet(key): value for key, value in users.unet.state_dict().items()}
    weights |= dict(ldm_vae(key, value) for key, value in users.vae.state_dict().items())
    first, second = "conditioner.embedders.0.transformer", "conditioner.embedders.1.model"
    weights |= {
        f"{first}.text_model.{key.removeprefix('text_model.')}": value
        for key, value in users.text_encoder.state_dict().items()
    }
    weights |= {f"{second}.{key}": value for key, value in open_clip(users.text_encoder_2).items()}
    file = tmp_path / "sdxl.safetensors"
    save_file({key: value.contiguous().clone() for key, value in weights.items()}, file)
    bare = tmp_path / "config"
    shutil.copytree(tmp_path / "folder", bare, ignore=shutil.ignore_patterns("*.safetensors"))
    single = rd.RegionDragPipeline.from_single_file(file, config=bare, device="cpu", dtype="float32")
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        ours, theirs = getattr(single, part).state_dict(), getattr(users, part).state_dict()
        assert all(torch.equal(ours[key], value) for key, value in theirs.items())
    assert np.array_equal(edited(single), edited(rd.RegionDragPipeline.from_pipe(users)))


@pytest.fixture(scope="module")
def config(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder without its weights."""
    bare = tmp_path_factory.mktemp("config")
    shutil.copytree(folder, bare, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.safetensors"))
    return bare


def edited(pipe: rd.RegionDragPipeline) -> np.ndarray:
    pipe.set_progress_bar_config(disable=True)
    return pipe(picture(*SHAPE), [box_pair(SHAPE)], steps=4, prompt="a dog").result.array


def test_a_single_file_edits_as_its_folder_does(file: Path, config: Path, folder: Path):
    single = rd.RegionDragPipeline.from_single_file(file, config=config, device="cpu", dtype="float32")
    whole = rd.RegionDragPipeline.from_pretrained(folder, device="cpu", dtype="float32")
    for part in ("unet", "vae", "text_encoder"):
        ours, theirs = getattr(single, part).state_dict(), getattr(whole, part).state_dict()
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], value) for key, value in theirs.items())
    assert isinstance(single.scheduler, DDIMScheduler)
    assert np.array_equal(edited(single), edited(whole))
    assert single.name == str(file)


def test_from_pretrained_takes_the_file_too(file: Path, config: Path):
    pipe = rd.RegionDragPipeline.from_pretrained(file, config=config, device="cpu", dtype="bfloat16")
    assert pipe.unet.dtype == torch.bfloat16


def refused(path: Path, **options: object) -> str:
    with pytest.raises((ValueError, OSError)) as caught:
        rd.RegionDragPipeline.from_single_file(path, **{"device": "cpu", **options})
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_a_configuration_and_without_the_hub_it_is_asked_for(file: Path, tmp_path: Path):
    words = refused(file, cache_dir=tmp_path)
    assert "pass config=, a diffusers folder of the same family such as stable-diffusion-v1-5/" in words


def test_files_of_other_kinds_are_named(tmp_path: Path, config: Path):
    path = tmp_path / "x.safetensors"
    save_file({"unet.down.lora_A.weight": torch.zeros(1)}, path)
    assert "is a LoRA: pass it as lora=" in refused(path, config=config)
    save_file({"double_blocks.0.img_attn.norm.key_norm.scale": torch.zeros(1)}, path)
    assert "a checkpoint of another family (flux" in refused(path, config=config)
    path.write_bytes(b"not weights")
    assert "is no readable .safetensors file" in refused(path, config=config)
    pickled = tmp_path / "x.ckpt"
    pickled.write_bytes(b"")
    assert "pickled weights" in refused(pickled, config=config)
    assert "there is no file" in refused(tmp_path / "nothing.safetensors")


def test_a_configuration_of_another_family_is_refused(file: Path, tmp_path: Path):
    (tmp_path / "model_index.json").write_text(json.dumps({"_class_name": "WuerstchenDecoderPipeline"}))
    assert "is a WuerstchenDecoderPipeline" in refused(file, config=tmp_path)
    assert "has no model_index.json" in refused(file, config=file.parent)


def test_a_configuration_goes_with_files_alone(folder: Path):
    with pytest.raises(ValueError, match=r"config is for checkpoints that are one \.safetensors file"):
        rd.RegionDragPipeline.from_pretrained(folder, config=folder, device="cpu")
