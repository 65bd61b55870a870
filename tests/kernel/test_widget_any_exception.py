"""An edit that ends by any exception, or whose thread dies, ends in a state and a message."""

from __future__ import annotations

import ctypes
import threading

import pytest

from regiondrag_widget.widget.runs import EditFailed
from tests.kernel.fake_browser import until


class NoWords(Exception):
    def __str__(self):
        raise ValueError("no words")


class Own(BaseException):
    """A BaseException that nobody knows."""


ERRORS = [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), Own("own"), NoWords(), RecursionError("deep")]


def kill(thread):
    """Raise SystemExit in a thread, as soon as it next runs Python code."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("where", ["error", "prepare_error"])
def test_an_edit_that_ends_by_any_exception_ends_in_a_state_and_a_message(
    drawn, browser, engine, error, where
):
    setattr(engine, where, error)
    with pytest.raises(EditFailed):
        drawn.run(wait=True)
    assert drawn.state == "error"
    assert not drawn.busy
    assert browser.until("error")["run"] == 1
    assert type(error).__name__ in drawn.last_error
    assert browser.of("status")[-1]["state"] == "error"
    setattr(engine, where, None)
    assert drawn.run(wait=True) is not None
    assert drawn.state == "done"


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_a_draft_that_ends_by_any_exception_is_answered(w, browser, engine, handle, error):
    engine.draft_error = error
    browser.drag(1, handle, 10)
    assert browser.answered(1) == "error"
    engine.draft_error = None
    w.settings["seed"] = 1  # drafts that were paused go on
    browser.drag(2, handle, 10)
    assert browser.answered(2) == "drafted"


def test_a_warm_up_that_ends_by_any_exception_is_a_note(w, browser, engine, handle, target):
    engine.prepare_error = SystemExit("from the loader")
    browser.show()
    until(lambda: "could not prepare ahead" in w.measured["note"])
    engine.prepare_error = None
    w.add_pair(handle, target)
    assert w.run(wait=True) is not None


def test_a_result_that_cannot_be_encoded_ends_in_a_state_and_a_message(drawn, browser, engine, monkeypatch):
    def fail(image):
        raise MemoryError

    monkeypatch.setattr("regiondrag_widget.widget.runs.encode_thumb", fail)
    with pytest.raises(EditFailed, match="memory"):
        drawn.run(wait=True)
    assert drawn.state == "error"
    assert browser.until("error")["code"] == "memory"


def test_killing_the_idle_thread_does_not_keep_the_next_run_waiting(drawn, browser):
    drawn.run(wait=True)
    thread = drawn._runs._worker._thread
    until(lambda: not drawn._runs._worker.busy)
    kill(thread)
    drawn.run()
    assert drawn.wait(timeout=10) is not None
    assert not thread.is_alive()
    assert [m["run"] for m in browser.of("done")] == [1, 2]


def test_killing_the_thread_in_the_middle_of_an_edit_ends_it_and_the_next_run_works(drawn, browser, engine):
    engine.go.clear()
    drawn.run()
    until(lambda: engine.edits)
    kill(drawn._runs._worker._thread)
    with pytest.raises(EditFailed):
        drawn.wait(timeout=10)
    assert drawn.state == "error"
    assert browser.until("error")["run"] == 1
    engine.go.set()
    assert drawn.run(wait=True) is not None


def test_jobs_that_wait_are_done_by_the_next_thread_when_one_dies(drawn, engine, rgb, handle, target):
    from regiondrag_widget import RegionDragWidget

    other = RegionDragWidget(rgb, steps=3)
    other.add_pair(handle, target)
    engine.go.clear()
    drawn.run()
    until(lambda: engine.edits)
    other.run()
    kill(drawn._runs._worker._thread)
    with pytest.raises(EditFailed):
        drawn.wait(timeout=10)
    engine.go.set()
    assert other.wait(timeout=10) is not None
    other.close()


def test_there_is_one_inference_thread_after_many_have_died(drawn):
    for seed in range(5):
        drawn.run(wait=True, seed=seed)
        kill(drawn._runs._worker._thread)
    assert drawn.run(wait=True) is not None
    names = [t.name for t in threading.enumerate()]
    until(lambda: [t.name for t in threading.enumerate()].count("regiondrag-inference") == 1)
    assert names.count("regiondrag-inference") <= 2
