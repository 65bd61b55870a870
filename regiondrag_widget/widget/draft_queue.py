"""The widget's side of its drafts: the newest request wins, and nothing ever waits for a draft.

Every request is answered once, by a picture or by a message that there will be none, in the order of the
requests: when a newer one arrives, all older ones are answered as stale. So what the browser is shown
never goes back in time, and its one slot for requests never stays taken.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from regiondrag_widget.widget.document import Document
from regiondrag_widget.widget.draft_job import (
    MAX_AGE,
    DraftPicture,
    DraftRequest,
    NothingDrawn,
    Watch,
    make_draft,
)
from regiondrag_widget.widget.editor_cache import shared_editors
from regiondrag_widget.widget.failures import Failure, describe, let_go
from regiondrag_widget.widget.host import POLL, Outbox
from regiondrag_widget.widget.outgoing import Drafted, Outgoing, Undrafted
from regiondrag_widget.widget.protocol import UndraftedReason
from regiondrag_widget.widget.worker import InferenceWorker, Job, Urgency

PUMP_LIMIT = 0.1  # seconds a main thread that must deliver a draft itself waits for its turn to come
TRIES = 3  # drafts in a row that may run out of memory before they pause


class DraftQueue:
    """All drafts of one widget: at most one is wanted at a time.

    Parameters
    ----------
    document
        Its lock guards the queue too, and its failures are shown there.
    worker
        Makes the drafts.
    outbox
        Delivers the answers.
    send
        Sends one message to the browser.
    took
        Called on the inference thread with the seconds of every draft made.
    paused
        Called with the reason, in words, why no drafts are made for now; empty when they are made again.
    shrunk
        Called when less is kept from now on, because memory ran out.
    clock
        Seconds that never run backwards; injected by tests.

    Attributes
    ----------
    paused
        Whether no drafts are made for now.
    """

    def __init__(
        self,
        document: Document,
        worker: InferenceWorker,
        outbox: Outbox,
        send: Callable[[Outgoing], None],
        *,
        took: Callable[[float], None],
        paused: Callable[[str], None],
        shrunk: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._document = document
        self._worker = worker
        self._outbox = outbox
        self._send = send
        self._took, self._tell_paused, self._tell_shrunk = took, paused, shrunk
        self._clock = clock
        self._wanted: DraftRequest | None = None  # the newest, while it is not answered
        self._told = ""  # the last failure in words: told once, not once a frame
        self._shortages = 0
        self.paused = False

    @property
    def owner(self) -> tuple[str, int]:
        """Whose jobs drafts are, for the worker."""
        return ("draft", id(self._document))

    def request(self, request: DraftRequest) -> None:
        """Draft this next; an older request that is not answered yet is answered as stale."""
        with self._document.lock:
            self._answer_wanted("stale")
            if self._document.busy:
                self._worker.cancel(self.owner)
                return self._send(Undrafted(request.seq, "stale"))
            if self.paused:
                return self._send(Undrafted(request.seq, "error"))
            self._wanted = request
            prepared = threading.Event()
            job = Job(
                self.owner,
                lambda job: self._work(request, job, prepared),
                crashed=lambda error: self._crashed(request, error),
                urgency=Urgency.DRAFT,
                needs=request.needs,
            )
            self._worker.submit(job)
        if self._outbox.pump:
            self._pump(job, prepared)
        return None

    def refuse(self, seq: int, message: str) -> None:
        """Answer request ``seq``, which cannot be used, with an error; older ones are stale."""
        with self._document.lock:
            self.void("stale")
            self._send(Undrafted(seq, "error", self._once(message)))

    def outdated(self, seq: int) -> None:
        """Answer request ``seq``, which is about a picture that is gone, as stale; older ones too."""
        with self._document.lock:
            self.void("stale")
            self._send(Undrafted(seq, "stale"))

    def drag_ended(self, seq: int) -> None:
        """The drag ended: drafts up to ``seq`` are not wanted any more."""
        with self._document.lock:
            if self._wanted is not None and self._wanted.seq <= seq:
                self.void("stopped")

    def void(self, reason: UndraftedReason = "stale") -> None:
        """Stop the draft that waits or runs, at its next step: nobody wants it any more."""
        with self._document.lock:
            self._answer_wanted(reason)
            self._worker.cancel(self.owner)

    def resume(self) -> None:
        """Make drafts again: what made them pause may be over."""
        with self._document.lock:
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
        except BaseException as error:
            self._crashed(request, error)
        else:
            self._post(lambda: self._made(request, picture))
            if picture is not None:
                self._took(picture.seconds)

    def _crashed(self, request: DraftRequest, error: BaseException) -> None:
        failure = describe(error)
        let_go(error)
        self._post(lambda: self._failed(request, failure))

    def _made(self, request: DraftRequest, made: DraftPicture | None) -> None:
        if made is None or self._clock() - request.arrived > MAX_AGE:
            return self._answer(request, "stale")
        self._told, self._shortages = "", 0
        if request is self._wanted:
            self._wanted = None
            seconds = round(made.seconds, 4)
            self._send(Drafted(request.seq, made.width, made.height, made.box, seconds, made.data))
        return None

    def _failed(self, request: DraftRequest, failure: Failure) -> None:
        words = f"{failure.message} {failure.remedy}".strip()
        self._document.show_failure(failure)
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
            with self._document.lock:
                deliver()

        self._outbox.post(guarded)

    def _pump(self, job: Job, prepared: threading.Event) -> None:
        """Deliver the draft on this thread, in hosts that show nothing that other threads send.

        A draft that has to wait its turn, or to prepare its picture first, is not waited for: it is delivered
        before the next message is read.
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
            self._send(Undrafted(seq, reason, message))

    def _once(self, message: str) -> str:
        """The message, or nothing if it is the same as the last one."""
        if message == self._told:
            return ""
        self._told = message
        return message
