"""The locks of this package and the order in which a thread may take them.

A thread that holds a lock may only take locks of a higher rank. As every thread climbs the same ladder, no
two can wait for each other. The rule is checked whenever a lock is taken, so that a wrong order is an error
at its first run and not a deadlock once in a thousand.

No lock is held while code of the user runs: callbacks and observers are called after the release.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from enum import IntEnum
from types import TracebackType
from typing import Protocol

__all__ = [
    "LockOrderError",
    "OrderedLock",
    "Rank",
    "check_order",
    "note_release",
    "note_taken",
    "put_right_after_fork",
]


class Rank(IntEnum):
    """Every kind of lock there is, in the order in which they may be taken."""

    DOCUMENT = 10  # a widget's document: picture, regions, settings, results, and what the page is sent
    NOTICES = 20  # the queue of notices for a widget's observers
    WORKER = 30  # the queue of the inference thread
    EDITORS = 40  # the prepared pictures kept for all widgets
    PIPELINES = 50  # the pipelines that `load_pipeline` keeps, held while one is loaded
    LOADING = 60  # diffusers' loading, which patches torch for the whole process
    PREVIEWS = 65  # previews of an edit, held while they are rendered
    NETWORK = 70  # a network's turns, held for one call of it
    RECORDED_CALLS = 80  # recorded calls of a network; never waited for
    CACHE = 90  # what a session keeps
    REGISTRY = 100  # small tables: the lock of each network, the shared inference thread
    MASKS = 110  # which masks are unpacked
    SALIENCE = 120  # the network that sees what stands out, held while it looks
    SEGMENT = 130  # the network that sees what a box holds, held while it looks


class LockOrderError(RuntimeError):
    """A lock was taken out of order, which could leave two threads waiting for each other."""


class Ranked(Protocol):
    """A lock, as far as the order is concerned."""

    @property
    def rank(self) -> Rank:
        """Its place in the order."""


class _Held(threading.local):
    """The locks that a thread holds, in the order in which it took them."""

    def __init__(self) -> None:
        self.locks: list[Ranked] = []


_held = _Held()


def check_order(lock: Ranked) -> None:
    """Raise `LockOrderError` unless the calling thread may wait for ``lock`` now."""
    for other in _held.locks:
        if other.rank >= lock.rank:
            raise LockOrderError(
                f"a lock of rank {lock.rank.name} was asked for while holding one of rank {other.rank.name}: "
                "take them in the order of regiondrag_widget.locks.Rank"
            )


def note_taken(lock: Ranked) -> None:
    """The calling thread holds ``lock`` from now on."""
    _held.locks.append(lock)


def note_release(lock: Ranked) -> None:
    """The calling thread is about to release ``lock``."""
    _held.locks.remove(lock)


class Forked(Protocol):
    """What has to be put right in a forked child."""

    def after_fork(self) -> None:
        """Called in the child, by its only thread."""


_all: weakref.WeakSet[Forked] = weakref.WeakSet()


def put_right_after_fork(one: Forked) -> None:
    """Call the `after_fork` of an object in every forked child, as long as the object lives."""
    _all.add(one)


def _after_fork() -> None:
    for one in list(_all):
        one.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class OrderedLock:
    """A lock with a rank; see `Rank` for the order.

    Parameters
    ----------
    rank
        The place in the order.
    reentrant
        Whether the thread that holds it may take it again.

    Attributes
    ----------
    after_release
        Called without arguments by the thread that has just released the lock for good. What it raises
        reaches the code that released the lock.
    """

    def __init__(self, rank: Rank, *, reentrant: bool = False) -> None:
        self.rank = rank
        self.after_release: Callable[[], None] | None = None
        self._reentrant = reentrant
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._depth = 0
        _all.add(self)

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take the lock, as `threading.Lock.acquire`; whether it was taken.

        Raises
        ------
        LockOrderError
            The calling thread holds a lock of this rank or a higher one, and would have to wait.
        """
        if self._owner == threading.get_ident():
            if self._reentrant:
                self._depth += 1
                return True
            if not blocking:
                return False
        if blocking:
            check_order(self)
        if not self._lock.acquire(blocking, timeout):
            return False
        self._owner, self._depth = threading.get_ident(), 1
        note_taken(self)
        return True

    def release(self) -> None:
        """Give the lock back; ``RuntimeError`` unless the calling thread holds it."""
        if not self.held():
            raise RuntimeError(f"a thread released a lock of rank {self.rank.name} that it does not hold")
        self._depth -= 1
        if self._depth:
            return
        self._owner = None
        note_release(self)
        self._lock.release()
        if self.after_release is not None:
            self.after_release()

    def held(self) -> bool:
        """Whether the calling thread holds the lock."""
        return self._owner == threading.get_ident()

    _is_owned = held  # `threading.Condition` asks by this name

    def after_fork(self) -> None:
        """In a forked child: release the lock where another thread held it, for no other thread is left."""
        if not self.held():
            self._lock, self._owner, self._depth = threading.Lock(), None, 0

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
