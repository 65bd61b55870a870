"""Settings are checked at the door: whatever is unknown or out of range is refused by name."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from regiondrag_widget.engine.settings import BY_NAME, SETTINGS, EditSettings, resolve, schedule
from regiondrag_widget.engine.settingspec import SettingSpec
from regiondrag_widget.imaging.carry import MATTES
from regiondrag_widget.regions import METHODS

NAN = float("nan")


@pytest.mark.parametrize("name", ["stop", "handle_noise_scale"])
@pytest.mark.parametrize("value", [-0.01, 1.01, NAN, float("inf"), "0.5", True, [0.5]])
def test_a_fraction_out_of_range_is_refused_by_name(name: str, value: Any):
    with pytest.raises((ValueError, TypeError), match=f"{name} must be a number from 0 to 1"):
        EditSettings(**{name: value})


@pytest.mark.parametrize("name", ["stop", "handle_noise_scale"])
@pytest.mark.parametrize("value", [0, 0.0, 0.3, 1, 1.0, np.float64(0.3), np.float32(0.5)])
def test_a_fraction_in_range_is_taken(name: str, value: Any):
    assert getattr(EditSettings(**{name: value}), name) == value


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("content", "pixels, latents"),
        ("residual", "follow, stay"),
        ("vacated", "fill, noise, keep"),
        ("matte", "auto, none"),
        ("prefill", "mixed, exemplar, smooth"),
        ("method", "auto, contour, scanline, polygon"),
    ],
)
@pytest.mark.parametrize("value", ["other", "", 3, True, ["auto"]])
def test_an_unknown_choice_is_refused_by_name_with_those_there_are(name: str, choices: str, value: Any):
    with pytest.raises((ValueError, TypeError), match=f"{name} must be one of {choices}"):
        EditSettings(**{name: value})


@pytest.mark.parametrize("value", ["all", 1, 0, ["up"]])
def test_an_attention_swap_that_is_neither_switch_nor_predicate_is_refused(value: Any):
    with pytest.raises(TypeError, match="attention_swap must be True, False or a function of a layer's name"):
        EditSettings(attention_swap=value)


@pytest.mark.parametrize("value", [True, False, str.islower])
def test_an_attention_swap_may_be_a_switch_or_a_predicate(value: Any):
    assert EditSettings(attention_swap=value).attention_swap is value


def test_an_unknown_setting_is_refused_with_those_there_are():
    with pytest.raises(TypeError, match="unknown setting 'strenght': an edit knows attention_swap, content"):
        resolve("default", {}, {"strenght": 0.5})
    with pytest.raises(TypeError, match=r"Did you mean 'residual'\?"):
        resolve("default", {}, {"residuals": "stay"})


@pytest.mark.parametrize("preset", ["paper", "", None, 1])
def test_an_unknown_preset_is_refused(preset: Any):
    with pytest.raises(ValueError, match="preset must be one of default, released"):
        resolve(preset, {}, {})


def test_what_is_given_goes_over_what_the_model_prefers():
    assert resolve("default", {"stop": 0.2}, {"stop": 0.4}).stop == 0.4
    assert resolve("default", {"stop": 0.2}, {"stop": None}).stop == 0.2
    assert resolve("default", {}, {}) == EditSettings()


def test_a_zero_is_given_too():
    assert resolve("default", {"stop": 0.2}, {"stop": 0.0}).stop == 0.0


def test_the_released_preset_is_the_released_rule():
    settings = resolve("released", {"stop": 0.2, "content": "pixels"}, {})
    assert (settings.content, settings.residual, settings.vacated) == ("latents", "stay", "keep")
    assert (settings.matte, settings.handle_noise_scale, settings.stop) == ("none", 1.0, 0.0)


def test_the_released_preset_has_the_released_schedule_unless_told_otherwise():
    defaults = {"steps": 10, "start": 0.3}
    assert schedule("default", defaults, None, None) == (10, 0.3)
    assert schedule("released", defaults, None, None) == (20, 0.5)
    assert schedule("released", defaults, 8, None) == (8, 0.5)
    assert schedule("released", defaults, None, 0.6) == (20, 0.6)


def test_the_released_preset_may_be_changed_in_parts():
    assert resolve("released", {}, {"handle_noise_scale": 0.6}).handle_noise_scale == 0.6


def test_settings_are_checked_whichever_way_they_come():
    with pytest.raises(ValueError, match="stop must be"):
        resolve("default", {}, {"stop": 3})
    with pytest.raises(ValueError, match="content must be"):
        resolve("released", {}, {"content": "words"})


def test_settings_are_written_as_plain_json():
    def upper_layers(name: str) -> bool:
        return name.startswith("up")

    record = json.loads(
        json.dumps(EditSettings(attention_swap=upper_layers, stop=np.float64(0.25)).as_json())
    )
    assert record["attention_swap"] == "upper_layers"
    assert record["stop"] == 0.25


def test_settings_do_not_change():
    with pytest.raises(AttributeError):
        EditSettings().stop = 0.5  # type: ignore[misc]


# -- the table -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", SETTINGS, ids=lambda spec: spec.name)
def test_every_setting_has_its_words_and_a_default_it_takes(spec: SettingSpec):
    assert spec.label
    assert spec.help
    assert not spec.help.endswith(".")
    assert spec.checked(spec.default) == spec.default
    assert (spec.default is None) == (spec.of_model or None in spec.values)
    assert spec.name in (EditSettings.__doc__ or "")


def test_choices_are_those_that_the_code_below_knows():
    assert BY_NAME["matte"].values == tuple(MATTES)
    assert BY_NAME["method"].values == METHODS


def test_the_models_own_values_stand_in_for_none_alone():
    own = {"steps": 4, "start": 0.5, "stop": 0.2}
    filled = EditSettings(start=0.7).with_own(own)
    assert (filled.steps, filled.start, filled.stop, filled.crop) == (4, 0.7, 0.2, None)
    assert EditSettings(start=0.7).with_own({}) == EditSettings(start=0.7)


def test_the_models_own_stop_gives_way_to_a_lower_start():
    assert EditSettings(start=0.1).with_own({"start": 0.5, "stop": 0.2}).stop == 0.1


def test_a_stop_that_was_set_above_the_models_own_start_is_refused():
    with pytest.raises(ValueError, match=r"stop \(0.6\) lies above start \(0.5\)"):
        EditSettings(stop=0.6).with_own({"start": 0.5, "stop": 0.2})


def test_whole_numbers_of_numpy_become_plain_ones():
    assert type(EditSettings(steps=np.int64(5)).steps) is int
    with pytest.raises(TypeError, match="steps must be a whole number from 1 to 1000, got True"):
        EditSettings(steps=True)


def test_the_former_matte_by_colours_alone_warns_and_finds_the_object():
    with pytest.warns(FutureWarning, match='say "auto"'):
        assert EditSettings(matte="grabcut").matte == "auto"
