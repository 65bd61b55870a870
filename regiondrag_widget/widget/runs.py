"""The widget's side of its edits: start, stop, wait, and what is shown while one runs.

`EditRuns` is the `EditListener` of one widget. It is called on the inference thread and decides what the
browser is told: states, flow-controlled previews, the result. Everything that touches the widget goes
through its `Outbox` and happens under the widget's lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from regiondrag_widget.widget import protocol
from regiondrag_widget.widget.editing import PREPARING, EditRequest, run_edit
from regiondrag_widget.widget.editor import Step, editor_key, shared_editors
from regiondrag_widget.widget.failures import Failure
from regiondrag_widget.widget.host import POLL, Outbox
from regiondrag_widget.widget.pictures import PREVIEW_SIZE, encode_png, encode_preview, encode_thumb
from regiondrag_widget.widget.protocol import StateName
from regiondrag_widget.widget.stream import Frame, PreviewStream
from regiondrag_widget.widget.worker import InferenceWorker, Job

STATUS_INTERVAL = 0.1  # seconds between two status messages of one run; the kernel's channel has a rate limit


class EditFailed(RuntimeError):
    """A run that was waited for failed; ``w.last_error`` has the traceback."""


class RunHost(Protocol):
    """What `EditRuns` needs of the widget."""

    @property
    def lock(self) -> threading.RLock: ...
    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the picture."""

    def send_message(self, message: protocol.Outgoing) -> None: ...
    def show_state(self, state: dict[str, Any]) -> None: ...
    def show_result(
        self, request: EditRequest, result: Any, seconds: float, png: bytes, thumb: bytes
    ) -> str: ...
    def show_failure(self, failure: Failure) -> None: ...


