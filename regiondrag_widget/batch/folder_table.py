"""Rows from a folder of pictures and masks, by their names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from regiondrag_widget.batch.csv_table import plain_name
from regiondrag_widget.batch.edit_row import SEPARATOR
from regiondrag_widget.batch.row import Row

__all__ = ["folder_rows"]

PICTURES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".webp",
    ".tif",
    ".tiff",
    ".bmp",
    ".gif",
    ".ppm",
    ".tga",
    ".avif",
    ".heic",
)
MASK = re.compile(r"(.+)[-._ ](handle|target|protect)(?:[-._ ]?(\d+))?", re.IGNORECASE)


def folder_rows(folder: Path) -> list[Row]:
    """Find the edits of a folder by the names of its files.

    ``duck.jpg`` is a picture; ``duck-handle.png`` and ``duck-target.png`` are its masks, with several pairs
    ``duck-handle-1.png``, ``duck-target-1.png`` and so on. ``duck-protect.png`` is white where nothing may
    change, and ``duck.txt`` has the prompt. Saved regions, a .zip or a folder with a ``regions.json``, are
    rows too.

    Parameters
    ----------
    folder
        Looked through by itself, without the folders in it that are no saved regions.

    Raises
    ------
    ValueError
        No picture is in it.
    """
    folder = folder.absolute()
    files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    pictures: dict[str, Path] = {}
    masks: dict[str, dict[str, list[tuple[int, Path]]]] = {}
    saved: list[Path] = []
    for path in files:
        if path.suffix.lower() == ".zip" or (path / "regions.json").is_file():
            saved.append(path)
        elif path.suffix.lower() in PICTURES and path.is_file():
            match = MASK.fullmatch(path.stem)
            if match is None:
                if path.stem in pictures:
                    raise ValueError(
                        f"{path.name} and {pictures[path.stem].name} have one name: rename one of them"
                    )
                pictures[path.stem] = path
            else:
                kinds = masks.setdefault(match[1], {})
                kinds.setdefault(match[2].lower(), []).append((int(match[3] or 0), path))
    stray = sorted(set(masks) - set(pictures))
    if stray:
        raise ValueError(
            f"{folder} has masks of {stray[0]!r} but no picture of that name, such as {stray[0]}.jpg"
        )
    if not pictures and not saved:
        raise ValueError(
            f"{folder} has no pictures: expected NAME.jpg with NAME-handle.png and NAME-target.png, saved "
            "regions, or a jobs.csv"
        )
    rows = [_row(path, masks.get(stem, {})) for stem, path in pictures.items()]
    return rows + [Row(plain_name(path.stem), {"regions": str(path)}, path.name) for path in saved]


def _row(picture: Path, masks: dict[str, list[tuple[int, Path]]]) -> Row:
    values: dict[str, Any] = {"picture": str(picture)}
    for kind, found in masks.items():
        values[kind] = SEPARATOR.join(str(path) for _, path in sorted(found))
    prompt = picture.with_suffix(".txt")
    if prompt.is_file():
        try:
            values["prompt"] = prompt.read_text("utf-8-sig").strip()
        except UnicodeDecodeError:
            raise ValueError(f"{prompt.name} is no UTF-8 text, which a prompt must be") from None
    return Row(plain_name(picture.stem), values, picture.name)
