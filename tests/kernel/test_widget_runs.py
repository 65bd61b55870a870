"""Runs: start, stop, replace, fail, and what observers and the browser hear of it."""

from __future__ import annotations

import gc
import io
import threading
import time
import tracemalloc
import weakref

import numpy as np
import pytest
from PIL import Image

import regiondrag_widget as rd
from regiondrag_widget.widget.runs import EditFailed
from tests.kernel.fake_browser import FakeBrowser
from tests.kernel.fake_editor import paste


@pytest.fixture
def drawn(w, handle, target):
    w.add_pair(handle, target)
    return w


def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


# -- the plain case ------------------------------------------------------------------------------------------


def test_a_run_that_is_waited_for_returns_the_result(drawn, rgb):
    result = drawn.run(wait=True)
    assert result is drawn.result
    assert drawn.history == [result]
    assert drawn.state == "done"
    assert np.array_equal(np.asarray(result.image), paste(rgb, drawn.pairs.complete()))


def test_a_run_that_is_not_waited_for_returns_at_once(drawn, engine):
    engine.go.clear()
    assert drawn.run() is None
    assert drawn.result is None
    engine.go.set()
    assert drawn.wait(10) is drawn.result is not None


def test_settings_can_be_given_for_one_run_only(drawn, engine):
    drawn.run(wait=True, seed=42, vacated="keep")
    assert engine.prepared[-1][1].seed == 42
    assert engine.edits[-1]["vacated"] == "keep"
    assert drawn.settings["seed"] == 0


def test_the_engine_gets_the_pairs_the_settings_and_what_may_be_changed(drawn, engine, target):
    drawn.settings.update(stop=0.3, matte="none")
    drawn.protect = target
    drawn.run(wait=True)
    asked = engine.edits[-1]
    assert asked["pairs"] == drawn.pairs
    assert (asked["stop"], asked["matte"], asked["vacated"]) == (0.3, "none", "fill")
    assert np.array_equal(asked["editable"], ~target)


def test_without_a_protect_mask_everything_may_be_changed(drawn, engine):
    drawn.run(wait=True)
    assert engine.edits[-1]["editable"] is None


def test_the_result_reaches_the_browser_as_png_before_it_is_told_that_the_run_is_done(drawn, engine):
    browser = FakeBrowser(drawn)
    seen_at_done = []
    receive = drawn.comm.publish_msg

    def watch(msg_type, data=None, **rest):
        if data and data.get("content", {}).get("type") == "done":
            seen_at_done.append(dict(drawn._result_info))
        receive(msg_type, data=data, **rest)

    drawn.comm.publish_msg = watch
    result = drawn.run(wait=True)
    (done,) = browser.of("done")
    assert seen_at_done[0]["id"] == done["result"]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(drawn._result))), np.asarray(result.image))
    assert drawn._result_info["seed"] == 0
    assert drawn._result_info["width"], drawn._result_info["height"] == (128, 96)


def test_previews_come_as_small_jpegs_with_step_and_box(drawn):
    browser = FakeBrowser(drawn)
    drawn.run(wait=True)
    previews = [(content, buffers) for content, buffers in browser.messages if content["type"] == "preview"]
    assert previews[0][0]["step"] == 1
    assert previews[-1][0]["step"] == previews[-1][0]["total"] == 6
    for content, (jpeg,) in previews:
        assert content["box"] == (0, 0, 128, 96)
        assert content["mime"] == "image/jpeg"
        assert Image.open(io.BytesIO(jpeg)).size == (content["width"], content["height"]) == (128, 96)


def test_previews_of_a_large_picture_have_at_most_384_pixels(engine):
    w = rd.RegionDragWidget(np.zeros((600, 900, 3), np.uint8), steps=2)
    mask = np.zeros((600, 900), bool)
    mask[:50, :50] = True
    w.add_pair(mask, mask)
    browser = FakeBrowser(w)
    w.run(wait=True)
    assert {(p["width"], p["height"]) for p in browser.of("preview")} == {(384, 256)}
    w.close()


def test_the_status_counts_the_steps_and_estimates_the_rest(drawn, engine):
    engine.seconds = 0.12
    browser = FakeBrowser(drawn)
    drawn.run(wait=True)
    running = [s for s in browser.of("status") if s["state"] == "running"]
    assert [s["step"] for s in running] == [1, 2, 3, 4, 5, 6]
    assert running[0]["eta"] is None
    assert 0.2 < running[2]["eta"] < 1.0
    assert running[-1]["eta"] == 0
    assert {s["total"] for s in running} == {6}


def test_a_second_run_of_the_same_picture_prepares_nothing(drawn, engine, handle):
    drawn.run(wait=True)
    drawn.add_pair(handle, matrix=[[1, 0, 0], [0, 1, 30], [0, 0, 1]])
    drawn.run(wait=True)
    assert len(engine.prepared) == 1
    assert len(engine.edits) == 2


