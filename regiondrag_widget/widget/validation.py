"""The one place where what the browser sends is checked: its messages, and what it writes into the traits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from regiondrag_widget.widget.messages import (
    MAX_BUFFER_BYTES,
    MAX_INTEGER,
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
    SentPair,
    Stats,
    Stop,
    Visible,
)
from regiondrag_widget.widget.regions_state import PROTECT, PairEntry, read_mask
from regiondrag_widget.widget.text import is_finite_number, is_text, shown

MAX_COLOR = 1000
MAX_KEY = 100  # characters of a pair's key


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

    return reader(_Fields(content, f"message {kind!r}", refused, buffers or ()))


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
        The masks that are there already: equal ones are not decoded again.

    Raises
    ------
    ValueError
        Something in it is wrong; the words name it.
    """
    fields = _Fields(state, "the drawing", lambda words, code: ValueError(words))
    return DrawnState(
        entries=_entries(fields) if "_pairs" in state else None,
        masks=_masks(fields, shape, known) if "_masks" in state else None,
        rev=fields.integer("_regions_rev") if "_regions_rev" in state else None,
        selected=fields.integer("_selected", least=-1) if "_selected" in state else None,
    )


class _Fields:
    """Typed access to the fields of an object; every refusal names the object and the field.

    Parameters
    ----------
    content
        The object.
    what
        How refusals call it.
    refused
        Makes the exception, of words and a code.
    buffers
        The binary parts that came along.
    """

    def __init__(
        self,
        content: Mapping[str, Any],
        what: str,
        refused: Callable[[str, ErrorCode], ValueError],
        buffers: Sequence[Buffer] = (),
    ) -> None:
        self.content = content
        self._what = what
        self._refused = refused
        self._buffers = buffers

    def refuse(self, name: str, wanted: str, code: ErrorCode = "protocol") -> ValueError:
        """The exception for a field that is not what is wanted."""
        return self._refused(f"{self._what}: {name} must be {wanted}", code)

    def inner(self, name: str, value: object, *, what: str | None = None) -> _Fields:
        """The fields of an object within this one."""
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise self.refuse(name, "an object")
        return _Fields(value, what or self._what, self._refused, self._buffers)

    def integer(
        self, name: str, *, least: int = 0, most: int = MAX_INTEGER, default: int | None = None
    ) -> int:
        """A whole number within its range."""
        value = self.content.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            limit = "" if most == MAX_INTEGER else f" and at most {most}"
            raise self.refuse(name, f"a whole number of at least {least}{limit}")
        return value

    def optional_integer(self, name: str) -> int | None:
        """A whole number from 0, or None."""
        return None if self.content.get(name) is None else self.integer(name)

    def text(self, name: str, default: str | None = None, *, least: int = 0, most: int = MAX_TEXT) -> str:
        """Valid text within its length."""
        value = self.content.get(name, default)
        if not isinstance(value, str) or not least <= len(value) <= most:
            raise self.refuse(name, f"a string of {f'{least} to' if least else 'at most'} {most} characters")
        if not is_text(value):
            raise self.refuse(name, "valid text: it contains half a character (a lone surrogate)")
        return value

    def optional_text(self, name: str) -> str | None:
        """Valid text, or None."""
        return None if self.content.get(name) is None else self.text(name)

    def flag(self, name: str, default: bool | None = None) -> bool:
        """True or False."""
        value = self.content.get(name, default)
        if not isinstance(value, bool):
            raise self.refuse(name, "true or false")
        return value

    def mapping(self, name: str) -> Mapping[str, Any]:
        """An object as it is; empty where there is none."""
        return self.inner(name, self.content.get(name, {})).content

    def matrix(self, name: str) -> tuple[float, ...] | None:
        """The nine numbers of a matrix row by row, or None."""
        value = self.content.get(name)
        if value is None:
            return None
        nine = isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and len(value) == 9
        if not nine or not all(is_finite_number(v) for v in value):
            raise self.refuse(name, "nine finite numbers or null")
        return tuple(float(v) for v in value)

    def index(self, name: str) -> int:
        """The index of a buffer that came along."""
        value = self.integer(name)
        if value >= len(self._buffers):
            raise self.refuse(name, f"the index of one of the {len(self._buffers)} buffers that came along")
        return value

    def optional_index(self, name: str) -> int | None:
        """The index of a buffer that came along, or None."""
        return None if self.content.get(name) is None else self.index(name)

    def blob(self, name: str, buffer: Any) -> bytes:
        """One binary part, immutable, its size checked before it is copied."""
        try:
            size = memoryview(buffer).nbytes
        except TypeError:
            raise self.refuse(name, "binary") from None
        if size > MAX_BUFFER_BYTES:
            limit = f"at most {MAX_BUFFER_BYTES // 2**20} MiB, one has {size / 2**20:.0f}"
            raise self.refuse(name, limit, "too-large")
        return bytes(buffer)

    def blobs(self) -> tuple[bytes, ...]:
        """All binary parts that came along."""
        return tuple(self.blob("every buffer", buffer) for buffer in self._buffers)


