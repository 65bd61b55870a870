"""The inversion: one path of rising noise, one batch of network calls, and a way back that is exact."""

from __future__ import annotations

import itertools

import pytest
import torch

from regiondrag_widget.engine.inversion import Inversion, draw_path_noise, invert, noising_path
from regiondrag_widget.models.backbone import Condition
from regiondrag_widget.models.flow_levels import flow_levels
from regiondrag_widget.models.levels import (
    Level,
    Levels,
    added_noise,
    clean_and_noise,
    edit_levels,
    kept_signal,
    released_levels,
    reverse_mean,
)
from regiondrag_widget.models.unet import UNetBackbone, UNetNetwork
from regiondrag_widget.regions import Correspondence
from tests.unit.engine_kit import tiny_embeds, tiny_pipeline, tiny_scheduler, tiny_unet, tiny_vae

ALPHAS = tiny_scheduler().alphas_cumprod
NOWHERE = Correspondence(torch.zeros(0, 2, dtype=torch.int64), torch.zeros(0, 2, dtype=torch.int64))


def clean_latents(seed: int = 4) -> torch.Tensor:
    return torch.randn(4, 16, 16, generator=torch.Generator().manual_seed(seed))


def inverted(batch_size: int | None, prediction_type: str = "epsilon") -> Inversion:
    backbone = UNetBackbone(tiny_vae(), tiny_unet(), tiny_scheduler(prediction_type=prediction_type))
    network = UNetNetwork(backbone, Condition(tiny_embeds()), batch_size)
    levels = edit_levels(ALPHAS, steps=12, start=0.5)
    noise = draw_path_noise(len(levels), (4, 16, 16), torch.Generator().manual_seed(5))
    return invert(network, clean_latents(), levels, noise)


# ---- one batch ----


@pytest.fixture(scope="module")
def one_by_one() -> Inversion:
    return inverted(batch_size=1)


@pytest.mark.parametrize("batch_size", [2, 4, 5, 6, 100])
def test_a_batched_inversion_is_the_one_by_one_inversion(batch_size: int, one_by_one: Inversion):
    batched = inverted(batch_size)
    assert torch.equal(batched.latents, one_by_one.latents)
    assert torch.allclose(batched.residuals, one_by_one.residuals, atol=1e-5)
    assert batched.cache.keys.keys() == one_by_one.cache.keys.keys()
    for store in ("keys", "values"):
        for layer, expected in getattr(one_by_one.cache, store).items():
            ours = getattr(batched.cache, store)[layer]
            assert len(ours) == len(expected) == 6
            assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(ours, expected, strict=True))


def test_an_inversion_asks_the_network_once_for_all_levels():
    backbone = UNetBackbone(tiny_vae(), tiny_unet(), tiny_scheduler())
    network = UNetNetwork(backbone, Condition(tiny_embeds()))
    levels = edit_levels(ALPHAS, steps=12, start=0.5)
    invert(
        network, clean_latents(), levels, draw_path_noise(6, (4, 16, 16), torch.Generator().manual_seed(5))
    )
    assert network.calls == 1


def test_a_batch_fits_the_memory_there_is():
    backbone = UNetBackbone(tiny_vae(), tiny_unet(), tiny_scheduler())
    network = UNetNetwork(backbone, Condition(tiny_embeds()))
    assert network.batch_size(4096, 4096) == 1
    assert network.batch_size(16, 16) > 10


def test_keys_and_values_are_kept_for_every_self_attention_layer(one_by_one: Inversion):
    names = {n.removesuffix(".processor") for n in tiny_unet().attn_processors if "attn1" in n}
    assert set(one_by_one.cache.keys) == set(one_by_one.cache.values) == names


def test_the_memory_an_inversion_takes_is_told(one_by_one: Inversion):
    kept = [*one_by_one.cache.keys.values(), *one_by_one.cache.values.values()]
    tensors = [
        one_by_one.latents,
        one_by_one.noise,
        one_by_one.residuals,
        one_by_one.outputs,
        *(t for level in kept for t in level),
    ]
    assert one_by_one.nbytes == sum(t.numel() * 4 for t in tensors)


def test_the_shape_of_the_noise_is_checked():
    backbone = UNetBackbone(tiny_vae(), tiny_unet(), tiny_scheduler())
    network = UNetNetwork(backbone, Condition(tiny_embeds()))
    with pytest.raises(ValueError, match=r"path_noise must have shape \(6, 4, 16, 16\)"):
        invert(network, clean_latents(), edit_levels(ALPHAS, 12, 0.5), torch.zeros(5, 4, 16, 16))


# ---- the path ----


def test_the_path_has_the_variance_of_its_levels():
    levels = edit_levels(ALPHAS, steps=12, start=0.5)
    noise = draw_path_noise(len(levels), (4, 128, 128), torch.Generator().manual_seed(0))
    path = noising_path(torch.zeros(4, 128, 128), noise, levels)
    for x, alpha in zip(path, levels.alphas, strict=True):
        assert float(x.var()) == pytest.approx(1 - alpha, rel=0.02, abs=1e-9)


def test_the_path_begins_at_the_clean_latents():
    levels = edit_levels(ALPHAS, steps=12, start=0.5)
    path = noising_path(clean_latents(), torch.randn(6, 4, 16, 16), levels)
    assert torch.equal(path[0], clean_latents())


def test_the_noise_of_a_seed_does_not_depend_on_how_it_is_used():
    whole = draw_path_noise(6, (4, 8, 8), torch.Generator().manual_seed(7))
    again = draw_path_noise(6, (4, 8, 8), torch.Generator().manual_seed(7))
    other = draw_path_noise(6, (4, 8, 8), torch.Generator().manual_seed(8))
    assert torch.equal(whole, again)
    assert not torch.equal(whole, other)


@pytest.mark.parametrize("alpha_next", [1.0, 0.9])
def test_the_residual_makes_the_reverse_step_exact(alpha_next: float):
    generator = torch.Generator().manual_seed(0)
    before, x, output = (torch.randn(4, 8, 8, generator=generator) for _ in range(3))
    x0, e = clean_and_noise(x, output, Level.of_alpha(0.5), "epsilon")
    mean = reverse_mean(x0, e, Level.of_alpha(0.5), Level.of_alpha(alpha_next))
    assert torch.allclose(mean + (before - mean), before, atol=1e-6)


VP, FLOW = Level.of_alpha(0.3), Level(450.0, 0.55, 0.45, 0.45)


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        ("epsilon", VP),
        ("epsilon", FLOW),
        ("sample", VP),
        ("sample", FLOW),
        ("v_prediction", VP),
        ("flow_prediction", FLOW),
    ],
)
def test_every_parametrisation_gives_back_the_clean_latents_and_the_noise(kind: str, level: Level):
    generator = torch.Generator().manual_seed(0)
    x0, e = (torch.randn(4, 8, 8, generator=generator) for _ in range(2))
    a, s = level.signal, level.noise
    x = a * x0 + s * e
    output = {"epsilon": e, "v_prediction": a * e - s * x0, "sample": x0, "flow_prediction": e - x0}[kind]
    ours = clean_and_noise(x, output, level, kind)  # type: ignore[arg-type]
    assert torch.allclose(ours[0], x0, atol=1e-5)
    assert torch.allclose(ours[1], e, atol=1e-5)


def test_the_path_of_a_flow_has_the_variance_of_its_levels():
    levels = flow_levels([k / 10 for k in range(1, 11)], start=0.8)
    noise = draw_path_noise(len(levels), (4, 128, 128), torch.Generator().manual_seed(0))
    path = noising_path(torch.ones(4, 128, 128), noise, levels)
    for x, level in zip(path, levels.all, strict=True):
        assert float(x.mean()) == pytest.approx(level.signal, abs=0.01)
        assert float(x.var()) == pytest.approx(level.noise**2, rel=0.02, abs=1e-9)


def test_the_steps_of_a_variance_preserving_path_are_those_of_its_alphas():
    low, high = Level.of_alpha(0.9), Level.of_alpha(0.4)
    assert kept_signal(low, high) == pytest.approx((0.4 / 0.9) ** 0.5)
    assert added_noise(low, high) == pytest.approx((1 - 0.4 / 0.9) ** 0.5)


