"""Open a data set of any kind that is known, by what its folder holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress

from regiondrag_widget.datasets.dragbench import load_dragbench
from regiondrag_widget.datasets.folders import load_folders
from regiondrag_widget.datasets.prdbench import load_prdbench
from regiondrag_widget.datasets.red import load_red
from regiondrag_widget.datasets.sample import Dataset
from regiondrag_widget.datasets.vfd import load_vfd

__all__ = ["KINDS", "open_dataset"]

KINDS: Mapping[str, Callable[[str | os.PathLike[str]], Dataset]] = {
    "dragbench": load_dragbench,
    "folders": load_folders,
    "red": load_red,
    "vfd": load_vfd,
    "prdbench": load_prdbench,
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
    # ReD's samples have a picture of the same name as DragBench's
    for load in (load_folders, load_red, load_vfd, load_prdbench, load_dragbench):
        with suppress(ValueError):
            return load(folder)
    raise ValueError(f"{folder} holds no samples of {', '.join(KINDS)}")
