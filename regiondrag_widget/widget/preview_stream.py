"""Preview flow control: which denoising previews are made and which are sent.

A browser that is slow, hidden or gone must slow nothing else, and one that keeps up should see every frame
it can paint. `PreviewStream` is a pure state machine: it owns no thread, no socket and no clock, and is
called with the document's lock held, from the inference thread (`offer`, `finish`) and from message handlers
(`ack`, `show`). Each call returns the frames to send now, in order.

The rule, after jupyter_rfb's frames-in-flight inequality: a frame goes out when fewer than two sent frames
await their acknowledgement and 1/15 s has passed. Acknowledgements stop when the kernel's main thread is
busy, so after one second without any, one frame a second goes out regardless. The frames of the first and
of the last step are never dropped; while every view is hidden nothing goes out, and the newest frame
follows when one is shown again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

F = TypeVar("F")

MAX_IN_FLIGHT = 2
MIN_INTERVAL = 1 / 15
ACK_TIMEOUT = 1.0


@dataclass(frozen=True)
class Frame(Generic[F]):
    """One preview of one run: ``seq`` counts the frames sent, ``must`` marks the first and the last step."""

    run: int
    step: int
    total: int
    picture: F
    seq: int = 0
    must: bool = False


class PreviewStream(Generic[F]):
    """Decides, for one widget, which previews to make and to send.

    Parameters
    ----------
    clock
        Seconds that never run backwards; injected by tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._run: int | None = None
        self._visible = True
        self._pending: Frame[F] | None = None
        self._sent = self._acked = 0
        self._made = self._last_sent = self._last_ack = float("-inf")

    def start(self, run: int) -> None:
        """Begin ``run``: whatever older runs still had pending is dropped."""
        self._run = run
        self._pending = None
        self._sent = self._acked = 0
        self._made = self._last_sent = self._last_ack = float("-inf")

    def end(self) -> None:
        """Send nothing more until the next `start`.

        The last frame of hidden views is kept until a view is shown.
        """
        if self._visible:
            self._run, self._pending = None, None

    def wants(self, step: int, total: int) -> bool:
        """Whether making the preview of this step is worth the work.

        Always for the first and the last step; otherwise while visible, and not more often than frames may
        be sent.
        """
        if self._run is None:
            return False
        if _is_edge(step, total):
            return True
        return self._visible and self._clock() - self._made >= MIN_INTERVAL

    def offer(self, run: int, step: int, total: int, picture: F) -> list[Frame[F]]:
        """Hand in a preview; it replaces one that is still waiting."""
        if run != self._run:
            return []
        self._made = self._clock()
        self._pending = Frame(run, step, total, picture, must=_is_edge(step, total))
        return self.poll()

    def ack(self, run: int, seq: int) -> list[Frame[F]]:
        """The browser painted frame ``seq`` (and so has all before it)."""
        if run == self._run and self._acked < seq <= self._sent:
            self._acked = seq
            self._last_ack = self._clock()
        return self.poll()

    def show(self, visible: bool) -> list[Frame[F]]:
        """Some view came on the screen, or the last one left it."""
        came_back = visible and not self._visible
        self._visible = visible
        if came_back and self._pending is not None:
            return self._flush()
        return self.poll()

    def poll(self) -> list[Frame[F]]:
        """The waiting frame, if it may go now."""
        if self._pending is None or not self._visible or not self._may_send(self._pending):
            return []
        return self._flush()

    def finish(self) -> list[Frame[F]]:
        """End the run: the last frame is sent whatever is in flight.

        While the views are hidden, it is sent when one is shown again.
        """
        return self._flush() if self._pending is not None and self._visible else []

    @property
    def in_flight(self) -> int:
        """Frames sent and not yet acknowledged."""
        return self._sent - self._acked

    def _may_send(self, frame: Frame[F]) -> bool:
        if frame.must:
            return True
        now = self._clock()
        if self.in_flight < MAX_IN_FLIGHT:
            return now - self._last_sent >= MIN_INTERVAL
        return now - max(self._last_ack, self._last_sent) >= ACK_TIMEOUT

    def _flush(self) -> list[Frame[F]]:
        assert self._pending is not None
        frame, self._pending = self._pending, None
        return [self._send(frame)]

    def _send(self, frame: Frame[F]) -> Frame[F]:
        self._sent += 1
        self._last_sent = self._clock()
        return replace(frame, seq=self._sent)


def _is_edge(step: int, total: int) -> bool:
    return step <= 1 or step >= total
