"""One edit, as it runs on the inference thread: from a request to a result, a stop or a failure.

`run_edit` reports through an `EditListener` and knows neither traits nor messages. Everything large (the
editor, its generator, the device's tensors) lives in its frame and in the `EditorCache`, never on the
widget.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.regions.pairs import RegionPairs
from regiondrag_widget.widget.editor import Editor, Step
from regiondrag_widget.widget.editor_cache import EditorCache
from regiondrag_widget.widget.failures import Failure, describe, let_go
from regiondrag_widget.widget.regions_state import Regions
from regiondrag_widget.widget.sent_regions import complete_pairs
from regiondrag_widget.widget.weights import weights_here

PREPARING = "Preparing the model and the picture"
DOWNLOADING = "Downloading and preparing the model"


@dataclass(frozen=True, eq=False)
class EditRequest:
    """What to edit and how: all of it immutable, made on the thread that asked.

    Attributes
    ----------
    run
        The run's number.
    image
        The picture, RGB or RGBA.
    picture_key
        Equal for equal pictures; the key under which the prepared picture is kept.
    settings
        Valid by construction.
    regions
        The regions in their encoded form, at the picture's size.
    pairs
        The pairs where they are decoded already; a message's are decoded on the inference thread.
    """

    run: int
    image: Image.Image
    picture_key: Hashable
    settings: EditSettings
    regions: Regions = field(repr=False)
    pairs: RegionPairs | None = None

    def decoded(self) -> tuple[RegionPairs, NDArray[np.bool_] | None]:
        """The pairs, and the protect mask: (H, W) bool, set where nothing may change, or None.

        Raises
        ------
        ValueError
            Nothing is drawn, a pair lacks its handle or its target, or a mask is damaged; the pair is named.
        """
        shape = self.image.height, self.image.width
        pairs = complete_pairs(self.regions, shape) if self.pairs is None else self.pairs
        return pairs, self.regions.protect(shape)


class EditListener(Protocol):
    """Whoever asked for the edit. Called on the inference thread."""

    def preparing(self, run: int, message: str) -> None:
        """The model is loaded, the picture inverted, or what is carried cut out: what ``message`` says."""

    def prepared(self, run: int) -> None:
        """Everything is ready, and the steps begin."""

    def stepped(self, run: int, step: Step) -> None:
        """One denoising step is done."""

    def finished(self, request: EditRequest, result: Any, seconds: float) -> None:
        """The edit ran to its end."""

    def stopped(self, run: int, step: int) -> None:
        """The edit was cancelled after ``step`` steps."""

    def failed(self, run: int, failure: Failure) -> None:
        """The edit raised."""


def run_edit(
    request: EditRequest,
    editors: EditorCache,
    listener: EditListener,
    cancelled: Callable[[], bool],
    stop_preparing: Callable[[], bool],
) -> None:
    """Prepare the picture, run the reverse pass, report.

    Whatever ends the edit, ``SystemExit`` and ``KeyboardInterrupt`` included, is reported to the listener as
    its failure and not raised.

    Parameters
    ----------
    request
        What to edit and how.
    editors
        Keeps the prepared pictures.
    listener
        Is told what happens.
    cancelled
        Asked between steps whether to end.
    stop_preparing
        Asked now and then, while the picture is prepared, whether to end.
    """
    began = time.perf_counter()
    done = 0
    editor: Editor | None = None
    try:
        if cancelled():
            listener.stopped(request.run, 0)
            return
        pairs, protect = request.decoded()
        if not editors.holds(request.picture_key):
            model = request.settings.model
            here = editors.loaded(model) or weights_here(model) is not None
            listener.preparing(request.run, PREPARING if here else DOWNLOADING)
        editor = editors.get(request.picture_key, request.image, request.settings)
        editor.progress = lambda words: listener.preparing(request.run, words)
        editable = None if protect is None else ~protect
        how = {**request.settings.of_the_edit(), "editable": editable}
        if not editor.prepare(pairs, stop_preparing, **how) or cancelled():
            listener.stopped(request.run, 0)
            return
        listener.prepared(request.run)
        steps = editor.edit(pairs, **how)
        with closing(steps):  # a generator that is closed puts the network back as it was
            for step in steps:
                done = step.index
                listener.stepped(request.run, step)
                if cancelled():
                    listener.stopped(request.run, done)
                    return
        listener.finished(request, editor.result, time.perf_counter() - began)
    except BaseException as error:
        failure = describe(error)
        let_go(error)
        if failure.code == "memory":
            editors.clear()
        listener.failed(request.run, failure)
    finally:
        if editor is not None:
            editor.progress = None  # drafts tell nothing
