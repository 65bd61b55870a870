"""What the widget asks of an edit engine, the engine's own adapter, and the few prepared pictures that are
kept.

The widget knows the engine only through `Editor` and `EditorFactory`, so tests put a small deterministic
editor in its place, and nothing here imports torch until the first edit.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..regions.pair import RegionPair
from .settings import EditSettings


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
        stop: float,
        vacated: str,
        matte: str,
        editable: NDArray[np.bool_] | None,
    ) -> Iterator[Step]:
        """The reverse pass, one `Step` a level; closing the generator cancels."""

    def prepare(self, pairs: Sequence[RegionPair]) -> None:
        """Do ahead of `edit` what these pairs need: the inversion."""

    @property
    def result(self) -> Any:
        """The `EditResult` of the last edit that ran to its end."""


class EditorFactory(Protocol):
    """Makes an `Editor`: loads the model, inverts the picture. Slow; called on the inference thread."""

    def __call__(self, image: Image.Image, settings: EditSettings) -> Editor: ...


_given: dict[str, Any] = {}  # pipelines that users made themselves, by the name shown in the settings


def model_name(model: Any) -> str:
    """The name under which the settings know a model: a name, a folder, or a pipeline the user has made.

    A pipeline is kept here, not on a widget, for as long as the process lives.
    """
    if isinstance(model, (str, os.PathLike)):
        return os.fspath(model)
    if not callable(getattr(model, "network", None)):
        raise TypeError(
            f"model must be a name, a folder or a RegionDragPipeline, not {type(model).__name__}: "
            "rd.RegionDragPipeline.from_pipe(pipeline) makes one"
        )
    base = name = str(getattr(model, "name", "custom"))
    number = 1
    while name == "mini" or _given.get(name, model) is not model:
        number += 1
        name = f"{base} ({number})"
    _given[name] = model
    return name


def engine_editor(image: Image.Image, settings: EditSettings) -> Editor:
    """The real `EditorFactory`: an `ImageSession` of the edit engine. Imports torch."""
    from ..engine.api import load_pipeline
    from ..engine.session import ImageSession

    given = _given.get(settings.model)
    session: Editor = ImageSession(
        load_pipeline(settings.model if given is None else given),
        image,
        prompt=settings.prompt,
        steps=settings.steps,
        start=settings.start,
        seed=settings.seed,
    )
    return session


class EditorCache:
    """The last few editors, so that a second run of the same picture pays the reverse pass alone.

    `get` is called on the inference thread; `forget` and `clear`, which only drop references, from any
    thread.
    """

    def __init__(self, factory: EditorFactory, size: int = 2) -> None:
        self._factory = factory
        self._size = size
        self._editors: OrderedDict[tuple[Hashable, ...], Editor] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, picture_key: Hashable, image: Image.Image, settings: EditSettings) -> Editor:
        """The editor for this picture and these settings, made if need be.

        ``picture_key`` stands for the picture's content: equal keys mean equal pictures.
        """
        s = settings
        key = (picture_key, s.model, s.prompt, s.steps, s.start, s.seed)
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
        return editor

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
