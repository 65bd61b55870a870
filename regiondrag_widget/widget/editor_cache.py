"""The few prepared pictures that are kept for all widgets of the process, and what they are prepared by."""

from __future__ import annotations

import gc
import sys
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from PIL import Image

from regiondrag_widget.engine.settings import EditSettings, names
from regiondrag_widget.locks import OrderedLock, Rank
from regiondrag_widget.models.memory import is_out_of_memory
from regiondrag_widget.widget.editor import Editor, EditorFactory, Report
from regiondrag_widget.widget.engine_editor import engine_editor, own_settings


def editor_key(picture_key: Hashable, settings: EditSettings) -> tuple[Hashable, ...]:
    """Equal where one editor serves. ``picture_key`` stands for the picture's content."""
    s, own = settings, own_settings(settings.model)
    asked = ((name, getattr(s, name)) for name in names("widget", "picture"))
    return (picture_key, s.model, *(own.get(name) if value is None else value for name, value in asked))


class EditorCache:
    """The last few editors, so that a second run of the same picture pays the reverse pass alone.

    `get` is called on the inference thread; the others, which only look or drop references, on any thread.

    Parameters
    ----------
    factory
        Makes an editor.
    size
        How many are kept.
    """

    def __init__(self, factory: EditorFactory, size: int = 2) -> None:
        self._factory = factory
        self._size = size
        self._editors: OrderedDict[tuple[Hashable, ...], Editor] = OrderedDict()
        self._budgets: dict[Hashable, int] = {}  # of each editor, when last seen
        self._models: dict[str, Mapping[str, Any]] = {}  # own settings of those that were loaded
        self._lock = OrderedLock(Rank.EDITORS)

    def get(self, picture_key: Hashable, image: Image.Image, settings: EditSettings) -> Editor:
        """The editor for this picture and these settings, made if need be.

        ``picture_key`` stands for the picture's content: equal keys mean equal pictures.
        """
        key = editor_key(picture_key, settings)
        with self._lock:
            editor = self._editors.get(key)
            if editor is not None:
                self._editors.move_to_end(key)
                return editor
            while len(self._editors) >= self._size:  # make room before the new one takes memory
                self._editors.popitem(last=False)
        editor = self._factory(image, settings)
        with self._lock:
            self._editors[key] = editor
            self._budgets = {known: self._budgets.get(known, 0) for known in self._editors}
            report = editor.report()
            self._budgets[key] = report.budget
            self._models[settings.model] = report.own_settings
        return editor

    def loaded(self, model: str) -> bool:
        """Whether ``model`` has been used before: its weights are on this machine."""
        with self._lock:
            return model in self._models

    def own_settings(self, model: str) -> Mapping[str, Any]:
        """A loaded model's own values of settings; nothing while it was never loaded."""
        with self._lock:
            return self._models.get(model, {})

    def report(self, picture_key: Hashable, settings: EditSettings) -> Report | None:
        """What the editor of this picture runs on and keeps; None while there is none."""
        with self._lock:
            editor = self._editors.get(editor_key(picture_key, settings))
        return None if editor is None else editor.report()

    @contextmanager
    def surviving(self, key: Hashable) -> Iterator[None]:
        """Make room when memory runs out in the block, and let the exception pass.

        The editors of other pictures are dropped; that of ``key`` (see `editor_key`) keeps half as much.
        """
        try:
            yield
        except BaseException as error:
            if is_out_of_memory(error):
                self._make_room(key)
            raise

    def _make_room(self, key: Hashable) -> None:
        with self._lock:
            for other in [other for other in self._editors if other != key]:
                del self._editors[other]
            editors = list(self._editors.items())
        for known, editor in editors:
            if editor.report().budget >= self._budgets.get(known, 0):  # it may have shrunk by itself
                editor.shrink()
            self._budgets[known] = editor.report().budget
        _give_back()

    def holds(self, picture_key: Hashable) -> bool:
        """Whether some editor of this picture is kept."""
        with self._lock:
            return any(key[0] == picture_key for key in self._editors)

    def forget(self, picture_key: Hashable) -> None:
        """Drop the editors of one picture."""
        with self._lock:
            for key in [key for key in self._editors if key[0] == picture_key]:
                del self._editors[key]

    def forget_model(self, model: str) -> None:
        """Drop the editors of one model, which hold its weights."""
        with self._lock:
            for key in [key for key in self._editors if key[1] == model]:
                del self._editors[key]

    def clear(self) -> None:
        """Drop everything and give the memory back, after the device ran out of it."""
        with self._lock:
            self._editors.clear()
        _give_back()


def _give_back() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch is not None and torch.backends.mps.is_available():
        torch.mps.empty_cache()


_shared = EditorCache(engine_editor)


def shared_editors() -> EditorCache:
    """The process's editors."""
    return _shared


def known_own_settings(model: str) -> Mapping[str, Any]:
    """A model's own values of settings as far as they are known: it is a known one, or was loaded."""
    return own_settings(model) or shared_editors().own_settings(model)


def install_editors(factory: EditorFactory, size: int = 2) -> None:
    """Let all widgets of this process edit through another engine."""
    global _shared
    _shared = EditorCache(factory, size)
