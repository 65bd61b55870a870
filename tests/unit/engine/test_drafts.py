"""A draft: the same edit at a few of its levels, only where it changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny

import regiondrag_widget as rd
from regiondrag_widget.engine.drafts import Draft
from regiondrag_widget.engine.inversion import draw_path_noise, invert, noising_path, thinned
from regiondrag_widget.models.levels import edit_levels
from tests.unit.engine_kit import (
    box,
    box_pair,
    counted,
    picture,
    processors_of,
    relative_error,
    tiny_pipeline,
)

SHAPE = (128, 160)
STEPS, START = 8, 0.5
LEVELS = 4


@pytest.fixture(scope="module")
def mini() -> Any:
    return rd.RegionDragPipeline.from_pretrained("mini", dtype="float32")


@pytest.fixture(scope="module")
def tiny() -> Any:
    return tiny_pipeline()


def session_of(pipe: Any, image: Any = None, **options: Any) -> rd.ImageSession:
    given = picture(*SHAPE) if image is None else image
    return rd.ImageSession(pipe, given, steps=STEPS, start=START, **options)


def drafted(session: rd.ImageSession, pairs: Any, **options: Any) -> Draft:
    for _ in session.draft(pairs, **options):
        pass
    assert session.drafted is not None
    return session.drafted


def edited(session: rd.ImageSession, pairs: Any, **settings: Any) -> np.ndarray:
    for _ in session.edit(pairs, **settings):
        pass
    assert session.result is not None
    return session.result.array


def crop_of(array: np.ndarray, draft: Draft) -> np.ndarray:
    x0, y0, x1, y1 = draft.box
    return array[y0:y1, x0:x1]


PAIRS = [box_pair(SHAPE, dx=50, dy=20)]


# ---- what it shows ----


@pytest.mark.parametrize("content", ["pixels", "latents"])
def test_a_draft_at_all_levels_is_the_full_edit(mini: Any, content: str):
    session = session_of(mini)
    draft = drafted(session, PAIRS, calls=LEVELS, content=content)
    assert np.array_equal(draft.rgb, crop_of(edited(session, PAIRS, content=content), draft))


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_a_draft_is_the_picture_outside_handle_and_target(mini: Any, calls: int):
    draft = drafted(session_of(mini), PAIRS, calls=calls)
    touched = crop_of(PAIRS[0].handle | PAIRS[0].target, draft)
    assert np.array_equal(draft.rgb[~touched], crop_of(picture(*SHAPE), draft)[~touched])
    assert not np.array_equal(draft.rgb, crop_of(picture(*SHAPE), draft))


def test_a_draft_shows_all_that_is_touched_and_not_much_more(mini: Any):
    x0, y0, x1, y1 = drafted(session_of(mini), PAIRS).box
    ys, xs = np.nonzero(PAIRS[0].handle | PAIRS[0].target)
    assert xs.min() - 8 <= x0 <= xs.min()
    assert xs.max() < x1 <= xs.max() + 9
    assert ys.min() - 8 <= y0 <= ys.min()
    assert ys.max() < y1 <= ys.max() + 9


def test_a_draft_nears_the_full_edit_with_more_calls(mini: Any):
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    scene = np.stack([xx, yy, 80 + 40 * np.sin(xx / 9) * np.cos(yy / 7)], -1).clip(0, 255).astype(np.uint8)
    session = session_of(mini, scene)
    # the hole's first content is a smooth guess: all of it is the network's to change
    settings = {"prefill": "smooth", "stop": 0.0}
    full = edited(session, PAIRS, **settings).astype(float)
    errors = []
    for calls in (1, 2, 4):
        draft = drafted(session, PAIRS, calls=calls, **settings)
        errors.append(np.abs(draft.rgb - crop_of(full, draft)).mean())
    assert errors[0] >= errors[1] >= errors[2] == 0
    assert errors[0] > 0


def test_what_may_not_change_stays_in_a_draft_too(mini: Any):
    editable = np.ones(SHAPE, bool)
    editable[:, 90:] = False
    draft = drafted(session_of(mini), PAIRS, editable=editable)
    kept = crop_of(~editable, draft)
    assert np.array_equal(draft.rgb[kept], crop_of(picture(*SHAPE), draft)[kept])


def test_a_draft_of_a_large_picture_is_made_at_the_models_resolution(mini: Any):
    shape = (700, 1400)
    image = np.repeat(np.repeat(picture(70, 140), 10, 0), 10, 1)
    pair = rd.RegionPair.move(box(shape, 100, 100, 300, 300), 900, 250)
    session = session_of(mini, image)
    draft = drafted(session, [pair], calls=1)
    x0, y0, x1, y1 = draft.box
    height, width = draft.rgb.shape[:2]
    assert x0 <= 100
    assert y0 <= 100
    assert x1 >= 1200
    assert y1 >= 550
    assert 0.3 < width / (x1 - x0) < 0.45
    assert abs(width / (x1 - x0) - height / (y1 - y0)) < 0.01
    # far from the edit it is the picture, shrunk
    shrunk = image[y0:y1, x0:x1].astype(float)
    patch = draft.rgb[int(height * 0.85) : int(height * 0.95), int(width * 0.05) : int(width * 0.15)]
    there = shrunk[
        int(0.85 * (y1 - y0)) : int(0.95 * (y1 - y0)), int(0.05 * (x1 - x0)) : int(0.15 * (x1 - x0))
    ]
    assert np.abs(patch.mean((0, 1)) - there.mean((0, 1))).max() < 6


def test_a_small_picture_is_drafted_at_its_own_resolution(mini: Any):
    draft = drafted(session_of(mini), PAIRS)
    x0, y0, x1, y1 = draft.box
    assert draft.rgb.shape == (y1 - y0, x1 - x0, 3)


def test_the_same_draft_comes_out_the_same_whatever_was_drafted_before(mini: Any):
    session = session_of(mini)
    for dx in (10, 20, 30):
        drafted(session, [box_pair(SHAPE, dx=dx)])
    assert np.array_equal(drafted(session, PAIRS).rgb, drafted(session_of(mini), PAIRS).rgb)


def test_a_draft_leaves_the_full_edit_as_it_would_have_been(mini: Any):
    session = session_of(mini)
    drafted(session, PAIRS)
    assert np.array_equal(edited(session, PAIRS), edited(session_of(mini), PAIRS))


# ---- what it costs ----


@pytest.mark.parametrize("calls", [1, 2, 4])
def test_a_draft_makes_as_many_network_calls_as_asked(tiny: Any, calls: int):
    session = session_of(tiny)
    session.prepare()
    with counted(tiny) as counts:
        draft = drafted(session, PAIRS, calls=calls)
    assert counts["unet"] == counts["latents"] == draft.calls == calls


def test_there_are_never_more_calls_than_levels(mini: Any):
    assert drafted(session_of(mini), PAIRS, calls=50).calls == LEVELS


def test_a_moving_target_cuts_out_and_fills_once(mini: Any, monkeypatch: pytest.MonkeyPatch):
    made = []
    for name in ("cut_out", "empty"):
        original = getattr(rd.engine.requests, name)
        monkeypatch.setattr(
            rd.engine.requests,
            name,
            lambda *a, _original=original, _name=name, **k: made.append(_name) or _original(*a, **k),
        )
    session = session_of(mini)
    for dx in (30, 40, 50):
        drafted(session, [box_pair(SHAPE, dx=dx)], calls=1)
    edited(session, PAIRS)
    assert made == ["cut_out", "empty"]


def test_preparing_the_handles_leaves_drafts_nothing_to_cut_out(mini: Any, monkeypatch: pytest.MonkeyPatch):
    session = session_of(mini)
    session.prepare(PAIRS)
    for name in ("cut_out", "empty"):
        monkeypatch.setattr(rd.engine.requests, name, lambda *_, **__: 1 / 0)
    drafted(session, [box_pair(SHAPE, dx=33)])


def test_what_is_protected_beside_the_handles_fills_nothing_anew(mini: Any, monkeypatch: pytest.MonkeyPatch):
    session = session_of(mini)
    session.prepare(PAIRS)
    monkeypatch.setattr(rd.engine.requests, "empty", lambda *_, **__: 1 / 0)
    drafted(session, PAIRS, editable=~box(SHAPE, 140, 0, 160, 20))


@pytest.mark.parametrize(
    "settings", [{"matte": "none"}, {"prefill": "smooth"}, {"vacated": "keep"}, {"method": "scanline"}]
)
def test_nothing_kept_is_taken_for_what_other_settings_give(mini: Any, settings: dict[str, str]):
    session = session_of(mini)
    target = box(SHAPE, 80, 50, 130, 90)
    pairs = [rd.RegionPair(PAIRS[0].handle, target)]
    drafted(session, pairs)
    assert np.array_equal(
        drafted(session, pairs, **settings).rgb, drafted(session_of(mini), pairs, **settings).rgb
    )


@pytest.mark.parametrize("count", [1, 3])
def test_the_number_of_pairs_adds_no_network_call(tiny: Any, count: int):
    session = session_of(tiny)
    pairs = [rd.RegionPair.move(box(SHAPE, 8 + 45 * i, 8, 28 + 45 * i, 28), 0, 50) for i in range(count)]
    session.prepare(pairs)
    with counted(tiny) as counts:
        drafted(session, pairs, calls=2)
        edited(session, pairs)
    assert counts["unet"] == 2 + LEVELS


def test_a_draft_is_encoded_and_decoded_by_the_small_autoencoder_where_there_is_one():
    torch.manual_seed(0)
    pipe = tiny_pipeline()
    small = AutoencoderTiny(
        encoder_block_out_channels=(4,) * 4,
        decoder_block_out_channels=(4,) * 4,
        num_encoder_blocks=(1,) * 4,
        num_decoder_blocks=(1,) * 4,
    ).eval()
    pipe.backbone.draft_vae = small
    shape = (96, 128)
    pairs, image = [box_pair(shape, dx=40)], picture(*shape)
    session = session_of(pipe, image)
    session.prepare(pairs)
    calls = []
    for name in ("encode", "decode"):
        original = getattr(small, name)
        setattr(small, name, lambda *a, _o=original, _n=name, **k: calls.append(_n) or _o(*a, **k))
    with counted(pipe) as counts:
        with_small = drafted(session, pairs)
    assert (counts["encode"], counts["decode"]) == (0, 0)
    assert set(calls) == {"encode", "decode"}
    touched = crop_of(pairs[0].handle | pairs[0].target, with_small)
    assert np.array_equal(with_small.rgb[~touched], crop_of(image, with_small)[~touched])
    calls.clear()
    assert np.array_equal(edited(session, pairs), edited(session_of(tiny_pipeline(), image), pairs))
    assert not calls


# ---- cancelling ----


def test_the_steps_of_a_draft_begin_before_the_first_call(tiny: Any):
    session = session_of(tiny)
    session.prepare()
    steps = session.draft(PAIRS, calls=2)
    with counted(tiny) as counts:
        step = next(steps)
        assert (step.index, step.total) == (0, 2)
        assert counts["unet"] == 0
        steps.close()
    assert counts["unet"] == 0
    assert session.drafted is None


def test_the_steps_of_a_draft_can_be_shown(mini: Any):
    sizes = {step.preview(64).shape for step in session_of(mini).draft(PAIRS, calls=2)}
    assert sizes == {(51, 64, 3)}


@pytest.mark.parametrize("at", [0, 1])
def test_closing_a_draft_leaves_results_and_network_untouched(tiny: Any, at: int):
    session = session_of(tiny)
    edited(session, PAIRS)
    former, draft, before = session.result, drafted(session, PAIRS), processors_of(tiny.unet)
    steps = session.draft([box_pair(SHAPE, dx=30)], calls=2)
    for _ in range(at + 1):
        next(steps)
    steps.close()
    assert session.result is former
    assert session.drafted is draft
    assert processors_of(tiny.unet) == before
    assert not torch.is_inference_mode_enabled()


def test_a_finished_draft_is_no_result(mini: Any):
    session = session_of(mini)
    drafted(session, PAIRS)
    assert session.result is None


# ---- the door ----


@pytest.mark.parametrize("calls", [0, -1, 1.5, True, "2", None])
def test_a_number_of_calls_that_is_none_is_refused(mini: Any, calls: Any):
    with pytest.raises(ValueError, match="calls must be a whole number from 1"):
        session_of(mini).draft(PAIRS, calls=calls)


def test_a_draft_needs_a_pair(mini: Any):
    with pytest.raises(ValueError, match="no region pairs to draft"):
        session_of(mini).draft([])


def test_what_an_edit_refuses_a_draft_refuses(mini: Any):
    session = session_of(mini)
    with pytest.raises(ValueError, match="the masks are 96x64"):
        session.draft([box_pair((64, 96))])
    with pytest.raises(TypeError, match="unknown setting"):
        session.draft(PAIRS, strength=1)


# ---- the thinned inversion ----


@pytest.fixture(scope="module")
def inversion() -> Any:
    pipe = tiny_pipeline()
    levels = edit_levels(pipe.backbone.alphas_cumprod, 14, 0.5)
    generator = torch.Generator().manual_seed(1)
    clean = torch.randn(4, 16, 16, generator=generator)
    return invert(pipe.network(), clean, levels, draw_path_noise(len(levels), (4, 16, 16), generator))


@pytest.mark.parametrize("calls", [1, 2, 3, 5])
def test_a_thinned_path_is_the_noising_path_of_its_own_noise(inversion: Any, calls: int):
    coarse = thinned(inversion, calls, "epsilon")
    assert len(coarse.levels) == calls
    assert coarse.levels.timesteps[-1] == inversion.levels.timesteps[-1]
    path = noising_path(coarse.latents[0], coarse.noise, coarse.levels)
    assert relative_error(path, coarse.latents) < 1e-6
    assert abs(float(coarse.noise.std()) - 1) < 0.05


def test_a_thinned_inversion_keeps_the_levels_keys_and_values(inversion: Any):
    coarse = thinned(inversion, 3, "epsilon")
    assert coarse.cache is inversion.cache
    for k in range(1, 4):
        assert coarse.levels.timesteps[k] == inversion.levels.timesteps[coarse.slot(k)]


def test_thinning_a_thinned_inversion_is_thinning_it_at_once(inversion: Any):
    twice, once = thinned(thinned(inversion, 4, "epsilon"), 1, "epsilon"), thinned(inversion, 1, "epsilon")
    assert twice.slots == once.slots
    assert relative_error(twice.noise, once.noise) < 1e-6
    assert relative_error(twice.residuals, once.residuals) < 1e-6
