"""Files out, whole or not at all: written aside in the same folder, then renamed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def write_whole(path: str | os.PathLike[str], write: Callable[[BinaryIO], object]) -> Path:
    """Let ``write(file)`` fill a file that appears at ``path`` only once it is complete.

    Until then what stood at ``path`` stays, and whatever goes wrong, an interruption included, leaves nothing
    half-written behind.

    Raises
    ------
    OSError
        In one sentence: no such folder, no permission, the disk is full...
    """
    goal = Path(os.path.realpath(Path(path).expanduser()))  # through a link to the file it means
    if goal.is_dir():
        raise IsADirectoryError(f"{path} is a folder: give the name of a file in it")
    if not goal.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: there is no folder {goal.parent}")
    aside = goal.with_name(f".{goal.name[:100]}.{secrets.token_hex(6)}.part")
    try:
        with open(aside, "xb") as file:
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
