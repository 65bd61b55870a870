"""The messages from the browser to the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from regiondrag_widget.widget.protocol import Pins, SelectHow


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
