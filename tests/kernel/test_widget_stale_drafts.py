"""Drafts that come to nothing: what they were asked of is gone, is not prepared yet, or cannot be used."""

from __future__ import annotations

import numpy as np
import pytest

from tests.kernel.fake_browser import until

# -- what the draft was asked of is gone ---------------------------------------------------------------------


def test_a_picture_that_changes_during_a_draft_makes_it_stale(w, browser, engine, rgb, handle):
    engine.draft_go.clear()
    browser.drag(1, handle, 10)
    until(lambda: engine.drafts)
    w.image = rgb[::-1].copy()
    assert browser.answers() == [(1, "stale")]
    engine.draft_go.set()
    browser.drag(2, handle, 10, rev=w._regions_rev)
    assert browser.answered(2) == "drafted"
    assert browser.answers() == [(1, "stale"), (2, "drafted")]


def test_a_request_drawn_on_the_picture_before_is_stale(w, browser, engine, rgb, handle):
    before = w._regions_rev
    w.image = rgb[::-1].copy()
    browser.drag(1, handle, 10, rev=before)
    assert browser.answers() == [(1, "stale")]
    assert engine.drafts == []


@pytest.mark.parametrize("change", [{"seed": 4}, {"model": "another"}, {"vacated": "keep"}])
def test_settings_that_change_during_a_draft_make_it_stale(w, browser, engine, handle, change):
    engine.draft_go.clear()
    browser.drag(1, handle, 10)
    until(lambda: engine.drafts)
    w.settings.update(change)
    assert browser.answers() == [(1, "stale")]
    engine.draft_go.set()
    browser.drag(2, handle, 10)
    assert browser.answered(2) == "drafted"


def test_switching_live_off_ends_the_draft_and_switching_it_on_does_not(w, browser, engine, handle):
    engine.draft_go.clear()
    browser.drag(1, handle, 10)
    until(lambda: engine.drafts)
    w.settings["live"] = True
    assert browser.answers() == []
    w.settings["live"] = False
    assert browser.answers() == [(1, "stopped")]


def test_closing_the_widget_ends_the_draft(w, browser, engine, handle):
    engine.draft_go.clear()
    browser.drag(1, handle, 10)
    until(lambda: engine.drafts)
    w.close()
    engine.draft_go.set()
    until(lambda: engine.drafts_closed == 1)
    assert "drafted" not in [how for _, how in browser.answers()]


# -- while the picture is prepared ---------------------------------------------------------------------------


def test_a_newer_draft_goes_on_with_the_preparation_of_the_older(w, browser, engine, handle):
    engine.stage_go.clear()
    browser.drag(1, handle, 10)
    until(lambda: engine.preparing)
    browser.drag(2, handle, 20)
    engine.stage_go.set()
    assert browser.answered(2) == "drafted"
    assert engine.preparing == len(engine.drafts) == 1


def test_a_run_goes_on_with_the_preparation_of_the_draft_it_voids(w, browser, engine, handle, target):
    engine.stage_go.clear()
    browser.drag(1, handle, 10)
    until(lambda: engine.preparing)
    browser.run(1, handle, target)
    engine.stage_go.set()
    browser.until("done")
    assert engine.preparing == 1
    assert engine.drafts == []


def test_a_run_with_another_seed_cuts_the_preparation_short(w, browser, engine, handle, target):
    engine.stage_go.clear()
    browser.drag(1, handle, 10)
    until(lambda: engine.prepared)
    browser.run(1, handle, target, seed=9)
    until(lambda: len(engine.prepared) == 2)
    assert engine.stages == 0
    engine.stage_go.set()
    browser.until("done")
    assert engine.stages == 4


def test_a_preparation_that_nobody_wants_any_more_is_cut_short(w, browser, engine, handle):
    engine.stage_go.clear()
    browser.drag(1, handle, 10)
    until(lambda: engine.prepared)
    browser.send({"type": "drag_ended", "seq": 1})
    until(lambda: not w._runs._worker.busy)
    assert engine.stages == 0
    assert browser.answers() == [(1, "stopped")]


def test_a_run_that_is_stopped_while_it_prepares_stops_preparing(w, browser, engine, handle, target):
    engine.stage_go.clear()
    browser.run(1, handle, target)
    until(lambda: engine.prepared)
    browser.send({"type": "stop", "run": 1})
    until(lambda: not w._runs._worker.busy)
    assert engine.stages == 0
    assert w.state == "ready"


# -- requests that cannot be served --------------------------------------------------------------------------


def test_with_nothing_complete_there_is_nothing_to_draft(w, browser, engine, handle):
    pair = {"id": "a", "name": "", "matrix": None, "handle": 0, "target": None}
    browser.drag(1, handle, 0, pairs=[pair])
    assert browser.answered(1) == "stopped"
    assert engine.drafts == []


def test_a_pair_only_half_drawn_is_left_out(w, browser, engine, handle):
    whole = {"id": "a", "name": "", "matrix": [1, 0, 9, 0, 1, 0, 0, 0, 1], "handle": 0, "target": None}
    browser.drag(1, handle, 0, pairs=[whole, {**whole, "id": "b", "matrix": None}])
    assert browser.answered(1) == "drafted"
    assert len(engine.drafts[0]["pairs"]) == 1


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"params": {"steps": 0}}, "steps"),
        ({"pairs": "none"}, "pairs"),
        ({"pairs": [{"id": "a", "handle": 7}]}, "handle"),
        ({"protect": 5}, "protect"),
    ],
)
def test_a_request_that_cannot_be_used_is_told_as_undrafted_and_only_once(
    w, browser, engine, handle, fields, word
):
    for seq in (1, 2, 3):
        browser.drag(seq, handle, 10, **fields)
    assert [how for _, how in browser.answers()] == ["error"] * 3
    told = [content["message"] for content in browser.of("undrafted")]
    assert word in told[0]
    assert told[1:] == ["", ""]
    assert browser.of("error") == []
    browser.drag(4, handle, 10)
    assert browser.answered(4) == "drafted"


def test_a_mask_of_another_picture_is_told_by_the_pairs_number(w, browser):
    browser.drag(1, np.ones((9, 9), bool), 1)
    assert browser.answered(1) == "error"
    assert "pair 1" in browser.of("undrafted")[0]["message"]


def test_a_draft_without_a_number_is_refused_as_any_malformed_message(w, browser, handle):
    browser.drag("first", handle, 10)
    assert "seq" in browser.of("error")[0]["message"]
