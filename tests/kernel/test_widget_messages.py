"""What the widget does with the browser's messages: the right ones, and the wrong ones."""

from __future__ import annotations

import gc
import io
import time

import numpy as np
import pytest
from PIL import Image

import regiondrag_widget as rd
from regiondrag_widget.regions import encode_mask
from tests.kernel.fake_browser import FakeBrowser, run_message, until
from tests.kernel.fake_editor import paste


def errors(browser):
    return [(e["code"], e["message"]) for e in browser.of("error")]


def the_error(browser):
    ((code, message),) = errors(browser)
    return code, message


# -- the right ones ------------------------------------------------------------------------------------------


def test_hello_is_answered_with_version_and_state(w, browser):
    browser.send({"type": "hello", "view": "v", "have": {"image": 1, "result": None}})
    assert browser.of("ready") == [
        {"v": 1, "type": "ready", "kernel": rd.__version__, "busy": False, "run": 0}
    ]
    assert browser.of("status")[0]["state"] == "ready"
    assert browser.updates == []


def test_a_page_that_lacks_the_picture_gets_it(w, browser):
    browser.send({"type": "hello", "view": "v", "have": {"image": None, "result": None}})
    assert browser.trait("_image_info")["rev"] == 1


@pytest.mark.parametrize(
    ("what", "trait"),
    [
        ("image", "_image_info"),
        ("result", "_result_info"),
        ("thumbs", "_history"),
        ("masks", "_regions_rev"),
    ],
)
def test_bytes_that_are_missing_are_sent_again(w, browser, what, trait):
    browser.send({"type": "need", "what": what})
    assert browser.trait(trait) is not None


def test_an_earlier_result_can_be_asked_for(w, browser, handle, target):
    w.add_pair(handle, target)
    first = w.run(wait=True)
    w.run(wait=True, seed=1)
    browser.send({"type": "need", "what": "result", "result": "r1"})
    ((content, (png,)),) = [(c, b) for c, b in browser.messages if c["type"] == "blob"]
    assert content["result"] == "r1"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png))), np.asarray(first.image))


def test_ping_is_answered(w, browser):
    browser.send({"type": "ping"})
    assert len(browser.of("pong")) == 1


def test_a_run_needs_nothing_but_its_message(w, browser, engine, rgb, handle, target):
    browser.run(1, handle, target, seed=11, stop=0.1)
    browser.until("done", run=1)
    assert np.array_equal(engine.edits[0]["pairs"][0].handle, handle)
    assert engine.prepared[0][1].seed == 11
    assert np.array_equal(np.asarray(w.result.image), paste(rgb, engine.edits[0]["pairs"]))


def test_a_run_with_a_matrix_and_a_protect_mask(w, browser, engine, handle, target):
    message = run_message(1, protect=1)
    message["pairs"] = [
        {"id": "a", "name": "n", "matrix": [1, 0, 50, 0, 1, 0, 0, 0, 1], "handle": 0, "target": None}
    ]
    browser.send(message, [encode_mask(handle), encode_mask(~target)])
    browser.until("done")
    assert np.array_equal(engine.edits[0]["pairs"][0].target, target)
    assert np.array_equal(engine.edits[0]["editable"], target)


def test_a_run_from_the_browser_can_be_restored_with_its_regions(w, browser, handle, target):
    browser.draw("a", handle, target)
    browser.run(1, handle, target)
    browser.until("done")
    w.clear()
    browser.send({"type": "restore", "result": "r1"})
    assert np.array_equal(w.pairs[0].handle, handle)
    assert browser.trait("_pairs")[0]["id"] == "a"


def test_the_handler_of_a_run_returns_at_once(w, browser, engine, handle, target):
    engine.go.clear()
    began = time.monotonic()
    browser.run(1, handle, target)
    assert time.monotonic() - began < 0.2
    assert not browser.of("done")


def test_stop_stops_the_run_it_names(w, browser, engine, handle, target):
    engine.go.clear()
    browser.run(1, handle, target)
    until(lambda: engine.edits)
    browser.send({"type": "stop", "run": 1})
    engine.go.set()
    assert browser.until("stopped")["run"] == 1


def test_stop_for_an_older_run_is_ignored(w, browser, engine, handle, target):
    engine.go.clear()
    browser.run(1, handle, target)
    browser.run(2, handle, target)
    browser.send({"type": "stop", "run": 1})
    engine.go.set()
    browser.until("done", run=2)
    assert not browser.of("stopped")


def test_runs_from_python_and_from_the_browser_count_on(w, browser, handle, target):
    w.add_pair(handle, target)
    w.run(wait=True)
    browser.run(2, handle, target)
    browser.until("done", run=2)
    w.run(wait=True)
    assert [d["run"] for d in browser.of("done")] == [1, 2, 3]


def test_a_picture_from_the_file_picker_becomes_the_picture(w, browser, photo, handle, target):
    w.add_pair(handle, target)
    data = photo.read_bytes()
    browser.send({"type": "load", "name": "new.png", "mime": "image/png"}, [data])
    until(lambda: w._image_info["name"] == "new.png")
    assert len(w.pairs) == 0


