"""What handles carry: told to the page before any run, changed from either side, used by runs."""

from __future__ import annotations

import copy
import threading
import time

import numpy as np
import pytest

import regiondrag_widget as rd
from regiondrag_widget import RegionDragWidget
from regiondrag_widget.regions import decode_mask, encode_mask
from regiondrag_widget.widget import carried_answer
from tests.kernel.fake_browser import FakeBrowser, run_message, until

WORDS = "carrying the object found in the handle"


@pytest.fixture
def rgb(handle):
    """(96, 128, 3) a red disc on grey, smaller than the handle."""
    y, x = np.mgrid[0:96, 0:128]
    picture = np.full((96, 128, 3), 200, np.uint8)
    picture[(x - 30) ** 2 + (y - 40) ** 2 < 10**2] = (200, 30, 30)
    return picture


@pytest.fixture
def page(browser):
    """A browser that has greeted the kernel."""
    browser.send({"type": "hello", "view": "v", "have": {}})
    return browser


def told(browser: FakeBrowser, number: int = 1) -> tuple[dict, list[np.ndarray]]:
    """The newest of at least so many `carried` messages: its content, and its masks decoded."""
    until(lambda: len(browser.of("carried")) >= number)
    content, buffers = [m for m in browser.messages if m[0]["type"] == "carried"][-1]
    return content, [decode_mask(data) for data in buffers]


def test_the_page_is_told_what_a_handle_carries_before_it_has_a_target(w, page, handle):
    page.draw("a", handle, None)
    content, (mask,) = told(page)
    assert (content["pair"], content["rev"], content["verdict"]) == ("a", w._regions_rev, "object")
    assert content["words"] == WORDS
    assert not (mask & ~handle).any()
    assert 300 < mask.sum() < handle.sum()
    assert np.array_equal(w.pairs[0].carried, mask)


def test_nothing_is_worked_out_before_a_page_is_there(w, browser, handle, target):
    w.add_pair(handle, target)
    time.sleep(0.1)
    assert browser.of("carried") == []
    browser.send({"type": "hello", "view": "v", "have": {}})
    assert told(browser)[0]["pair"] == w._pairs[0]["id"]


def test_a_page_that_comes_back_is_told_again(w, page, handle):
    page.draw("a", handle, None)
    told(page)
    page.send({"type": "hello", "view": "v", "have": {}})
    assert told(page, 2)[0]["verdict"] == "object"


def test_a_change_of_something_else_is_not_told_again(w, page, handle, target):
    page.draw("a", handle, None)
    told(page)
    page.draw("a", handle, target)
    page.write(_selected=0)
    time.sleep(0.1)
    assert len(page.of("carried")) == 1


def test_an_answer_that_is_no_longer_wanted_is_not_sent(w, page, handle, target, monkeypatch):
    go, began = threading.Event(), threading.Event()
    work = carried_answer._answer

    def held(request, image):
        began.set()
        go.wait(10)
        return work(request, image)

    monkeypatch.setattr(carried_answer, "_answer", held)
    page.draw("a", handle, None)
    assert began.wait(10)
    page.draw("a", target, None)  # drawn anew while the first answer is worked out
    go.set()
    content, (mask,) = told(page)
    assert content["rev"] == w._regions_rev
    assert np.array_equal(mask, mask & target)
    time.sleep(0.1)
    assert len(page.of("carried")) == 1


def test_where_background_messages_are_not_shown_they_wait_for_the_next_of_the_page(w, page, handle):
    w._outbox.pump = True
    page.threads.clear()
    page.draw("a", handle, None)
    until(lambda: w._document.carried._kept)
    time.sleep(0.05)
    assert page.of("carried") == []
    page.send({"type": "ping"})
    assert told(page)[0]["verdict"] == "object"
    assert page.threads == {"MainThread"}


def test_messages_do_not_wait_for_what_handles_carry(w, page, handle, monkeypatch):
    go = threading.Event()
    monkeypatch.setattr(carried_answer, "_answer", lambda request, image: go.wait(10))
    began = time.monotonic()
    page.draw("a", handle, None)
    page.send({"type": "ping"})
    assert page.of("pong")
    assert time.monotonic() - began < 5
    go.set()


def test_a_failure_is_logged_and_the_next_handle_is_told(w, page, handle, target, monkeypatch, caplog):
    work = carried_answer._answer

    def failing(request, image):
        raise MemoryError("no room")

    monkeypatch.setattr(carried_answer, "_answer", failing)
    page.draw("a", handle, None)
    until(lambda: "could not be worked out" in caplog.text)
    monkeypatch.setattr(carried_answer, "_answer", work)
    page.draw("a", handle | target, None)
    assert told(page)[0]["pair"] == "a"


def test_what_the_page_chose_is_used_by_a_run(w, page, engine, handle, target):
    for number, carry in enumerate(("painted", "object", None), start=1):
        message = run_message(number)
        message["pairs"][0]["carry"] = carry
        page.send(message, [encode_mask(handle), encode_mask(target)])
        page.until("done", number)
        assert w.result.pairs[0].carry == carry


def test_a_chosen_mask_comes_back_with_a_run_and_in_the_history(w, page, handle, target):
    chosen = handle & (np.arange(128) < 30)
    message = run_message(1)
    message["pairs"][0] |= {"carry": "mask", "chosen": 2}
    page.send(message, [encode_mask(mask) for mask in (handle, target, chosen)])
    page.until("done", 1)
    assert np.array_equal(w.result.pairs[0].carry, chosen)
    page.send({"type": "restore", "result": w._history[0]["id"]})
    assert np.array_equal(w.pairs[0].carry, chosen)


