"""Exceptions in words for the user, without the memory that their frames hold."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from regiondrag_widget.errors import first_line
from regiondrag_widget.models.bundled import BundledWeightsMissingError
from regiondrag_widget.models.memory import is_out_of_memory
from regiondrag_widget.text import printable
from regiondrag_widget.widget.protocol import ErrorCode


@dataclass(frozen=True)
class Failure:
    """What went wrong.

    Attributes
    ----------
    code
        What kind of failure it is.
    message, remedy
        For the user.
    traceback
        As text: its frames would hold the device's memory.
    """

    code: ErrorCode
    message: str
    remedy: str
    traceback: str


def describe(error: BaseException) -> Failure:
    """Turn an exception into words, a remedy, and its traceback as text."""
    text = printable("".join(traceback.format_exception(type(error), error, error.__traceback__)))
    words = printable(_words(error))
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
    if isinstance(error, BundledWeightsMissingError):
        return Failure(
            "engine", words, "Reinstall it (pip install --force-reinstall), then restart the kernel.", text
        )
    if isinstance(error, FileNotFoundError):
        return Failure("bad-input", words, "Choose another model in the settings.", text)
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        return Failure(
            "engine",
            f"The edit was ended by {type(error).__name__} on its thread.",
            "Run again; w.last_error shows where it came from.",
            text,
        )
    if is_device_lost(error):
        first = first_line(str(error.__cause__ or "").strip() or words)
        return Failure(
            "engine",
            f"The device stopped answering: {first}"[:500],
            "Restart the kernel: a process does not get a lost device back.",
            text,
        )
    return Failure(
        "engine",
        f"The edit failed: {type(error).__name__}: {words}"[:500],
        "Run again; if it fails again, w.last_error has the details.",
        text,
    )


def _words(error: BaseException) -> str:
    try:
        return str(error).strip() or type(error).__name__
    except Exception:  # an exception of the user's own whose __str__ fails
        return type(error).__name__


def let_go(error: BaseException | None) -> None:
    """Forget the frames of an exception and of those behind it: they hold the step's tensors."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def is_device_lost(error: BaseException) -> bool:
    """Whether the GPU, not the edit, is what failed (torch's words and classes, by name)."""
    words = str(error).lower()
    return type(error).__name__ in ("DeviceLostError", "AcceleratorError") or (
        isinstance(error, RuntimeError)
        and any(sign in words for sign in ("cuda error", "hip error", "cudnn_status", "cublas_status"))
    )
