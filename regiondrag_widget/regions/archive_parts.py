"""The parts of saved regions: pictures and masks as PNG files, pairs as entries of the index."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from regiondrag_widget.regions.container import Reader, write_folder, write_zip
from regiondrag_widget.regions.deformation_file import deformation_as_json, read_deformation
from regiondrag_widget.regions.kept import KeptMask
from regiondrag_widget.regions.limits import (
    MAX_INDEX_BYTES,
    MAX_MASK_BYTES,
    MAX_PAIRS,
    check_pixels,
    max_png_bytes,
)
from regiondrag_widget.regions.mask import Mask, as_mask
from regiondrag_widget.regions.pair import RegionPair
from regiondrag_widget.regions.pairs import RegionPairs
from regiondrag_widget.regions.target import Deformation
from regiondrag_widget.text import require_text

INDEX = "regions.json"
VERSION = 2  # what can be read; pairs without a deformation are written as version 1
_NAMES_A_FILE = ("image", "before", "protect", "handle", "target", "carry_mask", "file")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


class PartWriter:
    """Collects what is to be saved and writes it whole.

    Attributes
    ----------
    index
        The index; names of files in it are those that `picture` and `mask` returned.
    """

    def __init__(self) -> None:
        self.index: dict[str, Any] = {"format": "regiondrag regions", "version": 1}
        self._files: dict[str, Callable[[], bytes]] = {}
        self._known: dict[Any, FileName] = {}

    def picture(
        self, stem: str, image: Image.Image, encode: Callable[[Image.Image], bytes] | None = None
    ) -> FileName:
        """The name of the file that a picture goes into; ``encode`` makes it a PNG."""
        encode = encode or png_of
        return self._add(id(image), f"{stem}.png", lambda: encode(image))

    def mask(self, stem: str, mask: Mask | KeptMask) -> FileName:
        """The name of the file that a mask goes into; equal ones share it."""
        kept = mask if isinstance(mask, KeptMask) else KeptMask(mask)
        return self._add(kept.digest(hashlib.blake2b), f"{stem}.png", lambda: png_of(_as_image(kept)))

    def pairs(self, pairs: Iterable[RegionPair], stem: str = "") -> list[dict[str, Any]]:
        """The index's entries of pairs; ``stem`` begins the names of their files."""
        entries = []
        for number, pair in enumerate(pairs):
            entry: dict[str, Any] = {"name": require_text("the pair's name", pair.name)}
            masks = {"handle": pair._handle}
            if pair.moves:
                masks["target"] = pair._target
            if pair.action != "move":
                entry["action"] = pair.action
            if isinstance(pair._carry, KeptMask):
                masks["carry_mask"] = pair._carry
            elif pair._carry is not None:
                entry["carry"] = pair._carry
            entry |= {part: self.mask(f"{stem}{part}_{number}", mask) for part, mask in masks.items()}
            if pair.deformation is not None:
                entry |= self._deformation(f"{stem}map_{number}", pair.deformation)
            entries.append({**entry, "matrix": None if pair.matrix is None else pair.matrix.tolist()})
        return entries

    def write(self, path: Path) -> Path:
        """Write everything into a folder or a .zip; raises as `archive.save_regions`."""
        size = len(self._index({name: name for name in self._files}))
        if size > MAX_INDEX_BYTES:
            raise ValueError(
                f"{INDEX} would have {size} bytes, and at most {MAX_INDEX_BYTES} are read: "
                "give the pairs shorter names"
            )
        if path.suffix.lower() == ".zip":
            write_zip(path, self._files, INDEX, self._index)
        else:
            write_folder(path, self._files, INDEX, self._index, names_in)
        return path

    def _deformation(self, stem: str, deformation: Deformation) -> dict[str, Any]:
        """The entry of a pair's deformation."""
        self.index["version"] = VERSION
        entry, files = deformation_as_json(deformation, f"{stem}.f32")
        for data in files.values():
            entry["map"]["file"] = self._add(deformation, f"{stem}.f32", partial(bytes, data))
        return entry

    def _add(self, key: Any, file: str, content: Callable[[], bytes]) -> FileName:
        if key not in self._known:
            name = FileName(file)
            self._known[key] = name
            self._files[name] = content
        return self._known[key]

    def _index(self, names: Any) -> bytes:
        return json.dumps(_renamed(self.index, names), indent=1, ensure_ascii=False).encode()


class FileName(str):
    """The name of a file in an index: on disk it may get a number."""

    __slots__ = ()


