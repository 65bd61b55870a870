"""Hosts that show nothing a thread sends, and hosts that handle messages on another thread."""

from __future__ import annotations

import sys
import threading
import time
import types

import numpy as np
import pytest

import regiondrag_widget as rd
from regiondrag_widget.regions import encode_mask
from regiondrag_widget.widget import draft_queue
from regiondrag_widget.widget.draft_queue import PUMP_LIMIT
from regiondrag_widget.widget.host import PUMP_VARIABLE, needs_pump
from tests.kernel.fake_browser import FakeBrowser, run_message, until


@pytest.fixture
def colab(monkeypatch):
    """A process that looks like Colab's kernel."""
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))


@pytest.fixture
def pumped(colab, monkeypatch, engine, rgb):
    monkeypatch.setenv(PUMP_VARIABLE, "1")  # anywidget itself would ask the fake Colab for its manager
    monkeypatch.delitem(sys.modules, "google.colab")
    w = rd.RegionDragWidget(rgb, steps=6)
    yield w
    engine.go.set()
    w.close()


def test_colab_is_recognised(colab):
    assert needs_pump()


def test_a_plain_process_and_a_sound_kernel_need_no_pump(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", types.SimpleNamespace(version_info=(7, 4, 0, "", "")))
    assert not needs_pump()


def test_ipykernel_7_0_which_raises_in_threads_is_recognised(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", types.SimpleNamespace(version_info=(7, 0, 1, "", "")))
    assert needs_pump()


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("0", False)])
def test_the_environment_variable_decides_for_unknown_hosts(monkeypatch, colab, value, expected):
    monkeypatch.setenv(PUMP_VARIABLE, value)
    assert needs_pump() is expected


def test_in_pump_mode_everything_is_sent_by_the_thread_that_asked(pumped, engine, handle, target):
    browser = FakeBrowser(pumped)
    browser.run(1, handle, target)
    assert browser.of("done")
    assert browser.of("preview")
    assert browser.threads == {threading.current_thread().name}
    assert engine.threads == {"regiondrag-inference"}


def test_in_pump_mode_a_run_from_python_returns_when_it_is_over(pumped, handle, target):
    pumped.add_pair(handle, target)
    pumped.run()
    assert pumped.result is not None
    assert pumped.state == "done"


def test_in_pump_mode_observers_are_called_on_the_main_thread(pumped, handle, target):
    threads = []
    pumped.observe(lambda change: threads.append(threading.current_thread().name), ["result", "state"])
    pumped.add_pair(handle, target)
    pumped.run(wait=True)
    assert set(threads) == {threading.current_thread().name}


def test_in_pump_mode_an_interrupt_stops_the_run_and_its_end_is_still_told(
    pumped, engine, handle, target, monkeypatch
):
    browser = FakeBrowser(pumped)
    engine.go.clear()
    drain, calls = pumped._outbox.drain, []

    def interrupted():
        drain()
        calls.append(1)
        if len(calls) == 3:
            engine.go.set()
            raise KeyboardInterrupt

    monkeypatch.setattr(pumped._outbox, "drain", interrupted)
    engine.seconds = 0.02
    pumped.settings["steps"] = 200
    browser.run(1, handle, target)
    assert browser.of("stopped")
    assert not browser.of("done")
    assert pumped.state == "ready"


def test_in_pump_mode_a_failure_is_told_too(pumped, engine, handle, target):
    browser = FakeBrowser(pumped)
    engine.error = RuntimeError("boom")
    browser.run(1, handle, target)
    assert browser.of("error")[0]["code"] == "engine"
    assert "boom" in pumped.last_error


def test_messages_and_reports_on_two_threads_lose_no_notification(w, engine, handle, target):
    """A subshell's thread writes state while the inference thread reports: traitlets alone would lose
    some.
    """
    browser = FakeBrowser(w)
    engine.seconds = 0.001
    w.settings["steps"] = 300
    heard = {"pairs": 0, "settings": 0}

    def count(change):
        heard[change["name"]] += 1

    w.observe(count, ["pairs", "settings"])
    masks = [encode_mask(handle), encode_mask(target)]

    def draw():
        for turn in range(150):
            entry = {"id": "a", "name": str(turn), "hasTarget": True}
            browser.write(_pairs=[entry], _masks={"h:a": masks[turn % 2], "t:a": masks[0]}, _regions_rev=turn)
            browser.write(settings={"seed": turn + 1, "steps": 300})

    browser.send(run_message(1, {"steps": 300}), masks)
    subshell = threading.Thread(target=draw)
    subshell.start()
    subshell.join(30)
    w.stop()
    assert heard == {"pairs": 150, "settings": 150}
    assert np.array_equal(w.pairs[0].handle, target)


# -- drafts where only the main thread's messages arrive -----------------------------------------------------


def test_in_pump_mode_a_draft_is_delivered_by_the_thread_that_asked(pumped, engine, handle):
    browser = FakeBrowser(pumped)
    browser.drag(1, handle, 10)
    assert browser.answers() == [(1, "drafted")]
    assert browser.threads == {threading.current_thread().name}
    assert engine.threads == {"regiondrag-inference"}


def test_in_pump_mode_a_preparation_does_not_hold_the_main_thread(pumped, engine, handle):
    browser = FakeBrowser(pumped)
    engine.stage_go.clear()
    began = time.monotonic()
    browser.drag(1, handle, 10)
    assert time.monotonic() - began < 10 * PUMP_LIMIT
    assert browser.answers() == []
    engine.stage_go.set()
    until(lambda: engine.drafts_closed == 1 and not pumped._runs._worker.busy)
    browser.send({"type": "ping"})  # whatever comes next delivers it
    assert browser.answers() == [(1, "drafted")]


def test_in_pump_mode_a_draft_that_hangs_does_not_hold_the_main_thread(pumped, engine, handle, monkeypatch):
    monkeypatch.setattr(draft_queue, "MAX_AGE", 0.2)
    browser = FakeBrowser(pumped)
    engine.draft_go.clear()
    began = time.monotonic()
    browser.drag(1, handle, 10)
    assert 0.2 <= time.monotonic() - began < 2
    engine.draft_go.set()
    until(lambda: not pumped._runs._worker.busy)
    browser.send({"type": "ping"})
    assert browser.answers() == [(1, "stale")]


def test_in_pump_mode_a_draft_behind_another_widgets_run_does_not_wait_for_it(
    pumped, engine, rgb, handle, target
):
    browser = FakeBrowser(pumped)
    other = rd.RegionDragWidget(rgb[::-1].copy(), steps=3)
    other._outbox.pump = False  # its run does not hold this thread
    other.add_pair(handle, target)
    engine.go.clear()
    other.run()
    until(lambda: engine.edits)
    began = time.monotonic()
    browser.drag(1, handle, 10)
    assert time.monotonic() - began < 10 * PUMP_LIMIT
    browser.drag(2, handle, 20)
    assert browser.answers() == [(1, "stale")]
    engine.go.set()
    other.wait(10)
    until(lambda: not pumped._runs._worker.busy)
    browser.send({"type": "drag_ended", "seq": 1})
    assert browser.answers() == [(1, "stale"), (2, "drafted")]
    other.close()


def test_in_pump_mode_the_warm_up_is_told_with_the_next_message(pumped, engine):
    browser = FakeBrowser(pumped)
    browser.show()
    until(lambda: engine.drafts_closed == 2 and not pumped._runs._worker.busy)
    assert browser.of("measured") == []
    browser.send({"type": "ping"})
    assert browser.of("measured")[0]["live"] is True
    assert browser.threads == {threading.current_thread().name}
