"""A network in a file beside the code, run by ONNX Runtime."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from regiondrag_widget.locks import OrderedLock, Rank

__all__ = ["Network"]

Float = npt.NDArray[np.float32]

THREADS = 2  # more do not pay for looks of half a second


class Network:
    """One network for all threads, in turns: what it computes takes some 100 MB while it looks.

    Parameters
    ----------
    file
        An ONNX model; it is read at the first look.
    rank
        Of the lock that is held while it looks.
    """

    def __init__(self, file: Path, rank: Rank) -> None:
        self._file = file
        self._lock = OrderedLock(rank)
        self._sessions: dict[int, onnxruntime.InferenceSession] = {}

    def __call__(self, **inputs: Float) -> list[Float]:
        """All outputs, for inputs by the names that the file gives them."""
        with self._lock:
            return list(self._session().run(None, inputs))

    def _session(self) -> onnxruntime.InferenceSession:
        """The process has one of its own: a forked child has none of its parent's threads."""
        process = os.getpid()
        if process not in self._sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = min(THREADS, os.cpu_count() or 1)
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # others need the cores
            options.enable_cpu_mem_arena = False  # memory is given back after each look
            options.log_severity_level = 3  # errors only: in a notebook, a warning is noise
            self._sessions[process] = onnxruntime.InferenceSession(
                str(self._file), options, providers=["CPUExecutionProvider"]
            )
        return self._sessions[process]
