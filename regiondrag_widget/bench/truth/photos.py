"""The photographs scenes are made of: a folder's test part, or the package's own pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage
from PIL import ImageOps, UnidentifiedImageError

from regiondrag_widget.bench.truth.split import series_of, split_photos
from regiondrag_widget.regions.limits import MAX_PIXELS

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
LEAST_SERIES = 2
LONGEST_SIDE = 1024
_LEAST_SIDE = 96


@dataclass(frozen=True)
class Photo:
    """A photograph (H, W, 3) uint8; pictures of one ``series`` never meet in a scene."""

    name: str
    series: str
    pixels: NDArray[np.uint8]


def load_photos(folder: Path, split: str = "test") -> list[Photo]:
    """Return a folder's photographs that the benchmark may use, sorted by name, at most 1024 pixels a side.

    Parameters
    ----------
    split
        ``"test"``, the part :func:`split_photos` keeps from training; ``"train"``, the rest; or ``"all"``.

    Raises
    ------
    ValueError
        It is not a folder, or it holds too few usable photographs of different subjects.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: give a folder of photographs")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    names = [path.name for path in files]
    train, test = split_photos(names)
    chosen = {"train": train, "test": test, "all": names}[split]
    photos = [photo for name in chosen if (photo := _load(folder / name)) is not None]
    found = len({photo.series for photo in photos})
    if found < LEAST_SERIES:
        remedy = (
            "give more photographs"
            if split == "all"
            else "give more photographs, or take them all with --split all"
        )
        raise ValueError(
            f"{folder} has {found} usable photographs in its {split} part, {LEAST_SERIES} needed: {remedy}"
        )
    return photos


def bundled_photos() -> list[Photo]:
    """Return the package's own pictures; the training data has none of them."""
    folder = Path(__file__).resolve().parents[2] / "assets"
    files = sorted(path for path in folder.glob("*.jpg")) if folder.is_dir() else []
    return [photo for path in files if (photo := _load(path)) is not None]


def others(photos: Sequence[Photo], series: str) -> list[Photo]:
    """Return the photographs of other series."""
    return [photo for photo in photos if photo.series != series]


def _load(path: Path) -> Photo | None:
    try:
        with PILImage.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS or min(picture.size) < _LEAST_SIDE:
                return None
            upright = ImageOps.exif_transpose(picture).convert("RGB")
            upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE), PILImage.Resampling.LANCZOS)
            return Photo(path.stem, series_of(path.name), np.asarray(upright))
    except (OSError, UnidentifiedImageError, ValueError):
        return None
