"""The one place where what the browser sends is checked: its messages, and what it writes into the traits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from regiondrag_widget.regions.codec import check_mask
from regiondrag_widget.regions.limits import MAX_PAIRS, MAX_PINS
from regiondrag_widget.regions.pair import ACTIONS
from regiondrag_widget.text import is_text, shown
from regiondrag_widget.widget.fields import Fields
from regiondrag_widget.widget.incoming import (
    Accept,
    Ack,
    Discard,
    Draft,
    DragEnded,
    Hello,
    Incoming,
    Load,
    Need,
    Ping,
    Restore,
    Run,
    Select,
    SentPair,
    Stats,
    Stop,
    Visible,
)
from regiondrag_widget.widget.protocol import (
    MAX_INTEGER,
    VERSION,
    Buffer,
    ErrorCode,
    ProtocolError,
    SelectHow,
)
from regiondrag_widget.widget.regions_state import CARRIES, CHOSEN, PROTECT, PairEntry, require_size
from regiondrag_widget.widget.sent_regions import require_room

MAX_COLOR = 1000
MAX_KEY = 100  # characters of a pair's key
MAX_POINTS = 4096  # of a stroke
MAX_AMOUNT = 10_000.0  # pixels that a mask is grown by, and the like
# how many points each kind of selection takes
_POINTS = {
    "piece": (1, 1),
    "object": (1, 1),
    "click": (1, MAX_POINTS),
    "box": (2, 2),
    "brush": (1, MAX_POINTS),
    "wand": (1, 1),
    "path": (2, 2),
}


def read_message(content: object, buffers: Sequence[Buffer] | None = None) -> Incoming:
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
            f"protocol version {shown(version)} is not understood, only {VERSION} is: reload the page"
        )
    kind = content.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise ProtocolError(f"unknown message type {shown(kind)}")
    run, seq = (_number(content.get(name)) for name in ("run", "seq"))

    def refused(words: str, code: ErrorCode) -> ProtocolError:
        return ProtocolError(words, code=code, run=run, seq=seq if kind == "draft" else None)

    return reader(Fields(content, f"message {kind!r}", refused, buffers or ()))


@dataclass(frozen=True)
class DrawnState:
    """What the browser wrote of the regions; None for what it did not write."""

    entries: tuple[PairEntry, ...] | None = None
    masks: Mapping[str, bytes] | None = None
    rev: int | None = None
    selected: int | None = None

    def as_traits(self) -> dict[str, Any]:
        """The traits it was written into, checked."""
        entries = None if self.entries is None else [entry.as_json() for entry in self.entries]
        masks = None if self.masks is None else dict(self.masks)
        found = {"_pairs": entries, "_masks": masks, "_regions_rev": self.rev, "_selected": self.selected}
        return {name: value for name, value in found.items() if value is not None}


def read_drawn(state: Mapping[str, Any], shape: tuple[int, int], known: Mapping[str, bytes]) -> DrawnState:
    """Read the regions' traits as the browser wrote them.

    Parameters
    ----------
    state
        Values by the trait's name; others than the regions' are ignored.
    shape
        (H, W) of the picture.
    known
        The masks that are there already: equal ones are not checked again.

    Raises
    ------
    ValueError
        Something in it is wrong; the words name it.
    """
    fields = Fields(state, "the drawing", lambda words, code: ValueError(words))
    return DrawnState(
        entries=_entries(fields) if "_pairs" in state else None,
        masks=_masks(fields, shape, known) if "_masks" in state else None,
        rev=fields.integer("_regions_rev") if "_regions_rev" in state else None,
        selected=fields.integer("_selected", least=-1) if "_selected" in state else None,
    )


# -- pairs ---------------------------------------------------------------------------------------------------


def read_entry(fields: Fields) -> PairEntry:
    """A pair's entry as `PairEntry.as_json` writes it."""
    return PairEntry(
        key=fields.text("id", least=1, most=MAX_KEY),
        name=fields.text("name", ""),
        matrix=fields.matrix("matrix"),
        color=fields.integer("color", most=MAX_COLOR, default=0),
        visible=fields.flag("visible", True),
        locked=fields.flag("locked", False),
        rev=fields.integer("rev", default=0),
        has_target=fields.flag("hasTarget", False),
        carry=_carry(fields),
        action=_action(fields),
        pins=fields.rows("pins", 4, MAX_PINS),  # type: ignore[arg-type]
        dense=None if fields.content.get("dense") is None else fields.text("dense", most=MAX_KEY),
    )


def _carry(fields: Fields) -> str | None:
    value = fields.content.get("carry")
    if value is None or (isinstance(value, str) and value in CARRIES):
        return value
    raise fields.refuse("carry", f"{', '.join(map(repr, CARRIES))} or null")


def _action(fields: Fields) -> str:
    value = fields.content.get("action", "move")
    if isinstance(value, str) and value in ACTIONS:
        return value
    raise fields.refuse("action", ", ".join(map(repr, ACTIONS)))


def _sent_pair(fields: Fields) -> SentPair:
    """A pair of a run or a draft: what of its entry an edit depends on, and where its masks are."""
    entry = read_entry(fields)
    handle, target = fields.index("handle"), fields.optional_index("target")
    chosen = fields.index("chosen") if entry.carry == CHOSEN else None
    return SentPair(
        key=entry.key,
        name=entry.name,
        matrix=entry.matrix,
        handle=handle,
        target=target,
        carry=entry.carry,
        chosen=chosen,
        action=entry.action,
        pins=entry.pins,
        dense=entry.dense,
    )


