"""LoRA weights on flow transformers: added when loading, on and off in the middle of a session."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FluxTransformer2DModel
from diffusers.loaders import StableDiffusionLoraLoaderMixin
from safetensors.torch import load_file, save_file

import regiondrag_widget as rd
from regiondrag_widget.models.families import family_of
from regiondrag_widget.models.lora_bases import base_of
from regiondrag_widget.models.transformer_lora import fuse_transformer_lora
from tests.unit.engine_kit import box_pair, picture
from tests.unit.models.transformer_kit import SIDE, save_flux1, save_flux2_klein

SHAPE = (64, 96)


@pytest.fixture(scope="module")
def klein(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_flux2_klein(tmp_path_factory.mktemp("klein"))


def load(folder: Path, **options: Any) -> Any:
    pipe = rd.RegionDragPipeline.from_pretrained(folder, device="cpu", dtype="float32", **options)
    pipe.profile = replace(pipe.profile, side=SIDE, min_side=SIDE)
    return pipe


def saved_lora(transformer: Any, file: Path, rank: int = 2, **more: torch.Tensor) -> Path:
    """Factors of every attention layer's output, as diffusers saves them."""
    torch.manual_seed(7)
    factors = dict(more)
    for name, module in transformer.named_modules():
        if name.endswith(("to_out.0", "attn.to_out", "proj_mlp")) and isinstance(module, torch.nn.Linear):
            factors[f"transformer.{name}.lora_A.weight"] = torch.randn(rank, module.in_features)
            factors[f"transformer.{name}.lora_B.weight"] = torch.randn(module.out_features, rank)
    save_file(factors, file)
    return file


def test_a_lora_is_added_when_loading(klein: Path, tmp_path: Path):
    plain = load(klein)
    file = saved_lora(plain.transformer, tmp_path / "style.safetensors")
    pipe = load(klein, lora=file, lora_scale=0.5)
    a, b = plain.transformer.transformer_blocks[0].attn, pipe.transformer.transformer_blocks[0].attn
    torch.manual_seed(7)
    down, up = torch.randn(2, a.to_out[0].in_features), torch.randn(a.to_out[0].out_features, 2)
    assert torch.allclose(b.to_out[0].weight, a.to_out[0].weight + 0.5 * up @ down, atol=1e-5)
    assert str(file) in pipe.name


def test_a_lora_comes_and_goes_in_the_middle_of_a_session(klein: Path, tmp_path: Path):
    pipe = load(klein)
    file = saved_lora(pipe.transformer, tmp_path / "style.safetensors")
    session, pair = rd.ImageSession(pipe, picture(*SHAPE), "a dog"), box_pair(SHAPE)

    def edited() -> np.ndarray:
        list(session.edit([pair], content="latents"))
        return session.result.array

    before, family = edited(), family_of(pipe.transformer)
    fuse_transformer_lora(pipe.transformer, family, file)
    calls = session._network.calls
    during = edited()
    assert session._network.calls - calls > len(session.levels)  # the picture was inverted again
    fuse_transformer_lora(pipe.transformer, family, file, -1.0)
    after = edited()
    assert not np.array_equal(during, before)
    assert np.abs(after.astype(int) - before).max() <= 1  # up to the rounding of the weights


def test_a_lora_of_another_base_is_named(klein: Path, tmp_path: Path):
    other = load(save_flux1(tmp_path / "flux1"))
    file = saved_lora(other.transformer, tmp_path / "flux1.safetensors")
    with pytest.raises(ValueError, match=r"flux1\.safetensors is not this model's"):
        load(klein, lora=file)


def test_the_strength_that_a_file_of_flux1_names_by_layer_counts(tmp_path: Path):
    """diffusers' reader of FLUX.1 gives alphas apart from the factors."""
    transformer = FluxTransformer2DModel(
        in_channels=4,
        num_layers=1,
        num_single_layers=0,
        attention_head_dim=8,
        num_attention_heads=1,
        joint_attention_dim=4,
        pooled_projection_dim=4,
        axes_dims_rope=(2, 2, 4),
    )
    weight = transformer.transformer_blocks[0].attn.to_out[0].weight
    before, layer = weight.detach().clone(), "transformer.transformer_blocks.0.attn.to_out.0"
    file = saved_lora(transformer, tmp_path / "a.safetensors", **{f"{layer}.alpha": torch.tensor(0.5)})
    fuse_transformer_lora(transformer, family_of(transformer), file)
    factors = load_file(file)
    change = factors[f"{layer}.lora_B.weight"] @ factors[f"{layer}.lora_A.weight"]
    assert torch.allclose(weight, before + 0.5 / 2 * change, atol=1e-5)


