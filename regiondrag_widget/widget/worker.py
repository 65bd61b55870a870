"""One inference thread for the whole process, whatever the number of widgets.

Two edits at once would share a GPU's memory and finish later than one after the other. So jobs queue here:
every owner (a widget's runs, its drafts, its warm-up) has at most one waiting job and one running job, and a
newer job replaces the waiting one and cancels the running one. Runs go before drafts, and drafts before
background jobs; equally urgent jobs are served in the order in which they came. Stopping is cooperative: the
running job polls `InferenceWorker.should_stop`, or `Job.cancelled`, between denoising steps.

Two more threads of the same kind do short work on pixels that needs no network: the helper works out what
handles carry, the selector answers the selection tools.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from enum import IntEnum

from regiondrag_widget.locks import OrderedLock, Rank

log = logging.getLogger(__name__)

QUIET = 0.5  # seconds after the last run or draft before background jobs go on


class Urgency(IntEnum):
    """Which job goes first, in this order."""

    RUN = 0
    DRAFT = 1
    BACKGROUND = 2


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
    crashed
        Called with the exception when ``work`` raised, or when the inference thread died with the job
        unfinished; on whichever thread found out.
    moved
        Called on the inference thread, when it begins another job, with how many runs of others still go
        before this one, if they are fewer than before.
    urgency
        Whether others go first.
    needs
        The prepared picture that the job works on. Jobs with equal ones, unless None, share the preparation.
    """

    owner: Hashable
    work: Callable[[Job], None]
    dropped: Callable[[], None] = lambda: None
    crashed: Callable[[BaseException], None] = lambda error: None
    moved: Callable[[int], None] = lambda ahead: None
    urgency: Urgency = Urgency.RUN
    needs: Hashable = None
    _ahead: int | None = None  # how many runs go before it, as it was told last
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
        """Ask the job to stop."""
        self._cancel.set()

    def wait(self, seconds: float | None) -> bool:
        """Block the caller for at most ``seconds``; whether the job has finished."""
        return self._finished.wait(seconds)


class WorkerDied(RuntimeError):
    """The inference thread ended in the middle of a job."""


