"""The messages between the browser and the kernel: one frozen dataclass each, both directions, version 1.

A message is a JSON object ``{"v": 1, "type": ..., ...}`` and, for some types, binary buffers.
`parsing.parse` turns what the browser sent into one of the `Incoming` classes or raises `ProtocolError`
with words that name the field; unknown fields are ignored, so that a newer browser half may say more.
`Outgoing` messages know their own wire form.

No message has a top-level field called ``id``: ipykernel 7.4 keeps such a string as an unanswered request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, TypeAlias

VERSION = 1
MAX_BUFFER_BYTES = 64 * 2**20  # one buffer; a mask or a picture beyond this is refused before it is looked at
MAX_PAIRS = 512
MAX_TEXT = 10_000  # characters of any one string field

Buffer: TypeAlias = "bytes | bytearray | memoryview"


class ProtocolError(ValueError):
    """A message that cannot be used; ``code`` and ``run`` go into the `Error` reply."""

    def __init__(self, message: str, *, code: ErrorCode = "protocol", run: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.run = run


# -- browser to kernel ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hello:
    """A view's model has started; ``image_rev`` and ``result_key`` say what it already has."""

    view: str
    image_rev: int | None = None
    result_key: str | None = None


@dataclass(frozen=True)
class WirePair:
    """One region pair of a `Run`: indices into the run's buffers, the matrix row by row (9 numbers)."""

    key: str
    name: str
    matrix: tuple[float, ...] | None
    handle: int
    target: int | None


@dataclass(frozen=True)
class Run:
    """Edit now. Self-contained: masks travel along, because traits may arrive later than this message."""

    run: int
    params: Mapping[str, Any]
    rev: int
    pairs: tuple[WirePair, ...]
    protect: int | None
    buffers: tuple[bytes, ...]


@dataclass(frozen=True)
class Stop:
    run: int


@dataclass(frozen=True)
class Ack:
    """The preview ``seq`` of ``run`` is on the screen."""

    run: int
    seq: int


@dataclass(frozen=True)
class Need:
    """Bytes are missing in the browser."""

    what: Literal["image", "result", "thumbs"]
    result: str | None = None


@dataclass(frozen=True)
class Accept:
    result: str


@dataclass(frozen=True)
class Discard:
    result: str


@dataclass(frozen=True)
class Restore:
    result: str


@dataclass(frozen=True)
class Load:
    """A new picture, or one of ``parts`` pieces of it (all with the same ``upload``)."""

    name: str
    mime: str
    data: bytes
    part: int = 0
    parts: int = 1
    upload: str = ""


@dataclass(frozen=True)
class Visible:
    """Some view of the page is on the screen, or none is."""

    visible: bool


@dataclass(frozen=True)
class Ping:
    pass


@dataclass(frozen=True)
class Stats:
    on: bool


Incoming: TypeAlias = (
    "Hello | Run | Stop | Ack | Need | Accept | Discard | Restore | Load | Visible | Ping | Stats"
)


# -- kernel to browser ---------------------------------------------------------------------------------------

ErrorCode = Literal["bad-input", "memory", "engine", "protocol", "too-large", "kernel"]
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
