"""What a child process runs: importable by its name, as process pools need it."""

from __future__ import annotations

import os

import numpy as np
import torch

import regiondrag_widget as rd
from tests.unit.engine_kit import box_pair, picture, tiny_pipeline

SHAPE = (96, 128)


def edit_in_a_pool(seed: int) -> rd.EditResult:
    """A whole edit by a tiny random network: the result is sent back to the parent."""
    torch.set_num_threads(1)
    return rd.edit(picture(*SHAPE, seed=seed), [box_pair(SHAPE)], tiny_pipeline(), seed=seed)


def forked(work: object) -> bytes:
    """What `work()` returns in a forked child; the child ends without running anything else."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reader)
            with os.fdopen(writer, "wb") as out:
                out.write(work())  # type: ignore[operator]
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        said = answer.read()
    assert os.waitpid(child, 0)[1] == 0
    return said


def pixels_of(pipe: object, seed: int = 0) -> bytes:
    """The pixels of an edit."""
    return np.asarray(rd.edit(picture(*SHAPE), [box_pair(SHAPE)], pipe, seed=seed).image).tobytes()  # type: ignore[arg-type]
