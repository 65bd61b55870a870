"""Saving and loading a picture with its region pairs: one folder, or one .zip, of JSON and PNG."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from regiondrag_widget.regions.archive_parts import INDEX, PartReader, PartWriter, parsed_index
from regiondrag_widget.regions.container import open_reader
from regiondrag_widget.regions.limits import MAX_INDEX_BYTES, MAX_PAIRS
from regiondrag_widget.regions.mask import as_mask
from regiondrag_widget.regions.pairs import RegionPairs


def save_regions(path: str | os.PathLike[str], image: Any, pairs: Any, *, protect: Any = None) -> Path:
    """Write ``regions.json``, ``image.png``, ``handle_0.png``, ``target_0.png`` ... and return the path.

    Pins stand in ``regions.json``; a dense map is a file of its own, ``map_0.f32``.

    Parameters
    ----------
    path
        A folder, created if it is missing, or a file ending in ``.zip``. A failure leaves what was there as
        it was. Saved again into the same folder, files may get a number; ``regions.json`` names them.
    image
        A PIL image (EXIF orientation is applied) or an (H, W), (H, W, 3) or (H, W, 4) uint8 array.
    pairs
        A :class:`RegionPair` or several; the list may be empty. Equal masks are written once.
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
    writer = PartWriter()
    writer.index |= described(writer, _as_picture(image), RegionPairs.of(pairs), protect)
    return writer.write(Path(path))


def described(
    writer: PartWriter, picture: Image.Image, pairs: RegionPairs, protect: Any = None
) -> dict[str, Any]:
    """Give a picture and its regions to a writer; the index's entries of them.

    Raises
    ------
    ValueError
        As `save_regions`.
    """
    size = (picture.height, picture.width)
    if pairs.shape is not None and pairs.shape != size:
        height, width = pairs.shape
        raise ValueError(
            f"the picture is {picture.width}x{picture.height} but its regions are {width}x{height}: "
            "save them with the picture they were drawn on"
        )
    if len(pairs) > MAX_PAIRS:
        raise ValueError(f"{len(pairs)} pairs are more than {MAX_PAIRS}: save fewer")
    protected = None if protect is None else as_mask(protect, "protect")
    if protected is not None and protected.shape != size:
        raise ValueError(
            f"protect is {protected.shape[1]}x{protected.shape[0]} but the picture is "
            f"{picture.width}x{picture.height}: they must have the same size"
        )
    entry: dict[str, Any] = {
        "size": [picture.width, picture.height],
        "image": writer.picture("image", picture),
        "pairs": writer.pairs(pairs),
    }
    if protected is not None and protected.any():
        entry["protect"] = writer.mask("protect", protected)
    return entry


def load_regions(path: str | os.PathLike[str]) -> tuple[Image.Image, RegionPairs]:
    """Read the picture and the pairs that :func:`save_regions` wrote; `load_protect` reads the protect mask.

    Raises
    ------
    ValueError
        Nothing is there, parts are missing or damaged, sizes contradict each other or are too large, file
        names point elsewhere, or the version is newer. The message says what to do.
    """
    with open_reader(Path(path)) as read:
        index = parsed_index(read(INDEX, MAX_INDEX_BYTES))
        parts = PartReader(read)
        return parts.picture(index["image"], index["size"]), parts.pairs(index["pairs"], index["size"])


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
        index = parsed_index(read(INDEX, MAX_INDEX_BYTES))
        name = index.get("protect")
        return None if name is None else PartReader(read).mask(name, index["size"]).full


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
