"""Time one piece of work, and measure the machine's own noise."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import torch

__all__ = ["Clock", "Noise"]

T = TypeVar("T")


class Clock:
    """Times work on one device, idle at both ends: by events on CUDA, by the wall clock elsewhere."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def time(self, work: Callable[[], T]) -> tuple[float, T]:
        """Seconds that ``work()`` took until its last kernel was done, and what it returned."""
        self.wait()
        if self.device.type != "cuda":
            begun = time.perf_counter()
            found = work()
            self.wait()
            return time.perf_counter() - begun, found
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record(torch.cuda.current_stream(self.device))
        found = work()
        end.record(torch.cuda.current_stream(self.device))
        self.wait()
        return begin.elapsed_time(end) / 1000, found

    def wait(self) -> None:
        """Until the device has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()


class Noise:
    """Repeats the same matrix product between the measurements: its variation is the machine's, not ours.

    Attributes
    ----------
    seconds
        Of all probes so far.
    """

    def __init__(self, clock: Clock) -> None:
        side = 384 if clock.device.type == "cpu" else 4096
        self._clock = clock
        self._matrix = torch.ones(side, side, device=clock.device)
        self.seconds: list[float] = []
        self._product()

    def probe(self) -> None:
        """Take one more sample."""
        self.seconds.append(self._clock.time(self._product)[0])

    def _product(self) -> torch.Tensor:
        for _ in range(4):
            product = self._matrix @ self._matrix
        return product
