"""`w.settings` reads the model's own values where nothing was set, and remembers which were set."""

from __future__ import annotations

from typing import Any

import pytest

from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.widget.settingsdict import LiveSettings, known

OWN = {"steps": 4, "start": 0.5, "stop": 0.2}


def live(asked: EditSettings, own: dict[str, Any] = OWN) -> LiveSettings:
    return LiveSettings(asked, own, lambda changes: live(asked.updated(changes), own))


def test_what_a_newer_page_sends_besides_is_left_out():
    assert known({"seed": 3, "sparkle": True}) == {"seed": 3}


def test_what_was_not_set_reads_as_the_models_own():
    settings = live(EditSettings(start=0.4))
    assert (settings["steps"], settings["start"], settings["stop"]) == (4, 0.4, 0.2)
    assert (settings.asked["steps"], settings.asked["start"]) == (None, 0.4)


def test_it_reads_none_while_the_model_is_not_known():
    settings = live(EditSettings(), {})
    assert (settings["steps"], settings["start"], settings["stop"]) == (None, None, None)
    assert settings["seed"] == 0


def test_a_change_is_seen_by_whoever_holds_the_dict():
    settings = live(EditSettings())
    settings["steps"] = 9
    assert settings["steps"] == settings.asked["steps"] == 9
    settings.update(steps=None)
    assert settings["steps"] == 4


def test_the_models_own_value_set_by_hand_is_another_state():
    followed, fixed = live(EditSettings()), live(EditSettings(steps=4))
    assert dict(followed) == dict(fixed)
    assert followed != fixed
    assert followed == live(EditSettings())
    assert fixed == dict(followed)


@pytest.mark.parametrize("change", ["pop", "popitem", "clear", "setdefault"])
def test_names_cannot_be_removed(change: str):
    with pytest.raises(TypeError, match="cannot be removed"):
        getattr(live(EditSettings()), change)("seed")
