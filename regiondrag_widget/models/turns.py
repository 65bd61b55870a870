"""One thread at a time calls a network: a lock for each network, first come, first served.

Edits put attention processors of their own on a network for the length of a call. Two threads that did so at
once would read each other's keys and values, so every call takes the network's lock. It is held for one call
and released between steps, so edits of several threads share a network step by step.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from types import TracebackType
from typing import Any

from regiondrag_widget.locks import (
    OrderedLock,
    Rank,
    check_order,
    note_release,
    note_taken,
    put_right_after_fork,
)

__all__ = ["Turns", "turns_of"]


class Turns:
    """A reentrant lock that serves waiting threads in the order in which they came.

    With a plain lock, a thread that releases it and asks again at once overtakes those that wait.
    """

    rank = Rank.NETWORK

    def __init__(self) -> None:
        self._guard = threading.Lock()  # never held while another lock is waited for
        self._owner: int | None = None
        self._depth = 0
        self._waiting: deque[tuple[int, threading.Lock]] = deque()
        put_right_after_fork(self)

    def after_fork(self) -> None:
        """In a forked child: end the turn of a thread that is not there any more, and all waiting for it."""
        self._guard = threading.Lock()
        self._waiting.clear()
        if self._owner != threading.get_ident():
            self._owner, self._depth = None, 0

    def __enter__(self) -> None:
        me = threading.get_ident()
        with self._guard:
            if self._owner == me:
                self._depth += 1
                return
            check_order(self)
            if self._owner is None:
                self._owner, self._depth = me, 1
                note_taken(self)
                return
            ticket = (me, threading.Lock())
            ticket[1].acquire()
            self._waiting.append(ticket)
        try:
            ticket[1].acquire()  # the leaving thread makes us the owner and opens this
        except BaseException:  # an interrupt: leave the queue, or pass on the turn that has just come
            with self._guard:
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
                else:
                    self._pass_on()
            raise
        note_taken(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._guard:
            self._depth -= 1
            if self._depth == 0:
                note_release(self)
                self._pass_on()

    def _pass_on(self) -> None:
        """Make the first waiting thread the owner; called with the guard held."""
        if not self._waiting:
            self._owner, self._depth = None, 0
            return
        self._owner, ticket = self._waiting.popleft()
        self._depth = 1
        ticket.release()


_registry: weakref.WeakKeyDictionary[Any, Turns] = weakref.WeakKeyDictionary()
_registry_lock = OrderedLock(Rank.REGISTRY)


def turns_of(network: Any) -> Turns:
    """The lock of a network, the same one for every pipeline that shares the network.

    Parameters
    ----------
    network : torch module
        Compiled or not.
    """
    network = getattr(network, "_orig_mod", network)  # what torch.compile has wrapped
    with _registry_lock:
        found = _registry.get(network)
        if found is None:
            found = _registry[network] = Turns()
        return found