# -- pairs ---------------------------------------------------------------------------------------------------


def read_entry(fields: _Fields) -> PairEntry:
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
    )


def _sent_pair(fields: _Fields) -> SentPair:
    """A pair of a run or a draft: what of its entry an edit depends on, and where its masks are."""
    entry = read_entry(fields)
    handle, target = fields.index("handle"), fields.optional_index("target")
    return SentPair(entry.key, entry.name, entry.matrix, handle, target)


def _each(fields: _Fields, name: str) -> list[_Fields]:
    """The pairs of a list, each as its fields."""
    value = fields.content.get(name)
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)) or len(value) > MAX_PAIRS:
        raise fields.refuse("pairs", f"a list of at most {MAX_PAIRS}")
    return [fields.inner("every pair", item) for item in value]


def _entries(fields: _Fields) -> tuple[PairEntry, ...]:
    entries = tuple(read_entry(item) for item in _each(fields, "_pairs"))
    _require_own_keys(fields, [entry.key for entry in entries])
    return entries


def _require_own_keys(fields: _Fields, keys: Sequence[str]) -> None:
    if len(set(keys)) != len(keys):
        raise fields.refuse("every pair's id", "its own: two pairs have the same one")


def _masks(fields: _Fields, shape: tuple[int, int], known: Mapping[str, bytes]) -> dict[str, bytes]:
    given = fields.mapping("_masks")
    if len(given) > 2 * MAX_PAIRS + 1:
        raise fields.refuse("masks", f"at most {2 * MAX_PAIRS + 1}")
    masks: dict[str, bytes] = {}
    for key, data in given.items():
        named = key == PROTECT or (key[:2] in ("h:", "t:") and len(key) <= MAX_KEY + 2 and is_text(key))
        if not named:
            raise fields.refuse(f"mask {shown(key, 40)}", "called protect, or h: or t: and a pair's id")
        if data is None:
            continue
        mask = fields.blob(f"mask {shown(key, 40)}", data)
        if mask and known.get(key) != mask:
            read_mask(mask, shape)
        masks[key] = mask
    return masks


# -- messages ------------------------------------------------------------------------------------------------


def _number(value: object) -> int | None:
    """The number of a run or a draft as far as a reply can name it."""
    usable = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_INTEGER
    return value if usable else None  # type: ignore[return-value]


def _hello(m: _Fields) -> Hello:
    have = m.inner("have", m.content.get("have", {}))
    return Hello(m.text("view", ""), have.optional_integer("image"), have.optional_text("result"))


def _run(m: _Fields) -> Run:
    return Run(m.integer("run"), **_asked(m))


def _draft(m: _Fields) -> Draft:
    return Draft(m.integer("seq"), **_asked(m))


def _asked(m: _Fields) -> dict[str, Any]:
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
