"""Runs: start, stop, replace, and what observers and the browser hear of it."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from PIL import Image

import regiondrag_widget as rd
from regiondrag_widget.widget import pace
from tests.kernel.fake_browser import FakeBrowser, until
from tests.kernel.fake_editor import FakeEditor, paste

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


def test_what_is_done_before_the_first_step_is_said_while_it_is_done(drawn, monkeypatch):
    """A large picture is composed for seconds; a person sees on what."""
    edit = FakeEditor.edit

    def composing(self, pairs, **how):
        for words in ("Finding what to carry", "Filling the place it left"):
            self.progress(words)
        yield from edit(self, pairs, **how)

    monkeypatch.setattr(FakeEditor, "edit", composing)
    said = []
    drawn.observe(lambda change: said.append(change.new), "_state")
    assert drawn.run(wait=True) is not None
    messages = [state["message"] for state in said]
    find, fill = (messages.index(words) for words in ("Finding what to carry", "Filling the place it left"))
    assert find < fill < next(i for i, words in enumerate(messages) if words.startswith("Step 1 of"))
    assert said[find]["state"] == said[fill]["state"] == "loading"


def test_settings_can_be_given_for_one_run_only(drawn, engine):
    drawn.run(wait=True, seed=42, vacated="keep")
    assert engine.prepared[-1][1].seed == 42
    assert engine.edits[-1]["vacated"] == "keep"
    assert drawn.settings["seed"] == 0


def test_the_engine_gets_the_pairs_the_settings_and_what_may_be_changed(drawn, engine, target):
    drawn.settings.update(stop=0.15, matte="none")
    drawn.protect = target
    drawn.run(wait=True)
    asked = engine.edits[-1]
    assert asked["pairs"] == drawn.pairs
    assert (asked["stop"], asked["matte"], asked["vacated"]) == (0.15, "none", "fill")
    assert np.array_equal(asked["editable"], ~target)


def test_without_a_protect_mask_everything_may_be_changed(drawn, engine):
    drawn.run(wait=True)
    assert engine.edits[-1]["editable"] is None


def test_the_result_reaches_the_browser_as_png_before_it_is_told_that_the_run_is_done(drawn, engine):
    browser = FakeBrowser(drawn)
    seen_at_done = []

    def watch(msg_type, data, buffers):
        if data and data.get("content", {}).get("type") == "done":
            seen_at_done.append(dict(drawn._result_info))
        browser.receive(msg_type, data, buffers)

    browser.comm.publish = watch
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
    assert 0.3 < running[0]["eta"] < 2.0
    assert 0.2 < running[2]["eta"] < 1.0
    assert running[-1]["eta"] == 0
    assert {s["total"] for s in running} == {6}


@pytest.mark.parametrize("size", [0, 4 * 10**9])
def test_the_time_left_is_told_from_the_first_message_on(
    w, engine, handle, target, tmp_path, monkeypatch, size
):
    """In the first edit of a process, for the bundled model and for one in a folder."""
    monkeypatch.setattr(pace, "_shared", pace.Pace())
    if size:
        (tmp_path / "unet").mkdir()
        with (tmp_path / "unet" / "weights.safetensors").open("wb") as file:
            file.truncate(size)
        w.settings["model"] = str(tmp_path)
    browser = FakeBrowser(w)
    engine.seconds = 0.02
    browser.run(1, handle, target)
    browser.until("done")
    told = [(s["state"], s["eta"]) for s in browser.of("status") if s["state"] in ("loading", "running")]
    assert {state for state, _ in told} == {"loading", "running"}
    assert all(eta is not None for _, eta in told), told
    assert told[0][1] > (6 * size / 1e9 or 5)


def test_what_loading_took_is_not_expected_of_the_next_edit(drawn, engine, handle, target, monkeypatch):
    monkeypatch.setattr(pace, "_shared", pace.Pace())
    drawn.run(wait=True)
    assert pace.shared_pace().expect("mini", prepared=False) is None
    drawn.image = 255 - np.asarray(drawn.image)
    drawn.add_pair(handle, target)
    drawn.run(wait=True)
    assert pace.shared_pace().expect("mini", prepared=False) is not None


def test_a_model_that_has_to_be_downloaded_is_said_to_be(w, engine, handle, target, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    w.settings["model"] = "someone/large"
    browser = FakeBrowser(w)
    browser.run(1, handle, target)
    browser.until("done")
    words = [s["message"] for s in browser.of("status")]
    assert "Downloading and preparing the model" in words
    assert browser.of("status")[0]["eta"] is None


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
