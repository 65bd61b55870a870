"""Warm-ups: a picture is prepared once it is looked at, never at the cost of what was asked for."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import regiondrag_widget as rd
from regiondrag_widget.widget.warmup import two_drags
from tests.kernel.fake_browser import FakeBrowser, until


def idle(w):
    until(lambda: not w._runs._worker.busy)


def test_a_picture_is_prepared_and_a_draft_timed_when_it_is_shown(w, browser, engine):
    assert engine.prepared == []
    browser.show()
    measured = browser.until("measured")
    assert len(engine.prepared) == len(engine.warmed) == 1
    assert len(engine.drafts) == 2
    assert measured["draft_ms"] >= 0
    assert measured["live"] is True
    assert w.measured == {name: value for name, value in measured.items() if name not in ("v", "type")}


def test_the_timed_drafts_differ_so_that_nothing_kept_makes_the_second_free(w, browser, engine):
    browser.show()
    browser.until("measured")
    first, second = (draft["pairs"][0] for draft in engine.drafts)
    assert first != second
    assert np.array_equal(first.handle, second.handle)


def test_a_slow_draft_leaves_live_off(w, browser, engine):
    engine.draft_seconds = 0.2
    browser.show()
    measured = browser.until("measured")
    assert measured["draft_ms"] >= 400
    assert measured["live"] is False


def test_a_widget_that_is_not_shown_prepares_nothing(w, browser, engine):
    browser.send({"type": "hello", "view": "model", "have": {"image": 1, "result": None}})
    browser.send({"type": "visible", "visible": False})
    idle(w)
    assert engine.prepared == []
    assert w.measured["draft_ms"] is None


def test_making_and_greeting_a_widget_does_not_load_torch():
    script = """
import sys, numpy as np, regiondrag_widget as rd
from tests.kernel.fake_browser import FakeBrowser
w = rd.RegionDragWidget(np.zeros((96, 128, 3), np.uint8))
FakeBrowser(w).send({"type": "hello", "view": "model", "have": {"image": 1, "result": None}})
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_showing_it_again_prepares_nothing_anew(w, browser, engine):
    for _ in range(3):
        browser.show()
    browser.until("measured")
    browser.send({"type": "visible", "visible": False})
    browser.show()
    idle(w)
    assert len(engine.prepared) == 1
    assert len(engine.drafts) == 2


def test_another_picture_is_prepared_too_once_one_was_shown(w, browser, engine, rgb):
    browser.show()
    browser.until("measured")
    w.image = rgb[::-1].copy()
    until(lambda: len(engine.warmed) == 2)


def test_settings_that_ask_for_another_preparation_prepare_again(w, browser, engine):
    browser.show()
    browser.until("measured")
    w.settings["vacated"] = "keep"
    w.settings["live"] = True
    idle(w)
    assert len(engine.prepared) == 1
    w.settings["seed"] = 7
    until(lambda: len(engine.warmed) == 2)


def test_weights_that_would_be_downloaded_are_not_for_the_sake_of_a_look(engine, rgb, handle, target):
    w = rd.RegionDragWidget(rgb, model="some/checkpoint")
    browser = FakeBrowser(w)
    browser.show()
    idle(w)
    assert engine.prepared == []
    browser.draw("a", handle, target)  # now the user means it
    until(lambda: engine.warmed)
    w.close()


def test_a_model_in_a_folder_is_prepared(engine, rgb, tmp_path):
    w = rd.RegionDragWidget(rgb, model=str(tmp_path))
    FakeBrowser(w).show()
    until(lambda: engine.warmed)
    w.close()


def test_a_model_that_was_used_before_is_prepared(engine, rgb, handle, target):
    first = rd.RegionDragWidget(rgb, model="some/checkpoint", pairs=[rd.RegionPair(handle, target)])
    first.run(wait=True)
    first.close()
    w = rd.RegionDragWidget(rgb[::-1].copy(), model="some/checkpoint")
    FakeBrowser(w).show()
    until(lambda: len(engine.warmed) == 2)
    w.close()


def test_the_first_pair_drawn_is_what_a_picture_is_prepared_for(w, browser, engine, handle, target):
    engine.one_window = False  # a large picture: the middle will not do for what is drawn elsewhere
    browser.show()
    browser.until("measured")
    browser.draw("a", handle, target)
    until(lambda: len(engine.drafts) == 4)
    assert np.array_equal(engine.drafts[2]["pairs"][0].handle, handle)
    assert np.array_equal(engine.drafts[2]["pairs"][0].target, target)
    browser.draw("a", target, handle)
    idle(w)
    assert len(engine.drafts) == 4


