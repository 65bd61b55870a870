"""A widget on a small picture, with an engine that can be watched and held."""

from __future__ import annotations

import numpy as np
import pytest

from regiondrag_widget import RegionDragWidget
from regiondrag_widget.widget import editor_cache
from tests.kernel.fake_browser import FakeBrowser
from tests.kernel.fake_editor import FakeEngine


@pytest.fixture
def engine(monkeypatch):
    engine = FakeEngine()
    monkeypatch.setattr(editor_cache, "_shared", editor_cache.EditorCache(engine))
    yield engine
    engine.release()


@pytest.fixture
def w(engine, rgb):
    widget = RegionDragWidget(rgb, steps=6)
    yield widget
    engine.release()
    widget.close()


@pytest.fixture
def browser(w):
    return FakeBrowser(w)


@pytest.fixture
def handle():
    """(96, 128) a disc."""
    y, x = np.mgrid[0:96, 0:128]
    return (x - 30) ** 2 + (y - 40) ** 2 < 15**2


@pytest.fixture
def target():
    """The same disc, 50 px to the right."""
    y, x = np.mgrid[0:96, 0:128]
    return (x - 80) ** 2 + (y - 40) ** 2 < 15**2


@pytest.fixture
def drawn(w, handle, target):
    """The widget with one pair."""
    w.add_pair(handle, target)
    return w
