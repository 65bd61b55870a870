"""What the browser says to the kernel: one frozen dataclass a message, made by `parsing.parse`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias


@dataclass(frozen=True)
class Hello:
    """A view's model has started; ``image_rev`` and ``result_key`` say what it already has."""

    view: str
    image_rev: int | None = None
    result_key: str | None = None


@dataclass(frozen=True)
class WirePair:
    """One region pair of a `Run` or `Draft`: indices into its buffers, the matrix row by row (9 numbers)."""

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
class Draft:
    """Edit in few steps, for a look while the pointer moves; ``seq`` rises for the life of a page.

    Answered by one `Drafted` or one `Undrafted`. Self-contained, as a `Run`.
    """

    seq: int
    params: Mapping[str, Any]
    rev: int
    pairs: tuple[WirePair, ...]
    protect: int | None
    buffers: tuple[bytes, ...]


@dataclass(frozen=True)
class Rest:
    """The drag ended without a run: drafts up to ``seq`` are void."""

    seq: int


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

    what: Literal["image", "result", "thumbs", "masks"]
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
    """The read-out is opened or closed: `Measured` is the answer, and follows what changes while it is
    open.
    """

    on: bool


Incoming: TypeAlias = (
    "Hello | Run | Draft | Rest | Stop | Ack | Need | Accept | Discard | Restore | Load | Visible | Ping"
    " | Stats"
)
