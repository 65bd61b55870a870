"""A few named files in one folder or one .zip, written whole and read within limits."""

from __future__ import annotations

import contextlib
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias

from regiondrag_widget.regions.limits import MAX_MEMBERS
from regiondrag_widget.regions.writing import write_whole, write_whole_bytes

Reader: TypeAlias = Callable[[str, int], bytes]  # (plain name, most bytes allowed) -> content
Files: TypeAlias = Mapping[str, Callable[[], bytes]]  # name -> its content, made when it is written
Index: TypeAlias = Callable[[Mapping[str, str]], bytes]  # (name asked for -> name on disk) -> the index


def write_zip(path: Path, files: Files, name: str, index: Index) -> None:
    """Write one archive with the index first, so that it can be read without the rest.

    Parameters
    ----------
    path
        The archive; an earlier one stays until the new one is complete.
    files
        What goes into it besides the index.
    name, index
        The index file's name, and its content.
    """
    path.parent.mkdir(parents=True, exist_ok=True)

    def write(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, index({asked: asked for asked in files}))
            for asked, content in files.items():
                archive.writestr(asked, content())

    write_whole(path, write)


def write_folder(
    path: Path, files: Files, name: str, index: Index, named_in: Callable[[bytes], set[str]]
) -> None:
    """Write the files into a folder that is new, empty, or holds an earlier save, which is replaced.

    The earlier save is whole until the new one is: files go beside those that it names, under names of
    their own, and the index, which says what belongs together, is replaced last. Only then are the earlier
    files removed. A failure leaves the folder as it was.

    Parameters
    ----------
    path, files, name, index
        As for `write_zip`.
    named_in
        The names of the files that an index names.
    """
    if path.exists() and not path.is_dir():
        raise ValueError(f"{path} is a file: give a folder, or a name ending in .zip")
    present = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
    if name not in present and not present <= set(files):
        raise ValueError(f"{path} already holds other files: give a new folder")
    made = not path.is_dir()
    earlier = _earlier(path / name, named_in)
    mode = stat.S_IMODE((path / name).stat().st_mode) if earlier is not None else None
    path.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    try:
        names: dict[str, str] = {}
        for asked, content in files.items():
            goal = path / _free(asked, present | set(names.values()))
            written.append(goal)
            write_whole_bytes(goal, content())
            if mode is not None:
                goal.chmod(mode)
            names[asked] = goal.name
        write_whole_bytes(path / name, index(names))
    except BaseException:
        for goal in written:
            goal.unlink(missing_ok=True)
        if made:
            with contextlib.suppress(OSError):
                path.rmdir()
        raise
    for old in (earlier or set()) - set(names.values()):
        with contextlib.suppress(OSError):  # the save is complete: what is left over does no harm
            (path / old).unlink()


def _earlier(index: Path, named_in: Callable[[bytes], set[str]]) -> set[str] | None:
    """The files of an earlier save; None where there is none."""
    if not index.is_file():
        return None
    try:
        return {name for name in named_in(index.read_bytes()) if Path(name).name == name}
    except ValueError:  # damaged: what it named is not known, and stays
        return set()


def _free(name: str, taken: set[str]) -> str:
    """``name``, or one like it that is not taken."""
    stem, dot, ending = name.rpartition(".")
    number, free = 0, name
    while free in taken:
        number += 1
        free = f"{stem}-{number}{dot}{ending}"
    return free


@contextmanager
def open_reader(path: Path) -> Iterator[Reader]:
    """Yield a function that reads one file by its plain name; every failure is a ``ValueError``."""
    if path.is_dir():
        yield lambda name, limit: _read_file(path / name, limit)
        return
    if not path.exists():
        raise ValueError(f"{path} does not exist: give the folder or the .zip that save_regions wrote")
    if not path.is_file():  # opening a pipe would wait for ever
        raise ValueError(f"{path} is a pipe or a device: give the folder or the .zip that save_regions wrote")
    _require_few_members(path)
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, zlib.error) as error:
        raise ValueError(f"{path} is not a readable .zip: give what save_regions wrote") from error
    with archive:
        yield lambda name, limit: _read_member(archive, name, limit)


def _require_few_members(path: Path) -> None:
    """Refuse an archive of very many files by its last lines: Python would make an object of each."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 65_557))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    length = int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0
    if length > 300 * MAX_MEMBERS:
        raise ValueError(f"{path} holds more than {MAX_MEMBERS} files: it was not written by save_regions")


def _read_file(path: Path, limit: int) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError(f"{path.name} in {path.parent} is not a file: save the regions again")
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
    except MemoryError:
        raise
    except Exception as error:  # zipfile and its decompressors fail in many ways; each means the same
        raise ValueError(f"{name} in the .zip is damaged: save the regions again") from error
    return _within(data, name, limit)


def _within(data: bytes, name: str, limit: int) -> bytes:
    if len(data) > limit:
        raise ValueError(
            f"{name} is larger than the {limit} bytes it may have: it was not written by save_regions"
        )
    return data
