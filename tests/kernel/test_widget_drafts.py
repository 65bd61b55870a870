"""Drafts: the newest request wins, every request is answered once and in order, nothing waits for a draft."""

from __future__ import annotations

import io
import random
import threading
import time

import numpy as np
import pytest
from PIL import Image

import regiondrag_widget as rd
from regiondrag_widget.regions import encode_mask
from regiondrag_widget.widget import draft_queue
from tests.kernel.fake_browser import FakeBrowser, until
from tests.kernel.fake_editor import paste


@pytest.fixture
def other(engine, rgb):
    """A second widget, on another picture."""
    widget = rd.RegionDragWidget(rgb[::-1].copy(), steps=6)
    yield widget
    engine.release()
    widget.close()


# -- the plain case ------------------------------------------------------------------------------------------


def test_a_drag_is_answered_by_a_picture_of_what_it_touches(w, browser, engine, rgb, handle):
    browser.drag(1, handle, 50)
    assert browser.answered(1) == "drafted"
    ((content, (jpeg,)),) = [(c, b) for c, b in browser.messages if c["type"] == "drafted"]
    x0, y0, x1, y1 = content["box"]
    shown = Image.open(io.BytesIO(jpeg))
    assert (content["width"], content["height"]) == shown.size == (x1 - x0, y1 - y0)
    assert content["mime"] == "image/jpeg"
    assert content["seconds"] >= 0
    expected = paste(rgb, engine.drafts[0]["pairs"])[y0:y1, x0:x1]
    assert np.abs(np.asarray(shown).astype(int) - expected).mean() < 6
    assert x0 <= 16
    assert x1 >= 94


def test_a_draft_leaves_result_history_state_and_drawing_alone(w, browser, handle, target):
    w.add_pair(handle, target)
    result = w.run(wait=True)
    browser.drag(1, handle, 20, rev=w._regions_rev)
    browser.answered(1)
    assert w.result is result
    assert w.history == [result]
    assert w.state == "done"
    assert np.array_equal(w.pairs[0].target, target)


def test_the_engine_gets_the_messages_own_pairs_settings_and_protect_mask(w, browser, engine, handle, target):
    pair = {"id": "a", "name": "", "matrix": None, "handle": 0, "target": 1}
    browser.drag(1, handle, 0)
    message = {"type": "draft", "seq": 2, "rev": 0, "params": {"stop": 0.15, "seed": 5, "matte": "none"}}
    masks = [encode_mask(handle), encode_mask(target), encode_mask(~target)]
    browser.send({**message, "pairs": [pair], "protect": 2}, masks)
    assert browser.answered(2) == "drafted"
    asked = engine.drafts[-1]
    assert np.array_equal(asked["pairs"][0].target, target)
    assert np.array_equal(asked["editable"], target)
    assert (asked["stop"], asked["matte"]) == (0.15, "none")
    assert engine.prepared[-1][1].seed == 5
    assert w.settings["seed"] == 0


def test_drafts_of_one_picture_prepare_it_once_and_the_run_gains_by_it(w, browser, engine, handle):
    for seq in range(1, 6):
        browser.drag(seq, handle, 10 * seq)
        assert browser.answered(seq) == "drafted"
    w.add_pair(handle, matrix=[[1, 0, 50], [0, 1, 0], [0, 0, 1]])
    w.run(wait=True)
    assert len(engine.prepared) == len(engine.warmed) == 1


def test_a_draft_is_made_and_encoded_on_the_inference_thread(w, browser, engine, handle):
    browser.drag(1, handle, 10)
    browser.answered(1)
    assert engine.threads == {"regiondrag-inference"}
    assert browser.threads == {"regiondrag-inference"}


def test_the_handler_of_a_draft_returns_at_once(w, browser, engine, handle):
    engine.draft_go.clear()
    began = time.monotonic()
    browser.drag(1, handle, 10)
    assert time.monotonic() - began < 0.2
    assert browser.answers() == []


# -- the newest wins -----------------------------------------------------------------------------------------


def test_of_many_requests_only_the_newest_gets_a_picture(w, browser, engine, handle):
    engine.draft_go.clear()
    browser.drag(1, handle, 1)
    until(lambda: engine.drafts)
    for seq in (2, 3, 4):
        browser.drag(seq, handle, seq)
    assert browser.answers() == [(1, "stale"), (2, "stale"), (3, "stale")]
    engine.draft_go.set()
    assert browser.answered(4) == "drafted"
    assert len(engine.drafts) == 2
    assert browser.answers()[-1] == (4, "drafted")


def test_a_running_draft_stops_at_its_next_step(w, browser, engine, handle):
    engine.draft_go.clear()
    browser.drag(1, handle, 1)
    until(lambda: engine.drafts)
    browser.drag(2, handle, 2)
    engine.draft_go.set()
    browser.answered(2)
    assert engine.drafts_closed == 2
    assert [seq for seq, how in browser.answers() if how == "drafted"] == [2]


