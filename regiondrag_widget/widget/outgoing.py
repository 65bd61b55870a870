"""What the kernel says to the browser: one frozen dataclass a message, each of which knows its wire form.

No message has a top-level field called ``id``: ipykernel 7.4 keeps such a string as an unanswered request.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

VERSION = 1

ErrorCode = Literal["bad-input", "memory", "engine", "protocol", "too-large", "kernel"]
UndraftedReason = Literal["stale", "stopped", "memory", "error"]
StateName = Literal["empty", "ready", "loading", "running", "stopping", "done", "error"]


class Outgoing:
    """Base of the kernel's messages: `content` is the JSON part, `buffers` the binary one."""

    type: ClassVar[str]

    def content(self) -> dict[str, Any]:
        """The JSON object that goes over the wire."""
        body = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "data"}  # type: ignore[arg-type]
        return {"v": VERSION, "type": self.type, **body}

    def buffers(self) -> list[bytes]:
        """The binary parts, immutable: large buffers are sent without a copy."""
        return [self.data] if hasattr(self, "data") else []


@dataclass(frozen=True)
class Ready(Outgoing):
    type: ClassVar[str] = "ready"
    kernel: str
    busy: bool
    run: int


@dataclass(frozen=True)
class Status(Outgoing):
    type: ClassVar[str] = "status"
    state: StateName
    message: str
    step: int
    total: int
    eta: float | None
    run: int


@dataclass(frozen=True)
class Preview(Outgoing):
    """A JPEG of the picture after step ``step`` of ``total``; ``box`` is the part of the picture it
    covers.
    """

    type: ClassVar[str] = "preview"
    run: int
    seq: int
    step: int
    total: int
    width: int
    height: int
    box: tuple[int, int, int, int]
    data: bytes
    mime: str = "image/jpeg"
    kind: Literal["step", "draft"] = "step"


@dataclass(frozen=True)
class Drafted(Outgoing):
    """A JPEG of the part of the picture that a draft touches: ``box`` is x0, y0, x1, y1 in picture pixels."""

    type: ClassVar[str] = "drafted"
    seq: int
    width: int
    height: int
    box: tuple[int, int, int, int]
    seconds: float
    data: bytes
    mime: str = "image/jpeg"


@dataclass(frozen=True)
class Undrafted(Outgoing):
    """There will be no picture of draft ``seq``: something newer came (stale), it was ended (stopped), memory
    ran out, or it failed. ``message`` is for the user; empty when there is nothing to tell, or it was told.
    """

    type: ClassVar[str] = "undrafted"
    seq: int
    reason: UndraftedReason
    message: str = ""


@dataclass(frozen=True)
class Measured(Outgoing):
    """How fast drafts are here, and what they run on.

    ``draft_ms`` is the median of the latest drafts, None before the first; ``live`` whether the automatic
    setting means on; ``memory`` and ``budget`` are bytes of the prepared pictures.
    """

    type: ClassVar[str] = "measured"
    draft_ms: float | None
    live: bool
    device: str
    dtype: str
    memory: int
    budget: int
    note: str = ""


@dataclass(frozen=True)
class Done(Outgoing):
    type: ClassVar[str] = "done"
    run: int
    result: str
    seconds: float


@dataclass(frozen=True)
class Stopped(Outgoing):
    type: ClassVar[str] = "stopped"
    run: int
    step: int


@dataclass(frozen=True)
class Error(Outgoing):
    type: ClassVar[str] = "error"
    run: int | None
    code: ErrorCode
    message: str
    remedy: str = ""


@dataclass(frozen=True)
class Blob(Outgoing):
    type: ClassVar[str] = "blob"
    what: str
    mime: str
    data: bytes
    result: str | None = None


@dataclass(frozen=True)
class Pong(Outgoing):
    type: ClassVar[str] = "pong"
