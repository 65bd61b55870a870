"""Where the samples of a data set are."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

__all__ = ["require_folder", "sample_folders"]

MAX_DEPTH = 8  # folders within folders
PICTURES = (".png", ".jpg", ".jpeg", ".webp")


def require_folder(folder: str | os.PathLike[str]) -> Path:
    """The folder's path; raises ``FileNotFoundError`` or ``NotADirectoryError`` where there is none."""
    path = Path(folder)
    if not path.exists():
        raise FileNotFoundError(f"there is no folder {path}")
    if not path.is_dir():
        raise NotADirectoryError(f"{path} is no folder: give the data set's folder")
    return path


def sample_folders(root: Path, files: Collection[str]) -> Iterator[tuple[str, Path]]:
    """Every folder that is a sample, by path, with its name: the path below ``root``.

    A folder is a sample when it has any of these files. One with pictures and no folders below is one too:
    it is told as incomplete rather than passed over. Names that begin with a dot are passed over.
    """
    found = list(_below(root, files, 0, set()))
    if not any(complete for _, complete in found):
        return
    for folder, _ in found:
        yield (folder.relative_to(root).as_posix() if folder != root else root.name), folder


def _below(folder: Path, files: Collection[str], depth: int, seen: set[Path]) -> Iterator[tuple[Path, bool]]:
    place = folder.resolve()
    if place in seen:  # a link leads round
        return
    seen.add(place)
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        if depth == 0:
            raise
        yield folder, False  # told when it is read
        return
    names = {path.name for path in inside}
    folders = [path for path in inside if path.is_dir() and not path.name.startswith(".")]
    if names & set(files):
        yield folder, True
    elif not folders and any(path.suffix.lower() in PICTURES for path in inside):
        yield folder, False
    if depth < MAX_DEPTH:
        for path in folders:
            yield from _below(path, files, depth + 1, seen)