class InferenceWorker:
    """Runs jobs one at a time on a daemon thread that starts with the first job.

    A thread that dies is replaced: the job that it was at is told (`Job.crashed`), those that wait are done
    by the new one.

    Parameters
    ----------
    name
        The thread's name.
    """

    def __init__(self, name: str = "regiondrag-inference") -> None:
        self._name = name
        self._wake = threading.Condition(OrderedLock(Rank.WORKER))  # type: ignore[arg-type]
        self._waiting: OrderedDict[Hashable, Job] = OrderedDict()
        self._running: Job | None = None
        self._thread: threading.Thread | None = None
        self._closing = False
        self._last_asked = float("-inf")  # when the last run or draft ended

    def submit(self, job: Job) -> None:
        """Queue ``job``; the latest job of an owner wins. ``RuntimeError`` after `shutdown`."""
        with self._wake:
            if self._closing:
                raise RuntimeError("the inference thread has been shut down: restart the kernel")
            replaced = self._waiting.get(job.owner)
            self._waiting[job.owner] = job
            if self._running is not None and self._running.owner == job.owner:
                self._running.cancel()
            lost = self._start_if_dead()
            job._ahead = self._ahead_of(job.owner)
            self._wake.notify_all()
        if replaced is not None:
            _drop(replaced)
        _lose(lost)

    def revive(self) -> None:
        """Replace the thread if it has died with jobs to do."""
        with self._wake:
            lost = None if self._closing or not self._unfinished else self._start_if_dead()
        _lose(lost)

    def cancel(self, owner: Hashable) -> None:
        """Stop the owner's running job at its next step and forget the waiting one."""
        with self._wake:
            waiting = self._waiting.pop(owner, None)
            if self._running is not None and self._running.owner == owner:
                self._running.cancel()
        if waiting is not None:
            _drop(waiting)

    def should_stop(self, job: Job, *, preparing: bool = False) -> bool:
        """Whether ``job``, which is running, must end at this step.

        It must when it was cancelled, or when a more urgent job waits. While it is ``preparing`` a picture it
        goes on as long as all jobs that come next need the same preparation: starting over takes longer.
        """
        with self._wake:
            if self._closing:
                return True
            urgent = [other for other in self._waiting.values() if other.urgency < job.urgency]
            successor = self._waiting.get(job.owner)
            heirs = urgent if successor is None else [*urgent, successor]
            if preparing and job.needs is not None and heirs:
                return any(heir.needs != job.needs for heir in heirs)
            return job.cancelled or bool(urgent)

    @property
    def busy(self) -> bool:
        """Whether a job runs or waits."""
        with self._wake:
            return self._unfinished

    def ahead_of(self, owner: Hashable) -> int:
        """How many runs of others go before the run that ``owner`` has waiting, or would submit now."""
        with self._wake:
            return self._ahead_of(owner)

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

    def _ahead_of(self, owner: Hashable) -> int:
        jobs = [self._running] if self._running is not None else []
        for waiting in self._waiting.values():
            if waiting.owner == owner:
                break
            jobs.append(waiting)
        return sum(job.urgency == Urgency.RUN and job.owner != owner for job in jobs)

    def _moved(self) -> list[tuple[Job, int]]:
        """The waiting runs that have fewer before them than they were told, and how many."""
        moved = []
        for job in self._waiting.values():
            ahead = self._ahead_of(job.owner)
            if job.urgency == Urgency.RUN and ahead != job._ahead:
                job._ahead = ahead
                moved.append((job, ahead))
        return moved

    @property
    def _unfinished(self) -> bool:
        return self._running is not None or bool(self._waiting)

    def _start_if_dead(self) -> Job | None:
        """Start the thread unless it lives; the job that the last one left unfinished, or None."""
        if self._thread is not None and self._thread.is_alive():
            return None
        lost, self._running = self._running, None
        self._thread = threading.Thread(target=self._live, name=self._name, daemon=True)
        self._thread.start()
        return lost

    def _live(self) -> None:
        """The thread: whatever ends it, the jobs that are left are seen to."""
        try:
            self._loop()
        except BaseException:  # raised from outside, as by an interrupt that was meant for another thread
            log.exception("the inference thread died; another one takes its place")
        finally:
            lost = None
            with self._wake:
                if self._thread is threading.current_thread():
                    self._thread = None
                    lost, self._running = self._running, None
                    if self._waiting and not self._closing:
                        self._start_if_dead()
            _lose(lost)

    def _loop(self) -> None:
        while (job := self._take()) is not None:
            with self._wake:
                moved = self._moved()
            for waiting, ahead in moved:
                _tell_moved(waiting, ahead)
                del waiting
            del moved
            self._do(job)
            del job  # nothing of a finished edit is held while the thread sleeps

    def _do(self, job: Job) -> None:
        try:
            job.work(job)
        except BaseException as error:  # one job's failure must not end the thread that all widgets share
            log.exception("a job failed outside its own error handling")
            _tell_crashed(job, error)
        finally:
            with self._wake:
                self._running = None
                if job.urgency < Urgency.BACKGROUND:
                    self._last_asked = time.monotonic()
            job._finished.set()

    def _take(self) -> Job | None:
        """Wait for the next job; None when the thread is to end."""
        with self._wake:
            while not self._closing:
                job = min(self._waiting.values(), key=lambda job: job.urgency, default=None)
                patience = None
                if job is not None and job.urgency == Urgency.BACKGROUND:
                    patience = self._last_asked + QUIET - time.monotonic()
                if job is not None and (patience is None or patience <= 0):
                    self._running = self._waiting.pop(job.owner)
                    return job
                del job
                self._wake.wait(patience)
        return None


def _drop(job: Job) -> None:
    job.cancel()
    try:
        job.dropped()
    finally:
        job._finished.set()


def _tell_moved(job: Job, ahead: int) -> None:
    try:
        job.moved(ahead)
    except Exception:
        log.exception("what a waiting job's owner does about its place failed")


def _tell_crashed(job: Job, error: BaseException) -> None:
    try:
        job.crashed(error)
    except Exception:
        log.exception("what a failed job's owner does about it failed")


def _lose(job: Job | None) -> None:
    """The thread died while it was at ``job``."""
    if job is not None and not job.finished:
        job.cancel()
        _tell_crashed(job, WorkerDied("the inference thread died in the middle of the job: run again"))
        job._finished.set()


_shared: InferenceWorker | None = None
_shared_lock = OrderedLock(Rank.REGISTRY)


def shared_worker() -> InferenceWorker:
    """The process's inference thread, made on first use."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = InferenceWorker()
            atexit.register(_shared.shutdown)
        return _shared


_helper: InferenceWorker | None = None
_selector: InferenceWorker | None = None


def shared_helper() -> InferenceWorker:
    """The process's thread for short jobs on pixels that use no network and must not wait for one."""
    global _helper
    with _shared_lock:
        if _helper is None:
            _helper = InferenceWorker("regiondrag-helper")
            atexit.register(_helper.shutdown)
        return _helper


def shared_selector() -> InferenceWorker:
    """The process's thread for the selection tools, whose answers the pointer waits for."""
    global _selector
    with _shared_lock:
        if _selector is None:
            _selector = InferenceWorker("regiondrag-selector")
            atexit.register(_selector.shutdown)
        return _selector
