"""Transformers quantised by bitsandbytes, torchao and GGUF, as diffusers' configurations load them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import (
    BitsAndBytesConfig,
    FluxPipeline,
    FluxTransformer2DModel,
    GGUFQuantizationConfig,
    TorchAoConfig,
)
from torch import Tensor, nn

import regiondrag_widget as rd
from regiondrag_widget.models.transformer_lora import fuse_transformer_lora
from tests.unit.engine_kit import box_pair, picture
from tests.unit.models.test_transformer_lora import saved_lora
from tests.unit.models.transformer_kit import SIDE, save_flux1

SHAPE = (64, 96)


def gguf_q8(folder: Path, patch: pytest.MonkeyPatch) -> Any:
    """A .gguf file of Q8_0 weights, as people have them for FLUX.1, loaded by its name."""
    gguf = pytest.importorskip("gguf", reason="gguf, which reads .gguf files, is not installed")
    plain, file = FluxTransformer2DModel.from_pretrained(folder / "transformer"), folder / "flux.gguf"
    writer, q8 = gguf.GGUFWriter(file, "flux"), gguf.GGMLQuantizationType.Q8_0
    for name, weight in plain.state_dict().items():
        if weight.ndim == 2 and weight.shape[1] % 32 == 0:  # of blocks of 32 weights
            writer.add_tensor(name, gguf.quants.quantize(weight.numpy(), q8), raw_dtype=q8)
        else:
            writer.add_tensor(name, weight.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return FluxTransformer2DModel.from_single_file(
        str(file),
        config=str(folder),
        subfolder="transformer",
        quantization_config=GGUFQuantizationConfig(compute_dtype=torch.float32),
        torch_dtype=torch.float32,
    )


def torchao_int8(folder: Path, patch: pytest.MonkeyPatch) -> Any:
    torchao = pytest.importorskip(
        "torchao.quantization",
        reason="torchao is not installed: on a CPU it warns on stderr in every process, which tests read",
    )
    return FluxTransformer2DModel.from_pretrained(
        folder / "transformer",
        quantization_config=TorchAoConfig(torchao.Int8WeightOnlyConfig()),
        torch_dtype=torch.float32,
    )


def bitsandbytes_of(**options: Any) -> Callable[[Path, pytest.MonkeyPatch], Any]:
    def load(folder: Path, patch: pytest.MonkeyPatch) -> Any:
        pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed: 125 MB, for GPUs")
        from diffusers.quantizers.bitsandbytes import bnb_quantizer

        for kind in (bnb_quantizer.BnB4BitDiffusersQuantizer, bnb_quantizer.BnB8BitDiffusersQuantizer):
            # diffusers asks for a GPU, which bitsandbytes itself no longer needs
            patch.setattr(kind, "validate_environment", lambda *_, **__: None)
        return FluxTransformer2DModel.from_pretrained(
            folder / "transformer",
            quantization_config=BitsAndBytesConfig(**options),
            torch_dtype=torch.float32,
            device_map={"": "cpu"},
        )

    return load


nf4 = bitsandbytes_of(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.float32)
int8 = bitsandbytes_of(load_in_8bit=True, llm_int8_threshold=0.0)
# the layers' class and that of their weights
KINDS = {
    "gguf": (gguf_q8, "GGUFLinear", "GGUFParameter"),
    "torchao": (torchao_int8, "Linear", "Int8Tensor"),
    "nf4": (nf4, "Linear4bit", "Params4bit"),
    "int8": (int8, "Linear8bitLt", "Int8Params"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_flux1(tmp_path_factory.mktemp("flux1"))


@pytest.fixture(scope="module")
def theirs(folder: Path) -> FluxPipeline:
    return FluxPipeline.from_pretrained(folder)


@pytest.fixture(scope="module", params=KINDS)
def quantised(request: pytest.FixtureRequest, folder: Path, theirs: FluxPipeline) -> FluxPipeline:
    """diffusers' pipeline with a quantised transformer."""
    load, layer, weights = KINDS[request.param]
    with pytest.MonkeyPatch.context() as patch:
        transformer = load(folder, patch).eval()
    part = transformer.single_transformer_blocks[0].attn.to_q
    assert (type(part).__name__, type(part.weight).__name__) == (layer, weights)
    return FluxPipeline(**{**theirs.components, "transformer": transformer})


