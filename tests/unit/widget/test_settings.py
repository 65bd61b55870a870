"""The edit's settings as the widget shows them: checked at the door, and the model's own where not set."""

from __future__ import annotations

import pytest

from regiondrag_widget.engine.settings import EditSettings, names
from regiondrag_widget.engine.settingspec import BROWSER_INTEGER
from regiondrag_widget.models.profile import MINI_PROFILE
from regiondrag_widget.widget.editor_cache import editor_key
from regiondrag_widget.widget.engine_editor import own_settings


def test_the_defaults_are_valid_and_plain():
    values = EditSettings().as_dict()
    assert set(values) == set(names("widget"))
    assert set(values) >= {"prompt", "seed", "steps", "start", "stop", "vacated", "model", "matte", "live"}
    assert EditSettings().updated(values) == EditSettings()


def test_changes_make_new_settings():
    assert EditSettings().updated({"seed": 5, "steps": 8}).seed == 5
    assert EditSettings().seed == 0


@pytest.mark.parametrize("live", [None, True, False])
def test_live_is_automatic_on_or_off(live):
    assert EditSettings().live is None
    assert EditSettings().updated({"live": live}).live is live


def test_whole_numbers_from_the_browser_serve_as_fractions():
    start = EditSettings().updated({"start": 1, "stop": 0}).start
    assert start == 1.0
    assert isinstance(start, float)


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"seed": -1}, ValueError, "seed"),
        ({"seed": BROWSER_INTEGER + 1}, ValueError, "seed"),
        ({"seed": 1.5}, TypeError, "seed"),
        ({"seed": True}, TypeError, "seed"),
        ({"steps": 0}, ValueError, "steps"),
        ({"steps": 100_000}, ValueError, "steps"),
        ({"start": 0}, ValueError, "start"),
        ({"start": 1.01}, ValueError, "start"),
        ({"start": float("nan")}, ValueError, "start"),
        ({"start": "half"}, TypeError, "start"),
        ({"stop": -0.1}, ValueError, "stop"),
        ({"start": 0.3, "stop": 0.5}, ValueError, "stop"),
        ({"vacated": "burn"}, ValueError, "vacated"),
        ({"matte": None}, ValueError, "matte"),
        ({"prompt": 3}, TypeError, "prompt"),
        ({"prompt": "x" * 5000}, ValueError, "prompt"),
        ({"model": " "}, ValueError, "model"),
        ({"live": 1}, TypeError, "live"),
        ({"live": "auto"}, TypeError, "live"),
        ({"colour": "red"}, ValueError, "colour"),
        ({"crop": True}, ValueError, "crop"),  # a setting, but not one of the widget's
    ],
)
def test_a_bad_setting_is_refused_by_its_name(change, error, word):
    with pytest.raises(error, match=word):
        EditSettings().updated(change)


def test_the_bundled_models_settings_are_its_profiles():
    shown = EditSettings().with_own(own_settings("mini")).as_dict()
    engines = {name: value for name, value in MINI_PROFILE.defaults.items() if name in shown}
    assert engines == {"steps": 15, "start": 0.2, "stop": 0.0, "guidance_scale": 1.0}
    assert {name: shown[name] for name in engines} == engines


def test_a_model_that_was_not_loaded_decides_later():
    assert own_settings("some/model") == {}
    settings = EditSettings(model="some/model").with_own(own_settings("some/model"))
    assert (settings.model, settings.steps, settings.start, settings.stop) == ("some/model", None, None, None)


def test_each_edit_is_told_the_edits_settings_alone():
    told = EditSettings(stop=0.1, matte="none", seed=3).of_the_edit()
    assert set(told) == set(names("widget", "edit"))
    assert (told["stop"], told["vacated"], told["matte"]) == (0.1, "fill", "none")
    assert not set(told) & {"prompt", "seed", "steps", "start", "model", "live", "content"}


@pytest.mark.parametrize("name", names("widget", "picture"))
def test_a_setting_of_the_picture_has_it_prepared_anew(name):
    other = {
        "prompt": "a dog",
        "negative_prompt": "a cat",
        "guidance_scale": 4.0,
        "seed": 9,
        "steps": 9,
        "start": 0.9,
    }
    changed = EditSettings().updated({name: other[name]})
    assert editor_key("a", changed) != editor_key("a", EditSettings())


def test_setting_the_models_own_value_prepares_nothing_anew():
    assert editor_key("a", EditSettings(steps=15, start=0.2)) == editor_key("a", EditSettings())
