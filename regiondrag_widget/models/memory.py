"""What it looks like when memory runs out, and how to go on after it; no torch is needed to tell."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["freeing_when_exhausted", "is_out_of_memory"]

# from a device's allocator, the host's, and the linear algebra library that allocates for itself
SIGNS = ("out of memory", "can't allocate memory", "cublas_status_alloc_failed")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that the host's or a device's memory ran out.

    torch's own class is recognised by its name, since torch may not be loaded.
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in words for sign in SIGNS)


@contextmanager
def freeing_when_exhausted(free: Callable[[], None]) -> Iterator[None]:
    """Free memory where it runs out in the block; the error still reaches the caller.

    Parameters
    ----------
    free : callable
        Drops what can be made again.
    """
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error):
            traceback.clear_frames(error.__traceback__)  # they hold the tensors of the call that failed
            free()
        raise
