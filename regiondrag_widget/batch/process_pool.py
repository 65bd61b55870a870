"""Rows in several processes: each worker is a process that may die without harm to the others."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import sys
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from typing import Any

from regiondrag_widget.batch.one_row import RowDoer
from regiondrag_widget.batch.result_folder import ResultFolder
from regiondrag_widget.batch.row import Row
from regiondrag_widget.batch.row_outcome import Outcome
from regiondrag_widget.batch.work import Work

__all__ = ["compute_with_one_thread", "in_processes"]

TRIES = 2  # of a row whose process dies
DIED = (
    f"the process that did this row died {TRIES} times: it ran out of memory or was killed. Fewer workers "
    "leave each of them more memory"
)
NOT_STARTED = (
    "a worker process could not start. In a script, call this under if __name__ == '__main__':, since each "
    "worker imports the script"
)


def in_processes(
    portions: Sequence[list[Row]], work: Work, folder: ResultFolder, workers: int
) -> Generator[Outcome, None, None]:
    """Do rows in new processes, a portion at a time each; yield how they ended.

    A row whose process dies is done again by a new one. Closing the generator ends the processes; rows that
    they were doing are left undone.

    Parameters
    ----------
    portions
        Rows that share something.
    work
        What is done; it is pickled.
    folder
        Where results go.
    workers
        The number of processes, at most one for each portion.

    Raises
    ------
    OutputError, Exception
        As `RowDoer`.
    """
    waiting: queue.SimpleQueue[list[Row]] = queue.SimpleQueue()
    for portion in portions:
        waiting.put(portion)
    ended: queue.Queue[Outcome | BaseException | None] = queue.Queue()
    hands = [_Hand(number, work, folder, waiting, ended) for number in range(min(workers, len(portions)))]
    for hand in hands:
        hand.start()
    running = len(hands)
    try:
        while running:
            message = ended.get()
            if message is None:
                running -= 1
            elif isinstance(message, BaseException):
                raise message
            else:
                yield message
    finally:
        for hand in hands:
            hand.end()
        for hand in hands:
            hand.join()


class _Hand(threading.Thread):
    """A thread of this process that looks after one worker process, and starts another where it dies."""

    def __init__(
        self,
        number: int,
        work: Work,
        folder: ResultFolder,
        waiting: queue.SimpleQueue[list[Row]],
        ended: queue.Queue[Outcome | BaseException | None],
    ) -> None:
        super().__init__(name=f"regiondrag-batch-{number}", daemon=True)
        self._start = (work, folder.path, number)
        self._waiting, self._ended = waiting, ended
        self._over = threading.Event()
        self._pool: ProcessPoolExecutor | None = None
        self._context = _Spawning()
        self._worked = False  # whether a process of this hand has ever answered

    def run(self) -> None:
        """Take portions until there are none."""
        try:
            while not self._over.is_set():
                try:
                    portion = self._waiting.get_nowait()
                except queue.Empty:
                    break
                for row in portion:
                    if self._over.is_set():
                        break
                    self._ended.put(self._outcome(row))
        except BaseException as error:
            if not self._over.is_set():
                self._ended.put(error)
        finally:
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)
            self._ended.put(None)

    def end(self) -> None:
        """End the worker process, whatever it does."""
        self._over.set()
        process = self._context.latest
        if process is not None and process.pid is not None and self.is_alive():
            with suppress(OSError):
                os.kill(process.pid, signal.SIGTERM)

    def _outcome(self, row: Row) -> Outcome:
        for _ in range(TRIES):
            outcome = self._tried(row)
            if outcome is not None:
                return outcome
        return Outcome(row, "failed", DIED)

    def _tried(self, row: Row) -> Outcome | None:
        """How the row ended, or None where the process died."""
        try:
            return self._ready_pool().submit(_do, row).result()
        except BrokenProcessPool:
            self._pool = None
            if self._over.is_set():
                raise
            return None

    def _ready_pool(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, self._context)
            try:
                self._pool.submit(_begin, *self._start).result()
            except BrokenProcessPool as error:
                if self._worked:
                    raise
                raise RuntimeError(NOT_STARTED) from error
            self._worked = True
            if self._over.is_set():
                self.end()
        return self._pool


class _Spawning(SpawnContext):
    """Starts processes anew, and knows the latest: it is ended while it still loads the model, too."""

    latest: SpawnProcess | None = None

    def Process(self, *args: Any, **keywords: Any) -> SpawnProcess:  # type: ignore[override]
        """Make a process, as its base does; it is started by this thread, right after."""
        if hasattr(signal, "pthread_sigmask"):
            # the process inherits it: Ctrl-C is for the one that was started by hand, also while others start
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        self.latest = SpawnProcess(*args, **keywords)
        return self.latest


# -- in the worker process ----

_doer: RowDoer | None = None


def _begin(work: Work, output: Path, number: int) -> None:
    """Load what the work needs."""
    global _doer
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # for libraries that are not imported yet
        os.environ[name] = "1"
    _doer = RowDoer(work, ResultFolder(output), number)
    _doer.open()
    compute_with_one_thread()


def _do(row: Row) -> Outcome:
    assert _doer is not None
    return _doer(row)


def _end_with_parent() -> None:
    """Do not live on where the process that gives the rows was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def compute_with_one_thread() -> None:
    """Let the libraries that are loaded use one thread.

    Several processes with a thread for each processor would wait for each other.
    """
    torch, cv2 = sys.modules.get("torch"), sys.modules.get("cv2")
    if torch is not None:
        torch.set_num_threads(1)
    if cv2 is not None:
        cv2.setNumThreads(1)
