"""The messages from the kernel to the browser, and their wire form."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from regiondrag_widget.widget.protocol import VERSION, ErrorCode, SelectHow, StateName, UndraftedReason


class Outgoing:
    """Base of the kernel's messages: `content` is the JSON part, `buffers` the binary one."""

    type: ClassVar[str]

    def content(self) -> dict[str, Any]:
        """The JSON object that is sent."""
        body = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "data"}  # type: ignore[arg-type]
        return {"v": VERSION, "type": self.type, **body}

    def buffers(self) -> list[bytes]:
        """The binary parts, immutable: large buffers are sent without a copy."""
        return [self.data] if hasattr(self, "data") else []


@dataclass(frozen=True)
class Ready(Outgoing):
    """The answer to `Hello`."""

    type: ClassVar[str] = "ready"
    kernel: str
    busy: bool
    run: int


@dataclass(frozen=True)
class Status(Outgoing):
    """What the newest run is doing; ``eta`` is in seconds."""

    type: ClassVar[str] = "status"
    state: StateName
    message: str
    step: int
    total: int
    eta: float | None
    run: int


@dataclass(frozen=True)
class Preview(Outgoing):
    """A JPEG of the picture after step ``step`` of ``total``.

    ``box`` is the part of the picture it covers, x0, y0, x1, y1.
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


@dataclass(frozen=True)
class Drafted(Outgoing):
    """A JPEG of the part of the picture that a draft changes: ``box`` is x0, y0, x1, y1 in picture pixels."""

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
    """There will be no picture of draft ``seq``.

    ``reason`` says why: something newer came (stale), it was ended (stopped), memory ran out, or it failed
    (error). ``message`` is for the user; empty when there is nothing to tell, or it was told before.
    """

    type: ClassVar[str] = "undrafted"
    seq: int
    reason: UndraftedReason
    message: str = ""


@dataclass(frozen=True)
class Mapped(Outgoing):
    """How a pair's handle goes to a painted target, or by a dense map: what the page cannot work out itself.

    ``pair`` and ``rev`` are as in `Carried`. ``edges`` are the left, top, right and bottom edge of a lattice
    over the target, of so many ``columns`` and ``rows`` of cells. ``data``, sent as a buffer, is the source
    x, y of each of its points, row by row, little-endian float32.
    """

    type: ClassVar[str] = "mapped"
    pair: str
    rev: int
    edges: tuple[float, float, float, float]
    columns: int
    rows: int
    data: bytes

    def content(self) -> dict[str, Any]:
        """The JSON object that is sent."""
        return {**super().content(), "edges": list(self.edges)}

    def buffers(self) -> list[bytes]:
        """The points."""
        return [self.data]


@dataclass(frozen=True)
class Carried(Outgoing):
    """What a pair's handle will carry, known before any run.

    ``pair`` is the pair's id, ``rev`` the revision of the regions that this belongs to: a page whose handle
    is newer drops it. ``verdict`` is a key of `imaging.carry.VERDICTS` and ``words`` says the same. ``data``
    is the mask of what is carried, ``larger`` the handle grown to the whole object where that goes on beyond
    it; both are sent as buffers, in the masks' format.
    """

    type: ClassVar[str] = "carried"
    pair: str
    rev: int
    verdict: str
    words: str
    data: bytes
    larger: bytes | None = None

    def content(self) -> dict[str, Any]:
        """The JSON object that is sent; ``larger`` says whether there is a second buffer."""
        return {**super().content(), "larger": self.larger is not None}

    def buffers(self) -> list[bytes]:
        """The mask, and the larger handle if there is one."""
        return [self.data] if self.larger is None else [self.data, self.larger]


@dataclass(frozen=True)
class Selected(Outgoing):
    """The answer to a `Select`.

    ``found`` is False where there is none: ``message`` says why, empty where the user is not to be told.
    ``path`` are x and y in turn, of the way that was asked for. ``data`` is the packed mask, sent as a
    buffer; there is no buffer where nothing is selected. It may be smaller than the picture: what is found
    among superpixels is sent as it is, so that the answer is as quick for a large picture.
    """

    type: ClassVar[str] = "selected"
    seq: int
    how: SelectHow
    found: bool
    message: str = ""
    path: tuple[int, ...] = ()
    data: bytes = b""

    def buffers(self) -> list[bytes]:
        """The mask, if there is one."""
        return [self.data] if self.data else []


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

    def as_dict(self) -> dict[str, Any]:
        """The fields alone, as the widget's ``measured`` trait shows them."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True)
class Done(Outgoing):
    """A run came to its end; ``result`` is its key in the history."""

    type: ClassVar[str] = "done"
    run: int
    result: str
    seconds: float


@dataclass(frozen=True)
class Stopped(Outgoing):
    """A run was stopped after ``step`` steps."""

    type: ClassVar[str] = "stopped"
    run: int
    step: int


@dataclass(frozen=True)
class Error(Outgoing):
    """A run failed, or a message could not be used (``run`` is None where it names none)."""

    type: ClassVar[str] = "error"
    run: int | None
    code: ErrorCode
    message: str
    remedy: str = ""


@dataclass(frozen=True)
class Blob(Outgoing):
    """The answer to a `Need` of an earlier result."""

    type: ClassVar[str] = "blob"
    what: str
    mime: str
    data: bytes
    result: str | None = None


@dataclass(frozen=True)
class Pong(Outgoing):
    """The answer to `Ping`."""

    type: ClassVar[str] = "pong"
