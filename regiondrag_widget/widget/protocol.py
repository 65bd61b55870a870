"""The messages between the browser and the kernel: one frozen dataclass each, both directions, version 1.

A message is a JSON object ``{"v": 1, "type": ..., ...}`` and, for some types, binary buffers. `parse` turns what the
browser sent into one of the `Incoming` classes or raises `ProtocolError` with words that name the field; unknown
fields are ignored, so that a newer browser half may say more. `Outgoing` messages know their own wire form.

No message has a top-level field called ``id``: ipykernel 7.4 keeps such a string as an unanswered request.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, Union

VERSION = 1
MAX_BUFFER_BYTES = 64 * 2**20  # one buffer; a mask or a picture beyond this is refused before it is looked at
MAX_PAIRS = 512
MAX_TEXT = 10_000  # characters of any one string field

Buffer = Union[bytes, bytearray, memoryview]


class ProtocolError(ValueError):
    """A message that cannot be used; ``code`` and ``run`` go into the `Error` reply."""

    def __init__(self, message: str, *, code: ErrorCode = "protocol", run: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.run = run


# -- browser to kernel --------------------------------------------------------------------------------------------------------


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
    visible: bool
    view: str = ""


@dataclass(frozen=True)
class Ping:
    pass


@dataclass(frozen=True)
class Stats:
    on: bool


Incoming = Union[
    Hello, Run, Stop, Ack, Need, Accept, Discard, Restore, Load, Visible, Ping, Stats
]  # fmt: skip


# -- kernel to browser --------------------------------------------------------------------------------------------------------

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
    """A JPEG of the picture after step ``step`` of ``total``; ``box`` is the part of the picture it covers."""

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


# -- parsing ------------------------------------------------------------------------------------------------------------------


def parse(content: object, buffers: Sequence[Buffer] | None = None) -> Incoming:
    """Read one message of the browser.

    Parameters
    ----------
    content
        The JSON part, as it came.
    buffers
        The binary parts; copied into immutable ``bytes``.

    Raises
    ------
    ProtocolError
        The message is not an object, of another version, of an unknown type, lacks a field, has one of the wrong
        type, points at a buffer that is not there, or carries a buffer over `MAX_BUFFER_BYTES`.
    """
    if not isinstance(content, Mapping):
        raise ProtocolError(f"a message must be an object, not {type(content).__name__}")
    version = content.get("v")
    if version != VERSION or isinstance(version, bool):
        raise ProtocolError(
            f"protocol version {version!r} is not understood, this kernel speaks {VERSION}: reload the page"
        )
    kind = content.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise ProtocolError(f"unknown message type {kind!r}"[:200])
    message = _Fields(content, buffers or ())
    return reader(message)


class _Fields:
    """Typed access to the fields of one message; every refusal names the message and the field."""

    def __init__(self, content: Mapping[str, Any], buffers: Sequence[Buffer]) -> None:
        self.content = content
        self._buffers = buffers
        run = content.get("run")
        self._run = run if isinstance(run, int) and not isinstance(run, bool) else None

    def refuse(self, name: str, wanted: str, code: ErrorCode = "protocol") -> ProtocolError:
        kind = self.content.get("type", "pair")
        return ProtocolError(f"message {kind!r}: {name} must be {wanted}", code=code, run=self._run)

    def integer(self, name: str, *, least: int = 0, default: int | None = None) -> int:
        value = self.content.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**53:
            raise self.refuse(name, f"a whole number of at least {least}")
        return value

    def optional_integer(self, name: str) -> int | None:
        return None if self.content.get(name) is None else self.integer(name)

    def text(self, name: str, default: str | None = None) -> str:
        value = self.content.get(name, default)
        if not isinstance(value, str) or len(value) > MAX_TEXT:
            raise self.refuse(name, f"a string of at most {MAX_TEXT} characters")
        return value

    def optional_text(self, name: str) -> str | None:
        return None if self.content.get(name) is None else self.text(name)

    def flag(self, name: str) -> bool:
        value = self.content.get(name)
        if not isinstance(value, bool):
            raise self.refuse(name, "true or false")
        return value

    def mapping(self, name: str) -> Mapping[str, Any]:
        value = self.content.get(name, {})
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise self.refuse(name, "an object")
        return value

    def index(self, name: str, *, optional: bool = False) -> int | None:
        if optional and self.content.get(name) is None:
            return None
        value = self.integer(name)
        if value >= len(self._buffers):
            raise self.refuse(name, f"the index of one of the {len(self._buffers)} buffers that came along")
        return value

    def blobs(self) -> tuple[bytes, ...]:
        for buffer in self._buffers:
            size = memoryview(buffer).nbytes
            if size > MAX_BUFFER_BYTES:
                mib = MAX_BUFFER_BYTES // 2**20
                raise self.refuse("every buffer", f"at most {mib} MiB, one has {size / 2**20:.0f}", "too-large")
        return tuple(bytes(buffer) for buffer in self._buffers)


def _hello(m: _Fields) -> Hello:
    have = _Fields({**m.mapping("have"), "type": "hello"}, ())
    return Hello(m.text("view", ""), have.optional_integer("image"), have.optional_text("result"))


def _run(m: _Fields) -> Run:
    number = m.integer("run")
    wire = m.content.get("pairs")
    if not isinstance(wire, Sequence) or isinstance(wire, (str, bytes)) or len(wire) > MAX_PAIRS:
        raise m.refuse("pairs", f"a list of at most {MAX_PAIRS}")
    return Run(
        run=number,
        params=m.mapping("params"),
        rev=m.integer("rev", default=0),
        pairs=tuple(_wire_pair(m, item) for item in wire),
        protect=m.index("protect", optional=True),
        buffers=m.blobs(),
    )


def _wire_pair(message: _Fields, item: object) -> WirePair:
    if not isinstance(item, Mapping):
        raise message.refuse("every pair", "an object")
    m = _Fields({**item, "type": "run", "run": message.content.get("run")}, message._buffers)
    handle = m.index("handle")
    assert handle is not None
    return WirePair(
        key=m.text("id"),
        name=m.text("name", ""),
        matrix=_matrix(m, item.get("matrix")),
        handle=handle,
        target=m.index("target", optional=True),
    )


def _matrix(m: _Fields, value: object) -> tuple[float, ...] | None:
    if value is None:
        return None
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and len(value) == 9:
        numbers = [v for v in value if isinstance(v, (int, float)) and not isinstance(v, bool)]
        if len(numbers) == 9 and all(math.isfinite(v) for v in numbers):
            return tuple(float(v) for v in numbers)
    raise m.refuse("matrix", "nine finite numbers or null")


def _need(m: _Fields) -> Need:
    what = m.content.get("what")
    if what == "image" or what == "result" or what == "thumbs":
        return Need(what, m.optional_text("result"))
    raise m.refuse("what", "'image', 'result' or 'thumbs'")


def _load(m: _Fields) -> Load:
    data = m.blobs()
    if len(data) != 1:
        raise m.refuse("the message", f"sent with one buffer, not {len(data)}")
    part, parts = m.integer("part", default=0), m.integer("parts", least=1, default=1)
    if part >= parts:
        raise m.refuse("part", f"below parts ({parts})")
    return Load(m.text("name", ""), m.text("mime", ""), data[0], part, parts, m.text("upload", ""))


_READERS: dict[str, Callable[[_Fields], Incoming]] = {
    "hello": _hello,
    "run": _run,
    "stop": lambda m: Stop(m.integer("run")),
    "ack": lambda m: Ack(m.integer("run"), m.integer("seq")),
    "need": _need,
    "accept": lambda m: Accept(m.text("result")),
    "discard": lambda m: Discard(m.text("result")),
    "restore": lambda m: Restore(m.text("result")),
    "load": _load,
    "visible": lambda m: Visible(m.flag("visible"), m.text("view", "")),
    "ping": lambda m: Ping(),
    "stats": lambda m: Stats(m.flag("on")),
}