def test_a_large_picture_comes_in_parts_in_any_order(w, browser):
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "PNG")
    data = out.getvalue()
    third = len(data) // 3 + 1
    for part in (2, 0, 1):
        assert w.image.size == (128, 96)
        piece = data[part * third : (part + 1) * third]
        browser.send(
            {"type": "load", "name": "n", "mime": "image/png", "part": part, "parts": 3, "upload": "u"},
            [piece],
        )
    until(lambda: w.image.size == (400, 300))
    assert np.array_equal(np.asarray(w.image), noise)


def test_a_hidden_browser_gets_only_status_and_the_last_frame_when_shown(w, browser, handle, target):
    browser.send({"type": "visible", "visible": False})
    browser.run(1, handle, target)
    browser.until("done")
    assert browser.of("preview") == []
    assert browser.of("status")[-1]["state"] == "done"
    browser.send({"type": "visible", "visible": True})
    (last,) = browser.of("preview")
    assert last["step"] == last["total"]


def test_a_browser_that_never_acknowledges_gets_the_first_two_and_the_last_frame(w, engine, handle, target):
    browser = FakeBrowser(w, acknowledge=False)
    w.settings["steps"] = 30
    engine.seconds = 0.01
    browser.run(1, handle, target)
    browser.until("done")
    steps = [p["step"] for p in browser.of("preview")]
    assert (steps[0], steps[-1], len(steps)) == (1, 30, 3)


def test_at_most_two_frames_await_their_acknowledgement(w, engine, handle, target):
    browser = FakeBrowser(w, acknowledge=False)
    w.settings["steps"] = 1000 // 2
    engine.seconds = 0.005
    browser.run(1, handle, target)
    time.sleep(0.4)
    assert len(browser.of("preview")) == 2
    browser.send({"type": "ack", "run": 1, "seq": 2})
    until(lambda: len(browser.of("preview")) == 4)
    w.stop()


# -- the wrong ones ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [None, 3, "run", [1], {}, {"type": "run"}, {"type": "explode"}, {"type": "ack", "run": "x", "seq": None}],
)
def test_a_malformed_message_is_answered_with_an_error_and_nothing_else(w, browser, content):
    browser.send(content)
    assert the_error(browser)[0] == "protocol"
    assert w.state == "ready"


def test_a_message_of_another_version_is_answered_with_the_remedy(w, browser):
    browser.send({"type": "ping"}, version=2)
    assert "reload the page" in the_error(browser)[1]


def test_a_mask_of_another_size_than_the_picture_is_refused(w, browser, handle):
    browser.send(run_message(1), [encode_mask(handle[:50, :50])] * 2)
    code, message = the_error(browser)
    assert code == "bad-input"
    assert "50x50" in message
    assert "128x96" in message
    assert browser.of("error")[0]["run"] == 1


def test_a_mask_that_claims_to_be_huge_is_refused_before_it_is_unpacked(w, browser):
    lie = bytearray(encode_mask(np.ones((96, 128), bool)))
    lie[4:12] = (60000).to_bytes(4, "little") * 2
    browser.send(run_message(1), [bytes(lie)] * 2)
    assert the_error(browser)[0] == "bad-input"


@pytest.mark.parametrize("data", [b"RDM1", b"PNG!" * 10, encode_mask(np.ones((96, 128), bool))[:-3]])
def test_a_damaged_mask_is_refused(w, browser, data):
    browser.send(run_message(1), [data, data])
    browser.until("error")
    assert the_error(browser)[0] == "bad-input"
    assert "pair 1" in the_error(browser)[1]


def test_a_run_without_pairs_or_with_an_empty_handle_says_what_to_draw(w, browser, handle):
    browser.send({**run_message(1), "pairs": []})
    browser.send(run_message(2), [b"", encode_mask(handle)])
    browser.send(run_message(3), [encode_mask(handle), b""])
    messages = [message for _, message in errors(browser)]
    assert "nothing is drawn" in messages[0]
    assert "handle is empty" in messages[1]
    assert "target is empty" in messages[2]


def test_a_run_with_settings_out_of_range_is_refused_by_name(w, browser, handle, target):
    browser.run(1, handle, target, steps=0)
    assert "steps" in the_error(browser)[1]


def test_a_refused_run_ends_the_one_before_it_and_the_next_one_works(w, browser, engine, handle, target):
    engine.go.clear()
    browser.run(1, handle, target)
    browser.send(run_message(2), [b"", b""])
    assert (w._state["state"], w._state["run"]) == ("error", 2)
    engine.go.set()
    browser.run(3, handle, target)
    browser.until("done", run=3)
    assert len(w.history) == 1


def test_a_run_that_comes_out_of_order_is_refused(w, browser, handle, target):
    browser.run(5, handle, target)
    browser.until("done", run=5)
    browser.run(4, handle, target)
    assert the_error(browser)[0] == "protocol"
    assert len(browser.of("done")) == 1


