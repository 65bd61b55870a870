"""Contact sheets: a sample in a row, the picture with its regions and points first, then each method's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont

from regiondrag_widget.datasets import Sample

__all__ = ["drawn", "sheet", "write_sheets"]

Picture = NDArray[np.uint8]

TILE, BANNER, ROWS = 192, 18, 8
HANDLE, TARGET, EDITABLE = (255, 150, 0), (0, 140, 255), (200, 200, 200)
EMPTY = 235


def write_sheets(
    samples: Sequence[Sample], pictures: Mapping[str, Mapping[str, tuple[Path, str]]], folder: Path
) -> list[str]:
    """Write ``sheet-1.jpg`` and so on, eight samples each; returns the names of the files.

    Parameters
    ----------
    samples
        The rows.
    pictures
        {column: {sample: (file of its picture, caption)}}; a sample that a column lacks is left empty.
    folder
        Where the sheets go.
    """
    names = []
    for number, first in enumerate(range(0, len(samples), ROWS), start=1):
        name = f"sheet-{number}.jpg"
        rows = [
            [(drawn(sample), sample.name), *(_of(sample, column) for column in pictures.values())]
            for sample in samples[first : first + ROWS]
        ]
        sheet(["before", *pictures], rows).save(folder / name, quality=85)
        names.append(name)
    return names


def sheet(header: Sequence[str], rows: Sequence[Sequence[tuple[Picture | None, str]]]) -> PILImage.Image:
    """One page of pictures with their captions; None leaves a place empty."""
    strips = [np.hstack([_label(text) for text in header])]
    strips += [np.hstack([_tile(picture, caption) for picture, caption in row]) for row in rows]
    return PILImage.fromarray(np.vstack(strips))


def drawn(sample: Sample) -> Picture:
    """The picture with handles outlined in orange, targets in blue, and an arrow for each point."""
    shown = sample.image.copy()
    outlines = [(np.asarray(pair.handle), HANDLE) for pair in sample.pairs]
    outlines += [(np.asarray(pair.target), TARGET) for pair in sample.pairs if pair.moves]
    if sample.editable is not None:
        outlines.insert(0, (sample.editable, EDITABLE))
    for mask, colour in outlines:
        found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(shown, found, -1, colour, max(1, max(shown.shape) // 200))
    for handle, target in np.rint(sample.points).astype(int).tolist():
        cv2.arrowedLine(shown, handle, target, (255, 255, 255), 1, cv2.LINE_AA, tipLength=0.15)
    return shown


def _of(sample: Sample, column: Mapping[str, tuple[Path, str]]) -> tuple[Picture | None, str]:
    if sample.name not in column:
        return None, "not done"
    path, caption = column[sample.name]
    with PILImage.open(path) as picture:
        return np.asarray(picture.convert("RGB")), caption


def _tile(picture: Picture | None, caption: str) -> Picture:
    canvas = np.full((TILE, TILE, 3), EMPTY if picture is None else 255, np.uint8)
    if picture is not None:
        scale = TILE / max(picture.shape[:2])
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how)
        canvas[: small.shape[0], : small.shape[1]] = small[:TILE, :TILE]
    return np.vstack([canvas, _label(caption)])


def _label(text: str) -> Picture:
    banner = PILImage.new("RGB", (TILE, BANNER), "white")
    ImageDraw.Draw(banner).text((3, 3), text, fill="black", font=ImageFont.load_default(11))
    return np.asarray(banner)
