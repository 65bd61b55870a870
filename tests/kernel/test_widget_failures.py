"""Runs that fail: told in words, with nothing lost and nothing held."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

from regiondrag_widget.models.bundled import BundledWeightsMissingError
from regiondrag_widget.widget.runs import EditFailed
from tests.kernel.fake_browser import FakeBrowser, until


class OutOfMemoryError(RuntimeError):
    """As torch names its own."""


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (RuntimeError("the network burst"), "engine", "the network burst"),
        (ValueError("the masks are too odd"), "bad-input", "the masks are too odd"),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"), "memory", "smaller picture"),
        (MemoryError(), "memory", "more memory than there is"),
        (ImportError("No module named 'sentencepiece'"), "engine", "sentencepiece"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_failure_of_the_engine_is_told_in_words_with_a_remedy(drawn, engine, error, code, words):
    browser = FakeBrowser(drawn)
    engine.error = error
    with pytest.raises(EditFailed, match=words):
        drawn.run(wait=True)
    (message,) = browser.of("error")
    assert message["code"] == code
    assert message["run"] == 1
    assert message["remedy"]
    assert drawn.state == "error"
    assert words in drawn._state["message"]
    assert "Traceback" in drawn.last_error
    assert type(error).__name__ in drawn.last_error


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (FileNotFoundError("no folder called models/x"), "another model"),
        (BundledWeightsMissingError("the bundled network", Path("model.safetensors")), "Reinstall"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_is_missing_decides_what_to_do_about_it(drawn, engine, error, remedy):
    browser = FakeBrowser(drawn)
    engine.error = error
    with pytest.raises(EditFailed):
        drawn.run(wait=True)
    (message,) = browser.of("error")
    assert remedy in message["remedy"]


def test_a_failure_keeps_the_earlier_result_the_history_and_the_masks(drawn, engine):
    first = drawn.run(wait=True)
    engine.error = RuntimeError("boom")
    with pytest.raises(EditFailed):
        drawn.run(wait=True)
    assert drawn.result is first
    assert drawn.history == [first]
    assert len(drawn.pairs) == 1


def test_after_a_failure_the_next_run_works_and_the_error_is_gone(drawn, engine):
    engine.error = RuntimeError("boom")
    with pytest.raises(EditFailed):
        drawn.run(wait=True)
    engine.error = None
    assert drawn.run(wait=True) is not None
    assert drawn.last_error is None


def test_a_model_that_cannot_be_loaded_is_told(drawn, engine):
    engine.prepare_error = FileNotFoundError("there is no model folder /nowhere")
    with pytest.raises(EditFailed, match="/nowhere"):
        drawn.run(wait=True)
    assert drawn.state == "error"


def test_running_out_of_memory_gives_the_prepared_pictures_back(drawn, engine):
    drawn.run(wait=True)
    engine.error = MemoryError()
    with pytest.raises(EditFailed):
        drawn.run(wait=True)
    engine.error = None
    drawn.run(wait=True)
    assert len(engine.prepared) == 2


def test_a_failure_holds_none_of_the_engines_objects(drawn, engine):
    held = []

    class Tensor:
        pass

    def failing_editor(image, settings):
        tensor = Tensor()
        held.append(weakref.ref(tensor))
        raise RuntimeError("boom")

    engine.__class__ = type("Failing", (type(engine),), {"__call__": staticmethod(failing_editor)})
    with pytest.raises(EditFailed):
        drawn.run(wait=True)
    until(lambda: gc.collect() >= 0 and held[0]() is None, 5)