def test_an_unknown_parametrisation_is_refused():
    with pytest.raises(ValueError, match="prediction_type 'flow' is not one of"):
        clean_and_noise(torch.zeros(1), torch.zeros(1), Level.of_alpha(0.5), "flow")  # type: ignore[arg-type]


# ---- the empty edit ----


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("start", [0.3, 0.5, 0.9])
def test_an_empty_edit_gives_the_latents_back(kind: str, start: float):
    pipe = tiny_pipeline(prediction_type=kind)
    latents = clean_latents()[None]
    out = pipe(latents=latents, correspondence=NOWHERE, steps=10, start=start, output_type="latent").images
    assert float((out - latents).abs().max()) < 1e-5


def test_an_empty_edit_as_released_gives_the_latents_back():
    latents = clean_latents()[None]
    out = tiny_pipeline()(
        latents=latents, correspondence=NOWHERE, steps=10, start=0.5, preset="released", output_type="latent"
    ).images
    assert float((out - latents).abs().max()) < 1e-5


# ---- levels ----


def test_levels_begin_at_truly_clean():
    levels = edit_levels(ALPHAS, steps=20, start=0.5)
    assert levels.timesteps[0] == -1
    assert levels.alphas[0] == 1.0
    assert levels.fraction(0) == 0.0


def test_levels_reach_the_start_asked_for():
    levels = edit_levels(ALPHAS, steps=20, start=0.5)
    assert levels.timesteps == (-1, *range(49, 500, 50))
    assert levels.fraction(len(levels)) == 0.5


def test_alphas_fall_with_the_level():
    alphas = edit_levels(ALPHAS, steps=20, start=1.0).alphas
    assert all(a > b for a, b in itertools.pairwise(alphas))
    assert alphas[-1] == pytest.approx(float(ALPHAS[999]))


def test_one_level_is_enough():
    assert len(edit_levels(ALPHAS, steps=1, start=1.0)) == 1
    assert len(edit_levels(ALPHAS, steps=20, start=0.001)) == 1


def test_all_the_levels_there_are_may_be_used():
    assert len(edit_levels(ALPHAS, steps=1000, start=1.0)) == 1000


def test_timesteps_may_be_named():
    assert edit_levels(ALPHAS, 20, 0.5, [10, 300, 700]).timesteps == (-1, 10, 300, 700)


def test_the_released_levels_park_the_clean_latents_at_the_first_timestep():
    levels = released_levels(ALPHAS, steps=20, start=0.5)
    assert levels.timesteps == tuple(range(49, 550, 50))
    assert levels.alphas[0] == pytest.approx(float(ALPHAS[49]))


@pytest.mark.parametrize("steps", [0, -1, 1001, 2.5, True, "20"])
@pytest.mark.parametrize("make", [edit_levels, released_levels])
def test_steps_out_of_range_are_refused(make, steps):
    with pytest.raises((ValueError, TypeError), match="steps must be a whole number from 1 to 1000"):
        make(ALPHAS, steps, 0.5)


@pytest.mark.parametrize("start", [0, 0.0, -0.1, 1.01, float("nan"), "0.5", True])
@pytest.mark.parametrize("make", [edit_levels, released_levels])
def test_a_start_out_of_range_is_refused(make, start):
    with pytest.raises((ValueError, TypeError), match="start must be a"):
        make(ALPHAS, 20, start)


def test_the_released_levels_may_start_at_pure_noise():
    assert released_levels(ALPHAS, steps=20, start=1.0).timesteps[-1] == 999


@pytest.mark.parametrize("timesteps", [[1000], [-1, 5], [5, 5], [9, 3]])
def test_timesteps_that_are_no_rising_levels_are_refused(timesteps: list[int]):
    with pytest.raises(ValueError, match="levels must"):
        edit_levels(ALPHAS, 20, 0.5, timesteps)


def test_no_timesteps_are_no_levels():
    with pytest.raises(ValueError, match="at least one noised level"):
        Levels((Level.of_alpha(1.0, -1),))
