"""What the browser and the user are told of speed and memory."""

from __future__ import annotations

import pytest

from regiondrag_widget.widget import draft_speed, readout
from tests.kernel.fake_browser import until


@pytest.fixture
def shown(w, browser):
    """A widget whose first draft has been timed."""
    browser.show()
    browser.until("measured")
    return w


def test_the_message_names_speed_device_memory_and_budget(shown, browser):
    (content,) = browser.of("measured")
    assert set(content) == {"v", "type", "draft_ms", "live", "device", "dtype", "memory", "budget", "note"}
    assert (content["device"], content["dtype"]) == ("cpu", "float32")
    assert (content["memory"], content["budget"], content["note"]) == (400, 1000, "")


def test_the_user_can_observe_it_and_cannot_set_it(w, browser):
    seen = []
    w.observe(lambda change: seen.append(change["new"]["draft_ms"]), "measured")
    browser.show()
    browser.until("measured")
    until(lambda: seen)
    assert seen[0] is not None
    with pytest.raises(Exception, match="read-only"):
        w.measured = {}


def test_a_page_that_comes_later_is_told(shown, browser):
    browser.messages.clear()
    browser.send({"type": "hello", "view": "model", "have": {"image": 1, "result": None}})
    assert len(browser.of("measured")) == 1


def test_the_median_of_real_drafts_takes_over(shown, browser, engine, handle, monkeypatch):
    monkeypatch.setattr(readout, "INTERVAL", 0.0)
    engine.draft_seconds = 0.2
    for seq in range(1, 5):
        browser.drag(seq, handle, seq)
        browser.answered(seq)
    until(lambda: shown.measured["draft_ms"] >= 400)
    assert shown.measured["live"] is False
    engine.draft_seconds = 0.0
    for seq in range(5, 14):
        browser.drag(seq, handle, seq)
        browser.answered(seq)
    until(lambda: shown.measured["live"])


def test_a_measurement_on_a_busy_machine_is_made_anew_after_a_run(
    w, browser, engine, handle, target, monkeypatch
):
    monkeypatch.setattr(draft_speed, "HOPELESS", 100.0)
    engine.draft_seconds = 0.15
    browser.show()
    assert browser.until("measured")["live"] is False
    engine.draft_seconds = 0.0
    w.add_pair(handle, target)
    w.run(wait=True)
    until(lambda: w.measured["live"])
    assert len(engine.prepared) == 1


def test_a_machine_that_is_far_too_slow_is_not_measured_again(w, browser, engine, handle, target):
    engine.draft_seconds = 0.6
    browser.show()
    browser.until("measured")
    w.add_pair(handle, target)
    w.run(wait=True)
    until(lambda: not w._runs._worker.busy)
    assert engine.began == ["draft", "draft", "edit"]


def test_a_measurement_of_a_model_chosen_before_does_not_count(w, browser, engine):
    engine.draft_go.clear()
    browser.show()
    until(lambda: engine.drafts)
    w.settings["model"] = "some/checkpoint"  # not on this machine: nothing of it is timed
    engine.draft_go.set()
    until(lambda: not w._runs._worker.busy)
    assert w.measured["draft_ms"] is None


def test_another_model_is_not_judged_by_the_one_before(shown, browser):
    shown.settings["model"] = "some/checkpoint"
    assert shown.measured["draft_ms"] is None
    assert shown.measured["live"] is False
    assert shown.measured["device"] == ""


def test_opening_the_read_out_is_answered_at_once_though_nothing_is_known(w, browser):
    browser.send({"type": "stats", "on": True})
    (content,) = browser.of("measured")
    assert content["draft_ms"] is None
    assert content["device"] == ""


def test_an_open_read_out_hears_of_memory_once_a_run_has_ended_a_closed_one_does_not(
    shown, browser, engine, handle, target
):
    shown.add_pair(handle, target)
    engine.budget = 900
    shown.run(wait=True)
    assert len(browser.of("measured")) == 1
    browser.send({"type": "stats", "on": True})
    engine.budget = 800
    shown.run(wait=True)
    assert [m["budget"] for m in browser.of("measured")] == [1000, 900, 800]
    browser.send({"type": "stats", "on": False})
    engine.budget = 700
    shown.run(wait=True)
    assert len(browser.of("measured")) == 3


def test_an_open_read_out_is_not_flooded_by_drafts(shown, browser, engine, handle):
    browser.send({"type": "stats", "on": True})
    browser.messages.clear()
    for seq in range(1, 60):
        browser.drag(seq, handle, seq % 30)
        browser.answered(seq)
    assert len(browser.of("measured")) <= 3


def test_the_end_of_a_drag_tells_what_the_interval_held_back(shown, browser, engine, handle):
    browser.send({"type": "stats", "on": True})
    engine.draft_seconds = 0.02
    for seq in range(1, 10):
        browser.drag(seq, handle, seq)
        browser.answered(seq)
    browser.send({"type": "drag_ended", "seq": 9})
    assert browser.of("measured")[-1]["draft_ms"] >= 40


def test_drafts_that_cannot_follow_a_pointer_are_remarked_on(shown, browser, monkeypatch):
    monkeypatch.setattr(readout, "MAX_AGE", 0.0)
    shown.settings["seed"] = 2
    until(lambda: "too long" in shown.measured["note"])


def test_what_the_engine_remarks_is_passed_on(w, browser, engine):
    engine.note = "not compiled: no compiler was found"
    browser.show()
    assert browser.until("measured")["note"] == "not compiled: no compiler was found"
