"""What the widget asks of an edit engine, and the few prepared pictures that are kept.

The widget knows the engine only through `Editor` and `EditorFactory`, so tests put a small deterministic
editor in its place, and nothing here imports torch until the first edit. The real engine's adapter is in
`sessions`.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from regiondrag_widget.engine.settings import EditSettings, names
from regiondrag_widget.models.memory import is_out_of_memory
from regiondrag_widget.regions.pair import RegionPair
from regiondrag_widget.widget.sessions import engine_editor, own_settings


class Step(Protocol):
    """One denoising step: ``index`` counts from 1 to ``total``."""

    @property
    def index(self) -> int: ...
    @property
    def total(self) -> int: ...
    def preview(self, max_size: int = ...) -> NDArray[np.uint8]:
        """(h, w, 3) uint8, at most ``max_size`` on the long side."""


class Editor(Protocol):
    """One picture made ready for editing: all that does not depend on the regions (`ImageSession`)."""

    def edit(
        self,
        pairs: Sequence[RegionPair],
        *,
        editable: NDArray[np.bool_] | None,
        **settings: Any,
    ) -> Generator[Step, None, None]:
        """The reverse pass, one `Step` a level; closing the generator cancels.

        ``settings`` are those of `EditSettings.of_the_edit`, here and in `prepare` and `draft`.
        """

    def prepare(
        self,
        pairs: Sequence[RegionPair],
        cancelled: Callable[[], bool],
        *,
        editable: NDArray[np.bool_] | None,
        **settings: Any,
    ) -> bool:
        """Do ahead of `edit` what these handles need, the inversion above all. False when ``cancelled``,
        which is asked now and then, ended it.
        """

    def draft(
        self,
        pairs: Sequence[RegionPair],
        *,
        calls: int,
        editable: NDArray[np.bool_] | None,
        **settings: Any,
    ) -> Generator[Step, None, None]:
        """An edit in ``calls`` steps, a look at what `edit` would give; closing the generator cancels."""

    @property
    def result(self) -> Any:
        """The `EditResult` of the last edit that ran to its end."""

    @property
    def drafted(self) -> Drafted | None:
        """What the last draft that ran to its end gave."""

    @property
    def one_view(self) -> bool:
        """Whether all edits of the picture share one preparation: it is no larger than the model works at."""

    def report(self) -> Report:
        """What the editor runs on and what it keeps."""

    def shrink(self) -> None:
        """Keep half as much from now on, after memory ran out."""


class Drafted(Protocol):
    """A draft's picture: ``rgb`` (h, w, 3) uint8 of the ``box`` x0, y0, x1, y1 in picture pixels."""

    @property
    def rgb(self) -> NDArray[np.uint8]: ...
    @property
    def box(self) -> tuple[int, int, int, int]: ...


@dataclass(frozen=True)
class Report:
    """For the read-out: ``memory`` and ``budget`` in bytes of what is kept, ``note`` in words. With the
    model's own values of settings.
    """

    device: str = ""
    dtype: str = ""
    memory: int = 0
    budget: int = 0
    note: str = ""
    own_settings: Mapping[str, Any] = field(default_factory=dict)


class EditorFactory(Protocol):
    """Makes an `Editor`: loads the model, inverts the picture. Slow; called on the inference thread."""

    def __call__(self, image: Image.Image, settings: EditSettings) -> Editor: ...


def editor_key(picture_key: Hashable, settings: EditSettings) -> tuple[Hashable, ...]:
    """Equal where one editor serves. ``picture_key`` stands for the picture's content."""
    s, own = settings, own_settings(settings.model)
    asked = ((name, getattr(s, name)) for name in names("widget", "picture"))
    return (picture_key, s.model, *(own.get(name) if value is None else value for name, value in asked))


class EditorCache:
    """The last few editors, so that a second run of the same picture pays the reverse pass alone.

    `get` is called on the inference thread; `forget` and `clear`, which only drop references, from any
    thread.
    """

    def __init__(self, factory: EditorFactory, size: int = 2) -> None:
        self._factory = factory
        self._size = size
        self._editors: OrderedDict[tuple[Hashable, ...], Editor] = OrderedDict()
        self._budgets: dict[Hashable, int] = {}  # of each editor, when last seen
        self._models: dict[str, Mapping[str, Any]] = {}  # own settings of those that were loaded
        self._lock = threading.Lock()

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
        """Memory that runs out in the block leaves room behind, and raises: other pictures' editors go, that
        of ``key`` (see `editor_key`) keeps half as much.
        """
        try:
            yield
        except Exception as error:
            if is_out_of_memory(error):
                self._make_room(key)
            raise

    def _make_room(self, key: Hashable) -> None:
        with self._lock:
            for other in [other for other in self._editors if other != key]:
                del self._editors[other]
            editors = list(self._editors.items())
        for known, editor in editors:
            if editor.report().budget >= self._budgets.get(known, 0):  # it may have seen to it itself
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


_shared = EditorCache(engine_editor)


def shared_editors() -> EditorCache:
    """The process's editors."""
    return _shared


def install_editors(factory: EditorFactory, size: int = 2) -> None:
    """Let all widgets of this process edit through another engine."""
    global _shared
    _shared = EditorCache(factory, size)
