"""One edit, as it runs on the inference thread: from a request to a result, a stop or a failure.

`run_edit` reports through an `EditListener`; it knows no trait and no message. Everything large (the
editor, its generator, the device's tensors) lives in its frame and in the `EditorCache`, never on the
widget.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Hashable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..regions.pair import RegionPairs
from .editor import EditorCache, Step
from .protocol import ErrorCode
from .settings import EditSettings

PREPARING = "Preparing the model and the picture"


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
    pairs, protect
        The regions, at the picture's size; ``protect`` is (H, W) bool, set where nothing may change, or None.
    settings
        Valid by construction.
    """

    run: int
    image: Image.Image
    picture_key: Hashable
    pairs: RegionPairs
    protect: NDArray[np.bool_] | None
    settings: EditSettings
    regions: Any = field(default=None, repr=False)  # the browser's form of the regions, for the history


@dataclass(frozen=True)
class Failure:
    """What went wrong, in words for the user, and the traceback as text (its frames would hold device
    memory).
    """

    code: ErrorCode
    message: str
    remedy: str
    traceback: str


class EditListener(Protocol):
    """Whoever asked for the edit. Called on the inference thread."""

    def preparing(self, run: int, message: str) -> None:
        """The model is loaded, or the picture inverted."""

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
    """Prepare the picture, run the reverse pass, report. Never raises what the engine raised.

    ``cancelled`` is asked between steps, ``stop_preparing`` now and then while the picture is prepared.
    """
    began = time.perf_counter()
    done = 0
    try:
        if cancelled():
            listener.stopped(request.run, 0)
            return
        if not editors.holds(request.picture_key):
            listener.preparing(request.run, PREPARING)
        editor = editors.get(request.picture_key, request.image, request.settings)
        if not editor.prepare(request.pairs, stop_preparing) or cancelled():
            listener.stopped(request.run, 0)
            return
        settings = request.settings
        steps = editor.edit(
            request.pairs,
            stop=settings.stop,
            vacated=settings.vacated,
            matte=settings.matte,
            editable=None if request.protect is None else ~request.protect,
        )
        with closing(steps):  # a generator that is closed puts the network back as it was
            for step in steps:
                done = step.index
                listener.stepped(request.run, step)
                if cancelled():
                    listener.stopped(request.run, done)
                    return
        listener.finished(request, editor.result, time.perf_counter() - began)
    except Exception as error:
        failure = describe(error)
        let_go(error)
        if failure.code == "memory":
            editors.clear()
        listener.failed(request.run, failure)


def describe(error: BaseException) -> Failure:
    """Turn an exception into words, a remedy, and its traceback as text."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    words = str(error).strip() or type(error).__name__
    if is_out_of_memory(error):
        return Failure(
            "memory",
            "The edit needs more memory than there is.",
            "Try a smaller picture, fewer steps or a smaller model, or shut other notebooks down.",
            text,
        )
    if isinstance(error, ImportError):
        return Failure(
            "engine", f"A library is missing: {words}", "Install it, then restart the kernel.", text
        )
    if isinstance(error, (ValueError, TypeError)):
        return Failure("bad-input", words, "Change the regions or the settings, then run again.", text)
    if isinstance(error, FileNotFoundError):
        return Failure("bad-input", words, "Choose another model in the settings.", text)
    if is_device_lost(error):
        return Failure(
            "engine",
            f"The device stopped answering: {words.splitlines()[0]}"[:500],
            "Restart the kernel: a process does not get a lost device back.",
            text,
        )
    return Failure(
        "engine",
        f"The edit failed: {type(error).__name__}: {words}"[:500],
        "Run again; if it fails again, w.last_error has the details.",
        text,
    )


def let_go(error: BaseException | None) -> None:
    """Forget the frames of an exception and of those behind it: they hold the step's tensors."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def is_out_of_memory(error: BaseException) -> bool:
    """Host memory, or a device's (torch's class is told by name: torch may not be loaded)."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "out of memory" in str(error).lower())
    )


def is_device_lost(error: BaseException) -> bool:
    """Whether the GPU, not the edit, is what failed (torch's words and classes, by name)."""
    words = str(error).lower()
    return type(error).__name__ == "AcceleratorError" or (
        isinstance(error, RuntimeError)
        and any(sign in words for sign in ("cuda error", "hip error", "cudnn_status", "cublas_status"))
    )
