"""How long each stage of an edit took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Stopwatch"]


class Stopwatch:
    """Seconds by stage; a stage that runs several times adds up.

    Attributes
    ----------
    seconds : dict of str to float
        By stage. `reset` makes a new dict, so a reader keeps the one it has.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._begun = time.perf_counter()

    def reset(self) -> None:
        """Forget all stages and begin again."""
        self.seconds, self._begun = {}, time.perf_counter()

    def finish(self) -> float:
        """Note the seconds since `reset` as the stage "total", and return them."""
        total = self.seconds["total"] = time.perf_counter() - self._begun
        return total

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time the block takes to `name`, also when the block raises."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun
