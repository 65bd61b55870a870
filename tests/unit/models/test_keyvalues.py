"""Where keys and values live changes speed and memory, never the edit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import regiondrag_widget as rd
from regiondrag_widget.engine.denoise import reverse
from regiondrag_widget.engine.inversion import draw_path_noise, invert
from regiondrag_widget.engine.plan import latent_plan
from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.models.keyvalues import HostKeyValues, SourcePath, choose_keeping
from regiondrag_widget.models.levels import edit_levels
from regiondrag_widget.models.unet_source import bytes_a_level
from regiondrag_widget.regions import Correspondence
from tests.unit.engine_kit import box_pair, counted, picture, processors_of, relative_error, tiny_pipeline

SHAPE = (96, 128)
PAIRS = [box_pair(SHAPE, dx=40)]


@pytest.fixture(scope="module", params=["mini", "tiny"])
def pipe(request: pytest.FixtureRequest) -> Any:
    if request.param == "tiny":
        return tiny_pipeline()
    return rd.RegionDragPipeline.from_pretrained("mini", dtype="float32")


def final_latents(pipe: Any, keeping: str, swap: Any = True, batch: int = 16) -> torch.Tensor:
    """An edit of random latents with a hidden and masked_queries region, at three levels."""
    network = pipe.network()
    network._batch_size = batch
    levels = edit_levels(pipe.backbone.alphas_cumprod, 6, 0.5)
    generator = torch.Generator().manual_seed(0)
    clean = torch.randn(pipe.unet.config.in_channels, 16, 16, generator=generator)
    noise = draw_path_noise(len(levels), tuple(clean.shape), generator)
    inversion = invert(network, clean, levels, noise, keeping=keeping)
    cells = np.stack(np.meshgrid(np.arange(2, 6), np.arange(3, 8)), -1).reshape(-1, 2)
    plan = latent_plan(
        inversion,
        Correspondence(cells, cells + np.array([7, 4])),
        EditSettings(vacated="fill", content="latents"),
    )
    assert plan.hidden is not None
    assert plan.masked_queries is not None
    for step in reverse(network, inversion, plan, swap):
        clean = step.latents
    return clean


@pytest.mark.parametrize("keeping", ["host", "recompute"])
@pytest.mark.parametrize("swap", [True, False, lambda name: "up" in name], ids=["all", "none", "up"])
def test_an_edit_is_the_same_wherever_keys_and_values_live(pipe: Any, keeping: str, swap: Any):
    expected = final_latents(pipe, "device", swap)
    assert relative_error(final_latents(pipe, keeping, swap), expected) < 1e-5


def test_the_swap_matters_to_that_edit(pipe: Any):
    assert relative_error(final_latents(pipe, "recompute", False), final_latents(pipe, "recompute")) > 1e-3


@pytest.mark.parametrize("keeping", ["device", "host", "recompute"])
def test_the_inversions_batches_make_no_difference(pipe: Any, keeping: str):
    assert relative_error(final_latents(pipe, keeping, batch=1), final_latents(pipe, keeping)) < 1e-5


@pytest.mark.parametrize("keeping", ["host", "recompute"])
@pytest.mark.parametrize("content", ["pixels", "latents"])
def test_a_sessions_edits_and_drafts_are_the_same_too(pipe: Any, keeping: str, content: str):
    pictures = []
    for kept in ("device", keeping):
        session = rd.ImageSession(pipe, picture(*SHAPE), keys_values=kept)
        assert session.cache_report().keys_values == ""
        for _ in session.edit(PAIRS, content=content, crop=False):
            pass
        for _ in session.draft(PAIRS, calls=2, content=content, crop=False):
            pass
        assert session.cache_report().keys_values == kept
        pictures.append((session.result.array.astype(int), session.drafted.rgb.astype(int)))
    for ours, expected in zip(*pictures, strict=True):
        assert np.abs(ours - expected).max() <= 1


def test_recomputing_keeps_nothing_and_runs_the_source_beside_each_step():
    pipe = tiny_pipeline()
    session = rd.ImageSession(pipe, picture(*SHAPE), keys_values="recompute")
    session.prepare()
    kept = rd.ImageSession(pipe, picture(*SHAPE))
    kept.prepare()
    assert session.nbytes < kept.nbytes
    before = processors_of(pipe.unet)
    with counted(pipe) as counts:
        for _ in session.draft(PAIRS, calls=2):
            assert processors_of(pipe.unet) == before
    assert (counts["unet"], counts["latents"]) == (2, 4)


def test_the_bytes_are_known_before_they_are_taken(pipe: Any):
    levels = edit_levels(pipe.backbone.alphas_cumprod, 6, 0.5)
    clean = torch.zeros(pipe.unet.config.in_channels, 12, 20)
    cache = invert(pipe.network(), clean, levels, torch.zeros(len(levels), *clean.shape)).cache
    assert len(levels) * bytes_a_level(pipe.unet, 12, 20) == cache.nbytes > 0


@pytest.mark.parametrize(
    ("needed", "budgets", "expected"),
    [
        (10, {"host": 10}, "device"),
        (11, {"host": 10}, "recompute"),
        (10, {"device": 10, "host": 5}, "device"),
        (11, {"device": 10, "host": 20}, "host"),
        (21, {"device": 10, "host": 20}, "recompute"),
    ],
)
def test_the_fastest_place_with_room_is_chosen(needed: int, budgets: dict[str, int], expected: str):
    assert choose_keeping(needed, budgets) == expected


def test_a_session_without_room_recomputes_and_says_so():
    pipe = tiny_pipeline()
    cramped = rd.ImageSession(pipe, picture(*SHAPE), max_bytes=1000)
    cramped.prepare()
    assert cramped.cache_report().keys_values == "recompute"
    roomy = rd.ImageSession(pipe, picture(*SHAPE))
    for session in (cramped, roomy):
        for _ in session.edit(PAIRS):
            pass
    assert np.abs(cramped.result.array.astype(int) - roomy.result.array).max() <= 1


def test_a_session_that_runs_short_goes_over_to_recomputing():
    session = rd.ImageSession(tiny_pipeline(), picture(*SHAPE), max_bytes=1 << 20)
    session.prepare()
    assert session.cache_report().keys_values == "device"
    while session.cache_report().entries:
        session.shrink_cache()
    session.prepare()
    assert session.cache_report().keys_values == "recompute"


def test_a_place_there_is_none_of_is_refused():
    with pytest.raises(ValueError, match="keys_values must be one of auto, device, host, recompute"):
        rd.ImageSession(tiny_pipeline(), picture(*SHAPE), keys_values="disk")


def test_what_is_read_from_the_host_is_fetched_a_level_ahead():
    """On the meta device, where copies are made but hold nothing."""
    cache = HostKeyValues(torch.device("meta"))
    for layer in ("a", "b"):
        cache.append(layer, torch.randn(3, 5, 2), torch.randn(3, 5, 2))
    assert {t.device.type for kept in (cache.keys, cache.values) for ts in kept.values() for t in ts} == {
        "cpu"
    }
    cache.will_read([3, 1])
    fetched = []
    original = cache._fetch
    cache._fetch = lambda k, layers: fetched.append(k) or original(k, layers)  # type: ignore[method-assign]
    first = list(cache.level(3, ["a", "b"]))
    assert {t.device.type for pair in first for t in pair} == {"meta"}
    assert fetched == [3, 1]
    again = list(cache.level(3, ["a", "b"]))
    assert [id(t) for pair in first for t in pair] == [id(t) for pair in again for t in pair]
    list(cache.level(1, ["a"]))
    assert fetched == [3, 1]


def test_a_source_path_takes_no_memory_of_its_own():
    assert SourcePath(torch.zeros(3, 4, 8, 8)).nbytes == 0
