"""The edit's settings are checked at the door, and `w.settings` is a dict that cannot go out of step."""

from __future__ import annotations

import pytest

from regiondrag_widget.widget.settings import MAX_SEED, EditSettings, known


def test_the_defaults_are_valid_and_plain():
    values = EditSettings().as_dict()
    assert set(values) == {"prompt", "seed", "steps", "start", "stop", "vacated", "model", "matte", "live"}
    assert EditSettings().updated(values) == EditSettings()


def test_changes_make_new_settings():
    assert EditSettings().updated({"seed": 5, "steps": 8}).seed == 5
    assert EditSettings().seed == 0


@pytest.mark.parametrize("live", [None, True, False])
def test_live_is_automatic_on_or_off(live):
    assert EditSettings().live is None
    assert EditSettings().updated({"live": live}).live is live


def test_what_a_newer_page_sends_besides_is_left_out():
    assert known({"seed": 3, "sparkle": True}) == {"seed": 3}


def test_whole_numbers_from_the_browser_serve_as_fractions():
    assert EditSettings().updated({"start": 1, "stop": 0}).start == 1.0


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"seed": -1}, ValueError, "seed"),
        ({"seed": MAX_SEED + 1}, ValueError, "seed"),
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
    ],
)
def test_a_bad_setting_is_refused_by_its_name(change, error, word):
    with pytest.raises(error, match=word):
        EditSettings().updated(change)


def test_the_defaults_are_the_engines_own():
    from regiondrag_widget.models.mini import MINI_PROFILE

    mini = EditSettings().as_dict()
    engines = {name: value for name, value in MINI_PROFILE.defaults.items() if name in mini}
    assert set(engines) == {"steps", "start", "stop"}
    assert {name: mini[name] for name in engines} == engines


def test_other_models_begin_with_more_steps_and_a_stop():
    settings = EditSettings.of_model("some/model")
    assert (settings.model, settings.steps, settings.start, settings.stop) == ("some/model", 20, 0.5, 0.2)
