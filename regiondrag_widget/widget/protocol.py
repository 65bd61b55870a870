"""The messages between the browser and the kernel, version 1: both directions, and what is refused.

A message is a JSON object ``{"v": 1, "type": ..., ...}`` and, for some types, binary buffers.
`parsing.parse` turns what the browser sent into one of the `Incoming` classes or raises `ProtocolError`
with words that name the field; unknown fields are ignored, so that a newer browser half may say more.
`Outgoing` messages know their own wire form.
"""

from __future__ import annotations

from typing import TypeAlias

from regiondrag_widget.widget.incoming import (
    Accept,
    Ack,
    Discard,
    Draft,
    Hello,
    Incoming,
    Load,
    Need,
    Ping,
    Rest,
    Restore,
    Run,
    Stats,
    Stop,
    Visible,
    WirePair,
)
from regiondrag_widget.widget.outgoing import (
    VERSION,
    Blob,
    Done,
    Drafted,
    Error,
    ErrorCode,
    Measured,
    Outgoing,
    Pong,
    Preview,
    Ready,
    StateName,
    Status,
    Stopped,
    Undrafted,
    UndraftedReason,
)

__all__ = [
    "MAX_BUFFER_BYTES",
    "MAX_PAIRS",
    "MAX_TEXT",
    "VERSION",
    "Accept",
    "Ack",
    "Blob",
    "Buffer",
    "Discard",
    "Done",
    "Draft",
    "Drafted",
    "Error",
    "ErrorCode",
    "Hello",
    "Incoming",
    "Load",
    "Measured",
    "Need",
    "Outgoing",
    "Ping",
    "Pong",
    "Preview",
    "ProtocolError",
    "Ready",
    "Rest",
    "Restore",
    "Run",
    "StateName",
    "Stats",
    "Status",
    "Stop",
    "Stopped",
    "Undrafted",
    "UndraftedReason",
    "Visible",
    "WirePair",
]

MAX_BUFFER_BYTES = 64 * 2**20  # one buffer; a mask or a picture beyond this is refused before it is looked at
MAX_PAIRS = 512
MAX_TEXT = 10_000  # characters of any one string field

Buffer: TypeAlias = "bytes | bytearray | memoryview"


class ProtocolError(ValueError):
    """A message that cannot be used; ``code`` and ``run`` go into the `Error` reply, or ``seq`` into the
    `Undrafted` one.
    """

    def __init__(
        self, message: str, *, code: ErrorCode = "protocol", run: int | None = None, seq: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.run = run
        self.seq = seq
