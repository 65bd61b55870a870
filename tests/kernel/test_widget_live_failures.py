"""Bad times in the middle of a drag: told once, nothing lost, and the next draft or run works if it can."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

from regiondrag_widget.widget.runs import EditFailed
from tests.kernel.fake_browser import until


class DeviceLostError(RuntimeError):
    """As the engine names its own."""


LOST = RuntimeError("CUDA error: device-side assert triggered\nCUDA kernel errors might be reported later")


class OutOfMemoryError(RuntimeError):
    """As torch names its own."""


@pytest.fixture
def shown(drawn, browser):
    """A widget with one pair, whose first draft has been timed."""
    browser.show()
    browser.until("measured")
    return drawn


def told(browser):
    return [content["message"] for content in browser.of("undrafted")]


# -- memory --------------------------------------------------------------------------------------------------


def test_out_of_memory_in_the_middle_of_a_drag_halves_the_budget_says_so_and_goes_on(
    shown, browser, engine, handle, target
):
    browser.drag(1, handle, 10)
    assert browser.answered(1) == "drafted"
    engine.draft_error = OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
    browser.drag(2, handle, 20)
    assert browser.answered(2) == "memory"
    engine.draft_error = None
    browser.drag(3, handle, 30)
    assert browser.answered(3) == "drafted"
    assert engine.budget == 500
    until(lambda: shown.measured["budget"] == 500)
    assert "out of memory" in shown.measured["note"]
    assert shown.measured["live"] is True
    assert "less is kept" in told(browser)[0]
    assert np.array_equal(shown.pairs[0].target, target)
    assert shown.run(wait=True) is not None


def test_memory_that_never_suffices_pauses_live_and_tells_what_to_do(shown, browser, engine, handle):
    engine.draft_error = MemoryError()
    for seq in range(1, 8):
        browser.drag(seq, handle, seq)
        browser.answered(seq)
    assert [how for _, how in browser.answers()] == ["memory"] * 3 + ["error"] * 4
    assert [bool(words) for words in told(browser)] == [True, False, True] + [False] * 4
    assert "smaller picture" in told(browser)[2]
    assert shown.measured["live"] is False
    assert engine.budget == 125


# -- the engine ----------------------------------------------------------------------------------------------


def test_an_engine_that_raises_is_told_once_and_live_pauses(shown, browser, engine, handle):
    engine.draft_error = RuntimeError("the network burst")
    for seq in range(1, 10):
        browser.drag(seq, handle, seq)
        assert browser.answered(seq) == "error"
    assert "the network burst" in told(browser)[0]
    assert told(browser)[1:] == [""] * 8
    assert len(engine.drafts) == 3  # two were timed; no draft is tried while live is paused
    assert browser.of("error") == []
    assert "RuntimeError" in shown.last_error
    assert shown.measured["live"] is False
    assert "paused" in shown.measured["note"]


def test_a_device_that_disappears_is_told_once_with_the_remedy(shown, browser, engine, handle):
    engine.draft_error = LOST
    for seq in range(1, 5):
        browser.drag(seq, handle, seq)
        browser.answered(seq)
    message, *rest = told(browser)
    assert "device stopped answering" in message
    assert "device-side assert" in message
    assert "Restart the kernel" in message
    assert rest == ["", "", ""]


def test_the_engines_own_word_for_a_lost_device_is_told_by_what_the_driver_said(
    shown, browser, engine, handle
):
    engine.draft_error = DeviceLostError("the GPU stopped answering: restart the kernel")
    engine.draft_error.__cause__ = LOST
    browser.drag(1, handle, 1)
    assert browser.answered(1) == "error"
    assert told(browser)[0].startswith("The device stopped answering: CUDA error: device-side assert")


def test_a_run_on_a_lost_device_is_told_with_the_same_remedy(shown, browser, engine):
    engine.error = LOST
    with pytest.raises(EditFailed, match="Restart the kernel"):
        shown.run(wait=True)
    assert browser.until("error")["code"] == "engine"


@pytest.mark.parametrize("cure", ["run", "settings", "picture"])
def test_the_next_run_setting_or_picture_lets_drafts_be_tried_again(
    shown, browser, engine, rgb, handle, target, cure
):
    engine.draft_error = RuntimeError("the network burst")
    browser.drag(1, handle, 1)
    assert browser.answered(1) == "error"
    engine.draft_error = None
    if cure == "run":
        shown.run(wait=True)
    elif cure == "settings":
        shown.settings["seed"] = 8
    else:
        shown.image = rgb[::-1].copy()
    assert "paused" not in shown.measured["note"]
    browser.drag(2, handle, 2, rev=shown._regions_rev)
    assert browser.answered(2) == "drafted"


def test_a_failure_of_a_draft_that_was_already_stale_pauses_all_the_same(shown, browser, engine, handle):
    entered = threading.Event()

    def failing():
        entered.set()
        engine.draft_go.wait(10)
        raise LOST
        yield

    engine.draft_go.clear()
    engine.fail_draft = failing
    browser.drag(1, handle, 1)
    assert entered.wait(10)
    browser.send({"type": "drag_ended", "seq": 1})
    engine.draft_go.set()
    until(lambda: "paused" in shown.measured["note"])
    browser.drag(2, handle, 2)
    assert browser.answers() == [(1, "stopped"), (2, "error")]


def test_regions_that_the_engine_refuses_are_told_once_and_do_not_pause(shown, browser, engine, handle):
    engine.draft_error = ValueError("the matrix folds the handle")
    for seq in (1, 2):
        browser.drag(seq, handle, seq)
        assert browser.answered(seq) == "error"
    assert "folds the handle" in told(browser)[0]
    assert told(browser)[1] == ""
    engine.draft_error = None
    browser.drag(3, handle, 3)
    assert browser.answered(3) == "drafted"
    assert shown.measured["live"] is True


def test_a_model_that_cannot_be_loaded_is_told_by_the_draft(w, browser, engine, handle):
    engine.prepare_error = FileNotFoundError("there is no model folder /nowhere")
    browser.drag(1, handle, 1)
    assert browser.answered(1) == "error"
    assert "/nowhere" in told(browser)[0]


def test_a_failed_draft_keeps_nothing_of_the_engine(shown, browser, engine, handle):
    class Tensor:
        pass

    held = []

    def failing(*_, **__):
        tensor = Tensor()
        held.append(weakref.ref(tensor))
        raise RuntimeError("boom")
        yield

    engine.fail_draft = failing
    browser.drag(1, handle, 1)
    assert browser.answered(1) == "error"
    until(lambda: gc.collect() >= 0 and held[0]() is None, 5)


def test_a_draft_that_ends_without_a_picture_is_an_error_and_not_silence(shown, browser, engine, handle):
    engine.fail_draft = lambda *_, **__: (step for step in ())
    shown.settings["seed"] = 99  # a fresh editor, which has drafted nothing yet
    browser.drag(1, handle, 1)
    assert browser.answered(1) == "error"
    assert "without a picture" in told(browser)[0]
