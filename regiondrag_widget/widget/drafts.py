"""The widget's side of its drafts: the newest request wins, and nothing ever waits for a draft.

Every request is answered once, by a picture or by the word that there will be none, and in the order in which
the requests came: the moment a newer one arrives, all older ones are answered as stale. So what the browser
hears never goes back in time, and its one slot for requests never stays taken.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from regiondrag_widget.widget import protocol
from regiondrag_widget.widget.drafting import (
    MAX_AGE,
    DraftPicture,
    DraftRequest,
    NothingDrawn,
    Watch,
    make_draft,
)
from regiondrag_widget.widget.editor import shared_editors
from regiondrag_widget.widget.failures import Failure, describe, let_go
from regiondrag_widget.widget.host import POLL, Outbox
from regiondrag_widget.widget.outgoing import UndraftedReason
from regiondrag_widget.widget.worker import InferenceWorker, Job, Urgency

PUMP_LIMIT = 0.1  # seconds a main thread that must deliver a draft itself waits for its turn to come
TRIES = 3  # drafts in a row that may run out of memory before they pause


class DraftHost(Protocol):
    """What `Drafts` needs of the widget."""

    @property
    def lock(self) -> threading.RLock: ...
    def send_message(self, message: protocol.Outgoing) -> None: ...
    def show_failure(self, failure: Failure) -> None: ...


class Drafts:
    """All drafts of one widget: at most one is wanted at a time.

    Parameters
    ----------
    busy
        Whether a run is under way.
    took
        Told the seconds of every draft made, on the inference thread.
    paused
        Told in words why no drafts are made for now; empty when they are again.
    shrunk
        Told that less is kept from now on, for memory ran out.
    """

    def __init__(
        self,
        host: DraftHost,
        worker: InferenceWorker,
        outbox: Outbox,
        *,
        busy: Callable[[], bool],
        took: Callable[[float], None],
        paused: Callable[[str], None],
        shrunk: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._worker = worker
        self._outbox = outbox
        self._busy, self._took, self._tell_paused, self._tell_shrunk = busy, took, paused, shrunk
        self._clock = clock
        self._wanted: DraftRequest | None = None  # the newest, while it is not answered
        self._told = ""  # the last failure in words: told once, not once a frame
        self._shortages = 0
        self.paused = False

    @property
    def owner(self) -> tuple[str, int]:
        """Whose jobs drafts are, for the worker."""
        return ("draft", id(self._host))

    def request(self, request: DraftRequest) -> None:
        """Draft this next; whatever older request is not answered yet is stale."""
        with self._host.lock:
            self._answer_wanted("stale")
            if self._busy():
                self._worker.cancel(self.owner)
                return self._send(protocol.Undrafted(request.seq, "stale"))
            if self.paused:
                return self._send(protocol.Undrafted(request.seq, "error"))
            self._wanted = request
            prepared = threading.Event()
            job = Job(
                self.owner,
                lambda job: self._work(request, job, prepared),
                urgency=Urgency.DRAFT,
                needs=request.needs,
            )
            self._worker.submit(job)
        if self._outbox.pump:
            self._pump(job, prepared)
        return None

    def refuse(self, seq: int, message: str) -> None:
        """Request ``seq`` cannot be understood or used; older ones are stale all the same."""
        with self._host.lock:
            self.void("stale")
            self._send(protocol.Undrafted(seq, "error", self._once(message)))

    def outdated(self, seq: int) -> None:
        """Request ``seq`` is about what is no longer there; older ones are stale all the more."""
        with self._host.lock:
            self.void("stale")
            self._send(protocol.Undrafted(seq, "stale"))

    def rest(self, seq: int) -> None:
        """The drag ended: drafts up to ``seq`` are void."""
        with self._host.lock:
            if self._wanted is not None and self._wanted.seq <= seq:
                self.void("stopped")

    def void(self, reason: UndraftedReason = "stale") -> None:
        """Nobody wants the draft that waits or runs any more; it stops at its next step."""
        with self._host.lock:
            self._answer_wanted(reason)
            self._worker.cancel(self.owner)

    def resume(self) -> None:
        """Something changed that may have cured what made drafts pause."""
        with self._host.lock:
            self._told, self._shortages = "", 0
            if self.paused:
                self.paused = False
                self._tell_paused("")

    # -- on the inference thread -----------------------------------------------------------------------------

    def _work(self, request: DraftRequest, job: Job, prepared: threading.Event) -> None:
        def too_old() -> bool:
            return self._clock() - request.arrived > MAX_AGE

        watch = Watch(
            self._clock,
            should_stop=lambda: self._worker.should_stop(job) or too_old(),
            should_stop_preparing=lambda: self._worker.should_stop(job, preparing=True),
            prepared=prepared.set,
        )
        editors = shared_editors()
        try:
            with editors.surviving(request.needs):
                picture = make_draft(request, editors, watch)
        except NothingDrawn:
            self._post(lambda: self._answer(request, "stopped", "nothing complete is drawn"))
        except Exception as error:
            failure = describe(error)
            let_go(error)
            self._post(lambda: self._failed(request, failure))
        else:
            self._post(lambda: self._made(request, picture))
            if picture is not None:
                self._took(picture.seconds)

    def _made(self, request: DraftRequest, made: DraftPicture | None) -> None:
        if made is None or self._clock() - request.arrived > MAX_AGE:
            return self._answer(request, "stale")
        self._told, self._shortages = "", 0
        if request is self._wanted:
            self._wanted = None
            seconds = round(made.seconds, 4)
            self._send(protocol.Drafted(request.seq, made.width, made.height, made.box, seconds, made.data))
        return None

    def _failed(self, request: DraftRequest, failure: Failure) -> None:
        words = f"{failure.message} {failure.remedy}".strip()
        self._host.show_failure(failure)
        if failure.code == "memory":
            self._shortages += 1
            self._tell_shrunk()
            if self._shortages < TRIES:
                words = "Memory ran out: less is kept from now on."
        if failure.code == "engine" or self._shortages >= TRIES:
            self.paused = True
            self._tell_paused(f"live is paused: {failure.message}")
        self._answer(request, "memory" if failure.code == "memory" else "error", self._once(words))

    # -- helpers ---------------------------------------------------------------------------------------------

    def _post(self, deliver: Callable[[], None]) -> None:
        def guarded() -> None:
            with self._host.lock:
                deliver()

        self._outbox.post(guarded)

    def _pump(self, job: Job, prepared: threading.Event) -> None:
        """Deliver the draft on this thread: where only its messages arrive, nobody else can.

        One that must wait its turn, or prepare its picture first, is delivered before the next message is
        read: the main thread has other work.
        """
        began = self._clock()
        while not job.wait(POLL):
            self._outbox.drain()
            waited = self._clock() - began
            if waited > MAX_AGE or (waited > PUMP_LIMIT and not prepared.is_set()):
                break
        self._outbox.drain()

    def _answer(self, request: DraftRequest, reason: UndraftedReason, message: str = "") -> None:
        if request is self._wanted:  # otherwise it has been answered
            self._answer_wanted(reason, message)

    def _answer_wanted(self, reason: UndraftedReason, message: str = "") -> None:
        if self._wanted is not None:
            seq, self._wanted = self._wanted.seq, None
            self._send(protocol.Undrafted(seq, reason, message))

    def _once(self, message: str) -> str:
        """The message, or nothing if it is what was told last."""
        if message == self._told:
            return ""
        self._told = message
        return message

    def _send(self, message: protocol.Outgoing) -> None:
        self._host.send_message(message)