def test_a_storm_of_requests_is_answered_once_each_and_in_order(w, browser, engine, handle):
    engine.draft_seconds = 0.002
    rng = random.Random(3)
    for seq in range(1, 301):
        browser.drag(seq, handle, seq % 60)
        if rng.random() < 0.3:
            time.sleep(rng.random() * 0.012)
        if rng.random() < 0.05:
            browser.send({"type": "drag_ended", "seq": seq})
    browser.answered(300)
    answers = browser.answers()
    assert [seq for seq, _ in answers] == list(range(1, 301))
    assert 0 < sum(how == "drafted" for _, how in answers) < 300


def test_a_page_that_is_loaded_again_may_count_from_one(w, browser, handle):
    browser.drag(500, handle, 10)
    browser.answered(500)
    browser.drag(1, handle, 20)
    assert browser.answered(1) == "drafted"


def test_rest_voids_what_was_asked_for_so_far(w, browser, engine, handle):
    engine.draft_go.clear()
    browser.drag(7, handle, 10)
    until(lambda: engine.drafts)
    browser.send({"type": "drag_ended", "seq": 6})
    assert browser.answers() == []
    browser.send({"type": "drag_ended", "seq": 7})
    assert browser.answers() == [(7, "stopped")]
    engine.draft_go.set()
    browser.drag(8, handle, 20)
    assert browser.answered(8) == "drafted"


def test_what_has_become_too_old_is_not_sent(w, browser, engine, handle, monkeypatch):
    monkeypatch.setattr(draft_queue, "MAX_AGE", 0.05)
    engine.draft_seconds = 0.08
    browser.drag(1, handle, 10)
    assert browser.answered(1) == "stale"
    assert engine.drafts_closed == 1


# -- runs go first -------------------------------------------------------------------------------------------


def test_a_run_voids_the_draft_and_begins_after_its_step(w, browser, engine, handle, target):
    engine.draft_go.clear()
    browser.drag(1, handle, 10)
    until(lambda: engine.drafts)
    browser.run(1, handle, target)
    assert browser.answers() == [(1, "stale")]
    engine.draft_go.set()
    browser.until("done", run=1)
    assert browser.answers() == [(1, "stale")]
    assert len(engine.drafts) == engine.drafts_closed == 1


def test_a_draft_while_a_run_is_under_way_is_refused(w, browser, engine, handle, target):
    engine.go.clear()
    browser.run(1, handle, target)
    until(lambda: engine.edits)
    browser.drag(1, handle, 10)
    assert browser.answers() == [(1, "stale")]
    engine.go.set()
    browser.until("done", run=1)
    browser.drag(2, handle, 10)
    assert browser.answered(2) == "drafted"
    assert len(engine.drafts) == 1


def test_a_draft_of_one_widget_gives_way_to_the_run_of_another(w, browser, other, engine, handle, target):
    engine.draft_go.clear()
    browser.drag(1, handle, 10)
    until(lambda: engine.drafts)
    other.add_pair(handle, target)
    other.run()
    engine.draft_go.set()
    assert other.wait(10) is not None
    assert browser.answered(1) == "stale"


def test_of_two_widgets_waiting_the_run_goes_before_the_draft(w, browser, other, engine, handle, target):
    third = rd.RegionDragWidget(np.zeros((96, 128, 3), np.uint8), pairs=[rd.RegionPair(handle, target)])
    engine.go.clear()
    third.run()
    until(lambda: engine.edits)
    browser.drag(1, handle, 10)
    other.add_pair(handle, target)
    other.run()
    engine.go.set()
    assert other.wait(10) is not None
    assert browser.answered(1) == "drafted"
    assert engine.began == ["edit", "edit", "draft"]
    third.close()


def test_the_drafts_of_two_widgets_both_come_through(w, browser, other, handle):
    second = FakeBrowser(other)
    for seq in range(1, 20):
        browser.drag(seq, handle, seq)
        second.drag(seq, handle, seq)
        assert browser.answered(seq) == second.answered(seq) == "drafted"


# -- two threads ---------------------------------------------------------------------------------------------


def test_requests_rests_runs_and_pictures_from_two_threads_leave_no_request_unanswered(
    w, browser, engine, rgb, handle, target
):
    engine.draft_seconds = engine.seconds = 0.001

    def disturb():
        for turn in range(20):
            time.sleep(0.01)
            if turn % 4 == 3:
                w.image = rgb if turn % 8 == 3 else rgb[::-1].copy()
            else:
                w.settings["seed"] = turn + 1

    thread = threading.Thread(target=disturb)
    thread.start()
    for seq in range(1, 200):
        browser.drag(seq, handle, seq % 40, rev=w._regions_rev)
        time.sleep(0.001)
    thread.join(20)
    browser.answered(199)
    assert [seq for seq, _ in browser.answers()] == list(range(1, 200))
    assert browser.of("error") == []