def test_the_picture_is_prepared_once_while_the_user_still_draws(w, engine, handle, target):
    browser = FakeBrowser(w)
    browser.draw("a", handle, None)
    assert engine.warmed == []
    browser.draw("a", handle, target)
    until(lambda: engine.warmed)
    browser.draw("a", target, handle)
    browser.run(1, target, handle)
    browser.until("done")
    assert len(engine.warmed) == len(engine.prepared) == 1
    assert np.array_equal(engine.warmed[0][0].handle, handle)


def test_a_preparation_that_fails_is_told_by_the_run_alone(w, engine, handle, target):
    browser = FakeBrowser(w)
    engine.prepare_error = RuntimeError("no such model")
    browser.draw("a", handle, target)
    browser.run(1, handle, target)
    assert "no such model" in browser.until("error")["message"]
    assert len(browser.of("error")) == 1


def test_another_seed_prepares_anew(drawn, engine):
    drawn.run(wait=True)
    drawn.run(wait=True, seed=1)
    assert len(engine.prepared) == 2


def test_two_widgets_share_one_inference_thread(drawn, engine, rgb, handle, target):
    other = rd.RegionDragWidget(rgb[::-1].copy(), pairs=[rd.RegionPair(handle, target)], steps=3)
    drawn.run()
    other.run()
    assert drawn.wait(10) is not None
    assert other.wait(10) is not None
    assert engine.threads == {"regiondrag-inference"}
    assert sum(t.name == "regiondrag-inference" for t in threading.enumerate()) == 1
    other.close()


def test_observers_hear_of_result_history_and_state(drawn):
    said = []
    drawn.observe(lambda change: said.append(change["name"]), ["result", "history", "state"])
    states = []
    drawn.observe(lambda change: states.append(change["new"]), "state")
    drawn.run(wait=True)
    assert {"result", "history", "state"} <= set(said)
    assert states == ["loading", "running", "done"]


def test_an_observer_that_raises_does_not_spoil_the_run(drawn, caplog):
    def observer(change):
        raise RuntimeError("the user's own mistake")

    drawn.observe(observer, "result")
    assert drawn.run(wait=True) is not None
    assert drawn.state == "done"
    assert "the user's own mistake" in caplog.text


def test_waiting_within_an_observer_is_refused_instead_of_hanging(drawn):
    errors = []

    def observer(change):
        try:
            drawn.wait()
        except RuntimeError as error:
            errors.append(str(error))

    drawn.observe(observer, "result")
    drawn.run(wait=True)
    assert "observe callback" in errors[0]


# -- nothing to run ------------------------------------------------------------------------------------------


def test_running_with_nothing_drawn_says_what_to_do(w):
    with pytest.raises(ValueError, match="nothing is drawn"):
        w.run()


def test_running_with_half_a_pair_names_it(w, browser, handle):
    browser.draw("p1", handle, None)
    with pytest.raises(ValueError, match="pair 1: target is empty"):
        w.run()


def test_waiting_before_any_run_returns_nothing(w):
    assert w.wait() is None


# -- stop, replace -------------------------------------------------------------------------------------------


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
    assert drawn._state["message"] == "Waiting for its turn"
    drawn.stop()
    assert drawn.wait(5) is None
    assert drawn.state == "ready"
    engine.go.set()
    assert other.wait(10) is not None
    assert len(engine.edits) == 1
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


# -- failures ------------------------------------------------------------------------------------------------


