"""A few named files in one folder or one .zip, written whole and read within limits."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias

from regiondrag_widget.regions.writing import write_whole, write_whole_bytes

Reader: TypeAlias = Callable[[str, int], bytes]  # (plain name, most bytes allowed) -> content


def write_zip(path: Path, files: Mapping[str, bytes], index: str) -> None:
    """Write one archive with the index first, so that it can be read without the rest."""
    path.parent.mkdir(parents=True, exist_ok=True)

    def write(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in sorted(files, key=lambda name: name != index):
                archive.writestr(name, files[name])

    write_whole(path, write)


def write_folder(path: Path, files: Mapping[str, bytes], index: str) -> None:
    """Write the files into a folder that is new, empty, or holds an earlier save (it is replaced)."""
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file: give a folder, or a name ending in .zip")
    present = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
    if index not in present and not present <= set(files):
        raise ValueError(f"{path} already holds other files: give a new folder")
    path.mkdir(parents=True, exist_ok=True)
    for name in sorted(files, key=lambda name: name == index):
        write_whole_bytes(path / name, files[name])


@contextmanager
def open_reader(path: Path) -> Iterator[Reader]:
    """Yield a function that reads one file by its plain name; every failure is a ``ValueError``."""
    if path.is_dir():
        yield lambda name, limit: _read_file(path / name, limit)
    elif not path.exists():
        raise ValueError(f"{path} does not exist: give the folder or the .zip that save_regions wrote")
    else:
        try:
            archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise ValueError(f"{path} is not a readable .zip: give what save_regions wrote") from error
        with archive:
            yield lambda name, limit: _read_member(archive, name, limit)


def _read_file(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise ValueError(
            f"{path.name} is missing in {path.parent}: copy it there or save the regions again"
        ) from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    return _within(data, path.name, limit)


def _read_member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise ValueError(
            f"{name} is missing in the .zip: put the files themselves into it, not their folder, "
            "or save the regions again"
        ) from None
    if info.file_size > limit:
        raise ValueError(
            f"{name} is larger than the {limit} bytes it may have: it was not written by save_regions"
        )
    try:
        with archive.open(info) as file:
            data = file.read(limit + 1)  # bounded: a header may lie
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise ValueError(f"{name} in the .zip is damaged: save the regions again") from error
    return _within(data, name, limit)


def _within(data: bytes, name: str, limit: int) -> bytes:
    if len(data) > limit:
        raise ValueError(
            f"{name} is larger than the {limit} bytes it may have: it was not written by save_regions"
        )
    return data
