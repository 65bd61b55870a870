"""The messages between the browser and the kernel, version 1, in both directions.

A message is a JSON object ``{"v": 1, "type": ..., ...}`` and, for some types, binary buffers. Each type is
one frozen dataclass here. `validation.read_message` makes the browser's ones (`Incoming`) from what arrives;
the kernel's ones (`Outgoing`) know their own wire form. Unknown fields are ignored, so that a newer page may
send more.

No message has a top-level field called ``id``: ipykernel 7.4 keeps such a string as an unanswered request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, TypeAlias

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


# -- from the browser ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Hello:
    """A page has started; ``image_rev`` and ``result_key`` say what it already has."""

    view: str
    image_rev: int | None = None
    result_key: str | None = None


@dataclass(frozen=True)
class SentPair:
    """A region pair of a `Run` or `Draft`.

    ``handle``, ``target`` and ``chosen`` are indices into the message's buffers, ``matrix`` the nine numbers
    row by row; ``carry``, ``action``, ``pins`` and ``dense`` are as in `PairEntry`.
    """

    key: str
    name: str
    matrix: tuple[float, ...] | None
    handle: int
    target: int | None
    carry: str | None = None
    chosen: int | None = None
    action: str = "move"
    pins: Pins | None = None
    dense: str | None = None


@dataclass(frozen=True)
class Run:
    """Edit now. The masks are sent along, because traits may arrive later than this message."""

    run: int
    params: Mapping[str, Any]
    rev: int
    pairs: tuple[SentPair, ...]
    protect: int | None
    buffers: tuple[bytes, ...]


@dataclass(frozen=True)
class Draft:
    """Edit in few steps, as a look while the pointer moves; ``seq`` rises for the life of a page.

    Answered by one `Drafted` or one `Undrafted`. The masks are sent along, as with a `Run`.
    """

    seq: int
    params: Mapping[str, Any]
    rev: int
    pairs: tuple[SentPair, ...]
    protect: int | None
    buffers: tuple[bytes, ...]


@dataclass(frozen=True)
class DragEnded:
    """The drag ended without a run: drafts up to ``seq`` are not wanted any more."""

    seq: int


@dataclass(frozen=True)
class Stop:
    """Stop run ``run``."""

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
    """Make this result the picture."""

    result: str


@dataclass(frozen=True)
class Discard:
    """Take this result off the screen."""

    result: str


@dataclass(frozen=True)
class Restore:
    """Bring this result back, with what it was made of."""

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
    """Are you there? Answered by `Pong`."""


@dataclass(frozen=True)
class Stats:
    """The read-out is opened or closed. Answered by `Measured`, and again when that changes."""

    on: bool


@dataclass(frozen=True)
class Select:
    """What would this select? Answered by one `Selected`; ``seq`` rises for the life of a page.

    Attributes
    ----------
    rev
        The number of the picture that is asked about.
    how
        "prepare" makes the picture ready for what follows; "piece" is the superpixel at a point, "object"
        what a click there would select, "click" the object that clicks mean, "box" the object between two
        corners, "brush" the superpixels along a stroke, "wand" what has the colour of a point, "path" the way
        along edges from a point to another; the rest adjusts a mask.
    points
        (x, y) in pixels of the picture.
    labels
        For each point of a click, whether it lies in the object.
    choice
        Which of the objects that clicks may mean: 0 for the likeliest. Counted round where there are fewer.
    amount
        The brush's radius, the wand's tolerance, or by how many pixels a mask is adjusted.
    contiguous
        Whether the wand takes only what hangs together.
    margin
        Whether what is found is to have a little ground around it, as a handle needs.
    mask
        The packed mask that is adjusted.
    """

    seq: int
    rev: int
    how: SelectHow
    points: tuple[tuple[float, float], ...] = ()
    labels: tuple[bool, ...] = ()
    choice: int = 0
    amount: float = 0.0
    contiguous: bool = True
    margin: bool = False
    mask: bytes = b""


Incoming: TypeAlias = (
    "Hello | Run | Draft | DragEnded | Stop | Ack | Need | Accept | Discard | Restore | Load | Visible | Ping"
    " | Stats | Select"
)


# -- to the browser ------------------------------------------------------------------------------------------


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
