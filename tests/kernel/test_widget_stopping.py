"""Runs that end early: stopped, replaced, interrupted, or left behind by their picture or their widget."""

from __future__ import annotations

import threading

import pytest

import regiondrag_widget as rd
from tests.kernel.fake_browser import FakeBrowser, until


def test_stopping_takes_effect_within_one_step(drawn, engine):
    browser = FakeBrowser(drawn)
    drawn.settings["steps"] = 100
    engine.seconds = 0.02
    drawn.run()
    for _ in range(3):
        engine.stepping.acquire(timeout=5)
    drawn.stop()
    asked_at = browser.of("status")[-1]
    stopped = browser.until("stopped", run=1)
    assert stopped["step"] <= 5
    assert asked_at["state"] == "stopping"
    assert drawn.wait() is None
    assert drawn.state == "ready"
    assert engine.closed == 1


def test_stopping_leaves_the_earlier_result_and_the_drawing(drawn, engine):
    first = drawn.run(wait=True)
    engine.go.clear()
    drawn.run()
    drawn.stop()
    engine.go.set()
    drawn.wait(10)
    assert drawn.result is first
    assert len(drawn.pairs) == 1


def test_stopping_a_run_that_waits_its_turn_never_begins_it(drawn, engine, rgb, handle, target):
    other = rd.RegionDragWidget(rgb, pairs=[rd.RegionPair(handle, target)])
    engine.go.clear()
    other.run()
    until(lambda: engine.edits)
    drawn.run()
    assert drawn._state["message"] == "Waiting for its turn: another edit goes first"
    drawn.stop()
    assert drawn.wait(5) is None
    assert drawn.state == "ready"
    engine.go.set()
    assert other.wait(10) is not None
    assert len(engine.edits) == 1
    other.close()


def test_a_run_that_waits_counts_down_as_others_finish(drawn, engine, rgb, handle, target):
    engine.go.clear()
    others = [rd.RegionDragWidget(rgb, pairs=[rd.RegionPair(handle, target)]) for _ in range(2)]
    for other in others:
        other.run()
    until(lambda: engine.edits)
    drawn.run()
    words: list[str] = [drawn._state["message"]]
    drawn.observe(lambda change: words.append(change.new["message"]), "_state")
    engine.go.set()
    assert drawn.wait(10) is not None
    assert words[:3] == [
        "Waiting for its turn: 2 other edits go first",
        "Waiting for its turn: another edit goes first",
        "Getting ready",
    ]
    for other in others:
        other.close()


def test_stopping_while_the_picture_is_prepared_takes_effect_at_once(drawn, engine, monkeypatch):
    browser = FakeBrowser(drawn)
    entered, go = threading.Event(), threading.Event()
    prepare = engine.__class__.__call__

    def slow(self, image, settings):
        entered.set()
        assert go.wait(10)
        return prepare(self, image, settings)

    monkeypatch.setattr(engine.__class__, "__call__", slow)
    drawn.run()
    assert entered.wait(10)
    drawn.stop()
    assert drawn.wait(1) is None
    assert drawn.state == "ready"
    assert len(browser.of("stopped")) == 1
    go.set()
    assert drawn.run(wait=True) is not None  # and what was prepared is used
    assert len(engine.prepared) == 1
    assert len(browser.of("stopped")) == 1


def test_stopping_one_run_spares_the_next_that_begins_at_the_same_moment(drawn, engine, monkeypatch):
    engine.go.clear()
    drawn.run(seed=1)
    next_run = threading.Thread(target=drawn.run, kwargs={"seed": 2})
    worker = drawn._runs._worker
    cancel = worker.cancel

    def late(owner):
        next_run.start()
        next_run.join(0.3)  # long enough to slip in between, were it let
        cancel(owner)

    with monkeypatch.context() as patch:
        patch.setattr(worker, "cancel", late)
        drawn.stop()
    next_run.join(10)
    engine.go.set()
    assert drawn.wait(10) is not None
    assert drawn.result.seed == 2


def test_stopping_when_nothing_runs_does_nothing(drawn):
    drawn.stop()
    assert drawn.state == "ready"


def test_the_latest_request_wins_and_older_runs_are_heard_of_no_more(drawn, engine):
    browser = FakeBrowser(drawn)
    engine.go.clear()
    for seed in range(5):
        drawn.run(seed=seed)
    engine.go.set()
    result = drawn.wait(10)
    assert result.seed == 4
    assert len(drawn.history) == 1
    assert [done["run"] for done in browser.of("done")] == [5]
    assert not browser.of("stopped")
    assert {p["run"] for p in browser.of("preview")} == {5}


def test_a_timeout_leaves_the_run_going(drawn, engine):
    engine.go.clear()
    drawn.run()
    with pytest.raises(TimeoutError, match="goes on"):
        drawn.wait(0.05)
    engine.go.set()
    assert drawn.wait(10) is not None


def test_an_interrupt_while_waiting_stops_the_run(drawn, engine, monkeypatch):
    engine.go.clear()
    drawn.run()
    until(lambda: engine.edits)
    job = drawn._runs._job

    def interrupted(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        drawn.wait()
    monkeypatch.undo()
    engine.go.set()
    until(lambda: drawn.state == "ready")
    assert drawn.result is None


def test_a_new_picture_ends_the_run_of_the_old_one(drawn, engine, rgb):
    engine.go.clear()
    drawn.run()
    until(lambda: engine.edits)
    drawn.image = rgb[::-1].copy()
    engine.go.set()
    until(lambda: engine.closed == 1)
    assert drawn.result is None
    assert drawn.state == "ready"


def test_closing_stops_the_run_and_the_widget_refuses_more(drawn, engine):
    engine.go.clear()
    drawn.run()
    until(lambda: engine.edits)
    drawn.close()
    engine.go.set()
    until(lambda: engine.closed == 1)
    with pytest.raises(RuntimeError, match="closed"):
        drawn.run()
    with pytest.raises(RuntimeError, match="closed"):
        drawn.clear()
    drawn.close()
