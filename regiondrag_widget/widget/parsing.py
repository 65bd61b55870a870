"""Reads the browser's messages: each becomes one of protocol.py's classes, or is refused in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from regiondrag_widget.widget.protocol import (
    MAX_BUFFER_BYTES,
    MAX_PAIRS,
    MAX_TEXT,
    VERSION,
    Accept,
    Ack,
    Buffer,
    Discard,
    Draft,
    ErrorCode,
    Hello,
    Incoming,
    Load,
    Need,
    Ping,
    ProtocolError,
    Rest,
    Restore,
    Run,
    Stats,
    Stop,
    Visible,
    WirePair,
)


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
        The message is not an object, of another version, of an unknown type, lacks a field, has one of the
        wrong type, points at a buffer that is not there, or carries a buffer over `MAX_BUFFER_BYTES`.
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

    def refuse(self, name: str, wanted: str, code: ErrorCode = "protocol") -> ProtocolError:
        kind = self.content.get("type")
        seq = self._number("seq") if kind == "draft" else None
        return ProtocolError(
            f"message {kind!r}: {name} must be {wanted}", code=code, run=self._number("run"), seq=seq
        )

    def _number(self, name: str) -> int | None:
        value = self.content.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

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
                raise self.refuse(
                    "every buffer", f"at most {mib} MiB, one has {size / 2**20:.0f}", "too-large"
                )
        return tuple(bytes(buffer) for buffer in self._buffers)


def _hello(m: _Fields) -> Hello:
    have = _Fields({**m.mapping("have"), "type": "hello"}, ())
    return Hello(m.text("view", ""), have.optional_integer("image"), have.optional_text("result"))


def _run(m: _Fields) -> Run:
    return Run(m.integer("run"), **_asked(m))


def _draft(m: _Fields) -> Draft:
    return Draft(m.integer("seq"), **_asked(m))


def _asked(m: _Fields) -> dict[str, Any]:
    """The fields that a run and a draft share: what to edit and how."""
    wire = m.content.get("pairs")
    if not isinstance(wire, Sequence) or isinstance(wire, (str, bytes)) or len(wire) > MAX_PAIRS:
        raise m.refuse("pairs", f"a list of at most {MAX_PAIRS}")
    return {
        "params": m.mapping("params"),
        "rev": m.integer("rev", default=0),
        "pairs": tuple(_wire_pair(m, item) for item in wire),
        "protect": m.index("protect", optional=True),
        "buffers": m.blobs(),
    }


def _wire_pair(message: _Fields, item: object) -> WirePair:
    if not isinstance(item, Mapping):
        raise message.refuse("every pair", "an object")
    whose = {name: message.content.get(name) for name in ("type", "run", "seq")}
    m = _Fields({**item, **whose}, message._buffers)
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
    if what == "image" or what == "result" or what == "thumbs" or what == "masks":
        return Need(what, m.optional_text("result"))
    raise m.refuse("what", "'image', 'result', 'thumbs' or 'masks'")


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
    "draft": _draft,
    "rest": lambda m: Rest(m.integer("seq")),
    "stop": lambda m: Stop(m.integer("run")),
    "ack": lambda m: Ack(m.integer("run"), m.integer("seq")),
    "need": _need,
    "accept": lambda m: Accept(m.text("result")),
    "discard": lambda m: Discard(m.text("result")),
    "restore": lambda m: Restore(m.text("result")),
    "load": _load,
    "visible": lambda m: Visible(m.flag("visible")),
    "ping": lambda m: Ping(),
    "stats": lambda m: Stats(m.flag("on")),
}
