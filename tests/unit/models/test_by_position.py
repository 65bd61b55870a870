"""Drag by position: reference tokens at the positions where they should be, and no inversion."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import regiondrag_widget as rd
from regiondrag_widget.models.references import References, referring
from tests.unit.engine_kit import box, box_pair, picture
from tests.unit.models.transformer_kit import KITS, SIDE

SHAPE = (64, 96)


@pytest.fixture(scope="module", params=["flux1", "flux2"])
def pipe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = KITS[request.param].save(tmp_path_factory.mktemp(request.param))
    made = rd.RegionDragPipeline.from_pretrained(folder, device="cpu", dtype="float32")
    defaults = {**made.profile.defaults, "steps": 4, "start": 1.0}
    made.profile = replace(made.profile, side=SIDE, min_side=SIDE, defaults=defaults)
    return made


def called_with(pipe: Any, run: Any) -> list[dict[str, Any]]:
    """The arguments of the transformer's calls while `run` runs."""
    seen: list[dict[str, Any]] = []
    hook = pipe.transformer.register_forward_pre_hook(
        lambda _, args, named: seen.append(named), with_kwargs=True
    )
    try:
        run()
    finally:
        hook.remove()
    return seen


def test_the_reference_is_shown_as_diffusers_pipelines_show_it(pipe: Any):
    """At its own positions: behind the picture's tokens, in a frame of its own."""
    backbone, network = pipe.backbone, pipe.network("a dog")
    x = torch.randn(1, backbone.channels, 8, 12)
    count = backbone.tokens(8, 12)
    everything = torch.arange(count)
    shown = referring(network, References(x[0], everything, everything))
    (call,) = called_with(pipe, lambda: shown.predict(x, torch.tensor([500.0])))
    own, beside = call["hidden_states"].split(count, 1)
    assert torch.equal(own, beside)
    places, addresses = call["img_ids"].split(count)
    frame = torch.zeros(places.shape[1])
    frame[0] = 10 if places.shape[1] == 4 else 1  # Flux2KleinPipeline's first reference, Kontext's
    assert torch.equal(addresses.float(), places + frame)


def test_a_moved_token_is_told_its_new_position_and_the_old_place_is_not_shown(pipe: Any):
    session = rd.ImageSession(pipe, picture(*SHAPE), "a dog")
    pair = rd.RegionPair.move(box(SHAPE, 16, 16, 48, 48), dx=32)
    calls = called_with(pipe, lambda: list(session.edit([pair], content="positions")))
    first = calls[0]
    cells = session.inversion().latents.shape[-2:]
    count = pipe.backbone.tokens(*cells)
    beside, addresses = first["hidden_states"][0, count:], first["img_ids"][count:, 1:3].tolist()
    shown = {tuple(map(int, place)): token for place, token in zip(addresses, beside, strict=True)}
    side = pipe.backbone.cell * pipe.backbone.patch  # pixels a token
    pixels = torch.from_numpy(picture(*SHAPE)).permute(2, 0, 1)[None] / 127.5 - 1
    tokens = pipe.backbone.encode(pixels)
    if pipe.backbone.patch == 2:
        tokens = torch.nn.functional.pixel_unshuffle(tokens, 2)
    assert side == 16
    for y, x in itertools.product((1, 2), (1, 2)):
        assert (y, x) not in shown  # it has left
        assert torch.allclose(shown[y, x + 2], tokens[0, :, y, x], atol=1e-4)
    assert torch.allclose(shown[0, 0], tokens[0, :, 0, 0], atol=1e-4)


def test_nothing_is_inverted_and_only_the_regions_change(pipe: Any):
    image, pair = picture(*SHAPE), box_pair(SHAPE)
    session = rd.ImageSession(pipe, image, "a dog")
    calls = called_with(pipe, lambda: list(session.edit([pair], content="positions")))
    assert len(calls) == len(session.levels)
    out, touched = session.result.array, pair.handle | pair.target
    assert np.array_equal(out[~touched], image[~touched])
    assert not np.array_equal(out[touched], image[touched])
    assert session.result.settings["content"] == "positions"


def test_a_removal_and_a_copy_work_too(pipe: Any):
    image, pair = picture(*SHAPE), box_pair(SHAPE)
    session = rd.ImageSession(pipe, image, "a dog")
    list(session.edit([rd.RegionPair.remove(pair.handle)], content="positions"))
    assert not np.array_equal(session.result.array[pair.handle], image[pair.handle])
    list(session.edit([rd.RegionPair.move(pair.handle, dx=24, action="copy")], content="positions"))
    list(session.draft([pair], calls=1, content="positions"))
    assert session.drafted.calls == 1


def test_a_removal_removes_whatever_is_to_become_of_places_that_are_left(pipe: Any):
    session = rd.ImageSession(pipe, picture(*SHAPE), "a dog", start=0.5)
    removal = rd.RegionPair.remove(box(SHAPE, 16, 16, 48, 48))
    count = pipe.backbone.tokens(*session.inversion().latents.shape[-2:])
    edit = session.edit([removal], content="positions", vacated="keep")
    (call, *_) = called_with(pipe, lambda: list(edit))
    shown = {tuple(map(int, place)) for place in call["img_ids"][count:, 1:3].tolist()}
    assert len(shown) == count - 4
    assert not shown & {(1, 1), (1, 2), (2, 1), (2, 2)}


def test_settings_that_it_has_no_use_for_are_named(pipe: Any):
    session = rd.ImageSession(pipe, picture(*SHAPE), "a dog")
    with pytest.warns(UserWarning, match='content="positions" does not use stop, attention_swap'):
        session.edit([box_pair(SHAPE)], content="positions", stop=0.2, attention_swap=False)


def test_guidance_is_told_as_given(pipe: Any):
    network = pipe.model.network("a dog", guidance_scale=0.0)
    x = torch.randn(1, pipe.backbone.channels, 4, 4)
    (call,) = called_with(pipe, lambda: network.predict(x, torch.tensor([500.0])))
    told = call["guidance"]
    assert told is None if pipe.backbone.patch == 1 else told.tolist() == [0.0]  # klein is told none


def test_relatives_that_read_more_are_refused(pipe: Any):
    config, flux1 = pipe.transformer.config, pipe.backbone.patch == 2
    change = {"in_channels": 96, "out_channels": 16} if flux1 else {"guidance_embeds": True}
    other = type(pipe.transformer).from_config({**config, **change})
    with pytest.raises(ValueError, match="Fill, Depth, Canny" if flux1 else r"FLUX\.2 dev"):
        rd.RegionDragPipeline(pipe.vae, None, pipe.scheduler, transformer=other)


def test_a_model_that_reads_no_references_says_so(tmp_path: Path):
    with pytest.raises(ValueError, match="reads reference pictures"):
        rd.edit(picture(*SHAPE), [box_pair(SHAPE)], content="positions")
