"""Typed access to the fields of what the browser sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from regiondrag_widget.regions.limits import MAX_TEXT
from regiondrag_widget.text import is_finite_number, is_text
from regiondrag_widget.widget.protocol import MAX_BUFFER_BYTES, MAX_INTEGER, Buffer, ErrorCode


class Fields:
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

    def inner(self, name: str, value: object, *, what: str | None = None) -> Fields:
        """The fields of an object within this one."""
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise self.refuse(name, "an object")
        return Fields(value, what or self._what, self._refused, self._buffers)

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

    def number(self, name: str, *, least: float = 0.0, most: float, default: float) -> float:
        """A finite number within its range."""
        value = self.content.get(name, default)
        if not is_finite_number(value) or not least <= value <= most:
            raise self.refuse(name, f"a number from {least:g} to {most:g}")
        return float(value)

    def points(self, name: str, most: int) -> tuple[tuple[float, float], ...]:
        """Points (x, y) of finite numbers, as a list of pairs; none where there is none."""
        value = self.content.get(name, [])
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes)) or len(value) > most:
            raise self.refuse(name, f"a list of at most {most} points")
        for point in value:
            pair = isinstance(point, Sequence) and not isinstance(point, (str, bytes)) and len(point) == 2
            if not pair or not all(is_finite_number(v) for v in point):
                raise self.refuse(name, "points of two finite numbers each")
        return tuple((float(x), float(y)) for x, y in value)

    def flags(self, name: str, count: int) -> tuple[bool, ...]:
        """As many of True and False as asked for, as a list."""
        value = self.content.get(name)
        right = isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and len(value) == count
        if not right or not all(isinstance(v, bool) for v in value):  # type: ignore[union-attr]
            raise self.refuse(name, f"a list of {count} of true and false")
        return tuple(value)  # type: ignore[arg-type]

    def rows(self, name: str, columns: int, most: int) -> tuple[tuple[float, ...], ...] | None:
        """1 to ``most`` rows of ``columns`` finite numbers, or None."""
        value = self.content.get(name)
        if value is None:
            return None

        def listed(item: object, least: int, longest: int) -> bool:
            is_list = isinstance(item, Sequence) and not isinstance(item, (str, bytes))
            return is_list and least <= len(item) <= longest  # type: ignore[arg-type]

        fits = listed(value, 1, most) and all(listed(row, columns, columns) for row in value)
        if not fits or not all(is_finite_number(v) for row in value for v in row):
            raise self.refuse(name, f"1 to {most} rows of {columns} finite numbers, or null")
        return tuple(tuple(float(v) for v in row) for row in value)

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
