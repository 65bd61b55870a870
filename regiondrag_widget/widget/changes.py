"""What can change in a document, and who is told of it."""

from __future__ import annotations

from enum import Flag, auto
from typing import Protocol


class Change(Flag):
    """What has changed in a document, and what it came from."""

    PICTURE = auto()
    REGIONS = auto()  # pairs, protect mask or selection
    PROTECT = auto()
    SETTINGS = auto()
    RESULT = auto()  # the one on show
    HISTORY = auto()
    STATE = auto()
    FAILURE = auto()
    MEASURED = auto()
    DRAWN = auto()  # by a hand in the browser
    ACCEPTED = auto()
    DISCARDED = auto()
    RESTORED = auto()


NOTHING = Change(0)


class DocumentListener(Protocol):
    """Whoever follows a document."""

    def changed(self, what: Change) -> None:
        """Called after each change, with the document's lock held.

        It may change the document itself: all listeners are told of that once they have been told of this.
        """


class Listeners:
    """Tells the listeners of one document what has changed, all in one order. Not safe without a lock."""

    def __init__(self) -> None:
        self._listeners: list[DocumentListener] = []
        self._pending = NOTHING
        self._telling = False

    def add(self, listener: DocumentListener) -> None:
        """Tell ``listener`` of every change, after those that are told already."""
        self._listeners.append(listener)

    def tell(self, what: Change) -> None:
        """Tell all listeners of a change, and then of what they have changed in turn."""
        self._pending |= what
        if self._telling:
            return
        self._telling = True
        try:
            while self._pending:
                what, self._pending = self._pending, NOTHING
                for listener in self._listeners:
                    listener.changed(what)
        finally:
            self._telling = False
