"""What it looks like when memory runs out; no torch is needed to tell."""

from __future__ import annotations

__all__ = ["is_out_of_memory"]

# of a device's allocator, of the host's, of the linear algebra library that allocates for itself
SIGNS = ("out of memory", "can't allocate memory", "cublas_status_alloc_failed")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that the host's or a device's memory ran out.

    torch's own class is told by its name: torch may not be loaded.
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in words for sign in SIGNS)
