"""Read plain data from a pickle of a stranger: numbers, text, lists, dicts and numpy arrays, nothing else.

A pickle is a program: it may call anything that it can name. Here it can name only what numpy's arrays are
made of, and gets our own stand-ins for these, which check what they are given and keep it as plain bytes.
So no function of its choice runs. It is read by the Python half of the standard library, since the half in C
reserves as much memory as a pickle says, 32 GB for one of ten bytes; and of its instructions only those pass
that plain data needs.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_PICKLE_BYTES", "UnpicklingError", "read_pickle"]

MAX_PICKLE_BYTES = 16 * 2**20
MAX_DEPTH = 6  # of lists within lists
MAX_ITEMS = 2_000_000  # of all lists together
NUMBERS = "biuf"  # kinds of dtype: bool, signed, unsigned, floating


class UnpicklingError(ValueError):
    """A pickle that holds other things than plain data, or is damaged."""


def read_pickle(path: Path) -> Any:
    """Read plain data from a pickle, by an allow-list.

    Returns
    -------
    None, bool, int, float, str, bytes, list, dict or array
        Tuples come as lists; arrays hold numbers or bools.

    Raises
    ------
    UnpicklingError
        The file is damaged, too large, too deep, or names anything but numpy arrays and numbers.
    OSError
        It cannot be read.
    """
    size = path.stat().st_size
    if size > MAX_PICKLE_BYTES:
        raise UnpicklingError(f"{path.name} has {size} bytes, and at most {MAX_PICKLE_BYTES} are read")
    try:
        # safe: find_class below knows only checked stand-ins
        found = _Reader(io.BytesIO(path.read_bytes())).load()
    except UnpicklingError as error:
        raise UnpicklingError(f"{path.name} {error}") from None
    except Exception as error:  # a damaged pickle raises anything
        raise UnpicklingError(
            f"{path.name} is damaged or no pickle: {str(error) or type(error).__name__}"
        ) from error
    return _Plain(path.name).of(found)


class _Dtype:
    """Stands for ``numpy.dtype``."""

    __slots__ = ("dtype",)

    def __init__(self, name: Any, *_: Any) -> None:
        # numpy reads "f8,f8" or a dict as a record: only a kind and a size pass
        if not isinstance(name, str) or len(name) > 4 or name[:1] not in NUMBERS or not name[1:].isdigit():
            raise UnpicklingError(f"holds an array of {str(name)[:40]!r}: arrays of numbers alone are read")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: Any) -> None:
        order = state[1]
        if order in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """Stands for ``numpy.ndarray``, which is made empty and then given its state."""

    __slots__ = ("array",)

    def __init__(self, *_: Any) -> None:
        self.array: NDArray[Any] = np.empty(0)

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, data = state
        self.array = _array(data, dtype, shape, "F" if fortran else "C")


def _array(data: Any, dtype: Any, shape: Any, order: Any = "C") -> NDArray[Any]:
    """An array of the bytes given, which must be exactly as many as it needs."""
    if isinstance(data, str):  # of Python 2
        data = data.encode("latin-1")
    if not isinstance(dtype, _Dtype) or not isinstance(data, (bytes, bytearray)):
        raise UnpicklingError("holds an array of objects: arrays of numbers alone are read")
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape) or len(shape) > 4:
        raise UnpicklingError("holds an array of no proper shape")
    count = 1
    for n in shape:
        count *= n
    if count * dtype.dtype.itemsize != len(data):
        raise UnpicklingError(f"holds an array of shape {shape} with {len(data)} bytes, which do not fit")
    plain = np.frombuffer(bytes(data), dtype.dtype).reshape(shape, order="F" if order == "F" else "C")
    return np.ascontiguousarray(plain, plain.dtype.newbyteorder("="))


def _made_array(*_: Any) -> _Array:
    return _Array()


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    made = _Array()
    made.array = _array(data, dtype, shape, order)
    return made


def _scalar(dtype: Any, data: Any = b"") -> Any:
    return _array(data, dtype, ()).item()


def _encoded(text: Any, encoding: Any = "latin1") -> bytes:
    """Stands for ``_codecs.encode``, by which old protocols hold bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise UnpicklingError("holds bytes in an unknown way")
    return text.encode("latin-1")


class _Maker:
    """A function that a pickle may call and not change."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *args: Any) -> Any:
        return self._make(*args)

    def __setstate__(self, _: Any) -> None:
        raise UnpicklingError("changes a function: it was not run")


_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Maker(_made_array),
    ("numpy", "dtype"): _Maker(_Dtype),
    ("_codecs", "encode"): _Maker(_encoded),
}
for _package in ("numpy.core", "numpy._core"):
    _KNOWN[f"{_package}.multiarray", "_reconstruct"] = _Maker(_made_array)
    _KNOWN[f"{_package}.multiarray", "scalar"] = _Maker(_scalar)
    _KNOWN[f"{_package}.numeric", "_frombuffer"] = _Maker(_from_buffer)


# what plain data is written with, in any protocol; no sets, persistent names, extensions, or calls by INST
_INSTRUCTIONS = (
    "PROTO FRAME STOP MARK POP POP_MARK DUP PUT BINPUT LONG_BINPUT MEMOIZE GET BINGET LONG_BINGET "
    "NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 FLOAT BINFLOAT "
    "STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE BINUNICODE8 SHORT_BINUNICODE "
    "BINBYTES BINBYTES8 SHORT_BINBYTES BYTEARRAY8 "
    "LIST EMPTY_LIST APPEND APPENDS DICT EMPTY_DICT SETITEM SETITEMS "
    "TUPLE EMPTY_TUPLE TUPLE1 TUPLE2 TUPLE3 GLOBAL STACK_GLOBAL REDUCE BUILD"
)


_CODES = {getattr(pickle, name)[0] for name in _INSTRUCTIONS.split()}


def _refused(reader: pickle._Unpickler) -> None:
    raise UnpicklingError("holds things that are no plain data: it was not run")


class _Reader(pickle._Unpickler):
    """Gives a pickle the stand-ins above and no other name."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = {
        code: cast(Any, act) if code in _CODES else _refused
        for code, act in pickle._Unpickler.dispatch.items()
    }

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, encoding="latin1")

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a name; raises `UnpicklingError` for any other."""
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise UnpicklingError(
                f"names {_shown(module)}.{_shown(name)}, which is neither plain data nor a numpy array: it "
                "was not run"
            ) from None


def _shown(text: str) -> str:
    """A stranger's words for a terminal: short, without its commands."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:60])


class _Plain:
    """Turns stand-ins into arrays, and bounds how much there is."""

    def __init__(self, name: str) -> None:
        self._name, self._left = name, MAX_ITEMS

    def of(self, value: Any, depth: int = 0) -> Any:
        """The plain value of what was read."""
        if isinstance(value, _Array):
            return value.array
        if value is None or isinstance(value, (bool, int, float, str, bytes)):
            return value
        if depth == MAX_DEPTH:
            raise UnpicklingError(f"{self._name} holds lists within lists more than {MAX_DEPTH} deep")
        if isinstance(value, (list, tuple)):
            self._take(len(value))
            return [self.of(item, depth + 1) for item in value]
        if isinstance(value, dict):
            self._take(len(value))
            return {
                key: self.of(item, depth + 1) for key, item in value.items() if isinstance(key, (str, int))
            }
        raise UnpicklingError(f"{self._name} holds a {type(value).__name__.strip('_').lower()}")

    def _take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise UnpicklingError(f"{self._name} holds more than {MAX_ITEMS} values")
