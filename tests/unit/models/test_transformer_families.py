"""Transformer families as the engine calls them: what diffusers' pipelines compute, and an inversion's keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DiffusionPipeline
from torch import Tensor

from regiondrag_widget.models.backbone import Condition
from regiondrag_widget.models.families import family_of
from regiondrag_widget.models.keyvalues import KeyValueCache, SourcePath
from regiondrag_widget.models.transformer import TransformerBackbone
from regiondrag_widget.models.transformer_network import TransformerNetwork
from tests.unit.families_kit import SAVE

PROMPT = "a red duck"
CELLS = (12, 16)  # 48 tokens, which is no multiple of 32


@pytest.fixture(scope="module", params=SAVE)
def pipe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp(request.param)
    SAVE[request.param](folder / "model", folder / "work")
    pipe = DiffusionPipeline.from_pretrained(folder / "model")
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture
def backbone(pipe: Any) -> TransformerBackbone:
    return family_of(pipe.transformer).backbone_class()(pipe.vae, pipe.transformer, pipe.scheduler)


@pytest.fixture
def network(pipe: Any, backbone: TransformerBackbone) -> TransformerNetwork:
    return backbone.network(backbone.encode_prompt(pipe.components, PROMPT))


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 16, *CELLS, generator=torch.Generator().manual_seed(3))


def told(value: float, rows: int) -> Tensor:
    return torch.full((rows,), value)


def test_a_step_is_the_one_of_the_familys_pipeline(pipe: Any, backbone: TransformerBackbone):
    """Its latents after one step, from the noise that it was given, with the same prompt."""
    height, width = (8 * c for c in CELLS)
    steps, seen = 4, []

    def keep(_: Any, index: int, t: Tensor, given: dict[str, Tensor]) -> dict[str, Tensor]:
        seen.append((float(t), given["latents"].clone()))
        return given

    off = {"true_cfg_scale": 1.0} if "Qwen" in type(pipe).__name__ else {"guidance_scale": 0.0}
    start = torch.randn(1, 16, *CELLS, generator=torch.Generator().manual_seed(0))
    packed = start if "Qwen" not in type(pipe).__name__ else pack(start)
    pipe(PROMPT, height=height, width=width, num_inference_steps=steps, latents=packed, output_type="latent",
         callback_on_step_end=keep, **off)  # fmt: skip
    sigmas = backbone.sigmas(backbone.tokens(*CELLS), steps)
    assert [t for t, _ in seen] == pytest.approx([1000 * s for s in sigmas], rel=1e-5)
    network = backbone.network(backbone.encode_prompt(pipe.components, PROMPT))
    velocity = network.predict(start, told(1000 * sigmas[0], 1))
    theirs = seen[0][1] if packed is start else unpack(seen[0][1])
    assert torch.allclose(start + (sigmas[1] - sigmas[0]) * velocity, theirs, atol=1e-5)


def pack(x: Tensor) -> Tensor:
    return torch.nn.functional.pixel_unshuffle(x, 2).flatten(2).transpose(1, 2)


def unpack(tokens: Tensor) -> Tensor:
    grid = (CELLS[0] // 2, CELLS[1] // 2)
    return torch.nn.functional.pixel_shuffle(tokens.transpose(1, 2).unflatten(2, grid), 2)


def test_pictures_are_encoded_and_decoded_as_the_familys_pipeline_does(
    pipe: Any, backbone: TransformerBackbone
):
    latents = torch.randn(1, 16, *CELLS, generator=torch.Generator().manual_seed(0))
    config = pipe.vae.config
    if config.get("latents_mean"):
        mean, deviation = (
            torch.tensor(config[k]).view(1, -1, 1, 1) for k in ("latents_mean", "latents_std")
        )
        expected = pipe.vae.decode((latents * deviation + mean)[:, :, None]).sample[:, :, 0]
    else:
        expected = pipe.vae.decode(latents / config.scaling_factor + config.shift_factor).sample
    decoded = backbone.decode(latents)
    assert torch.allclose(decoded, expected, atol=1e-5)
    assert decoded.shape == (1, 3, 96, 128)
    encoded = backbone.encode(decoded.clamp(-1, 1))
    assert encoded.shape == latents.shape
    assert torch.allclose(backbone.scaled(pipe.vae, backbone.unscaled(pipe.vae, encoded)), encoded, atol=1e-5)


def captured(network: TransformerNetwork, x: Tensor) -> tuple[KeyValueCache, Tensor]:
    cache = KeyValueCache()
    with torch.inference_mode():
        return cache, network.capture(x, told(500.0, len(x)), cache)


def predicted(network: TransformerNetwork, cache: KeyValueCache, x: Tensor, **options: Any) -> Tensor:
    given = {"swap": True, "hidden": None, "masked_queries": None, **options}
    with torch.inference_mode(), network.inject(cache, **given) as predict:
        return predict(1, 500.0, x)


def test_capturing_computes_the_same_and_a_batch_equals_one_by_one(network: TransformerNetwork, x: Tensor):
    with torch.inference_mode():
        plain = torch.cat([network.predict(row[None], told(500.0, 1)) for row in x])
    cache, output = captured(network, x)
    assert torch.allclose(output, plain, atol=1e-5)
    one = captured(network, x[1:])[0]
    for name, keys in cache.keys.items():
        assert torch.allclose(keys[1], one.keys[name][0], atol=1e-5)
        assert torch.allclose(cache.values[name][1], one.values[name][0], atol=1e-5)


def test_reading_ones_own_keys_changes_nothing(network: TransformerNetwork, x: Tensor):
    cache, output = captured(network, x[:1])
    assert torch.allclose(predicted(network, cache, x[:1]), output, atol=1e-5)


def only_image(name: str) -> bool:
    return not name.startswith("context_refiner")


@pytest.mark.parametrize("swap", [True, lambda name: "1" in name])
def test_injected_keys_equal_a_run_beside_the_original(network: TransformerNetwork, x: Tensor, swap: Any):
    cache, _ = captured(network, x[:1])
    injected = predicted(network, cache, x[1:], swap=swap)
    beside = predicted(network, SourcePath(x[:1]), x[1:], swap=swap)
    assert torch.allclose(injected, beside, atol=1e-5)
    with torch.inference_mode():
        assert not torch.allclose(injected, network.predict(x[1:], told(500.0, 1)), atol=1e-4)


@pytest.mark.parametrize("masked", [False, True])
def test_some_tokens_alone_are_exactly_those_of_the_full_run(
    network: TransformerNetwork, x: Tensor, masked: bool
):
    cells = torch.zeros(CELLS, dtype=torch.bool)
    cells[2:6, 4:10] = True
    hidden = torch.zeros(CELLS, dtype=torch.bool)
    hidden[:4, :4] = True
    given = {"hidden": hidden, "masked_queries": cells} if masked else {}
    cache, _ = captured(network, x[:1])
    full = predicted(network, cache, x[1:], **given)
    some = predicted(network, cache, x[1:], open_cells=cells, **given)
    assert torch.allclose(some[..., cells], full[..., cells], atol=1e-6)
    assert float(some[..., ~cells].abs().max()) == 0.0


def test_the_transformer_is_as_it_was(pipe: Any, network: TransformerNetwork, x: Tensor):
    before, weights = processors(pipe), dict(pipe.transformer.__dict__)
    cache, _ = captured(network, x[:1])
    cells = torch.zeros(CELLS, dtype=torch.bool)
    cells[:4] = True
    predicted(network, cache, x[1:], open_cells=cells)
    with pytest.raises(RuntimeError), network.inject(cache, True, None, None) as predict:
        predict(1, 500.0, x[1:, :, :, :3])  # no whole tokens
    assert processors(pipe) == before
    assert pipe.transformer.__dict__.keys() == weights.keys()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in pipe.transformer.modules())


def processors(pipe: Any) -> dict[str, int]:
    found = pipe.transformer.named_modules()
    return {name: id(m.processor) for name, m in found if hasattr(m, "processor")}


def test_the_key_value_bytes_are_those_of_a_level(network: TransformerNetwork, x: Tensor):
    cache, _ = captured(network, x[:1])
    assert network.level_bytes(*CELLS) == cache.nbytes