class PartReader:
    """Reads the parts of one save; what is named twice is read once.

    Parameters
    ----------
    read
        Reads one file within a limit.
    """

    def __init__(self, read: Reader) -> None:
        self._read = read
        self._masks: dict[str, KeptMask] = {}
        self._bytes = 0

    def picture(self, name: object, size: Sequence[int]) -> Image.Image:
        """A picture of (width, height) ``size``; ``ValueError`` where it is none, or of another size."""
        name = _plain(name)
        data = self._read(name, max_png_bytes(*size))
        try:
            image = Image.open(io.BytesIO(data), formats=["PNG"])  # reads the header only
            if image.size != tuple(size):
                raise ValueError(
                    f"{name} is {image.width}x{image.height} but {INDEX} says {size[0]}x{size[1]}: "
                    "save the regions again"
                )
            image.load()
        except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise ValueError(f"{name} is not a readable PNG: save the regions again") from error
        return image

    def mask(self, name: object, size: Sequence[int]) -> KeptMask:
        """A mask of (width, height) ``size``; ``ValueError`` as for pictures, or when all take too much."""
        name = _plain(name)
        known = self._masks.get(name)
        if known is None:
            image = self.picture(name, size)
            plain = np.asarray(image) if image.mode == "1" else as_mask(image.convert("L"), name)
            plain.flags.writeable = False
            known = self._masks[name] = KeptMask(plain)
            self._bytes += known.nbytes
            if self._bytes > MAX_MASK_BYTES:
                raise ValueError(
                    f"the masks take more than {MAX_MASK_BYTES / 2**20:.0f} MB packed: save fewer pairs"
                )
        elif (known.shape[1], known.shape[0]) != tuple(size):
            raise ValueError(f"{name} is used for pictures of different sizes: save the regions again")
        return known

    def pairs(self, entries: Sequence[dict[str, Any]], size: Sequence[int]) -> RegionPairs:
        """The pairs of an index, on a picture of (width, height) ``size``; ``ValueError`` names the pair."""
        pairs = RegionPairs()
        for number, entry in enumerate(entries):
            parts = ("handle",) if entry.get("action") == "remove" else ("handle", "target")
            masks = {part: self.mask(entry.get(part), size) for part in parts}
            carry = entry.get("carry")
            if carry is not None and not isinstance(carry, str):
                raise ValueError(f"pair {number} in {INDEX} cannot be used: its carry is no word")
            if "carry_mask" in entry:
                carry = self.mask(entry["carry_mask"], size).full
            pairs.append(self._pair(number, entry, masks, carry))
        return pairs

    def _pair(self, number: int, entry: dict[str, Any], masks: dict[str, KeptMask], carry: Any) -> RegionPair:
        label, matrix = entry.get("name"), entry.get("matrix")
        try:
            name = "" if label is None else label
            action = entry.get("action", "move")
            if action == "remove":
                return RegionPair.remove(masks["handle"], name=name, carry=carry)
            deformation = read_deformation(entry, masks["handle"], self._plain_file)
            return RegionPair(
                masks["handle"],
                masks["target"],
                matrix,
                name=name,
                carry=carry,
                action=action,
                deformation=deformation,
            )
        except (ValueError, TypeError) as error:
            raise ValueError(f"pair {number} in {INDEX} cannot be used: {error}") from error

    def _plain_file(self, name: object, limit: int) -> bytes:
        return self._read(_plain(name), limit)


def parsed_index(data: bytes) -> dict[str, Any]:
    """The index of a save; ``ValueError`` where it is damaged, of a newer version, or announces too much."""
    try:
        index = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{INDEX} is not JSON: save the regions again") from error
    if not isinstance(index, dict) or type(index.get("version")) is not int:
        raise ValueError(f"{INDEX} has no version: it was not written by save_regions")
    if index["version"] > VERSION:
        raise ValueError(f"{INDEX} has version {index['version']}: upgrade regiondrag_widget to read it")
    check_described(index)
    return index


def check_described(index: dict[str, Any]) -> None:
    """Refuse an index, or an entry like it, without size or list of pairs, or that announces too much."""
    size = index.get("size")
    if not (isinstance(size, list) and len(size) == 2 and all(type(n) is int and n > 0 for n in size)):
        raise ValueError(f"{INDEX} has no size: it needs [width, height]")
    check_pixels(f"the picture that {INDEX} announces", *size)
    pairs = index.get("pairs")
    if not isinstance(pairs, list) or len(pairs) > MAX_PAIRS or not all(isinstance(p, dict) for p in pairs):
        raise ValueError(f"{INDEX} needs a list of at most {MAX_PAIRS} pairs")
    index.setdefault("image", "image.png")


def names_in(index: bytes) -> set[str]:
    """The names of the files that an index names; ``ValueError`` where it is damaged."""

    def names(entry: dict[str, Any]) -> Iterable[str]:
        for key, value in entry.items():
            if isinstance(value, dict):
                yield from names(value)
            elif key in _NAMES_A_FILE and isinstance(value, str) and _PLAIN_NAME.fullmatch(value):
                yield value
            elif isinstance(value, list):
                for item in value:
                    yield from names(item) if isinstance(item, dict) else ()

    return set(names(parsed_index(index)))


def png_of(image: Image.Image) -> bytes:
    """A picture as the bytes of a PNG file, with its colour profile."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _as_image(mask: KeptMask) -> Image.Image:
    height, width = mask.shape
    return Image.frombytes("1", (width, height), np.packbits(mask.full, axis=1).tobytes())


def _renamed(value: Any, names: Any) -> Any:
    """The index with the names that its files have on disk."""
    if isinstance(value, FileName):
        return names[value]
    if isinstance(value, dict):
        return {key: _renamed(item, names) for key, item in value.items()}
    return [_renamed(item, names) for item in value] if isinstance(value, list) else value


def _plain(name: object) -> str:
    """Return a plain file name, or refuse one that could point to another folder."""
    if not isinstance(name, str) or not _PLAIN_NAME.fullmatch(name):
        raise ValueError(f"{INDEX} names the file {name!r}: only plain names next to it are allowed")
    return name
