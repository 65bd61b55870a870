"""The few prepared pictures that are kept, and what becomes of them when memory runs out."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from PIL import Image

from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.widget.editor_cache import EditorCache, editor_key
from regiondrag_widget.widget.engine_editor import is_local
from tests.kernel.fake_editor import FakeEngine

IMAGE = Image.fromarray(np.zeros((96, 128, 3), np.uint8))
SETTINGS = EditSettings()


@pytest.fixture
def editors():
    return EditorCache(FakeEngine())


def run_out(editors, key, error=None):
    with suppress(RuntimeError, MemoryError), editors.surviving(editor_key(key, SETTINGS)):
        raise error or MemoryError


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"steps": 9}, {"start": 0.4}, {"prompt": "p"}, {"model": "m"}]
)
def test_what_the_preparation_depends_on_is_in_the_key(change):
    assert editor_key("a", SETTINGS) != editor_key("a", SETTINGS.updated(change))


@pytest.mark.parametrize("change", [{"vacated": "keep"}, {"stop": 0.1}, {"matte": "none"}, {"live": True}])
def test_what_it_does_not_depend_on_is_not(change):
    assert editor_key("a", SETTINGS) == editor_key("a", SETTINGS.updated(change))


def test_running_out_of_memory_halves_the_one_at_work_and_drops_the_others(editors):
    editors.get("a", IMAGE, SETTINGS)
    at_work = editors.get("b", IMAGE, SETTINGS)
    run_out(editors, "b")
    assert at_work.report().budget == 500
    assert not editors.holds("a")
    assert editors.get("b", IMAGE, SETTINGS) is at_work


def test_an_engine_that_has_halved_its_budget_itself_is_left_at_that(editors):
    at_work = editors.get("a", IMAGE, SETTINGS)
    at_work.shrink()
    run_out(editors, "a")
    assert at_work.report().budget == 500
    run_out(editors, "a")
    assert at_work.report().budget == 250


def test_other_failures_drop_and_halve_nothing(editors):
    editors.get("a", IMAGE, SETTINGS)
    at_work = editors.get("b", IMAGE, SETTINGS)
    run_out(editors, "b", RuntimeError("boom"))
    assert editors.holds("a")
    assert at_work.report().budget == 1000


def test_running_out_before_there_is_an_editor_makes_room_too(editors):
    editors.get("a", IMAGE, SETTINGS)
    run_out(editors, "new", RuntimeError("CUDA out of memory"))
    assert not editors.holds("a")


def test_a_report_is_of_the_very_picture_and_settings(editors):
    assert editors.report("a", SETTINGS) is None
    editors.get("a", IMAGE, SETTINGS)
    assert editors.report("a", SETTINGS).device == "cpu"
    assert editors.report("a", SETTINGS.updated({"seed": 1})) is None


def test_models_are_known_once_they_were_loaded(editors):
    assert not editors.loaded("mini")
    editors.get("a", IMAGE, SETTINGS)
    editors.clear()
    assert editors.loaded("mini")


def test_only_the_bundled_model_and_folders_surely_download_nothing(tmp_path):
    assert is_local("mini")
    assert is_local(str(tmp_path))
    assert not is_local("stable-diffusion-v1-5/stable-diffusion-v1-5")
