"""Saving and loading a picture with its region pairs: one folder, or one .zip, of JSON and PNG."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from regiondrag_widget.regions.container import Reader, open_reader, write_folder, write_zip
from regiondrag_widget.regions.deformation_file import deformation_as_json, read_deformation
from regiondrag_widget.regions.limits import MAX_INDEX_BYTES, MAX_PAIRS, check_pixels, max_png_bytes
from regiondrag_widget.regions.mask import as_mask
from regiondrag_widget.regions.pair import RegionPair, RegionPairs

VERSION = 2  # what can be read; pairs without a deformation are written as version 1
_INDEX = "regions.json"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


def save_regions(path: str | os.PathLike[str], image: Any, pairs: Any, *, protect: Any = None) -> Path:
    """Write ``regions.json``, ``image.png``, ``handle_0.png``, ``target_0.png`` ... and return the path.

    Pins stand in ``regions.json``; a dense map is a file of its own, ``map_0.f32``.

    Parameters
    ----------
    path
        A folder, created if it is missing, or a file ending in ``.zip``. A failure leaves no partial file.
    image
        A PIL image (EXIF orientation is applied) or an (H, W), (H, W, 3) or (H, W, 4) uint8 array.
    pairs
        A :class:`RegionPair` or several; the list may be empty.
    protect
        (H, W) bool, set where nothing may change; it is saved as ``protect.png``. No file is written
        for None or an empty mask.

    Raises
    ------
    ValueError
        The picture and the masks differ in size, there are more than 512 pairs, their names are too long
        for the index, or the folder holds other things.
    OSError
        The place cannot be written.
    """
    path = Path(path)
    picture = _as_picture(image)
    region_pairs = RegionPairs.of(pairs)
    if region_pairs.shape is not None and region_pairs.shape != (picture.height, picture.width):
        height, width = region_pairs.shape
        raise ValueError(
            f"the picture is {picture.width}x{picture.height} but its regions are {width}x{height}: "
            "save them with the picture they were drawn on"
        )
    if len(region_pairs) > MAX_PAIRS:
        raise ValueError(f"{len(region_pairs)} pairs are more than {MAX_PAIRS}: save fewer")
    protected = None if protect is None else as_mask(protect, "protect")
    if protected is not None and protected.shape != (picture.height, picture.width):
        raise ValueError(
            f"protect is {protected.shape[1]}x{protected.shape[0]} but the picture is "
            f"{picture.width}x{picture.height}: they must have the same size"
        )
    files = {"image.png": _png(picture)}
    entries, version = [], 1
    for index, pair in enumerate(region_pairs):
        entry: dict[str, Any] = {"name": pair.name}
        masks = {"handle": pair.handle}
        if pair.moves:
            masks["target"] = pair.target
        if pair.action != "move":
            entry["action"] = pair.action
        if isinstance(pair.carry, np.ndarray):
            masks["carry_mask"] = pair.carry
        elif pair.carry is not None:
            entry["carry"] = pair.carry
        for part, mask in masks.items():
            entry[part] = f"{part}_{index}.png"
            files[entry[part]] = _png(Image.fromarray(mask))
        if pair.deformation is not None:
            version = VERSION
            described, data = deformation_as_json(pair.deformation, f"map_{index}.f32")
            files |= data
            entry |= described
        entries.append({**entry, "matrix": None if pair.matrix is None else pair.matrix.tolist()})
    index_json: dict[str, Any] = {
        "format": "regiondrag regions",
        "version": version,
        "size": [picture.width, picture.height],
        "image": "image.png",
        "pairs": entries,
    }
    if protected is not None and protected.any():
        files["protect.png"] = _png(Image.fromarray(protected))
        index_json["protect"] = "protect.png"
    index_bytes = json.dumps(index_json, indent=1, ensure_ascii=False).encode()
    if len(index_bytes) > MAX_INDEX_BYTES:
        raise ValueError(
            f"{_INDEX} would have {len(index_bytes)} bytes, and at most {MAX_INDEX_BYTES} are read: "
            "give the pairs shorter names"
        )
    files[_INDEX] = index_bytes  # last: it makes the rest valid
    write = write_zip if path.suffix.lower() == ".zip" else write_folder
    write(path, files, index=_INDEX)
    return path


def load_regions(path: str | os.PathLike[str]) -> tuple[Image.Image, RegionPairs]:
    """Read the picture and the pairs that :func:`save_regions` wrote; `load_protect` reads the protect mask.

    Raises
    ------
    ValueError
        Nothing is there, parts are missing or damaged, sizes contradict each other or are too large, file
        names point elsewhere, or the version is newer. The message says what to do.
    """
    with open_reader(Path(path)) as read:
        index = _parse_index(read(_INDEX, MAX_INDEX_BYTES))
        width, height = index["size"]
        picture = _read_png(read, index["image"], (width, height))
        pairs = RegionPairs()
        for number, entry in enumerate(index["pairs"]):
            masks = {}
            action = entry.get("action", "move")
            for part in ("handle",) if action == "remove" else ("handle", "target"):
                masks[part] = _read_mask(read, entry.get(part), (width, height))
            carry = entry.get("carry")
            if carry is not None and not isinstance(carry, str):
                raise ValueError(f"pair {number} in {_INDEX} cannot be used: its carry is no word")
            if "carry_mask" in entry:
                carry = _read_mask(read, entry["carry_mask"], (width, height))
            label = entry.get("name")
            try:
                matrix = entry.get("matrix")
                name = "" if label is None else label
                deformation = None
                if action != "remove":
                    deformation = read_deformation(entry, masks["handle"], lambda n, m: read(_plain(n), m))
                pair = RegionPair(
                    masks["handle"],
                    masks.get("target"),
                    matrix,
                    name=name,
                    carry=carry,
                    action=action,
                    deformation=deformation,
                )
                pairs.append(pair)
            except (ValueError, TypeError) as error:
                raise ValueError(f"pair {number} in {_INDEX} cannot be used: {error}") from error
    return picture, pairs


def load_protect(path: str | os.PathLike[str]) -> NDArray[np.bool_] | None:
    """Read the protect mask that :func:`save_regions` wrote.

    Returns
    -------
    Mask or None
        (H, W) bool, set where nothing may change; None when no such mask was saved.

    Raises
    ------
    ValueError
        As :func:`load_regions`.
    """
    with open_reader(Path(path)) as read:
        index = _parse_index(read(_INDEX, MAX_INDEX_BYTES))
        name = index.get("protect")
        return None if name is None else _read_mask(read, name, index["size"])


def _parse_index(data: bytes) -> dict[str, Any]:
    try:
        index = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{_INDEX} is not JSON: save the regions again") from error
    if not isinstance(index, dict) or not isinstance(index.get("version"), int):
        raise ValueError(f"{_INDEX} has no version: it was not written by save_regions")
    if index["version"] > VERSION:
        raise ValueError(f"{_INDEX} has version {index['version']}: upgrade regiondrag_widget to read it")
    size = index.get("size")
    if not (isinstance(size, list) and len(size) == 2 and all(type(n) is int and n > 0 for n in size)):
        raise ValueError(f"{_INDEX} has no size: it needs [width, height]")
    check_pixels(f"the picture that {_INDEX} announces", *size)
    pairs = index.get("pairs")
    if not isinstance(pairs, list) or len(pairs) > MAX_PAIRS or not all(isinstance(p, dict) for p in pairs):
        raise ValueError(f"{_INDEX} needs a list of at most {MAX_PAIRS} pairs")
    index.setdefault("image", "image.png")
    return index


def _plain(name: object) -> str:
    """Return a plain file name, or refuse one that could point to another folder."""
    if not isinstance(name, str) or not _PLAIN_NAME.fullmatch(name):
        raise ValueError(f"{_INDEX} names the file {name!r}: only plain names next to it are allowed")
    return name


def _as_picture(image: Any) -> Image.Image:
    if not isinstance(image, Image.Image):
        array = np.asarray(image)
        if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
            raise ValueError(
                f"image has shape {array.shape} of {array.dtype}: give a PIL image or an (H, W), (H, W, 3) "
                "or (H, W, 4) uint8 array"
            )
        return Image.fromarray(array)
    upright = ImageOps.exif_transpose(image)
    return upright if upright.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else upright.convert("RGB")


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _read_mask(read: Reader, name: object, size: Sequence[int]) -> NDArray[np.bool_]:
    return as_mask(_read_png(read, name, size).convert("L"), str(name))


def _read_png(read: Reader, name: object, size: Sequence[int]) -> Image.Image:
    name = _plain(name)
    data = read(name, max_png_bytes(*size))
    try:
        image = Image.open(io.BytesIO(data), formats=["PNG"])  # reads the header only
        if image.size != tuple(size):
            raise ValueError(
                f"{name} is {image.width}x{image.height} but {_INDEX} says {size[0]}x{size[1]}: "
                "save the regions again"
            )
        image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{name} is not a readable PNG: save the regions again") from error
    return image
