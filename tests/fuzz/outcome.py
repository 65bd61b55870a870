"""What a fuzzer reports."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
import traceback
from dataclasses import dataclass, field

import psutil


@dataclass
class Outcome:
    """The figures of one fuzzer.

    Attributes
    ----------
    done, refused
        Inputs tried, and those refused in words.
    escapes
        Exceptions that are no refusal: the input's number, and the last lines of the traceback.
    before, after
        Bytes of memory held after a tenth of the inputs, and at the end.
    """

    what: str
    done: int = 0
    refused: int = 0
    escapes: list[str] = field(default_factory=list)
    before: int = 0
    after: int = 0
    seconds: float = 0.0

    def escaped(self, number: int, error: BaseException | str) -> None:
        """Note one that got through."""
        words = error if isinstance(error, str) else "".join(traceback.format_exception(error)[-6:])
        self.escapes.append(f"input {number}: {words}")

    @property
    def growth(self) -> float:
        """Megabytes by which memory grew."""
        return (self.after - self.before) / 2**20

    def __str__(self) -> str:
        head = (
            f"{self.what}: {self.done:,} tried, {self.refused:,} refused, {len(self.escapes)} escapes, "
            f"memory {self.growth:+.1f} MB, {self.seconds:.0f} s"
        )
        return "\n".join([head, *self.escapes[:20]])


def held_memory() -> int:
    """Bytes that the process holds, after what is free has been given back."""
    gc.collect()
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
            ctypes.CDLL("libc.so.6").malloc_trim(0)
    return int(psutil.Process(os.getpid()).memory_info().rss)