def test_fusing_is_done_to_the_transformer(klein: Path, monkeypatch: pytest.MonkeyPatch):
    """diffusers' own default names the UNet, where there is none, and does nothing without a word."""
    asked: list[list[str]] = []
    for name in ("fuse_lora", "unfuse_lora"):
        monkeypatch.setattr(
            StableDiffusionLoraLoaderMixin, name, lambda _, components, **options: asked.append(components)
        )
    pipe = load(klein)
    pipe.fuse_lora()
    pipe.unfuse_lora()
    assert all("transformer" in names and "unet" not in names for names in asked)
    assert len(asked) == 2


def test_more_than_factors_is_refused(klein: Path, tmp_path: Path):
    pipe = load(klein)
    extra = {"transformer.norm_out.linear.diff_b": torch.zeros(2)}
    file = saved_lora(pipe.transformer, tmp_path / "more.safetensors", **extra)
    with pytest.raises(ValueError, match="no factor of a layer"):
        fuse_transformer_lora(pipe.transformer, family_of(pipe.transformer), file)


def test_layerwise_casting_and_group_offload_give_the_same_edit(klein: Path):
    pipe, image, pair = load(klein), picture(*SHAPE), box_pair(SHAPE)
    expected = rd.edit(image, [pair], pipe, prompt="a dog").array
    pipe.transformer.enable_group_offload(
        onload_device=torch.device("cpu"), offload_device=torch.device("cpu"), offload_type="leaf_level"
    )
    assert np.array_equal(rd.edit(image, [pair], pipe, prompt="a dog").array, expected)
    pipe = load(klein)
    pipe.transformer.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.float32)
    assert pipe.backbone.dtype == torch.float32
    session = rd.ImageSession(pipe, image, "a dog")
    steps = list(session.edit([pair]))
    assert bool(steps[-1].latents.isfinite().all())
    calls = session._network.calls
    list(session.edit([pair]))
    assert session._network.calls - calls == len(session.levels)  # casting did not look like another network


@pytest.mark.parametrize(
    ("layer", "width", "base"),
    [
        ("transformer.single_transformer_blocks.0.proj_mlp", 3072, "is not this model's but one of FLUX.1: "),
        ("transformer.transformer_blocks.30.attn.to_q", 3072, "is not this model's but one of Qwen-Image: "),
        (
            "transformer.transformer_blocks.3.attn.to_q",
            1536,
            "is not this model's but one of Stable Diffusion 3: ",
        ),
        ("transformer.layers.3.attention.to_q", 3840, "is not this model's but one of Z-Image: "),
        ("transformer.transformer_blocks.3.attn.to_q", 3072, "is not this model's: "),
        (
            "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k",
            2048,
            "FLUX.2 klein, but one of SDXL",
        ),
    ],
)
def test_the_base_of_another_lora_is_named(klein: Path, tmp_path: Path, layer: str, width: int, base: str):
    file = tmp_path / "style.safetensors"
    save_file(
        {f"{layer}.lora_A.weight": torch.zeros(2, width), f"{layer}.lora_B.weight": torch.zeros(width, 2)},
        file,
    )
    with pytest.raises(ValueError, match=base):
        load(klein, lora=file)
    with pytest.raises(ValueError, match=base):
        load(klein).load_lora_weights(str(file))


def test_a_lora_of_flux2_is_told_from_one_of_flux1():
    down = torch.zeros(2, 3072)
    assert base_of({"single_transformer_blocks.0.attn.to_qkv_mlp_proj": {"A": down}}) == "FLUX.2"
    assert base_of({"single_transformer_blocks.0.attn.to_q": {"A": down}}) == "FLUX.1"


def test_adapters_of_peft_come_and_go_in_the_middle_of_a_session(klein: Path, tmp_path: Path):
    pytest.importorskip("peft", reason="PEFT, which diffusers loads adapters by, is optional")
    pipe = load(klein)
    file = saved_lora(pipe.transformer, tmp_path / "style.safetensors")
    session, pair = rd.ImageSession(pipe, picture(*SHAPE), "a dog"), [box_pair(SHAPE)]

    def edited() -> torch.Tensor:
        return list(session.edit(pair))[-1].latents

    before = edited()
    pipe.load_lora_weights(str(file), adapter_name="style")
    styled = edited()
    assert not torch.allclose(styled, before, atol=1e-3)
    pipe.transformer.disable_adapters()
    assert torch.equal(edited(), before)
    pipe.transformer.enable_adapters()
    assert torch.equal(edited(), styled)
    pipe.set_adapters("style", 0.3)
    assert not torch.allclose(edited(), styled, atol=1e-3)
    pipe.unload_lora_weights()
    assert torch.equal(edited(), before)