def ours(pipeline: FluxPipeline) -> rd.RegionDragPipeline:
    pipe = rd.RegionDragPipeline.from_pipe(pipeline)
    defaults = {**pipe.profile.defaults, "steps": 6, "start": 0.7}
    pipe.profile = replace(pipe.profile, side=SIDE, min_side=SIDE, defaults=defaults)
    return pipe


def session_of(pipeline: FluxPipeline) -> rd.ImageSession:
    return rd.ImageSession(ours(pipeline), picture(*SHAPE), "a dog")


def edited(session: rd.ImageSession, **settings: Any) -> Tensor:
    return [step.latents for step in session.edit([box_pair(SHAPE)], **settings)][-1]


def contents(transformer: nn.Module) -> dict[str, Tensor]:
    """What the weights do, since not all of them can be compared."""
    layers = {name: m for name, m in transformer.named_modules() if isinstance(m, nn.Linear)}
    with torch.no_grad():
        return {name: m(torch.ones(1, m.in_features)) for name, m in layers.items()}


def test_an_edit_runs_and_leaves_the_network_as_it_was(quantised: FluxPipeline, theirs: FluxPipeline):
    transformer = quantised.transformer
    processors, before = dict(transformer.attn_processors), contents(transformer)
    objects = {name: id(weight) for name, weight in transformer.named_parameters()}
    session = session_of(quantised)
    out, plain = edited(session), edited(session_of(theirs))
    assert bool(out.isfinite().all())
    assert 0 < float((out - plain).norm() / plain.norm()) < 0.5  # the weights have lost some digits
    assert all(transformer.attn_processors[name] is one for name, one in processors.items())
    assert {name: id(weight) for name, weight in transformer.named_parameters()} == objects
    after = contents(transformer)
    assert all(torch.equal(after[name], weight) for name, weight in before.items())
    calls = session._network.calls
    assert torch.equal(edited(session), out)
    assert session._network.calls - calls == len(session.levels)  # no inversion


def test_an_edit_that_changes_nothing_gives_the_picture_back(quantised: FluxPipeline):
    session = session_of(quantised)
    still = rd.RegionPair.move(box_pair(SHAPE).handle, 0, 0)
    last = [s.latents for s in session.edit([still], content="latents", vacated="keep")][-1]
    assert float((last - session.inversion().latents[0]).abs().max()) < 1e-4


def test_the_changed_tokens_alone_are_the_full_run(quantised: FluxPipeline):
    session = session_of(quantised)
    some, everything = (edited(session, content="pixels", crop=crop) for crop in (True, False))
    assert torch.allclose(some, everything, atol=1e-4)


def test_another_weight_is_noticed(quantised: FluxPipeline):
    backbone = ours(quantised).backbone
    layer = quantised.transformer.single_transformer_blocks[0].attn.to_q
    before, weight = backbone.fingerprint(), layer.weight
    layer.weight = quantised.transformer.single_transformer_blocks[1].attn.to_q.weight
    assert backbone.fingerprint() != before
    layer.weight = weight
    assert backbone.fingerprint() == before


def test_a_lora_cannot_be_added_into_it(quantised: FluxPipeline, theirs: FluxPipeline, tmp_path: Path):
    file = saved_lora(theirs.transformer, tmp_path / "style.safetensors")
    with pytest.raises(ValueError, match="is quantised, so LoRA weights cannot be added into it"):
        fuse_transformer_lora(quantised.transformer, ours(quantised).family, file)
