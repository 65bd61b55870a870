"""What the read-out says of speed and memory: sent after the first measurement, and when it changes."""

from __future__ import annotations

import time
from collections.abc import Callable

from regiondrag_widget.widget.draft_job import MAX_AGE
from regiondrag_widget.widget.draft_speed import DraftSpeed
from regiondrag_widget.widget.editor import Report
from regiondrag_widget.widget.outgoing import Measured

INTERVAL = 1.0  # seconds between two messages, unless the change decides whether drafts are asked for
TOO_SLOW = "drafts take too long here to follow a pointer"
SHRUNK = "out of memory: the cache was halved"
MARKED = 0.1  # a change of the median by this share is worth a message

UNMEASURED = Measured(None, live=False, device="", dtype="", memory=0, budget=0)


class Readout:
    """Decides when a `Measured` is sent. Not safe without a lock.

    Parameters
    ----------
    report
        What the present picture's editor runs on; None while it has none.
    send
        Takes the message.
    """

    def __init__(
        self,
        report: Callable[[], Report | None],
        send: Callable[[Measured], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.speed = DraftSpeed()
        self._report = report
        self._send = send
        self._clock = clock
        self._open = False
        self._shrunk = False
        self._pause = self._unprepared = ""
        self._known = Report()
        self._sent: Measured | None = None
        self._sent_at = float("-inf")

    def switch(self, on: bool) -> None:
        """The read-out is opened, and filled at once, or closed."""
        self._open = on
        if on:
            self._tell(self._now())

    def paused(self, why: str) -> None:
        """Say why no drafts are made for now; no words: they are made again."""
        self._pause = why
        self.update()

    def unprepared(self, why: str) -> None:
        """Say why the picture could not be prepared ahead of a run; no words: nothing is known against it."""
        self._unprepared = f"could not prepare ahead: {why}" if why else ""
        self.update()

    def shrunk(self) -> None:
        """Say that memory ran out and less is kept."""
        self._shrunk = True
        self.update()

    def forget(self, *, model: bool) -> None:
        """Start over for another picture, or another ``model``."""
        self._shrunk, self._unprepared = False, ""
        if model:
            self._known = Report()
            self.speed.forget()
        self.update()

    def greet(self) -> None:
        """Send again what was sent last: a new page knows nothing."""
        if self._sent is not None:
            self._send(self._sent)

    def update(self, *, settled: bool = False) -> None:
        """Send what has changed, if it is time to.

        Parameters
        ----------
        settled
            Whether nothing more will change for a while, so that a change is sent now.
        """
        now, before = self._now(), self._sent
        if now == before or (before is None and now.draft_ms is None and not now.note):
            return
        urgent = (
            before is None
            or (now.live, now.note, now.device) != (before.live, before.note, before.device)
            or (now.draft_ms is None) != (before.draft_ms is None)
        )
        waited = settled or self._clock() - self._sent_at >= INTERVAL
        if urgent or (waited and (self._open or _marked(now, before))):
            self._tell(now)

    def _now(self) -> Measured:
        self._known = self._report() or self._known
        known, speed = self._known, self.speed
        slow = TOO_SLOW if (speed.draft_ms or 0) > MAX_AGE * 1000 else ""
        notes = known.note, slow, SHRUNK if self._shrunk else "", self._pause, self._unprepared
        return Measured(
            draft_ms=speed.draft_ms,
            live=speed.quick and not self._pause,
            device=known.device,
            dtype=known.dtype,
            memory=known.memory,
            budget=known.budget,
            note="; ".join(filter(None, notes)),
        )

    def _tell(self, measured: Measured) -> None:
        self._sent, self._sent_at = measured, self._clock()
        self._send(measured)


def _marked(now: Measured, before: Measured | None) -> bool:
    if before is None or not now.draft_ms or not before.draft_ms:
        return True
    return abs(now.draft_ms - before.draft_ms) > MARKED * before.draft_ms