class OutOfMemoryError(RuntimeError):
    """As torch names its own."""


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (RuntimeError("the network burst"), "engine", "the network burst"),
        (ValueError("the masks are too odd"), "bad-input", "the masks are too odd"),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"), "memory", "smaller picture"),
        (MemoryError(), "memory", "more memory than there is"),
        (ImportError("No module named 'sentencepiece'"), "engine", "sentencepiece"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_failure_of_the_engine_is_told_in_words_with_a_remedy(drawn, engine, error, code, words):
    browser = FakeBrowser(drawn)
    engine.error = error
    with pytest.raises(EditFailed, match=words):
        drawn.run(wait=True)
    (message,) = browser.of("error")
    assert message["code"] == code
    assert message["run"] == 1
    assert message["remedy"]
    assert drawn.state == "error"
    assert words in drawn._state["message"]
    assert "Traceback" in drawn.last_error
    assert type(error).__name__ in drawn.last_error


def test_a_failure_keeps_the_earlier_result_the_history_and_the_masks(drawn, engine):
    first = drawn.run(wait=True)
    engine.error = RuntimeError("boom")
    with pytest.raises(EditFailed):
        drawn.run(wait=True)
    assert drawn.result is first
    assert drawn.history == [first]
    assert len(drawn.pairs) == 1


def test_after_a_failure_the_next_run_works_and_the_error_is_gone(drawn, engine):
    engine.error = RuntimeError("boom")
    with pytest.raises(EditFailed):
        drawn.run(wait=True)
    engine.error = None
    assert drawn.run(wait=True) is not None
    assert drawn.last_error is None


def test_a_model_that_cannot_be_loaded_is_told(drawn, engine):
    engine.prepare_error = FileNotFoundError("there is no model folder /nowhere")
    with pytest.raises(EditFailed, match="/nowhere"):
        drawn.run(wait=True)
    assert drawn.state == "error"


def test_running_out_of_memory_gives_the_prepared_pictures_back(drawn, engine):
    drawn.run(wait=True)
    engine.error = MemoryError()
    with pytest.raises(EditFailed):
        drawn.run(wait=True)
    engine.error = None
    drawn.run(wait=True)
    assert len(engine.prepared) == 2


def test_a_failure_holds_none_of_the_engines_objects(drawn, engine):
    held = []

    class Tensor:
        pass

    def failing_editor(image, settings):
        tensor = Tensor()
        held.append(weakref.ref(tensor))
        raise RuntimeError("boom")

    engine.__class__ = type("Failing", (type(engine),), {"__call__": staticmethod(failing_editor)})
    with pytest.raises(EditFailed):
        drawn.run(wait=True)
    until(lambda: gc.collect() >= 0 and held[0]() is None, 5)


# -- results -------------------------------------------------------------------------------------------------


def test_accepting_makes_the_result_the_picture_and_clears_the_drawing(drawn):
    result = drawn.run(wait=True)
    drawn.accept()
    assert np.array_equal(np.asarray(drawn.image), np.asarray(result.image))
    assert len(drawn.pairs) == 0
    assert drawn.result is None
    assert drawn.history == [result]


def test_discarding_takes_the_result_off_the_screen_and_keeps_the_drawing(drawn, rgb):
    drawn.run(wait=True)
    drawn.discard()
    assert drawn.result is None
    assert drawn._result == b""
    assert len(drawn.pairs) == 1
    assert len(drawn.history) == 1
    assert np.array_equal(np.asarray(drawn.image), rgb)


@pytest.mark.parametrize("method", ["accept", "discard"])
def test_without_a_result_there_is_nothing_to_accept_or_discard(w, method):
    with pytest.raises(ValueError, match="run an edit first"):
        getattr(w, method)()


def test_an_earlier_result_comes_back_with_its_regions_and_settings(drawn, handle):
    browser = FakeBrowser(drawn)
    first = drawn.run(wait=True, seed=5)
    pairs = list(drawn.pairs)
    drawn.clear()
    drawn.add_pair(handle, matrix=[[1, 0, 0], [0, 1, 20], [0, 0, 1]])
    drawn.run(wait=True, seed=6)
    browser.send({"type": "restore", "result": drawn._history[0]["id"]})
    assert drawn.result is first
    assert drawn.pairs == pairs
    assert drawn.settings["seed"] == 5
    assert drawn._result_info["seed"] == 5


def test_restoring_a_result_of_before_an_accept_brings_its_picture_back(drawn, rgb):
    browser = FakeBrowser(drawn)
    first = drawn.run(wait=True)
    drawn.accept()
    browser.send({"type": "restore", "result": "r1"})
    assert drawn.result is first
    assert np.array_equal(np.asarray(drawn.image), rgb)
    assert len(drawn.pairs) == 1


def test_restoring_a_result_that_is_gone_says_so(drawn):
    browser = FakeBrowser(drawn)
    browser.send({"type": "restore", "result": "r77"})
    assert "r77" in browser.of("error")[0]["message"]


def test_the_history_names_seed_seconds_and_settings_and_has_a_small_picture(drawn):
    drawn.run(wait=True, seed=3)
    (entry,) = drawn._history
    assert entry["seed"] == 3
    assert entry["seconds"] >= 0
    assert entry["settings"]["steps"] == 6
    assert max(Image.open(io.BytesIO(drawn._thumbs[entry["id"]])).size) == 128


# -- long use ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_hundred_runs_grow_neither_threads_nor_history_nor_kept_objects(drawn, engine):
    FakeBrowser(drawn)
    drawn.settings["steps"] = 2
    results = weakref.WeakSet()
    threads = 0
    for number in range(200):
        results.add(drawn.run(wait=True, seed=number))
        if number == 20:
            threads = threading.active_count()
    gc.collect()
    assert threading.active_count() == threads
    assert len(drawn.history) == len(drawn._history) == len(drawn._thumbs) == 20
    assert len(results) <= 22
    assert engine.closed == 200


@pytest.mark.slow
def test_runs_forty_to_two_hundred_take_no_more_memory(drawn, engine):
    browser = FakeBrowser(drawn)
    drawn.settings["steps"] = 2

    def after(numbers):
        for number in numbers:
            drawn.run(wait=True, seed=number)
            browser.messages.clear()
            browser.updates.clear()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = after(range(40))  # by now the history is full and every cache warm
        grown = after(range(40, 200)) - before
    finally:
        tracemalloc.stop()
    one_result = 96 * 128 * 3
    assert grown < 5 * one_result, f"{grown} bytes more after 160 runs"


@pytest.mark.slow
def test_opening_and_closing_fifty_widgets_leaves_nothing(engine, rgb, handle, target):
    alive = weakref.WeakSet()
    threads = threading.active_count()
    for _ in range(50):
        w = rd.RegionDragWidget(rgb, pairs=[rd.RegionPair(handle, target)], steps=1)
        alive.add(w)
        w.run(wait=True)
        w.close()
    del w
    until(lambda: gc.collect() >= 0 and len(alive) == 0, 5)
    assert threading.active_count() <= threads + 1


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
