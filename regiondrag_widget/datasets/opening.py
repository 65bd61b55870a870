"""Open a data set of any kind that is known, by what its folder holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress

from regiondrag_widget.datasets.dragbench import load_dragbench
from regiondrag_widget.datasets.folders import load_folders
from regiondrag_widget.datasets.sample import Dataset

__all__ = ["KINDS", "open_dataset"]

KINDS: Mapping[str, Callable[[str | os.PathLike[str]], Dataset]] = {
    "dragbench": load_dragbench,
    "folders": load_folders,
}


def open_dataset(folder: str | os.PathLike[str], kind: str | None = None) -> Dataset:
    """Open a data set by a kind of `KINDS`, or by what the folder holds.

    Raises
    ------
    ValueError
        There is no such kind, or the folder holds none.
    OSError
        The folder is not there or cannot be read.
    """
    if kind is not None:
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is no kind of data set: use one of {', '.join(KINDS)}")
        return KINDS[kind](folder)
    for load in KINDS.values():
        with suppress(ValueError):
            return load(folder)
    raise ValueError(f"{folder} holds no samples of {', '.join(KINDS)}")
