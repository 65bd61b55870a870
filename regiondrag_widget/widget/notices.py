"""Notices to the users' observers: in order, one at a time, and while no lock is held.

An observer may do anything with the widget, or with another one. What it changes is told after it has
returned.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from regiondrag_widget.locks import OrderedLock, Rank

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class _Notice:
    change: Any
    raises: bool
    thread: int


class Notices:
    """The notices of one widget.

    Parameters
    ----------
    notify
        Calls the observers of one change.
    is_inference_thread
        Whether the calling thread is the inference thread, where no observer's exception is of use.
    may_deliver
        Whether observers may be called on the calling thread.
    """

    def __init__(
        self,
        notify: Callable[[Any], None],
        is_inference_thread: Callable[[], bool],
        may_deliver: Callable[[], bool],
    ) -> None:
        self._notify = notify
        self._is_inference_thread = is_inference_thread
        self._may_deliver = may_deliver
        self._lock = OrderedLock(Rank.NOTICES)
        self._queue: deque[_Notice] = deque()
        self._delivering = False

    def add(self, change: Any, *, raises: bool = False) -> None:
        """Queue one notice.

        Parameters
        ----------
        change
            As traitlets gives it to observers.
        raises
            Whether an observer's exception shall reach whoever made the change, if they are told on the same
            thread. Otherwise it is logged.
        """
        with self._lock:
            self._queue.append(_Notice(change, raises, threading.get_ident()))

    def deliver(self) -> None:
        """Call the observers of all that waits, unless another call is at it already: that one goes on."""
        if not self._queue or not self._may_deliver():
            return
        with self._lock:
            if self._delivering:
                return
            self._delivering = True
        first: BaseException | None = None
        while (notice := self._next()) is not None:
            try:
                self._notify(notice.change)
            except BaseException as error:  # noqa: PERF203 - one observer must not silence the others
                if first is None and self._reaches_the_caller(notice, error):
                    first = error
                else:
                    log.error("an observer of the widget failed", exc_info=error)
        if first is not None:
            raise first

    def _next(self) -> _Notice | None:
        with self._lock:
            if self._queue:
                return self._queue.popleft()
            self._delivering = False
            return None

    def _reaches_the_caller(self, notice: _Notice, error: BaseException) -> bool:
        if self._is_inference_thread():
            return False
        interrupted = not isinstance(error, Exception)
        return interrupted or (notice.raises and notice.thread == threading.get_ident())