class EditRuns:
    """All edits of one widget: at most one at a time, the latest request wins.

    ``preparing`` tells whether a run that begins now will wait for its own picture to be prepared.
    """

    def __init__(
        self,
        host: RunHost,
        worker: InferenceWorker,
        outbox: Outbox,
        clock: Callable[[], float] = time.monotonic,
        preparing: Callable[[], bool] = lambda: False,
    ) -> None:
        self._host = host
        self._worker = worker
        self._outbox = outbox
        self._clock = clock
        self._preparing = preparing
        self._job: Job | None = None
        self._failure: Failure | None = None
        self._outcome: Any = None
        self._began = self._last_status = float("-inf")
        self._over = -1
        self.run = 0  # the newest run's number
        self.state: dict[str, Any] = idle_state("ready", "Ready", 0)
        self.stream: PreviewStream[tuple[bytes, int, int]] = PreviewStream(clock)

    @property
    def busy(self) -> bool:
        """Whether a run is waiting or under way."""
        return self.state["state"] in ("loading", "running", "stopping")

    def start(self, request: EditRequest) -> None:
        """Begin ``request``; a run under way stops at its next step and is heard of no more."""
        editors = shared_editors()

        def work(job: Job) -> None:
            def stop_preparing() -> bool:
                return self._worker.should_stop(job, preparing=True)

            run_edit(request, editors, self, lambda: job.cancelled, stop_preparing)

        job = Job(
            owner=id(self._host),
            work=work,
            dropped=lambda: self.stopped(request.run, 0),
            needs=editor_key(request.picture_key, request.settings),
        )
        with self._host.lock:
            self.run = request.run
            self._job, self._failure, self._outcome = job, None, None
            self.stream.start(request.run)
            self._enter("loading", self._first_words())
            self._worker.submit(job)

    def _first_words(self) -> str:
        if self._preparing():
            return PREPARING
        return "Waiting for its turn" if self._worker.busy else "Getting ready"

    def stop(self, run: int | None = None) -> None:
        """Stop the run under way (only if it is ``run``, when given) within one step.

        A run that is still being prepared counts as stopped at once: what is prepared serves the next one.
        """
        with self._host.lock:
            if not self.busy or (run is not None and run != self.run):
                return
            preparing = self.state["state"] == "loading"
            if not preparing:
                self._enter("stopping", "Stopping")
            self._worker.cancel(id(self._host))  # under the lock: a run that begins now must not be hit
            if preparing:
                self.stopped(self.run, 0)
                self._job = None

    def abandon(self) -> None:
        """Stop whatever runs and hear no more of it: its picture, or the whole widget, is gone."""
        with self._host.lock:
            if self.busy:
                self.run += 1
                self.stream.start(self.run)
                self.stream.end()
                self._show(idle_state("ready", "Ready", self.run))
            self._job = None
            self._worker.cancel(id(self._host))

    def refuse(self, run: int, message: str) -> None:
        """Run ``run`` cannot begin. It still replaces the one under way, of which its page hears no more."""
        with self._host.lock:
            self.abandon()
            self.run = run
            self._show(idle_state("error", message, run))

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
            with self._stopped_by_interrupt():
                job.wait(POLL)
        self._outbox.drain()
        if self._failure is not None:
            raise EditFailed(f"{self._failure.message} {self._failure.remedy}".strip())
        return self._outcome

    def pump(self) -> None:
        """Deliver the run's reports on this thread until it is over; an interrupt stops the run."""
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
            job.wait(POLL)
        self._outbox.drain()

    def acknowledge(self, run: int, seq: int) -> None:
        """The browser painted a preview."""
        with self._host.lock:
            self._send_frames(self.stream.ack(run, seq))

    def show(self, visible: bool) -> None:
        """Some view is on the screen, or none."""
        with self._host.lock:
            self._send_frames(self.stream.show(visible))

    def settle(self, name: StateName, message: str) -> None:
        """Show an idle state, unless a run is under way."""
        with self._host.lock:
            if not self.busy:
                self._show(idle_state(name, message, self.run))

    # -- EditListener: called on the inference thread --------------------------------------------------------

    def preparing(self, run: int, message: str) -> None:
        self._post(run, lambda: self._enter("loading", message))

    def stepped(self, run: int, step: Step) -> None:
        number, total = step.index, step.total
        now = self._clock()
        with self._host.lock:
            if run != self.run or run == self._over or self.state["state"] == "stopping":
                return
            wanted = self.stream.wants(number, total)
            if number == 1:
                self._began = now
            report = number in (1, total) or now - self._last_status >= STATUS_INTERVAL
            if report:
                self._last_status = now
        frame = encode_preview(step.preview(PREVIEW_SIZE)) if wanted else None

        def deliver() -> None:
            if report:
                self._enter(
                    "running", f"Step {number} of {total}", number, total, self._eta(now, number, total)
                )
            if frame is not None:
                self._send_frames(self.stream.offer(run, number, total, frame))

        self._post(run, deliver)

    def finished(self, request: EditRequest, result: Any, seconds: float) -> None:
        png, thumb = encode_png(result.image), encode_thumb(result.image)

        def deliver() -> None:
            self._send_frames(self.stream.finish())
            self.stream.end()
            self._outcome = result
            key = self._host.show_result(request, result, seconds, png, thumb)
            self._enter("done", f"Done in {seconds:.1f} s")
            self._host.send_message(protocol.Done(request.run, key, round(seconds, 3)))

        self._post(request.run, deliver)

    def stopped(self, run: int, step: int) -> None:
        def deliver() -> None:
            self._over = run
            self.stream.end()
            self._enter("ready", f"Stopped after step {step}" if step else "Stopped")
            self._host.send_message(protocol.Stopped(run, step))

        self._post(run, deliver)

    def failed(self, run: int, failure: Failure) -> None:
        def deliver() -> None:
            self.stream.end()
            self._failure = failure
            self._host.show_failure(failure)
            self._enter("error", f"{failure.message} {failure.remedy}".strip())
            self._host.send_message(protocol.Error(run, failure.code, failure.message, failure.remedy))

        self._post(run, deliver)

    # -- helpers ---------------------------------------------------------------------------------------------

    def _post(self, run: int, deliver: Callable[[], None]) -> None:
        def guarded() -> None:
            with self._host.lock:
                if run == self.run != self._over:  # nothing of an older run, or of one declared over
                    deliver()

        self._outbox.post(guarded)

    def _enter(
        self, name: StateName, message: str, step: int = 0, total: int = 0, eta: float | None = None
    ) -> None:
        self._show(
            {"state": name, "message": message, "step": step, "total": total, "eta": eta, "run": self.run}
        )

    def _show(self, state: dict[str, Any]) -> None:
        self.state = state
        self._host.show_state(state)
        self._host.send_message(protocol.Status(**state))

    def _eta(self, now: float, number: int, total: int) -> float | None:
        if number < 2:
            return None  # one step tells no pace
        return round((now - self._began) / (number - 1) * (total - number), 2)

    def _send_frames(self, frames: list[Frame[tuple[bytes, int, int]]]) -> None:
        width, height = self._host.size
        for f in frames:
            data, w, h = f.picture
            self._host.send_message(
                protocol.Preview(f.run, f.seq, f.step, f.total, w, h, (0, 0, width, height), data)
            )


def idle_state(name: StateName, message: str, run: int) -> dict[str, Any]:
    """A state in which nothing runs."""
    return {"state": name, "message": message, "step": 0, "total": 0, "eta": None, "run": run}
