"""Text that is no text and numbers that are no numbers: refused in words, and never stored."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import regiondrag_widget as rd
from regiondrag_widget.widget.incoming import Draft
from tests.kernel.fake_browser import run_message, until

HALF = "duck \ud83e"  # half of a surrogate pair: it has no UTF-8
HUGE = 10**400  # beyond the range of floats
LONG = 10**5000  # beyond what Python writes out
ANY_HUGE = [pytest.param(n, id=name) for n, name in ((HUGE, "high"), (-HUGE, "low"), (LONG, "long"))]


def errors(browser):
    return [(e["code"], e["message"]) for e in browser.of("error")]


def can_be_sent(browser):
    """Whether everything the page got has bytes, as a real connection needs."""
    for content, _ in browser.messages:
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode("utf-8")
    for update in browser.updates:
        json.dumps(update["state"], ensure_ascii=False, allow_nan=False, default=repr).encode("utf-8")
    return True


# -- numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ANY_HUGE)
def test_a_draft_with_a_huge_number_in_its_matrix_is_answered(w, browser, handle, number):
    browser.drag(1, handle, 0)
    browser.drag(2, handle, number)
    assert browser.answered(2) == "error"
    browser.drag(3, handle, 10)
    assert browser.answered(3) == "drafted"


@pytest.mark.parametrize("name", ["start", "stop", "seed", "steps"])
@pytest.mark.parametrize("number", ANY_HUGE)
def test_a_draft_with_a_huge_setting_is_answered(w, browser, handle, name, number):
    browser.drag(1, handle, 10, params={name: number})
    assert browser.answered(1) == "error"
    assert can_be_sent(browser)


def test_whatever_fails_while_a_draft_is_read_the_draft_is_answered(w, browser, handle, monkeypatch):
    monkeypatch.setitem(w._handlers._handlers, Draft, lambda message: 1 / 0)
    browser.drag(1, handle, 10)
    assert browser.answered(1) == "error"
    assert "ZeroDivisionError" in w.last_error


@pytest.mark.parametrize("number", ANY_HUGE)
def test_a_run_with_a_huge_number_is_refused_in_words(w, browser, handle, target, number):
    message = run_message(1)
    message["pairs"][0]["matrix"] = [1, 0, number, 0, 1, 0, 0, 0, 1]
    browser.send(message, [rd.regions.encode_mask(mask) for mask in (handle, target)])
    browser.run(2, handle, target, start=number)
    (code, words), (_, setting) = errors(browser)
    assert code == "protocol"
    assert "matrix must be nine finite numbers" in words
    assert "start" in setting


@pytest.mark.parametrize("number", ANY_HUGE)
@pytest.mark.parametrize("field", ["run", "seq", "v", "rev", "part"])
def test_a_huge_number_in_any_field_is_refused_in_words(w, browser, field, number):
    for kind in ("run", "draft", "load", "ack", "drag_ended"):
        browser.send({"type": kind, field: number}, [b""])
    until(lambda: len(errors(browser)) == 5)  # an empty picture is found out on another thread
    assert can_be_sent(browser)


@pytest.mark.parametrize("number", ANY_HUGE)
def test_a_huge_number_in_a_trait_is_refused_and_not_stored(w, browser, handle, target, number):
    w.add_pair(handle, target)
    before = w._pairs
    for state in (
        {"_pairs": [{"id": "a", "matrix": [number] * 9}]},
        {"_pairs": [{"id": "a", "color": number}]},
        {"_regions_rev": number},
        {"_selected": number},
        {"settings": {"start": number}},
        {"settings": {"seed": number}},
    ):
        browser.write(**state)
    assert [code for code, _ in errors(browser)] == ["bad-input"] * 6
    assert w._pairs == before
    assert can_be_sent(browser)


@pytest.mark.parametrize("name", ["start", "stop", "seed", "steps"])
@pytest.mark.parametrize("number", ANY_HUGE)
def test_a_huge_setting_is_refused_in_python_too(drawn, name, number):
    with pytest.raises(ValueError, match=name):
        drawn.settings[name] = number
    with pytest.raises(ValueError, match=name):
        drawn.run(**{name: number})


def test_a_huge_number_in_a_matrix_is_refused_in_python_too(w, handle):
    with pytest.raises(ValueError, match="too large"):
        w.add_pair(handle, matrix=[[1, 0, HUGE], [0, 1, 0], [0, 0, 1]])
    assert len(w.pairs) == 0


# -- text ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["prompt", "model"])
def test_a_setting_with_half_a_character_is_refused_and_not_stored(drawn, browser, name):
    before = dict(drawn.settings)
    with pytest.raises(ValueError, match=f"{name}.*surrogate"):
        drawn.settings[name] = HALF
    with pytest.raises(ValueError, match=name):
        drawn.settings = {name: HALF}
    browser.write(settings={name: HALF})
    assert errors(browser)[0][0] == "bad-input"
    assert dict(drawn.settings) == before
    assert drawn.run(wait=True) is not None  # and results still reach the page
    assert browser.trait("_result_info")["id"] == "r1"
    assert can_be_sent(browser)


def test_a_run_with_half_a_character_in_its_prompt_is_refused(w, browser, handle, target):
    browser.run(1, handle, target, prompt=HALF)
    assert "prompt" in errors(browser)[0][1]
    assert can_be_sent(browser)


def test_a_pairs_name_with_half_a_character_is_refused_and_not_stored(w, browser, handle, target):
    with pytest.raises(ValueError, match="name"):
        w.add_pair(handle, target, name=HALF)
    with pytest.raises(ValueError, match="name"):
        w.pairs = [rd.RegionPair(handle, target, name=HALF)]
    browser.write(_pairs=[{"id": "a", "name": HALF}])
    browser.write(_pairs=[{"id": HALF, "name": "a"}])
    browser.write(_masks={f"h:{HALF}": b""})
    assert len(errors(browser)) == 3
    assert len(w.pairs) == 0
    assert w._masks == {}
    assert can_be_sent(browser)


@pytest.mark.parametrize("field", ["name", "mime", "upload"])
def test_an_upload_with_half_a_character_in_its_name_is_refused(w, browser, photo, field):
    browser.send({"type": "load", "name": "a.png", "mime": "image/png", field: HALF}, [photo.read_bytes()])
    assert errors(browser)[0][0] == "protocol"
    assert w._image_info["rev"] == 1


def test_a_type_with_half_a_character_is_refused_in_words_that_can_be_sent(w, browser):
    browser.send({"type": HALF})
    browser.send({"type": "accept", "result": HALF})
    browser.send({"type": "run", HALF: HALF, "pairs": []})
    browser.write(_masks={HALF: b""})
    browser.write(settings={HALF: 1})
    until(lambda: len(errors(browser)) == 5)  # an empty picture is found out on another thread
    assert can_be_sent(browser)


def test_a_file_whose_name_is_no_text_is_shown_under_one_that_is(engine, tmp_path, rgb):
    path = tmp_path / "caf\udce9.png"  # as Python reads a Latin-1 file name
    try:
        Image.fromarray(rgb).save(path)
    except (OSError, UnicodeError):
        pytest.skip("this file system takes only names that are text")
    widget = rd.RegionDragWidget(path)
    assert widget._image_info["name"] == "caf?.png"
    assert np.array_equal(np.asarray(widget.image), rgb)
    widget.save(tmp_path / "a.zip")
    widget.load(tmp_path / "a.zip")
    widget.close()


def test_an_error_whose_words_are_no_text_reaches_the_page(drawn, browser, engine):
    engine.error = OSError(f"no such file: {HALF}")
    drawn.run()
    assert "no such file: duck ?" in browser.until("error")["message"]
    assert drawn.last_error is not None
    assert can_be_sent(browser)