def test_a_picture_that_does_not_decode_is_refused_and_the_old_one_stays(w, browser, handle, target):
    w.add_pair(handle, target)
    browser.send({"type": "load", "name": "x.png", "mime": "image/png"}, [b"\x89PNG\r\n\x1a\n garbage"])
    browser.until("error")
    assert the_error(browser)[0] == "bad-input"
    assert len(w.pairs) == 1
    assert w._image_info["rev"] == 1


def test_an_upload_that_grows_beyond_the_limit_is_refused_and_forgotten(w, browser):
    eight = bytes(8 * 2**20)
    for part in range(9):
        fields = {"name": "n", "mime": "m", "part": part, "parts": 20, "upload": "u"}
        browser.send({"type": "load", **fields}, [eight])
    assert the_error(browser)[0] == "too-large"


def test_a_message_for_a_closed_widget_is_ignored(w, browser, handle, target):
    w.close()
    browser.run(1, handle, target)
    browser.write(settings={"seed": 4})
    browser.raw({"method": "update", "state": {}})
    assert browser.messages == []
    assert w.settings["seed"] == 0


def test_accepting_a_result_that_is_not_there_is_told(w, browser):
    browser.send({"type": "accept", "result": "r9"})
    assert "r9" in the_error(browser)[1]


@pytest.mark.parametrize(
    "state",
    [
        {"_pairs": "none"},
        {"_pairs": [3]},
        {"_pairs": [{"id": ""}]},
        {"_pairs": [{"id": "a"}, {"id": "a"}]},
        {"_pairs": [{"id": "a", "matrix": [1, 2]}]},
        {"_pairs": [{"id": "a", "name": 3}]},
        {"_pairs": [{"id": "a", "color": -1}]},
        {"_masks": {"h:a": b"nonsense"}},
        {"_masks": {"q": b""}},
        {"_masks": {"h:a": "text"}},
        {"_masks": {"h:a": encode_mask(np.ones((9, 9), bool))}},
        {"_masks": 3},
        {"_selected": "first"},
        {"_regions_rev": None},
        {"settings": {"steps": 0}},
        {"settings": {"nonsense": 1}},
        {"settings": 3},
    ],
)
def test_a_bad_trait_from_the_browser_is_refused_told_and_sent_back(w, browser, handle, target, state):
    w.add_pair(handle, target)
    browser.updates.clear()
    browser.write(**state)
    assert the_error(browser)[0] == "bad-input"
    assert len(w.pairs) == 1
    assert w.settings["steps"] == 6
    assert browser.trait(next(iter(state))) is not None


def test_after_a_refused_save_the_page_takes_back_what_the_kernel_has(w, browser, handle, target):
    browser.draw("a", handle, target)
    before = w._regions_rev
    browser.updates.clear()
    browser.write(_pairs=[{"id": "b"}], _masks={"h:b": b"nonsense"}, _regions_rev=before + 1)
    sent = next(data for data in browser.updates if "_regions_rev" in data["state"])  # all in one patch
    assert sent["state"]["_regions_rev"] > before + 1  # a lower number would pass for an echo
    assert [pair["id"] for pair in sent["state"]["_pairs"]] == ["a"]
    assert sent["buffer_paths"] == [["_masks", "h:a"], ["_masks", "t:a"]]
    browser.draw("a", target, handle)
    assert np.array_equal(w.pairs[0].handle, target)


def test_a_second_page_can_ask_for_the_masks_that_the_first_has_drawn(w, browser, handle, target):
    browser.draw("a", handle, target)
    browser.updates.clear()
    browser.send({"type": "need", "what": "masks"})
    (data,) = browser.updates
    assert set(data["state"]) >= {"_pairs", "_masks", "_regions_rev"}
    assert data["state"]["_regions_rev"] == w._regions_rev


def test_the_browser_cannot_overwrite_what_belongs_to_the_kernel(w, browser):
    browser.write(_result_info={"id": "fake"}, _image_info={}, _esm="alert(1)")
    assert w._result_info == {}
    assert w._image_info["width"] == 128
    assert "alert(1)" not in w._esm


def test_masks_are_not_echoed_to_the_browser_that_sent_them(w, browser, handle, target):
    browser.draw("a", handle, target)
    assert all("_masks" not in data["state"] for data in browser.updates)


def test_names_with_markup_are_only_ever_data(w, browser, handle, target):
    browser.draw("a", handle, target)
    browser.write(_pairs=[{"id": "a", "name": "<img src=x onerror=alert(1)>", "hasTarget": True}])
    assert w.pairs[0].name == "<img src=x onerror=alert(1)>"


def test_an_error_in_a_handler_becomes_a_message_with_the_traceback_kept(w, browser, monkeypatch):
    monkeypatch.setattr(w._handlers._uploads, "add", lambda m: 1 / 0)
    browser.send({"type": "load", "name": "n", "mime": "m"}, [b""])
    assert the_error(browser)[0] == "kernel"
    assert "ZeroDivisionError" in w.last_error
    gc.collect()
