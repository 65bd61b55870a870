"""How long each stage of an edit took, and which one has begun."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["STAGES", "Stopwatch"]

STAGES: Final = {
    "prepare": "Preparing the picture",
    "find": "Finding what to carry",
    "fill": "Filling the place it left",
    "compose": "Laying it at its target",
}
"""What is done before the first step, each in words."""


class Stopwatch:
    """Seconds by stage; a stage that runs several times adds up.

    Parameters
    ----------
    wait : callable
        Waits until the device has done what it was given. A GPU's calls return before that, and a stage that
        did not wait would hand its seconds to the next one.

    Attributes
    ----------
    tell : callable or None
        Is called with a few words when a long stage before the first step begins, one of `STAGES`.
    seconds : dict of str to float
        By stage. `reset` makes a new dict, so a reader keeps the one it has.
    """

    def __init__(self, wait: Callable[[], None] = lambda: None) -> None:
        self.wait = wait
        self.tell: Callable[[str], None] | None = None
        self.seconds: dict[str, float] = {}
        self._begun = time.perf_counter()

    def reset(self) -> None:
        """Forget all stages and begin again."""
        self.seconds, self._begun = {}, time.perf_counter()

    def finish(self) -> float:
        """Note the seconds since `reset` as the stage "total", and return them."""
        self.wait()
        total = self.seconds["total"] = time.perf_counter() - self._begun
        return total

    def begins(self, stage: str) -> None:
        """Say in words that a stage begins, a key of `STAGES`."""
        if self.tell is not None:
            self.tell(STAGES[stage])

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time the block takes to `name`, also when the block raises."""
        begun = time.perf_counter()
        try:
            yield
            self.wait()
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun
