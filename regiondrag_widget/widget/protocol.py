"""The messages between the browser and the kernel, version 1: what both directions have in common.

A message is a JSON object ``{"v": 1, "type": ..., ...}`` and, for some types, binary buffers. Each type is
one frozen dataclass: the browser's are in `incoming`, made by `validation.read_message` from what arrives;
the kernel's are in `outgoing` and know their own wire form. Unknown fields are ignored, so that a newer page
may send more.

No message has a top-level field called ``id``: ipykernel 7.4 keeps such a string as an unanswered request.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

VERSION = 1
MAX_BUFFER_BYTES = 64 * 2**20  # one buffer; a larger one is refused before it is looked at
MAX_INTEGER = 2**53 - 1  # what a browser's number holds exactly

Buffer: TypeAlias = "bytes | bytearray | memoryview"
Pins: TypeAlias = "tuple[tuple[float, float, float, float], ...]"  # x, y on the handle; x, y where it goes
ErrorCode = Literal["bad-input", "memory", "engine", "protocol", "too-large", "kernel"]
UndraftedReason = Literal["stale", "stopped", "memory", "error"]
SelectHow = Literal[
    "prepare", "piece", "object", "click", "box", "brush", "wand", "path",
    "grow", "shrink", "smooth", "fill_holes", "invert",
]  # fmt: skip
StateName = Literal["empty", "ready", "loading", "running", "stopping", "done", "error"]


class ProtocolError(ValueError):
    """A message that cannot be used.

    Attributes
    ----------
    code, run
        Of the `Error` reply.
    seq
        Of the `Undrafted` reply, for a draft's message.
    """

    def __init__(
        self, message: str, *, code: ErrorCode = "protocol", run: int | None = None, seq: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.run = run
        self.seq = seq
