"""Settings that nobody has set follow the model; those that were set stay."""

from __future__ import annotations

from typing import ClassVar

import pytest

import regiondrag_widget as rd
from tests.kernel.fake_browser import FakeBrowser

FEW = {"steps": 4, "start": 0.5, "stop": 0.2}
FIGURES = ("steps", "start", "stop")


@pytest.fixture
def own(engine, rgb):
    """A widget whose model has the settings of a few-step model, and is not loaded yet."""
    engine.own_settings = dict(FEW)
    widget = rd.RegionDragWidget(rgb, model="stabilityai/sd-turbo")
    yield widget
    engine.release()
    widget.close()


def figures(settings):
    return tuple(settings[name] for name in FIGURES)


def ran(w, handle, target):
    w.add_pair(handle, target)
    w.run(wait=True)


def test_the_bundled_models_own_values_are_shown_at_once(engine, rgb):
    w = rd.RegionDragWidget(rgb)
    assert figures(w.settings) == (15, 0.2, 0.0)
    assert figures(w._defaults) == (15, 0.2, 0.0)
    state = w.get_state(["settings", "_defaults"])
    assert figures(state["settings"]) == (None, None, None)
    assert figures(state["_defaults"]) == (15, 0.2, 0.0)
    w.close()


def test_a_model_that_is_not_loaded_has_no_values_yet(own):
    assert figures(own.settings) == (None, None, None)
    assert figures(own._defaults) == (None, None, None)


def test_the_models_own_values_appear_once_it_is_loaded(own, engine, handle, target):
    browser, heard = FakeBrowser(own), []
    own.observe(lambda change: heard.append(figures(change["new"])), "settings")
    ran(own, handle, target)
    assert engine.prepared[0][1].steps is None  # the engine decides, by the model's profile
    assert figures(own.settings) == (4, 0.5, 0.2)
    assert heard == [(4, 0.5, 0.2)]
    assert figures(browser.trait("_defaults")) == (4, 0.5, 0.2)
    assert own.result.settings["steps"] == 4


def test_the_page_hears_of_the_values_while_the_first_run_goes_on(own, engine, handle, target):
    browser = FakeBrowser(own)
    engine.go.clear()
    own.add_pair(handle, target)
    own.run()
    engine.go.set()
    browser.until("done")
    told = [data["state"] for data in browser.updates]
    steps = [i for i, state in enumerate(told) if state.get("_defaults", {}).get("steps") == 4]
    running = [i for i, state in enumerate(told) if state.get("_state", {}).get("state") == "done"]
    assert min(steps) < min(running)


def test_what_was_set_stays_when_the_model_becomes_known(own, handle, target):
    own.settings["start"] = 0.8
    ran(own, handle, target)
    assert figures(own.settings) == (4, 0.8, 0.2)


def test_a_change_of_the_model_in_place_brings_its_own_values(own, engine, handle, target):
    ran(own, handle, target)
    own.settings["model"] = "mini"
    assert figures(own.settings) == (15, 0.2, 0.0)
    own.settings["model"] = "stabilityai/sd-turbo"
    assert figures(own.settings) == (4, 0.5, 0.2)
    own.settings["model"] = "another/model"
    assert figures(own.settings) == (None, None, None)


def test_what_was_set_stays_when_the_model_changes(own):
    own.settings["steps"] = 9
    own.settings["model"] = "mini"
    assert figures(own.settings) == (9, 0.2, 0.0)


def test_a_page_that_sends_everything_sets_only_what_was_changed(own, handle, target):
    ran(own, handle, target)
    browser = FakeBrowser(own)
    page = own.get_state(["settings"])["settings"]
    browser.write(settings={**page, "seed": 3})
    browser.write(settings={**page, "seed": 3, "model": "mini"})
    assert figures(own.settings) == (15, 0.2, 0.0)
    browser.write(settings={**page, "model": "mini", "steps": 15})
    browser.write(settings={**page, "steps": 15})
    assert figures(own.settings) == (15, 0.5, 0.2)


def test_none_lets_a_setting_follow_the_model_again(w):
    assert w.settings["steps"] == 6
    w.settings["steps"] = None
    assert w.settings["steps"] == 15


def test_setting_the_models_own_value_is_told_to_the_page(engine, rgb):
    w = rd.RegionDragWidget(rgb)
    browser = FakeBrowser(w)
    w.settings["steps"] = 15
    assert browser.trait("settings")["steps"] == 15
    assert browser.trait("settings")["start"] is None
    w.close()


def test_a_stop_above_the_models_own_start_is_refused(w):
    with pytest.raises(ValueError, match=r"stop \(0.4\) lies above start \(0.2\)"):
        w.settings["stop"] = 0.4
    assert w.settings["stop"] == 0.0
    w.settings.update(start=0.5, stop=0.4)
    assert figures(w.settings) == (6, 0.5, 0.4)


def test_a_start_below_the_models_own_stop_is_taken(own, handle, target):
    own.settings["start"] = 0.1
    ran(own, handle, target)
    assert figures(own.settings) == (4, 0.1, 0.1)


def test_a_stop_that_does_not_fit_the_loaded_model_leaves_the_widget_usable(own, engine, handle, target):
    own.settings["stop"] = 0.9
    with pytest.raises(RuntimeError, match=r"stop \(0.9\) lies above start \(0.5\)"):
        ran(own, handle, target)
    assert own.settings["stop"] == 0.9
    own.settings["stop"] = None
    own.run(wait=True)
    assert figures(own.settings) == (4, 0.5, 0.2)


def test_a_restored_result_follows_the_model_as_it_did(own, handle, target):
    ran(own, handle, target)
    browser = FakeBrowser(own)
    own.settings["steps"] = 9
    own.run(wait=True)
    assert [entry["settings"]["steps"] for entry in own._history] == [4, 9]
    browser.send({"type": "restore", "result": own._history[0]["id"]})
    assert own.settings["steps"] == 4
    assert own.settings.asked["steps"] is None


def test_a_users_pipeline_is_known_before_the_first_edit_and_followed_when_it_changes(engine, rgb):
    class Pipeline:
        name = "sd-turbo"
        edit_defaults: ClassVar = dict(FEW)

        def network(self):
            """As `RegionDragPipeline` has it."""

    pipe = Pipeline()
    w = rd.RegionDragWidget(rgb, model=pipe)
    assert figures(w.settings) == (4, 0.5, 0.2)
    pipe.edit_defaults = {**FEW, "steps": 8}  # as after `load_lora_weights`
    w.add_pair(w.image.convert("L").point(lambda _: 255), w.image.convert("L").point(lambda _: 255))
    w.run(wait=True)
    assert figures(w.settings) == (8, 0.5, 0.2)
    w.close()


def test_an_unknown_argument_names_the_nearest(rgb):
    with pytest.raises(TypeError, match=r"no argument 'step'\. Did you mean 'steps'"):
        rd.RegionDragWidget(rgb, step=3)
