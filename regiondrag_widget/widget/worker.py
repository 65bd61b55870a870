"""One inference thread for the whole process, whatever the number of widgets.

Two edits at once would share a GPU's memory and finish later than one after the other. So jobs queue here:
every owner (a widget) has at most one waiting job and one running job, a newer job replaces the waiting one
and cancels the running one, and owners are served in the order in which they asked. Cancelling is
cooperative: the running job polls `Job.cancelled` between denoising steps.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Job:
    """One piece of work for the inference thread.

    Attributes
    ----------
    owner
        Whose job it is; a newer job of the same owner replaces it.
    work
        Called once on the inference thread with the job itself. It must return soon after ``cancelled`` is
        true.
    dropped
        Called instead of ``work`` when the job was replaced or cancelled before its turn, on whichever
        thread did so.
    """

    owner: Hashable
    work: Callable[[Job], None]
    dropped: Callable[[], None] = lambda: None
    _cancel: threading.Event = field(default_factory=threading.Event)
    _finished: threading.Event = field(default_factory=threading.Event)

    @property
    def cancelled(self) -> bool:
        """Somebody asked this job to stop."""
        return self._cancel.is_set()

    @property
    def finished(self) -> bool:
        """Done, failed, stopped or never begun: nothing more comes of this job."""
        return self._finished.is_set()

    def cancel(self) -> None:
        self._cancel.set()

    def wait(self, seconds: float | None) -> bool:
        """Block the caller for at most ``seconds``; whether the job has finished."""
        return self._finished.wait(seconds)


class InferenceWorker:
    """Runs jobs one at a time on a daemon thread that starts with the first job."""

    def __init__(self, name: str = "regiondrag-inference") -> None:
        self._name = name
        self._wake = threading.Condition()
        self._waiting: OrderedDict[Hashable, Job] = OrderedDict()
        self._running: Job | None = None
        self._thread: threading.Thread | None = None
        self._closing = False

    def submit(self, job: Job) -> None:
        """Queue ``job``; the latest job of an owner wins."""
        with self._wake:
            if self._closing:
                raise RuntimeError("the inference thread has been shut down: restart the kernel")
            replaced = self._waiting.get(job.owner)
            self._waiting[job.owner] = job
            if self._running is not None and self._running.owner == job.owner:
                self._running.cancel()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
                self._thread.start()
            self._wake.notify_all()
        if replaced is not None:
            _drop(replaced)

    def cancel(self, owner: Hashable) -> None:
        """Stop the owner's running job at its next step and forget the waiting one."""
        with self._wake:
            waiting = self._waiting.pop(owner, None)
            if self._running is not None and self._running.owner == owner:
                self._running.cancel()
        if waiting is not None:
            _drop(waiting)

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        with self._wake:
            return self._running is not None or bool(self._waiting)

    def is_current_thread(self) -> bool:
        """Whether the caller runs on the inference thread."""
        return self._thread is threading.current_thread()

    def shutdown(self, timeout: float = 2.0) -> None:
        """Cancel everything and end the thread, waiting for it at most ``timeout`` seconds."""
        with self._wake:
            self._closing = True
            waiting = list(self._waiting.values())
            self._waiting.clear()
            if self._running is not None:
                self._running.cancel()
            self._wake.notify_all()
            thread = self._thread
        for job in waiting:
            _drop(job)
        if thread is not None and not self.is_current_thread():
            thread.join(timeout)

    def _loop(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closing or self._waiting)
                if self._closing:
                    return
                _, job = self._waiting.popitem(last=False)
                self._running = job
            try:
                job.work(job)
            except BaseException:  # one job's failure must not end the thread that all widgets share
                log.exception("an edit job failed outside its own error handling")
            finally:
                with self._wake:
                    self._running = None
                job._finished.set()
                del job  # nothing of a finished edit is held while the thread sleeps


def _drop(job: Job) -> None:
    job.cancel()
    try:
        job.dropped()
    finally:
        job._finished.set()


_shared: InferenceWorker | None = None
_shared_lock = threading.Lock()


def shared_worker() -> InferenceWorker:
    """The process's inference thread, made on first use."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = InferenceWorker()
            atexit.register(_shared.shutdown)
        return _shared
