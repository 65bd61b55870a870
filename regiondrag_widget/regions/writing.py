"""Write files whole or not at all: aside in the same folder, then renamed."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

__all__ = ["write_whole", "write_whole_bytes", "write_whole_text"]


def write_whole(path: str | os.PathLike[str], write: Callable[[BinaryIO], object]) -> Path:
    """Let ``write(file)`` fill a file that appears at ``path`` only once it is complete.

    Until then the earlier file stays. If anything fails, an interrupt included, no half-written file is left.

    Parameters
    ----------
    path
        Where the file goes; its folder must exist. A link stays, and the file it points to is replaced.
        An existing file's permissions stay.
    write
        Called once with a binary file that is open for writing.

    Returns
    -------
    Path
        The file that was written, links resolved.

    Raises
    ------
    OSError
        The place is a folder, a pipe or a device, or the file cannot be written; the message is one sentence
        (no such folder, no permission, disk full).
    """
    goal = Path(os.path.realpath(Path(path).expanduser()))  # through a link to the file it means
    if goal.is_dir():
        raise IsADirectoryError(f"{path} is a folder: give the name of a file in it")
    if not goal.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {goal.parent}")
    earlier = _mode_of_file(goal, path)
    short = goal.name.encode("utf-8", "ignore")[:100].decode(
        "utf-8", "ignore"
    )  # a name has 255 bytes at most
    aside = goal.with_name(f".{short}.{secrets.token_hex(6)}.part")
    try:
        with open(aside, "xb") as file:
            if earlier is not None:  # before anything is in it: what was private is never open to others
                os.chmod(aside, earlier)
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, goal)
    except OSError as error:
        kind = PermissionError if isinstance(error, PermissionError) else OSError
        raise kind(f"{path} could not be written: {error.strerror or error}") from error
    finally:
        aside.unlink(missing_ok=True)
    return goal


def write_whole_bytes(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file with `write_whole`, which says what may be raised."""
    return write_whole(path, lambda file: file.write(data))


def write_whole_text(path: str | os.PathLike[str], text: str) -> Path:
    """Write a UTF-8 text file with `write_whole`, which says what may be raised.

    Names of files that are no text are escaped.
    """
    return write_whole_bytes(path, text.encode("utf-8", "backslashreplace"))


def _mode_of_file(goal: Path, path: object) -> int | None:
    """The permissions of the file that is to be replaced, or None where there is none."""
    try:
        found = os.stat(goal)
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):  # a pipe would wait, and a device is not ours to replace
        raise OSError(f"{path} is a pipe or a device and is left alone: give the name of a file")
    return stat.S_IMODE(found.st_mode)
