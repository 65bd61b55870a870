"""The widget's side of its edits: start, stop, wait, and what is shown while one runs.

`EditRuns` is the `EditListener` of one widget: it is called on the inference thread and decides what the
browser is told: states, flow-controlled previews, the result. It is also a listener of the document: a run is
of no use once its picture has been replaced. Everything that touches the document goes through the `Outbox`
and happens under the document's lock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from regiondrag_widget.widget.changes import Change
from regiondrag_widget.widget.document import Document
from regiondrag_widget.widget.edit_job import PREPARING, EditRequest, run_edit
from regiondrag_widget.widget.editor import Step
from regiondrag_widget.widget.editor_cache import editor_key, shared_editors
from regiondrag_widget.widget.encode import PREVIEW_SIZE, encode_png, encode_preview, encode_thumb
from regiondrag_widget.widget.failures import Failure, describe, let_go
from regiondrag_widget.widget.host import POLL, Outbox
from regiondrag_widget.widget.outgoing import Done, Error, Outgoing, Preview, Stopped
from regiondrag_widget.widget.pace import first_guess, shared_pace
from regiondrag_widget.widget.preview_stream import Frame, PreviewStream
from regiondrag_widget.widget.protocol import StateName
from regiondrag_widget.widget.run_state import RunState, idle_state
from regiondrag_widget.widget.weights import weights_here
from regiondrag_widget.widget.worker import InferenceWorker, Job

STATUS_INTERVAL = 0.1  # seconds between two states of one run; the kernel's channel has a rate limit

# what a change of the document lets the widget say, unless a run is under way
_SETTLED: dict[Change, tuple[StateName, str]] = {
    Change.ACCEPTED: ("ready", "Result accepted; Ctrl+Z takes it back"),
    Change.DISCARDED: ("ready", "Result discarded"),
    Change.RESTORED: ("done", "Earlier result"),
}


class EditFailed(RuntimeError):
    """A run that was waited for failed; ``w.last_error`` has the traceback."""


class Preparation(Protocol):
    """What else uses the inference thread for the same picture."""

    @property
    def preparing(self) -> bool:
        """Whether the picture is being prepared, so that a run that begins now waits for that."""

    def run_begins(self) -> None:
        """A run begins."""


class EditRuns:
    """All edits of one widget: at most one at a time, the latest request wins.

    Parameters
    ----------
    document
        What is edited, and where results and states are shown.
    worker
        Does the edits.
    outbox
        Delivers the reports.
    send
        Sends one message to the browser.
    preparation
        What else uses the inference thread for the same picture.
    clock
        Seconds that never run backwards; injected by tests.
    """

    def __init__(
        self,
        document: Document,
        worker: InferenceWorker,
        outbox: Outbox,
        send: Callable[[Outgoing], None],
        preparation: Preparation,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._document = document
        self._worker = worker
        self._outbox = outbox
        self._send = send
        self._preparation = preparation
        self._clock = clock
        self._owner = ("run", id(document))  # whose jobs these are, for the worker
        self._job: Job | None = None
        self._failure: Failure | None = None
        self._outcome: Any = None
        self._steps_began = self._first_step = self._last_status = float("-inf")
        self._started, self._loaded, self._prepared = float("-inf"), False, False
        self._waits = False  # whether runs of others go first
        self._expected: float | None = None  # seconds of the newest run, told from earlier ones
        self._over = -1  # the number of the last run whose end was told
        self.run = 0  # the newest run's number
        self.stream: PreviewStream[tuple[bytes, int, int]] = PreviewStream(clock)

    @property
    def busy(self) -> bool:
        """Whether a run is waiting or under way."""
        return self._document.busy

    def start(self, request: EditRequest) -> None:
        """Begin ``request``. A run under way stops at its next step; its later reports are dropped."""
        editors = shared_editors()

        def work(job: Job) -> None:
            self._turn_comes(request)

            def stop_preparing() -> bool:
                return self._worker.should_stop(job, preparing=True)

            run_edit(request, editors, self, lambda: job.cancelled, stop_preparing)

        job = Job(
            owner=self._owner,
            work=work,
            dropped=lambda: self.stopped(request.run, 0),
            crashed=lambda error: self._crashed(request.run, error),
            moved=lambda ahead: self._moved(request.run, ahead),
            needs=editor_key(request.picture_key, request.settings),
        )
        with self._document.lock:
            self._document.require_open()
            self._document.show_failure(None)
            self.run = request.run
            self._job, self._failure, self._outcome = job, None, None
            self.stream.start(request.run)
            ahead = self._worker.ahead_of(self._owner)
            self._waits = ahead > 0
            self._expect(request)
            self._enter("loading", self._first_words(ahead), eta=self._time_left())
            self._worker.submit(job)
            self._preparation.run_begins()

    def _expect(self, request: EditRequest) -> None:
        """Note when the run begins and how long it will take; how long others take is not known."""
        self._started, self._expected = self._clock(), None
        model, editors = request.settings.model, shared_editors()
        self._loaded = editors.loaded(model)
        self._prepared = editors.holds(request.picture_key) and not self._preparation.preparing
        if not self._waits:
            draft_ms = self._document.measured["draft_ms"]
            draft = None if draft_ms is None else draft_ms / 1000
            told = shared_pace().expect(model, self._prepared, draft) if self._loaded else None
            pixels = request.image.width * request.image.height
            self._expected = first_guess(pixels, weights_here(model)) if told is None else told

    def _first_words(self, ahead: int) -> str:
        if ahead:
            return _waiting_words(ahead)
        if self._preparation.preparing:
            return PREPARING
        return "Waiting for its turn" if self._worker.busy else "Getting ready"

    def _moved(self, run: int, ahead: int) -> None:
        """Fewer runs of others go first now."""

        def deliver() -> None:
            if self._waits:
                self._enter("loading", _waiting_words(ahead) if ahead else "Waiting for its turn")

        self._post(run, deliver)

    def _turn_comes(self, request: EditRequest) -> None:
        """A run that had to wait for others begins."""

        def deliver() -> None:
            if self._waits:
                self._waits = False
                self._expect(request)
                self._enter("loading", "Getting ready", eta=self._time_left())

        self._post(request.run, deliver)

    def _time_left(self) -> float | None:
        """Seconds until the run will be done, as far as earlier ones tell."""
        if self._expected is None:
            return None
        return round(max(0.0, self._expected - (self._clock() - self._started)), 2)

    def stop(self, run: int | None = None) -> None:
        """Stop the run under way (only if it is ``run``, when given) within one step.

        A run that is still being prepared counts as stopped at once: what is prepared serves the next one.
        """
        with self._document.lock:
            if not self.busy or (run is not None and run != self.run):
                return
            preparing = self._document.state["state"] == "loading"
            if not preparing:
                self._enter("stopping", "Stopping")
            self._worker.cancel(self._owner)  # under the lock: a run that begins now must not be hit
            if preparing:
                self.stopped(self.run, 0)
                self._job = None

    def abandon(self) -> None:
        """Stop whatever runs and drop its later reports: its picture, or the whole widget, is gone."""
        with self._document.lock:
            if self.busy:
                self.run += 1
                self.stream.start(self.run)
                self.stream.end()
                self._document.show_state(idle_state("ready", "Ready", self.run))
            self._job = None
            self._worker.cancel(self._owner)

    def refuse(self, run: int, message: str) -> None:
        """Run ``run`` cannot begin. It still replaces the one under way, whose later reports are dropped."""
        with self._document.lock:
            self.abandon()
            self.run = run
            self._document.show_state(idle_state("error", message, run))

    def changed(self, what: Change) -> None:
        """A run of another picture is abandoned; what was done with a result is said in words."""
        if what & (Change.PICTURE | Change.RESTORED):
            self.abandon()
        for cause, (name, message) in _SETTLED.items():
            if cause in what and not self.busy:
                self._document.show_state(idle_state(name, message, self.run))

    def wait(self, timeout: float | None = None) -> Any:
        """Block until the newest run is over; its result, or None when it was stopped (or there was none).

        Raises
        ------
        EditFailed
            The run failed.
        TimeoutError
            It is not over after ``timeout`` seconds; it goes on.
        RuntimeError
            Called on the inference thread, from an ``observe`` callback: it would wait for itself.
        """
        if self._worker.is_current_thread():
            raise RuntimeError("wait() was called from an observe callback, on the thread that does the edit")
        deadline = None if timeout is None else self._clock() + timeout
        while (job := self._job) is not None:
            self._outbox.drain()
            if job.finished and job is self._job:
                break
            if deadline is not None and self._clock() >= deadline:
                raise TimeoutError(f"the edit is not done after {timeout:g} s; it goes on, w.stop() ends it")
            self._worker.revive()
            with self._stopped_by_interrupt():
                job.wait(POLL)
        self._outbox.drain()
        if self._failure is not None:
            raise EditFailed(f"{self._failure.message} {self._failure.remedy}".strip())
        return self._outcome

    def pump(self) -> None:
        """Where no other thread can, deliver the run's reports on this one until it is over.

        An interrupt stops the run.
        """
        if not self._outbox.pump:
            return
        try:
            self._deliver_until_over()
        except KeyboardInterrupt:
            self.stop()
            self._deliver_until_over()  # its end is still to be told

    @contextmanager
    def _stopped_by_interrupt(self) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            self.stop()
            raise

    def _deliver_until_over(self) -> None:
        while (job := self._job) is not None and not job.finished:
            self._outbox.drain()
            self._worker.revive()
            job.wait(POLL)
        self._outbox.drain()

    def acknowledge(self, run: int, seq: int) -> None:
        """The browser has shown a preview."""
        with self._document.lock:
            self._send_frames(self.stream.ack(run, seq))

    def show(self, visible: bool) -> None:
        """Some view is on the screen, or none."""
        with self._document.lock:
            self._send_frames(self.stream.show(visible))

    # -- EditListener: called on the inference thread --------------------------------------------------------

    def preparing(self, run: int, message: str) -> None:
        """See `EditListener`."""
        self._post(run, lambda: self._enter("loading", message, eta=self._time_left()))

    def prepared(self, run: int) -> None:
        """See `EditListener`."""
        with self._document.lock:
            if run == self.run:
                self._steps_began = self._clock()

    def stepped(self, run: int, step: Step) -> None:
        """Show the step, and a preview of it if the browser keeps up."""
        number, total = step.index, step.total
        now = self._clock()
        with self._document.lock:
            if run != self.run or run == self._over or self._document.state["state"] == "stopping":
                return
            wanted = self.stream.wants(number, total)
            profile = self._document.picture.image.info.get("icc_profile")
            if number == 1:
                self._first_step = now
            report = number in (1, total) or now - self._last_status >= STATUS_INTERVAL
            if report:
                self._last_status = now
        frame = encode_preview(step.preview(PREVIEW_SIZE), profile) if wanted else None

        def deliver() -> None:
            if report:
                self._enter(
                    "running", f"Step {number} of {total}", number, total, self._eta(now, number, total)
                )
            if frame is not None:
                self._send_frames(self.stream.offer(run, number, total, frame))

        self._post(run, deliver)

    def finished(self, request: EditRequest, result: Any, seconds: float) -> None:
        """Show the result."""
        png, thumb = encode_png(result.image), encode_thumb(result.image)

        def deliver() -> None:
            self._send_frames(self.stream.finish())
            self.stream.end()
            self._outcome = result
            if self._loaded:  # loading a model is done once: it tells nothing of the next edit
                seconds_here = self._clock() - self._started
                shared_pace().learn(request.settings.model, self._prepared, seconds_here)
            key = self._document.add_result(request, result, seconds, png, thumb)
            self._enter("done", f"Done in {seconds:.1f} s")
            self._send(Done(request.run, key, round(seconds, 3)))
            self._over = request.run

        self._post(request.run, deliver)

    def stopped(self, run: int, step: int) -> None:
        """Say after how many steps."""

        def deliver() -> None:
            self._over = run
            self.stream.end()
            self._enter("ready", f"Stopped after step {step}" if step else "Stopped")
            self._send(Stopped(run, step))

        self._post(run, deliver)

    def failed(self, run: int, failure: Failure) -> None:
        """Show the failure; the picture, the drawing and earlier results stay."""

        def deliver() -> None:
            self.stream.end()
            self._failure = failure
            self._document.show_failure(failure)
            self._enter("error", f"{failure.message} {failure.remedy}".strip())
            self._send(Error(run, failure.code, failure.message, failure.remedy))
            self._over = run

        self._post(run, deliver)

    def _crashed(self, run: int, error: BaseException) -> None:
        """The run's job ended by an exception that `run_edit` could not report, or its thread died."""
        failure = describe(error)
        let_go(error)
        self.failed(run, failure)

    # -- helpers ---------------------------------------------------------------------------------------------

    def _post(self, run: int, deliver: Callable[[], None]) -> None:
        def guarded() -> None:
            with self._document.lock:
                if run == self.run != self._over:  # reports of an older run, or after its end, are dropped
                    deliver()

        self._outbox.post(guarded)

    def _enter(
        self, name: StateName, message: str, step: int = 0, total: int = 0, eta: float | None = None
    ) -> None:
        state: RunState = {
            "state": name, "message": message, "step": step, "total": total, "eta": eta, "run": self.run,
        }  # fmt: skip
        self._document.show_state(state)

    def _eta(self, now: float, number: int, total: int) -> float:
        # The first step may do more than the others.
        since, done = (self._steps_began, 1) if number == 1 else (self._first_step, number - 1)
        return round((now - since) / done * (total - number), 2)

    def _send_frames(self, frames: list[Frame[tuple[bytes, int, int]]]) -> None:
        height, width = self._document.shape
        for f in frames:
            data, w, h = f.picture
            self._send(Preview(f.run, f.seq, f.step, f.total, w, h, (0, 0, width, height), data))


def _waiting_words(ahead: int) -> str:
    return f"Waiting for its turn: {'another edit goes' if ahead == 1 else f'{ahead} other edits go'} first"
