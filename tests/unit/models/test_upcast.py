"""Which autoencoders are called in float32, and that their float32 twin follows them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from accelerate.hooks import ModelHook, add_hook_to_module
from diffusers import AutoencoderKL

import regiondrag_widget as rd
from regiondrag_widget.models.upcast import Float32Twin, needs_float32
from tests.unit.engine_kit import box_pair, picture, tiny_embeds, tiny_pipeline, tiny_vae

SDXL, SD15 = {"scaling_factor": 0.13025}, {"scaling_factor": 0.18215}
Z = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(0))


def silent_config(**changes: Any) -> AutoencoderKL:
    """An autoencoder whose file does not say `force_upcast`, as Stable Diffusion 1.5's and 2.1's do not."""
    config = {k: v for k, v in tiny_vae(**changes).config.items() if k != "force_upcast"}
    return AutoencoderKL.from_config(config)


@pytest.mark.parametrize(
    ("vae", "needed"),
    [
        (lambda: tiny_vae(force_upcast=True, **SDXL), True),
        (lambda: tiny_vae(force_upcast=False, **SDXL), False),
        (lambda: silent_config(**SDXL), False),
        (lambda: silent_config(**SD15), False),
        (lambda: tiny_vae(force_upcast=True, **SD15), False),
    ],
    ids=["sdxl", "sdxl, mended", "not said", "sd 1.5", "sd 1.5, saved again by diffusers"],
)
def test_only_sdxls_autoencoder_needs_float32(vae: Any, needed: bool):
    assert needs_float32(vae()) is needed


def decoded(twin: Float32Twin) -> torch.Tensor:
    with twin.called() as vae, torch.inference_mode():
        return vae.decode(Z.to(next(vae.parameters()).dtype)).sample


@pytest.fixture
def vae() -> AutoencoderKL:
    return tiny_vae(force_upcast=True, **SDXL).half()


def test_it_is_called_in_float32_and_stays_as_it_is(vae: AutoencoderKL):
    twin = Float32Twin(vae)
    assert decoded(twin).dtype == torch.float32
    assert vae.dtype == torch.float16
    full = tiny_vae(force_upcast=True, **SDXL).half().float()
    with torch.inference_mode():
        assert torch.equal(decoded(twin), full.decode(Z).sample)


def test_the_twin_is_made_once(vae: AutoencoderKL):
    twin = Float32Twin(vae)
    with twin.called() as first, twin.called() as second:
        assert first is second


def test_the_twin_follows_other_weights(vae: AutoencoderKL):
    twin = Float32Twin(vae)
    before = decoded(twin)
    with torch.no_grad():
        vae.decoder.conv_out.weight.mul_(2)
    assert not torch.equal(decoded(twin), before)


def test_the_twin_copies_no_hooks_and_nothing_they_hold(vae: AutoencoderKL):
    class Holds(ModelHook):
        def __init__(self) -> None:
            self.execution_device = torch.device("cpu")
            self.everything = object()

        def __deepcopy__(self, memo: Any) -> Any:
            raise AssertionError("the hook was copied, and with it the network that it holds")

    add_hook_to_module(vae, Holds())
    with Float32Twin(vae).called() as twin:
        assert not hasattr(twin, "_hf_hook")
    assert bool(decoded(Float32Twin(vae)).isfinite().all())


def test_an_edit_works_with_a_twin_and_offloading_together(vae: AutoencoderKL):
    """The twin is made while the network's turn is held, which offloading needs."""
    pipe = tiny_pipeline()
    whole = rd.RegionDragPipeline(vae, pipe.unet, pipe.scheduler)
    hook = ModelHook()
    hook.execution_device = torch.device("cpu")
    add_hook_to_module(vae, hook)
    embeds = tiny_embeds()
    out = whole(picture(96, 128), [box_pair((96, 128))], steps=4, prompt_embeds=embeds, output_type="pt")
    assert bool(out.images.isfinite().all())
    assert vae.dtype == torch.float16


def test_slicing_and_tiling_are_the_twins_too(vae: AutoencoderKL):
    vae.enable_tiling()
    with Float32Twin(vae).called() as twin:
        assert twin.use_tiling


def test_weights_that_are_loaded_piece_by_piece_are_refused(vae: AutoencoderKL):
    import accelerate

    accelerate.cpu_offload(vae, execution_device=torch.device("cpu"))
    with pytest.raises(ValueError, match="sequential offload"), Float32Twin(vae).called():
        pass
