"""Where to compute and in which number format: what is chosen, what is refused, how parts are laid out."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import regiondrag_widget as rd
from regiondrag_widget.models.device import choose_device, choose_dtype
from regiondrag_widget.models.loading import arrange
from tests.unit.engine_kit import tiny_scheduler, tiny_unet, tiny_vae


def refusal(**options: Any) -> str:
    """What loading the bundled model so says; one sentence, whatever it is."""
    with pytest.raises(ValueError) as caught:
        rd.RegionDragPipeline.from_pretrained("mini", **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.parametrize("device", ["cuda", "cuda:0", torch.device("cuda")])
def test_a_gpu_where_there_is_none_is_refused(device: Any):
    assert "torch sees no CUDA GPU" in refusal(device=device)


def test_a_gpu_number_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ValueError, match="device cuda:2 was asked for but there are only 2 GPUs"):
        choose_device("cuda:2")


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="this is a Mac")
def test_apples_gpu_where_there_is_none_is_refused():
    assert "device mps was asked for but this machine has none" in refusal(device="mps")


@pytest.mark.parametrize("device", ["tpu", "gpu", "", "meta"])
def test_an_unknown_device_is_refused(device: str):
    assert "use cuda, mps or cpu" in refusal(device=device)


@pytest.mark.parametrize("dtype", ["float64", "half", torch.int8, 16])
def test_an_unknown_number_format_is_refused(dtype: Any):
    assert "dtype must be one of float32, float16, bfloat16" in refusal(dtype=dtype)


def test_a_gpu_is_taken_when_there_is_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device().type == "cuda"


@pytest.mark.parametrize("mps", [True, False])
def test_apples_gpu_is_taken_when_there_is_one(monkeypatch: pytest.MonkeyPatch, mps: bool):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device().type == ("mps" if mps else "cpu")


@pytest.mark.parametrize(("able", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_cpu_computes_in_bfloat16_where_it_can(
    monkeypatch: pytest.MonkeyPatch, able: bool, expected: torch.dtype
):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: able, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    assert choose_dtype(torch.device("cpu")) == expected


def test_a_cpu_computes_in_bfloat16_where_it_has_matrix_tiles(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True, raising=False)
    assert choose_dtype(torch.device("cpu")) == torch.bfloat16


def test_torch_held_to_less_than_the_cpu_has_computes_in_full_precision(monkeypatch: pytest.MonkeyPatch):
    """ATEN_CPU_CAPABILITY, or a build without those kernels."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    assert choose_dtype(torch.device("cpu")) == torch.float32


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_gpu_computes_in_half_precision(device: str):
    assert choose_dtype(torch.device(device)) == torch.float16


@pytest.mark.parametrize(
    ("device", "dtype", "last"),
    [("cuda", torch.float16, True), ("cuda", torch.float32, False), ("cpu", torch.bfloat16, False)],
)
def test_on_a_gpu_what_we_loaded_keeps_its_channels_last(device: str, dtype: torch.dtype, last: bool):
    pipe = rd.RegionDragPipeline(tiny_vae(), tiny_unet(), tiny_scheduler())
    arrange(pipe, torch.device(device), dtype)
    weights = [pipe.unet.conv_in.weight, pipe.vae.decoder.conv_in.weight]
    assert all(w.is_contiguous(memory_format=torch.channels_last) is last for w in weights)
