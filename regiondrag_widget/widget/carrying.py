"""Telling the page of every pair what it cannot work out itself, the moment it is drawn."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from PIL import Image

from regiondrag_widget.widget.changes import Change
from regiondrag_widget.widget.document import Document
from regiondrag_widget.widget.host import Outbox
from regiondrag_widget.widget.outgoing import Outgoing
from regiondrag_widget.widget.worker import InferenceWorker, Job

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Wanted:
    """What a page is to be told of one pair."""

    request: Any
    rev: int
    told: bool = False


class Answer(Protocol):
    """What was worked out of one pair."""

    def message(self, pair: str, rev: int) -> Outgoing:
        """As the page is told."""


class Carrying:
    """Tells the page of one widget one thing of its pairs: what their handles carry, or how they go.

    Nothing is worked out until a page is there. The work is done by a helper thread, so that no message and
    no network waits for it; what is no longer wanted when it is known is not sent.

    Parameters
    ----------
    document
        What is drawn.
    requests
        Returns what to work out, by the pair's key; called with the document's lock held. Equal requests have
        equal answers.
    answer
        Works one out, on its picture.
    worker
        Does the work.
    outbox
        Delivers the messages.
    send
        Sends one message to the browser.
    """

    def __init__(
        self,
        document: Document,
        requests: Callable[[], Mapping[str, Any]],
        answer: Callable[[Any, Image.Image], Answer],
        worker: InferenceWorker,
        outbox: Outbox,
        send: Callable[[Outgoing], None],
    ) -> None:
        self._document, self._worker, self._outbox, self._send = document, worker, outbox, send
        self._requests, self._answer = requests, answer
        self._owner = ("carrying", id(self))
        self._wanted: dict[str, _Wanted] = {}
        self._greeted = False

    def greet(self) -> None:
        """A page came, or came back: tell it of all pairs."""
        with self._document.lock:
            self._greeted = True
            self._wanted.clear()
            self._follow()

    def changed(self, what: Change) -> None:
        """Follow the document."""
        if self._greeted and what & (Change.REGIONS | Change.SETTINGS | Change.PICTURE):
            self._follow()

    def close(self) -> None:
        """The widget is gone."""
        self._greeted = False
        self._wanted.clear()
        self._worker.cancel(self._owner)

    def _follow(self) -> None:
        """Ask for what has changed."""
        assert self._document.lock.held()
        before, self._wanted = self._wanted, {}
        for key, request in self._requests().items():
            known = before.get(key)
            same = known is not None and known.request == request
            self._wanted[key] = (
                known if known is not None and same else _Wanted(request, self._document.regions_rev)
            )
        if self._next() is not None:
            self._worker.submit(Job(self._owner, self._work))

    def _next(self) -> tuple[str, _Wanted, Image.Image] | None:
        with self._document.lock:
            waiting = ((key, wanted) for key, wanted in self._wanted.items() if not wanted.told)
            key, wanted = next(waiting, ("", None))
            return None if wanted is None else (key, wanted, self._document.picture.image)

    def _work(self, job: Job) -> None:
        while not job.cancelled and (found := self._next()) is not None:
            key, wanted, image = found
            wanted.told = True  # also when it fails: it would fail again
            try:
                answer = self._answer(wanted.request, image)
            except Exception:  # the page goes on showing what it knows
                log.warning("something of a pair could not be worked out for the page", exc_info=True)
            else:
                message = answer.message(key, wanted.rev)
                self._outbox.post(partial(self._tell, key, wanted, message))

    def _tell(self, key: str, wanted: _Wanted, message: Outgoing) -> None:
        with self._document.lock:
            if self._wanted.get(key) is wanted:
                self._send(message)
