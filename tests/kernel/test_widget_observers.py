"""What users' observers may do: act on the widget, act on another one, and fail."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import regiondrag_widget as rd
from regiondrag_widget.locks import OrderedLock, Rank
from tests.kernel.fake_browser import FakeBrowser, until


@pytest.fixture
def other(rgb):
    widget = rd.RegionDragWidget(rgb, steps=4)
    yield widget
    widget.close()


def page_state(browser):
    """What the page shows: its last status, and the newest traits as far as they were sent."""
    return browser.of("status")[-1], browser.trait("_state"), browser.trait("_result_info")


def test_an_observer_that_accepts_the_result_leaves_the_page_with_the_new_picture(drawn, browser, engine):
    drawn.observe(lambda change: change["new"] is not None and drawn.accept(), "result")
    result = drawn.run(wait=True)
    until(lambda: drawn.result is None)
    assert np.array_equal(np.asarray(drawn.image), np.asarray(result.image))
    assert len(drawn.pairs) == 0
    assert drawn.state == "ready"
    status, state, info = page_state(browser)
    assert (status["state"], status["message"]) == ("ready", "Result accepted; Ctrl+Z takes it back")
    assert state["state"] == "ready"
    assert info == {}
    assert browser.trait("_image_info")["rev"] == 2
    assert browser.trait("_pairs") == []


def test_an_observer_that_sets_the_picture_leaves_the_page_with_that_picture(drawn, browser, rgb):
    drawn.observe(lambda change: change["new"] == "done" and setattr(drawn, "image", 255 - rgb), "state")
    drawn.run(wait=True)
    until(lambda: drawn.result is None)
    assert np.array_equal(np.asarray(drawn.image), 255 - rgb)
    status, state, info = page_state(browser)
    assert (status["state"], state["state"], info) == ("done", "done", {})
    assert browser.trait("_image_info")["rev"] == 2
    assert not drawn.busy


def test_an_observer_that_sets_the_picture_when_a_run_begins_ends_the_run(drawn, browser, engine, rgb):
    drawn.observe(lambda change: change["new"] == "loading" and setattr(drawn, "image", 255 - rgb), "state")
    engine.go.clear()
    drawn.run()
    engine.go.set()
    until(lambda: not drawn._runs._worker.busy)
    assert drawn.state == "ready"
    assert drawn.history == []
    assert {s["state"] for s in browser.of("status")[:-1]} == {"loading"}
    assert browser.of("status")[-1]["state"] == "ready"
    assert browser.of("status")[-1]["run"] == drawn._runs.run
    assert browser.of("done") == []


def test_an_observer_of_the_pairs_may_change_the_pairs(w, browser, handle, target):
    def keep_one(change):
        while len(w.pairs) > 1:
            del w.pairs[0]

    w.observe(keep_one, "pairs")
    w.add_pair(handle, target, name="first")
    w.add_pair(handle, target, name="second")
    assert [pair.name for pair in w.pairs] == ["second"]
    assert [entry["name"] for entry in browser.trait("_pairs")] == ["second"]
    assert browser.trait("_regions_rev") == w._regions_rev


def test_an_observer_may_begin_the_next_run(drawn, browser):
    seeds = [1, 2]
    drawn.observe(lambda change: seeds and drawn.run(seed=seeds.pop(0)), "history")
    drawn.run()
    until(lambda: len(drawn.history) == 3 and not drawn.busy)
    assert [result.seed for result in drawn.history] == [0, 1, 2]
    assert [m["run"] for m in browser.of("done")] == [1, 2, 3]
    assert browser.of("status")[-1]["state"] == "done"


def test_observers_are_told_in_the_order_of_the_changes_also_of_what_an_observer_changes(w):
    said = []
    w.observe(lambda change: said.append(("a", change["new"]["seed"])), "settings")

    def count_on(change):
        if change["new"]["seed"] < 3:
            w.settings["seed"] = change["new"]["seed"] + 1

    w.observe(count_on, "settings")
    w.observe(lambda change: said.append(("b", change["new"]["seed"])), "settings")
    w.settings["seed"] = 1
    assert said == [("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 3), ("b", 3)]


def test_two_widgets_may_act_on_each_other_from_two_threads_without_a_deadlock(w, other):
    w.observe(lambda change: other.settings.update(steps=1 + change["new"]["seed"] % 5), "settings")
    other.observe(lambda change: w.settings.update(prompt=str(change["new"]["seed"])), "settings")

    def set_seeds(widget):
        for seed in range(200):
            widget.settings["seed"] = seed

    threads = [threading.Thread(target=set_seeds, args=(widget,), daemon=True) for widget in (w, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    until(lambda: (other.settings["steps"], w.settings["prompt"]) == (5, "199"))


def test_no_lock_is_held_while_an_observer_runs(drawn):
    free = []

    def observer(change):
        with OrderedLock(Rank.DOCUMENT):  # would be refused
            free.append(change["name"])

    names = ["image", "pairs", "protect", "result", "history", "state", "last_error", "settings"]
    drawn.observe(observer, names)
    drawn.run(wait=True)
    drawn.settings["seed"] = 4
    drawn.accept()
    assert {"result", "history", "state", "settings", "image", "pairs"} <= set(free)


def test_observers_of_everything_are_called_without_the_lock_too(drawn):
    names = set()

    def observer(change):
        with OrderedLock(Rank.DOCUMENT):
            names.add(change["name"])

    drawn.observe(observer)
    drawn.run(wait=True)
    assert {"result", "_result", "_state", "state"} <= names


def test_what_an_observer_raises_reaches_whoever_made_the_change_and_the_change_stays(w, rgb):
    def observer(change):
        raise RuntimeError("the user's own mistake")

    heard = []
    w.observe(observer, "image")
    w.observe(lambda change: heard.append(1), "pairs")
    with pytest.raises(RuntimeError, match="own mistake"):
        w.image = 255 - rgb
    assert np.array_equal(np.asarray(w.image), 255 - rgb)
    assert heard == [1]


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, RuntimeError])
def test_an_observer_that_ends_in_any_way_on_the_inference_thread_spoils_nothing(drawn, error, caplog):
    def observer(change):
        if threading.current_thread() is not threading.main_thread():
            raise error("from an observer")

    drawn.observe(observer, "result")
    assert drawn.run(wait=True) is not None
    until(lambda: drawn.state == "done")
    assert "from an observer" in caplog.text
    drawn.unobserve(observer, "result")
    assert drawn.run(wait=True, seed=2).seed == 2


def test_old_and_new_are_told(w, rgb):
    changes = []
    w.observe(changes.append, ["settings", "state"])
    w.settings["seed"] = 8
    (change,) = changes
    assert (change["old"]["seed"], change["new"]["seed"], change["owner"]) == (0, 8, w)


@pytest.mark.parametrize("name", ["result", "history", "state", "last_error", "measured"])
def test_what_the_widget_reports_cannot_be_set(w, name):
    with pytest.raises(Exception, match="read-only"):
        setattr(w, name, None)


def test_a_page_that_cannot_be_reached_does_not_undo_a_change_or_block_later_ones(drawn, caplog):
    browser = FakeBrowser(drawn)
    broken = [True]

    def publish(*message):
        if broken[0]:
            raise OSError("the socket is closed")
        browser.receive(*message)

    browser.comm.publish = publish
    drawn.settings["seed"] = 5
    broken[0] = False
    assert drawn.settings["seed"] == 5
    assert "the socket is closed" in caplog.text
    drawn.run(wait=True)
    assert browser.trait("_result_info")["seed"] == 5
    assert len(browser.of("done")) == 1
