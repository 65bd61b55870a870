"""Where weights are moved or cast for each call, the edit is the usual one; no GPU is needed to show it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import accelerate
import pytest
import torch
from accelerate.hooks import ModelHook, add_hook_to_module, remove_hook_from_submodules

import regiondrag_widget as rd
from regiondrag_widget.models import placement
from regiondrag_widget.models.placement import device_of, dtype_of, free_memory, is_moved, wait_for
from regiondrag_widget.models.turns import turns_of
from tests.unit.engine_kit import (
    box_pair,
    picture,
    save_tiny_sd15,
    tiny_pipeline,
    tiny_unet,
    tiny_vae,
)

SHAPE = (96, 128)
CPU = torch.device("cpu")


def edited(session: rd.ImageSession) -> torch.Tensor:
    return [step.latents for step in session.edit([box_pair(SHAPE)])][-1]


def session_of(pipe: Any, **options: Any) -> rd.ImageSession:
    return rd.ImageSession(pipe, picture(*SHAPE), **options)


def assert_prepared_for_good(session: rd.ImageSession, expected: torch.Tensor) -> None:
    """Moving the weights between calls does not make the picture be prepared again."""
    before = session._prepared.window_for(None, 0)
    assert torch.allclose(edited(session), expected, atol=1e-5)
    assert session._prepared.window_for(None, 0) is before
    assert "inversion" not in session.timings


class Parked(ModelHook):
    """As accelerate's model offload, with torch's meta device for the place where weights are parked."""

    def __init__(self) -> None:
        self.execution_device = CPU
        self.kept: dict[str, torch.Tensor] = {}
        self.log: list[str] = []

    def init_hook(self, module: Any) -> Any:
        self.kept = {name: p.data.clone() for name, p in module.named_parameters()}
        self.park(module)
        return module

    def park(self, module: Any) -> None:
        for p in module.parameters():
            p.data = p.data.new_zeros(())  # as good as not there: the shape is gone

    def pre_forward(self, module: Any, *args: Any, **kwargs: Any) -> Any:
        self.log.append("in")
        for name, p in module.named_parameters():
            p.data = self.kept[name]
        return args, kwargs

    def post_forward(self, module: Any, output: Any) -> Any:
        self.park(module)
        return output


@pytest.mark.parametrize("keys_values", ["device", "recompute"])
def test_an_edit_with_model_offload_is_the_usual_one(keys_values: str):
    pipe = tiny_pipeline()
    expected = edited(session_of(pipe, keys_values=keys_values))
    hook = Parked()
    add_hook_to_module(pipe.unet, hook)
    session = session_of(pipe, keys_values=keys_values)
    assert torch.allclose(edited(session), expected, atol=1e-5)
    assert hook.log
    assert_prepared_for_good(session, expected)


def test_an_edit_with_sequential_offload_is_the_usual_one():
    pipe = tiny_pipeline()
    expected = edited(session_of(pipe))
    for part in (pipe.unet, pipe.vae):
        accelerate.cpu_offload(part, execution_device=CPU)
    assert next(pipe.unet.parameters()).device.type == "meta"
    assert pipe.backbone.device == CPU
    session = session_of(pipe)
    assert torch.allclose(edited(session), expected, atol=1e-5)
    assert_prepared_for_good(session, expected)
    for part in (pipe.unet, pipe.vae):
        remove_hook_from_submodules(part)
    assert torch.allclose(edited(session_of(pipe)), expected, atol=1e-5)


def test_an_edit_with_group_offload_is_the_usual_one():
    pipe = tiny_pipeline()
    expected = edited(session_of(pipe))
    try:
        pipe.unet.enable_group_offload(onload_device=CPU, offload_device=CPU, offload_type="leaf_level")
    except (AttributeError, RuntimeError, ValueError) as error:
        pytest.skip(f"this diffusers has no group offload without a GPU: {error}")
    assert is_moved(pipe.unet)
    assert pipe.backbone.device == CPU
    session = session_of(pipe)
    assert torch.allclose(edited(session), expected, atol=1e-5)
    assert_prepared_for_good(session, expected)


def test_an_edit_with_layerwise_casting_computes_in_the_format_that_is_cast_to():
    pipe = tiny_pipeline()
    if not hasattr(pipe.unet, "enable_layerwise_casting"):
        pytest.skip("this diffusers has no layerwise casting")
    plain = edited(session_of(pipe))
    pipe.unet.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.float32)
    assert next(pipe.unet.parameters()).dtype == torch.float8_e4m3fn
    assert dtype_of(pipe.unet) == pipe.backbone.dtype == torch.float32
    session = session_of(pipe)
    cast = edited(session)
    assert bool(cast.isfinite().all())
    assert 0 < float((cast - plain).norm() / plain.norm()) < 0.5, "the weights have lost some digits"
    assert torch.equal(edited(session), cast)


def test_the_device_of_a_network_is_where_its_hooks_take_it():
    unet = tiny_unet()
    assert device_of(unet) == CPU
    assert not is_moved(unet)
    hook = ModelHook()
    hook.execution_device = 1
    add_hook_to_module(unet, hook)
    assert device_of(unet) == torch.device("cuda", 1)
    unet._hf_hook.execution_device = "meta"
    assert device_of(unet) == torch.device("meta")
    unet._hf_hook.execution_device = None
    assert device_of(unet) == CPU


def test_a_part_whose_hooks_move_the_network_away_waits_for_its_turn():
    """Model offload takes the network off the GPU for the autoencoder, also in the middle of a call."""
    pipe = tiny_pipeline()
    held: list[bool] = []

    class Asks(ModelHook):
        def pre_forward(self, module: Any, *args: Any, **kwargs: Any) -> Any:
            held.append(turns_of(pipe.unet)._owner is not None)
            return args, kwargs

    add_hook_to_module(pipe.vae, Asks())
    edited(session_of(pipe))
    assert held
    assert all(held)


@pytest.mark.parametrize("content", ["pixels", "latents"])
def test_parts_on_several_devices_hand_their_tensors_on(content: str, monkeypatch: pytest.MonkeyPatch):
    """A device map puts the autoencoder elsewhere: its pixels go there, and its latents come back."""
    pipe = tiny_pipeline()
    asked: list[torch.device] = []
    real = placement.device_of

    def told(module: Any) -> torch.device:
        asked.append(module)
        return real(module)

    monkeypatch.setattr("regiondrag_widget.models.unet.device_of", told)
    list(rd.ImageSession(pipe, picture(*SHAPE)).edit([box_pair(SHAPE)], content=content))
    assert any(module is pipe.vae for module in asked)
    assert any(module is pipe.unet for module in asked)


def test_a_device_map_places_the_parts_and_they_are_not_moved_again(tmp_path: Path):
    folder = save_tiny_sd15(tmp_path / "sd15", tmp_path / "words")
    pipe = rd.RegionDragPipeline.from_pretrained(folder, device="cpu", dtype="float32", device_map="cpu")
    assert pipe.hf_device_map
    pipe.hf_device_map = {"unet": "cpu", "vae": "meta"}
    with pytest.raises(ValueError, match="device mapping"):
        pipe.to("cpu")  # what loading would have run into
    assert bool(edited(session_of(pipe)).isfinite().all())


# ---- memory and time of a GPU, asked of a stand-in ----


def test_free_memory_counts_what_torch_holds_ready(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1000, 8000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 700)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 300)
    assert free_memory(torch.device("cuda")) == 1400
    assert free_memory(CPU) is None


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_memory_is_given_back_and_waited_for_on_every_kind_of_gpu(kind: str, monkeypatch: pytest.MonkeyPatch):
    log: list[str] = []
    library = getattr(torch, kind)
    monkeypatch.setattr(library, "empty_cache", lambda: log.append("emptied"))
    monkeypatch.setattr(library, "synchronize", lambda *_: log.append("waited"))
    placement.empty_cache(torch.device(kind))
    wait_for(torch.device(kind))
    placement.empty_cache(CPU)
    wait_for(CPU)
    assert log == ["emptied", "waited"]


def test_the_autoencoders_dtype_is_its_own():
    assert dtype_of(tiny_vae().half()) == torch.float16
