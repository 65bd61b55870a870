"""Where a command writes, refused before any work where it could not be written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

__all__ = ["require_place", "with_ending"]


def with_ending(output: Path) -> Path:
    """A file's name with .png where it has no ending; folders and devices as they are, to be refused."""
    other = output.exists() and not output.is_file()
    return output if not output.name or output.suffix or other else output.with_name(output.name + ".png")


def require_place(output: Path, what: str, inputs: Iterable[Path | None]) -> None:
    """Refuse a file that could not be written, or that is an input.

    Parameters
    ----------
    output
        The file to write.
    what
        What is written, for the messages: "the result".
    inputs
        Files that must not be overwritten; None stands for none.

    Raises
    ------
    ValueError
        It is a folder, a device or a pipe, or one of the inputs.
    OSError
        Its folder is not there (``FileNotFoundError``), or nothing can be written to it.
    """
    if not output.name or output.is_dir():
        raise ValueError(f"-o {output} is a folder: name a file for {what}")
    if output.exists() and not output.is_file():
        raise ValueError(f"-o {output} is a device or a pipe: name a file for {what}")
    if not output.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {output.parent} for {what}")
    try:
        with tempfile.TemporaryFile(dir=output.parent):
            pass
    except OSError as error:
        raise OSError(f"nothing can be written to the folder {output.parent}: {error.strerror}") from error
    if output.exists():
        for given in inputs:
            if given is not None and given.exists() and os.path.samefile(output, given):
                raise ValueError(
                    f"-o {output} is one of the inputs, which are never overwritten: choose another name"
                )