def _each(fields: Fields, name: str) -> list[Fields]:
    """The pairs of a list, each as its fields."""
    value = fields.content.get(name)
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)) or len(value) > MAX_PAIRS:
        raise fields.refuse("pairs", f"a list of at most {MAX_PAIRS}")
    return [fields.inner("every pair", item) for item in value]


def _entries(fields: Fields) -> tuple[PairEntry, ...]:
    entries = tuple(read_entry(item) for item in _each(fields, "_pairs"))
    _require_own_keys(fields, [entry.key for entry in entries])
    return entries


def _require_own_keys(fields: Fields, keys: Sequence[str]) -> None:
    if len(set(keys)) != len(keys):
        raise fields.refuse("every pair's id", "its own: two pairs have the same one")


def _masks(fields: Fields, shape: tuple[int, int], known: Mapping[str, bytes]) -> dict[str, bytes]:
    given = fields.mapping("_masks")
    if len(given) > 3 * MAX_PAIRS + 1:
        raise fields.refuse("masks", f"at most {3 * MAX_PAIRS + 1}")
    masks: dict[str, bytes] = {}
    for key, data in given.items():
        of_pair = key[:2] in ("h:", "t:", "c:") and len(key) <= MAX_KEY + 2 and is_text(key)
        if key != PROTECT and not of_pair:
            raise fields.refuse(f"mask {shown(key, 40)}", "called protect, or h:, t: or c: and a pair's id")
        if data is None:
            continue
        mask = fields.blob(f"mask {shown(key, 40)}", data)
        masks[key] = mask
    require_room(masks.values())
    for mask in set(masks.values()) - set(known.values()) - {b""}:
        require_size(mask, shape)
        check_mask(mask)
    return masks


# -- messages ------------------------------------------------------------------------------------------------


def _number(value: object) -> int | None:
    """The number of a run or a draft as far as a reply can name it."""
    usable = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_INTEGER
    return value if usable else None  # type: ignore[return-value]


def _hello(m: Fields) -> Hello:
    have = m.inner("have", m.content.get("have", {}))
    return Hello(m.text("view", ""), have.optional_integer("image"), have.optional_text("result"))


def _run(m: Fields) -> Run:
    return Run(m.integer("run"), **_asked(m))


def _draft(m: Fields) -> Draft:
    return Draft(m.integer("seq"), **_asked(m))


def _asked(m: Fields) -> dict[str, Any]:
    """The fields that a run and a draft share: what to edit and how."""
    pairs = tuple(_sent_pair(item) for item in _each(m, "pairs"))
    _require_own_keys(m, [pair.key for pair in pairs])
    return {
        "pairs": pairs,
        "params": m.mapping("params"),
        "rev": m.integer("rev", default=0),
        "protect": m.optional_index("protect"),
        "buffers": m.blobs(),
    }


def _need(m: Fields) -> Need:
    what = m.content.get("what")
    if what == "image" or what == "result" or what == "thumbs" or what == "masks":
        return Need(what, m.optional_text("result"))
    raise m.refuse("what", "'image', 'result', 'thumbs' or 'masks'")


def _load(m: Fields) -> Load:
    data = m.blobs()
    if len(data) != 1:
        raise m.refuse("the message", f"sent with one buffer, not {len(data)}")
    part, parts = m.integer("part", default=0), m.integer("parts", least=1, default=1)
    if part >= parts:
        raise m.refuse("part", f"below parts ({parts})")
    return Load(m.text("name", ""), m.text("mime", ""), data[0], part, parts, m.text("upload", ""))


def _select(m: Fields) -> Select:
    how = m.content.get("how")
    if not isinstance(how, str) or how not in get_args(SelectHow):
        raise m.refuse("how", ", ".join(map(repr, get_args(SelectHow))))
    points = m.points("points", MAX_POINTS)
    least, most = _POINTS.get(how, (0, 0))
    if not least <= len(points) <= most:
        raise m.refuse("points", f"{least} to {most} points for {how!r}")
    labels = m.flags("labels", len(points)) if how == "click" else ()
    masks = m.blobs()
    adjusts = how in ("grow", "shrink", "smooth", "fill_holes", "invert")
    if len(masks) != adjusts:
        raise m.refuse("the message", f"sent with {int(adjusts)} buffers, not {len(masks)}")
    return Select(
        seq=m.integer("seq"),
        rev=m.integer("rev"),
        how=cast("SelectHow", how),
        points=points,
        labels=labels,
        choice=m.integer("choice", most=1000, default=0),
        amount=m.number("amount", most=MAX_AMOUNT, default=0.0),
        contiguous=m.flag("contiguous", True),
        margin=m.flag("margin", False),
        mask=masks[0] if masks else b"",
    )


_READERS: dict[str, Callable[[Fields], Incoming]] = {
    "hello": _hello,
    "run": _run,
    "draft": _draft,
    "drag_ended": lambda m: DragEnded(m.integer("seq")),
    "stop": lambda m: Stop(m.integer("run")),
    "ack": lambda m: Ack(m.integer("run"), m.integer("seq")),
    "need": _need,
    "accept": lambda m: Accept(m.text("result")),
    "discard": lambda m: Discard(m.text("result")),
    "restore": lambda m: Restore(m.text("result")),
    "load": _load,
    "visible": lambda m: Visible(m.flag("visible")),
    "ping": lambda m: Ping(),
    "select": _select,
    "stats": lambda m: Stats(m.flag("on")),
}