def test_a_run_goes_before_a_warm_up_which_goes_on_afterwards(w, browser, engine, rgb, handle, target):
    other = rd.RegionDragWidget(rgb[::-1].copy(), pairs=[rd.RegionPair(handle, target)], steps=3)
    engine.stage_go.clear()
    browser.show()
    until(lambda: engine.prepared)
    other.run()
    until(lambda: len(engine.prepared) == 2)  # the run's own picture: the warm-up has given way
    assert engine.stages == 0
    engine.stage_go.set()
    assert other.wait(10) is not None
    assert browser.until("measured")["draft_ms"] is not None
    other.close()


def test_a_run_stops_the_timed_draft(w, browser, engine, handle, target):
    engine.draft_go.clear()
    browser.show()
    until(lambda: engine.drafts)
    browser.run(1, handle, target)
    engine.draft_go.set()
    browser.until("done")
    assert engine.began[:2] == ["draft", "edit"]
    assert browser.until("measured")["draft_ms"] is not None


def test_a_run_of_the_same_picture_waits_for_its_preparation_and_gains_by_it(
    w, browser, engine, handle, target
):
    engine.stage_go.clear()
    browser.show()
    until(lambda: engine.preparing)
    browser.run(1, handle, target)
    assert browser.of("status")[-1]["message"] == "Preparing the model and the picture"
    engine.stage_go.set()
    browser.until("done")
    assert engine.preparing == len(engine.prepared) == 1


def test_the_middle_of_a_large_picture_is_given_up_for_a_run(w, browser, engine, handle, target):
    engine.one_window = False
    engine.stage_go.clear()
    browser.show()
    until(lambda: engine.preparing)
    browser.run(1, handle, target)
    until(lambda: engine.preparing == 2)
    engine.stage_go.set()
    browser.until("done")


def test_a_draft_takes_over_what_the_warm_up_has_begun(w, browser, engine, handle):
    engine.stage_go.clear()
    browser.show()
    until(lambda: engine.preparing)
    browser.drag(1, handle, 10)
    engine.stage_go.set()
    assert browser.answered(1) == "drafted"
    assert engine.preparing == 1


def test_a_warm_up_that_fails_is_noted_and_tried_no_more_until_something_changes(w, browser, engine):
    engine.prepare_error = RuntimeError("no such model")
    browser.show()
    assert "could not prepare ahead" in browser.until("measured")["note"]
    idle(w)
    engine.prepare_error = None
    browser.show()
    idle(w)
    assert engine.prepared == []
    assert browser.of("error") == []
    assert w.state == "ready"
    assert w.last_error is None
    before = len(browser.of("measured"))
    w.settings["seed"] = 3
    until(lambda: len(browser.of("measured")) > before and browser.of("measured")[-1]["draft_ms"])
    assert browser.of("measured")[-1]["note"] == ""


def test_a_warm_up_that_runs_out_of_memory_makes_room(w, browser, engine):
    engine.draft_error = MemoryError()
    browser.show()
    idle(w)
    assert engine.budget == 500
    assert browser.of("error") == []


def test_a_closed_widget_is_prepared_no_further(w, browser, engine):
    engine.stage_go.clear()
    browser.show()
    until(lambda: engine.prepared)
    w.close()
    until(lambda: not w._runs._worker.busy)
    assert engine.stages == 0


def test_ten_widgets_on_a_page_are_prepared_one_after_the_other(engine):
    widgets = [rd.RegionDragWidget(np.full((96, 128, 3), 20 * i, np.uint8)) for i in range(10)]
    browsers = [FakeBrowser(w) for w in widgets]
    for browser in browsers:
        browser.show()
    for browser in browsers:
        browser.until("measured")
    assert len(engine.prepared) == 10
    for w in widgets:
        w.close()


@pytest.mark.parametrize("shape", [(64, 64), (96, 128), (3000, 200)])
def test_the_pairs_that_are_timed_lie_in_the_picture(shape):
    for pair in two_drags(shape):
        assert pair.shape == shape
        assert pair.handle.any()
        assert pair.target.any()
    drawn = two_drags(shape)[0]
    again = two_drags(shape, [drawn])
    assert again[0] is drawn
    assert again[1] != drawn
