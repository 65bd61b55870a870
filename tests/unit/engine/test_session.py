"""A picture set once and edited many times: what is computed when, and what a cancelled edit leaves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import regiondrag_widget as rd
from regiondrag_widget.imaging.picture import load_picture
from tests.unit.engine_kit import DEFAULTS, box, box_pair, counted, picture, tiny_pipeline

SHAPE = (96, 128)
LEVELS = round(DEFAULTS["steps"] * DEFAULTS["start"])  # network calls of one pass, were they made one by one


@pytest.fixture(scope="module")
def pipe() -> Any:
    return tiny_pipeline()


@pytest.fixture
def session(pipe: Any) -> rd.ImageSession:
    return rd.ImageSession(pipe, picture(*SHAPE))


def run(session: rd.ImageSession, pairs: Any, **settings: Any) -> rd.EditResult:
    for _ in session.edit(pairs, **settings):
        pass
    assert session.result is not None
    return session.result


NEAR, FAR = [box_pair(SHAPE, dx=40)], [box_pair(SHAPE, dx=20, dy=50)]


# ---- what is computed when ----


def test_the_first_edit_inverts_in_one_call_and_then_steps_level_by_level(
    pipe: Any, session: rd.ImageSession
):
    with counted(pipe) as counts:
        run(session, NEAR)
    assert counts["unet"] == 1 + LEVELS
    assert counts["latents"] == 2 * LEVELS


@pytest.mark.parametrize("content", ["pixels", "latents"])
def test_a_second_edit_makes_no_inversion_call(pipe: Any, session: rd.ImageSession, content: str):
    run(session, NEAR, content=content)
    with counted(pipe) as counts:
        run(session, FAR, content=content)
    assert counts["unet"] == counts["latents"] == LEVELS


def test_a_second_edit_in_latents_encodes_nothing(pipe: Any, session: rd.ImageSession):
    run(session, NEAR, content="latents")
    with counted(pipe) as counts:
        run(session, FAR, content="latents")
    assert counts["encode"] == 0


def test_a_new_set_of_regions_in_pixels_encodes_its_composite_alone(pipe: Any, session: rd.ImageSession):
    run(session, NEAR, content="pixels")
    with counted(pipe) as counts:
        run(session, FAR, content="pixels")
    assert counts["encode"] == 1


def test_the_same_regions_again_encode_nothing(pipe: Any, session: rd.ImageSession):
    run(session, NEAR, content="pixels")
    with counted(pipe) as counts:
        run(session, [box_pair(SHAPE, dx=40)], content="pixels", stop=0.4)
    assert counts["encode"] == 0


def test_other_settings_of_the_composite_encode_it_anew(pipe: Any, session: rd.ImageSession):
    run(session, NEAR, content="pixels")
    with counted(pipe) as counts:
        run(session, NEAR, content="pixels", vacated="keep")
    assert counts["encode"] == 1


def test_preparing_ahead_leaves_the_first_edit_the_reverse_pass_alone(pipe: Any, session: rd.ImageSession):
    session.prepare()
    with counted(pipe) as counts:
        run(session, NEAR, content="latents")
    assert counts["unet"] == LEVELS
    assert counts["encode"] == 0


def test_a_second_edit_is_what_it_would_have_been_as_the_first(pipe: Any, session: rd.ImageSession):
    run(session, NEAR)
    second = run(session, FAR)
    alone = run(rd.ImageSession(pipe, picture(*SHAPE)), FAR)
    assert np.array_equal(second.array, alone.array)


def test_no_more_memory_is_kept_than_allowed(pipe: Any):
    session = rd.ImageSession(pipe, picture(512, 512), max_bytes=1)
    corners = [(0, 0), (400, 0), (0, 400), (400, 400)]
    sizes = []
    for x, y in corners:
        handle = box((512, 512), x + 40, y + 40, x + 60, y + 60)
        # as painted: what is found in a handle differs from place to place, and with it what is kept
        session.prepare([rd.RegionPair.move(handle, 10, 10, carry="painted")])
        sizes.append(session.nbytes)
    assert len(set(sizes)) == 1


def test_edits_near_each_other_in_a_large_picture_share_their_inversion(pipe: Any):
    session = rd.ImageSession(pipe, picture(512, 512))
    handle = box((512, 512), 250, 250, 270, 270)
    run(session, [rd.RegionPair.move(handle, 12, 0)])
    with counted(pipe) as counts:
        run(session, [rd.RegionPair.move(handle, 0, 12)])
    assert counts["latents"] == LEVELS


# ---- the result ----


def test_the_result_is_set_at_the_end_only(session: rd.ImageSession):
    for _ in session.edit(NEAR):
        assert session.result is None
    assert isinstance(session.result, rd.EditResult)


def test_closing_the_generator_keeps_the_former_result(session: rd.ImageSession):
    former = run(session, NEAR)
    steps = session.edit(FAR)
    next(steps)
    steps.close()
    assert session.result is former


def test_an_exception_in_the_middle_keeps_the_former_result(pipe: Any, session: rd.ImageSession):
    former = run(session, NEAR)
    hook = pipe.unet.register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(session, FAR)
    hook.remove()
    assert session.result is former


def test_a_session_edits_on_after_a_cancelled_edit(pipe: Any, session: rd.ImageSession):
    steps = session.edit(FAR)
    next(steps)
    steps.close()
    alone = run(rd.ImageSession(pipe, picture(*SHAPE)), NEAR)
    assert np.array_equal(run(session, NEAR).array, alone.array)


def test_a_list_of_pairs_changed_during_an_edit_changes_nothing_of_it(pipe: Any, session: rd.ImageSession):
    expected = run(rd.ImageSession(pipe, picture(*SHAPE)), NEAR).array
    pairs = rd.RegionPairs(NEAR)
    for _ in session.edit(pairs):
        pairs.clear()
    assert session.result is not None
    assert np.array_equal(session.result.array, expected)
    assert len(session.result.pairs) == 1


def test_the_result_tells_how_it_was_made(session: rd.ImageSession):
    result = run(session, NEAR, stop=0.3)
    assert result.settings["stop"] == 0.3
    assert result.settings["steps"] == DEFAULTS["steps"]
    assert result.settings["start"] == DEFAULTS["start"]
    assert len(result.settings["levels"]) == LEVELS
    assert result.seed == 0
    assert {"encode", "inversion", "edit", "decode", "total"} <= set(result.timings)
    assert len(result.steps) == LEVELS


def test_the_timings_of_a_second_edit_are_its_own(session: rd.ImageSession):
    run(session, NEAR)
    assert "inversion" not in run(session, FAR).timings


def test_the_steps_are_numbered_from_one_to_their_total(session: rd.ImageSession):
    steps = [(step.index, step.total) for step in session.edit(NEAR)]
    assert steps == [(i + 1, LEVELS) for i in range(LEVELS)]


def test_the_steps_go_down_to_the_cleanest_level(session: rd.ImageSession):
    timesteps = [step.timestep for step in session.edit(NEAR)]
    assert timesteps == sorted(timesteps, reverse=True)
    assert timesteps == session.result.settings["levels"][::-1]


def test_the_same_seed_gives_the_same_picture_and_another_another(pipe: Any):
    results = [run(rd.ImageSession(pipe, picture(*SHAPE), seed=s), NEAR).array for s in (1, 1, 2)]
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


@pytest.mark.parametrize("content", ["pixels", "latents"])
def test_a_seed_gives_the_same_picture_at_every_batch_size(
    pipe: Any, content: str, monkeypatch: pytest.MonkeyPatch
):
    expected = run(rd.ImageSession(pipe, picture(*SHAPE)), NEAR, content=content).array
    monkeypatch.setattr("regiondrag_widget.models.unet.UNetNetwork.batch_size", lambda *_: 1)
    ours = run(rd.ImageSession(pipe, picture(*SHAPE)), NEAR, content=content).array
    assert np.abs(ours.astype(int) - expected).max() <= 1


# ---- no pairs ----


def test_no_pairs_give_the_picture_back_with_a_warning_and_no_network_call(
    pipe: Any, session: rd.ImageSession
):
    with counted(pipe) as counts, pytest.warns(UserWarning, match="no region pairs"):
        result = run(session, [])
    assert not counts
    assert np.array_equal(result.array, picture(*SHAPE))


# ---- the door: everything is refused at the call, before the first step ----


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stop": 1.5}, "stop must be a number from 0 to 1"),
        ({"stop": 0.6}, r"stop \(0\.6\) lies above start \(0\.5\)"),
        ({"content": "words"}, "content must be one of pixels, latents"),
        ({"strength": 1}, "unknown setting 'strength'"),
        ({"editable": np.ones((4, 4), bool)}, "editable must have the picture's size"),
        ({"editable": np.full(SHAPE, 0.5)}, "editable"),
    ],
)
def test_what_does_not_fit_is_refused_at_the_call(
    session: rd.ImageSession, settings: dict[str, Any], message: str
):
    with pytest.raises((ValueError, TypeError), match=message):
        session.edit(NEAR, **settings)


def test_masks_of_another_size_are_refused_at_the_call(session: rd.ImageSession):
    with pytest.raises(ValueError, match="the masks are 96x64 but the picture is 128x96"):
        session.edit([box_pair((64, 96))])


def test_a_refusal_costs_no_network_call(pipe: Any, session: rd.ImageSession):
    with counted(pipe) as counts, pytest.raises(ValueError):
        session.edit(NEAR, stop=2)
    assert not counts


@pytest.mark.parametrize("seed", [-1, 0.5, "0", None, True])
def test_a_seed_that_is_no_whole_number_is_refused(pipe: Any, seed: Any):
    with pytest.raises((ValueError, TypeError), match="seed must be a whole number"):
        rd.ImageSession(pipe, picture(*SHAPE), seed=seed)


def test_steps_and_start_out_of_range_are_refused(pipe: Any):
    with pytest.raises(ValueError, match="steps must be"):
        rd.ImageSession(pipe, picture(*SHAPE), steps=0)
    with pytest.raises(ValueError, match="start must be"):
        rd.ImageSession(pipe, picture(*SHAPE), start=1.5)


def test_an_unknown_preset_is_refused_when_the_session_is_made(pipe: Any):
    with pytest.raises(ValueError, match="preset must be one of default, released"):
        rd.ImageSession(pipe, picture(*SHAPE), preset="relased")


def test_a_prompt_that_is_no_text_is_refused():
    pipe = rd.RegionDragPipeline.from_pretrained("mini", dtype="float32")
    with pytest.raises(TypeError, match="prompt must be a text"):
        rd.ImageSession(pipe, picture(*SHAPE), prompt=3)  # type: ignore[arg-type]


def test_the_picture_given_is_never_changed(pipe: Any):
    given = picture(*SHAPE)
    run(rd.ImageSession(pipe, given), NEAR)
    assert np.array_equal(given, picture(*SHAPE))


def test_a_loaded_picture_may_be_shared_by_sessions(pipe: Any):
    shared = load_picture(picture(*SHAPE))
    results = [run(rd.ImageSession(pipe, shared), NEAR).array for _ in range(2)]
    assert np.array_equal(results[0], results[1])


def test_editing_needs_no_gradients(session: rd.ImageSession):
    for step in session.edit(NEAR):
        assert not step.latents.requires_grad
    assert torch.is_grad_enabled()


# ---- notes ----


def test_a_result_says_in_words_what_was_carried(session: rd.ImageSession):
    (pair,) = NEAR
    painted = rd.RegionPair(pair.handle, pair.target, pair.matrix, carry="painted")
    assert run(session, [painted]).notes == ("carrying all that is painted",)
    assert run(session, [painted]).notes == ("carrying all that is painted",)  # also from the cache
    assert run(session, [painted], content="latents").notes == ("carrying all that is painted",)


def test_the_notes_of_several_pairs_name_them(session: rd.ImageSession):
    (pair,) = NEAR
    first = rd.RegionPair(pair.handle, pair.target, pair.matrix, carry="painted")
    chosen = pair.handle & (np.arange(SHAPE[1]) < np.nonzero(pair.handle)[1].mean())
    second = rd.RegionPair(pair.handle, matrix=FAR[0].matrix, name="part", carry=chosen)
    assert run(session, [first, second]).notes == (
        "pair 1: carrying all that is painted",
        "pair 2 (part): carrying what was chosen",
    )


def test_an_edit_without_pairs_has_no_notes(session: rd.ImageSession):
    with pytest.warns(UserWarning, match="no region pairs"):
        assert run(session, []).notes == ()


# ---- bends, dense maps and a correspondence of one's own ----


def test_a_bent_pair_goes_through_the_whole_edit(session: rd.ImageSession):
    handle = box(SHAPE, 20, 30, 60, 60)
    pins = [(24, 45), (40, 45), (56, 45)]
    pair = rd.RegionPair.bend(handle, pins, [(24, 45), (40, 42), (58, 30)])
    for content in ("pixels", "latents"):
        result = run(session, [pair], content=content)
        changed = (np.asarray(result.image) != np.asarray(result.before)).any(axis=2)
        assert changed.any()
        assert not changed[~(pair.handle | pair.target)].any()


def test_a_bent_pair_is_drafted_and_edited_in_a_window_of_a_large_picture(pipe: Any):
    shape = (400, 1200)
    handle = box(shape, 100, 100, 420, 220)
    pins = [(120, 160), (260, 160), (400, 160)]
    pair = rd.RegionPair.bend(handle, pins, [(120, 160), (260, 150), (410, 110)])
    large = rd.ImageSession(pipe, picture(*shape))
    for _ in large.draft([pair], calls=1):
        pass
    assert large.drafted is not None
    result = run(large, [pair])
    changed = (np.asarray(result.image) != np.asarray(result.before)).any(axis=2)
    assert changed[pair.target & ~pair.handle].mean() > 0.5
    assert not changed[~(pair.handle | pair.target)].any()


def test_a_dense_map_of_a_shift_edits_as_the_shift_does(session: rd.ImageSession):
    moved = rd.RegionPair.move(box(SHAPE, 20, 30, 60, 60), 24, 8)
    x, y = np.meshgrid(np.arange(SHAPE[1]), np.arange(SHAPE[0]))
    dense = rd.RegionPair.warp(moved.handle, np.stack([x - 24, y - 8], axis=-1))
    a, b = (np.asarray(run(session, [pair]).image).astype(int) for pair in (moved, dense))
    assert np.abs(a - b).max() <= 1


def test_another_bend_of_the_same_masks_is_another_composite(session: rd.ImageSession):
    handle = box(SHAPE, 20, 30, 60, 60)
    pins = [(24, 45), (40, 45), (56, 45)]
    one = rd.RegionPair.bend(handle, pins, [(24, 45), (44, 45), (56, 45)])
    other = rd.RegionPair.bend(handle, pins, [(24, 45), (36, 45), (56, 45)], target=one.target)
    a, b = (np.asarray(run(session, [pair]).image).astype(int) for pair in (one, other))
    assert np.abs(a - b).max() > 2


# ---- another seed, and what is kept by public names ----


def test_another_seed_prompt_or_schedule_does_not_encode_the_picture_again(pipe: Any):
    seen = picture(97, 121)
    run(rd.ImageSession(pipe, seen, seed=1), [box_pair((97, 121), dx=30)], content="latents")
    with counted(pipe) as counts:
        first = run(rd.ImageSession(pipe, seen, seed=2), [box_pair((97, 121), dx=30)], content="latents")
    assert counts["encode"] == 0
    again = rd.ImageSession(tiny_pipeline(), seen, seed=2)
    alone = run(again, [box_pair((97, 121), dx=30)], content="latents")
    assert np.array_equal(np.asarray(first.image), np.asarray(alone.image))


def test_the_inversion_can_be_read(pipe: Any, session: rd.ImageSession):
    found = session.inversion()
    assert isinstance(found, rd.Inversion)
    assert found.latents.shape[0] == len(session.levels) + 1
    assert found.cache.keys
    with counted(pipe) as counts:
        run(session, NEAR)
    assert counts["unet"] == LEVELS
