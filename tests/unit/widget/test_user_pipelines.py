"""Users' own pipelines: known by name, held weakly, and never taken for another."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from regiondrag_widget import RegionDragWidget
from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.widget import editor_cache, user_pipelines
from regiondrag_widget.widget.engine_editor import engine_editor, is_local
from regiondrag_widget.widget.user_pipelines import model_name, user_pipeline
from tests.kernel.fake_editor import FakeEngine


class Pipeline:
    """As much of a pipeline as the widget looks at."""

    def __init__(self, name="mine"):
        self.name = name

    def network(self):
        """What makes it a pipeline."""


@pytest.fixture(autouse=True)
def no_names(monkeypatch):
    monkeypatch.setattr(user_pipelines, "_made", weakref.WeakValueDictionary())
    for name in ("_given", "_reserved"):
        monkeypatch.setattr(user_pipelines, name, set())
    monkeypatch.setattr(user_pipelines, "_used", {})


@pytest.fixture
def engine(monkeypatch):
    engine = FakeEngine()
    monkeypatch.setattr(editor_cache, "_shared", editor_cache.EditorCache(engine))
    return engine


def widget(**settings):
    return RegionDragWidget(np.zeros((96, 128, 3), np.uint8), **settings)


def gone(ref):
    gc.collect()
    return ref() is None


def test_a_pipeline_keeps_its_name_and_two_of_one_name_are_told_apart():
    one, other = Pipeline(), Pipeline()
    assert (model_name(one), model_name(other), model_name(one)) == ("mine", "mine (2)", "mine")
    assert user_pipeline("mine") is one
    assert user_pipeline("mine (2)") is other


def test_no_users_pipeline_is_called_mini():
    own = Pipeline("mini")
    assert model_name(own) == "mini (2)"
    assert user_pipeline("mini") is None


def test_a_pipeline_that_nobody_holds_is_released_and_its_name_gives_a_sentence():
    own = Pipeline()
    name, ref = model_name(own), weakref.ref(own)
    del own
    assert gone(ref)
    with pytest.raises(ValueError, match=r"'mine' is gone.*make it again"):
        user_pipeline(name)
    with pytest.raises(ValueError, match="is gone"):
        engine_editor(None, EditSettings(model=name))


def test_a_released_name_is_not_given_to_another_pipeline():
    own = Pipeline()
    model_name(own)
    del own
    gc.collect()
    assert model_name(Pipeline()) == "mine (2)"


def test_a_model_asked_for_by_the_name_of_a_released_pipeline_is_that_model():
    own = Pipeline("owner/model")
    model_name(own)
    assert is_local("owner/model")
    del own
    gc.collect()
    assert model_name("owner/model") == "owner/model"
    assert user_pipeline("owner/model") is None
    assert not is_local("owner/model")


def test_something_else_is_refused():
    with pytest.raises(TypeError, match="from_pipe"):
        model_name(object())


def test_a_widget_holds_the_pipeline_it_uses_until_it_is_closed(engine):
    w = widget(model=Pipeline())
    ref = weakref.ref(user_pipeline("mine"))
    assert not gone(ref)
    w.close()
    assert gone(ref)


def test_a_widget_that_chooses_another_model_lets_the_pipeline_go(engine):
    w = widget(model=Pipeline())
    ref = weakref.ref(user_pipeline("mine"))
    w.settings["model"] = "mini"
    assert gone(ref)
    w.close()


def test_two_widgets_hold_a_pipeline_together(engine):
    own = Pipeline()
    w, other = widget(model=own), widget(model=own)
    ref = weakref.ref(own)
    del own
    w.close()
    assert not gone(ref)
    other.close()
    assert gone(ref)


def test_prepared_pictures_of_a_pipeline_go_with_its_last_widget(monkeypatch, rgb):
    class Holding(FakeEngine):
        def __call__(self, image, settings):
            editor = super().__call__(image, settings)
            editor.pipeline = user_pipeline(settings.model)
            return editor

    monkeypatch.setattr(editor_cache, "_shared", editor_cache.EditorCache(Holding()))
    w = widget(model=Pipeline())
    ref = weakref.ref(user_pipeline("mine"))
    editor_cache.shared_editors().get("picture", w.image, EditSettings(model="mine"))
    w.image = rgb  # what is kept is of a picture that the widget no longer shows
    w.close()
    assert gone(ref)


def test_restoring_a_result_of_a_released_pipeline_and_running_gives_the_sentence(monkeypatch, rgb):
    class Naming(FakeEngine):
        def __call__(self, image, settings):
            user_pipeline(settings.model)
            return super().__call__(image, settings)

    monkeypatch.setattr(editor_cache, "_shared", editor_cache.EditorCache(Naming()))
    w = RegionDragWidget(rgb, model=Pipeline(), steps=2)
    handle = np.zeros((96, 128), bool)
    handle[20:50, 20:50] = True
    w.add_pair(handle, matrix=[[1, 0, 40], [0, 1, 0], [0, 0, 1]])
    w.run(wait=True)
    w.settings["model"] = "mini"
    gc.collect()
    w._document.restore("r1")
    assert w.settings["model"] == "mine"
    with pytest.raises(RuntimeError, match="'mine' is gone"):
        w.run(wait=True)
    w.close()


def test_a_refused_constructor_holds_nothing(engine):
    own = Pipeline()
    ref = weakref.ref(own)
    with pytest.raises(ValueError, match="steps"):
        widget(model=own, steps=0)
    del own
    assert gone(ref)