def test_python_changes_what_a_pair_carries(w, page, engine, handle, target):
    page.draw("a", handle, target)
    told(page)
    pair = w.pairs[0]
    pair.carry = "painted"
    content, (mask,) = told(page, 2)
    assert (content["verdict"], pair.carry, w.pairs[0].carry) == ("painted", "painted", "painted")
    assert np.array_equal(mask, handle)
    assert page.trait("_pairs")[0]["carry"] == "painted"
    chosen = handle & (np.arange(128) < 30)
    w.pairs[0].carry = chosen
    assert told(page, 3)[0]["verdict"] == "chosen"
    assert np.array_equal(w.pairs[0].carried, chosen)
    assert np.array_equal(w.run(wait=True).pairs[0].carry, chosen)
    w.pairs[0].carry = None
    assert told(page, 4)[0]["verdict"] == "object"


def test_a_chosen_mask_stays_when_the_page_changes_the_handle(w, page, handle, target):
    page.draw("a", handle, target)
    chosen = handle & (np.arange(128) < 30)
    w.pairs[0].carry = chosen
    smaller = handle & (np.arange(96)[:, None] < 40)
    entry = {**w._pairs[0], "rev": 9}
    masks = {**w._masks, "h:a": encode_mask(smaller)}
    page.write(_pairs=[entry], _masks=masks, _regions_rev=w._regions_rev + 1)
    assert np.array_equal(w.pairs[0].carried, chosen & smaller)
    assert w.protect is None


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.ones((5, 5), bool), "differ in size"),
        (np.zeros((96, 128), bool), "carry mask is empty"),
        (np.ones((96, 128), bool), "leaves the handle"),
        ("all", "carry must be one of object, painted"),
    ],
)
def test_what_cannot_be_carried_is_refused_and_nothing_changes(w, drawn, bad, words):
    before = w._regions_rev
    with pytest.raises(ValueError, match=words):
        w.pairs[0].carry = bad
    assert (w._regions_rev, w.pairs[0].carry) == (before, None)


def test_an_added_pair_is_the_drawn_one(w, handle, target):
    pair = w.add_pair(handle, target, carry="painted")
    assert np.array_equal(pair.carried, handle)
    pair.carry = "object"
    assert w.pairs[0].carry == "object"


def test_other_parts_of_a_drawn_pair_cannot_be_assigned(w, drawn, handle):
    with pytest.raises(AttributeError, match="cannot be assigned"):
        w.pairs[0].handle = handle


def test_a_pair_that_is_gone_says_so(w, drawn):
    pair = w.pairs[0]
    w.clear()
    with pytest.raises(KeyError, match="not drawn any more"):
        pair.carry = "painted"
    with pytest.raises(KeyError, match="not drawn any more"):
        _ = pair.carried


def test_a_copy_of_a_drawn_pair_belongs_to_no_drawing(w, drawn):
    w.pairs[0].carry = "painted"
    for twin in (copy.copy(w.pairs[0]), copy.deepcopy(w.pairs[0])):
        assert type(twin) is rd.RegionPair
        assert twin == w.pairs[0]


def test_the_setting_decides_where_the_pair_does_not(w, page, handle):
    page.draw("a", handle, None)
    assert told(page)[0]["verdict"] == "object"
    w.settings["matte"] = "none"
    assert told(page, 2)[0]["verdict"] == "painted"


def test_a_new_picture_is_looked_at_anew(w, page, handle, target, rgb):
    page.draw("a", handle, target)
    first = w.pairs[0].carried
    w.image = np.full_like(rgb, 90)
    w.add_pair(handle, target)
    assert np.array_equal(w.pairs[0].carried, handle)
    assert not np.array_equal(first, handle)


def test_one_pixel_and_an_all_transparent_picture_are_answered(engine):
    rgba = np.zeros((96, 128, 4), np.uint8)
    with_hole = RegionDragWidget(rgba)
    browser = FakeBrowser(with_hole)
    browser.send({"type": "hello", "view": "v", "have": {}})
    one = np.zeros((96, 128), bool)
    one[40, 30] = True
    browser.draw("a", one, None)
    _, (mask,) = told(browser)
    assert np.array_equal(mask, one)
    with_hole.close()


def test_saved_sessions_keep_what_is_carried(w, drawn, handle, tmp_path):
    chosen = handle & (np.arange(128) < 30)
    w.pairs[0].carry = chosen
    w.add_pair(handle, matrix=np.eye(3), carry="painted")
    w.save(tmp_path / "edit.zip")
    w.clear()
    w.load(tmp_path / "edit.zip")
    assert np.array_equal(w.pairs[0].carry, chosen)
    assert w.pairs[1].carry == "painted"


@pytest.mark.slow
def test_a_handle_of_half_of_48_megapixels_blocks_no_message(engine):
    picture = np.full((6000, 8000, 3), 120, np.uint8)
    picture[2000:4000, 3000:5000] = (200, 30, 30)
    widget = RegionDragWidget(picture)
    browser = FakeBrowser(widget)
    browser.send({"type": "hello", "view": "v", "have": {}})
    handle = np.zeros((6000, 8000), bool)
    handle[600:5400, 1000:6200] = True
    browser.draw("a", handle, None)
    waits = []
    until_told = time.monotonic() + 60
    while not browser.of("carried") and time.monotonic() < until_told:
        began = time.monotonic()
        browser.send({"type": "ping"})
        waits.append(time.monotonic() - began)
        time.sleep(0.02)
    assert browser.of("carried")
    assert max(waits) < 1.0
    widget.close()
