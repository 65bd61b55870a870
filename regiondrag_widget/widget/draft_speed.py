"""How long drafts take here, and whether that is quick enough to follow a pointer."""

from __future__ import annotations

from collections import deque
from statistics import median

QUICK = 0.250  # seconds; a draft under this is worth showing while a region is dragged
SLOW = 0.300  # over this it no longer is: a second limit, for hysteresis
HOPELESS = 4 * QUICK
KEPT = 9  # drafts, whose median is used: a single slow one changes little


class DraftSpeed:
    """The running median of the latest drafts."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=KEPT)
        self._quick = False

    def begin(self, seconds: float) -> None:
        """Start over with one draft: it is of another model, picture or schedule."""
        self.forget()
        self.add(seconds)

    def add(self, seconds: float) -> None:
        """One more draft, without the preparation of its picture."""
        self._seconds.append(seconds)
        typical = median(self._seconds)
        self._quick = typical < (SLOW if self._quick else QUICK)

    def forget(self) -> None:
        """Forget all drafts."""
        self._seconds.clear()
        self._quick = False

    @property
    def draft_ms(self) -> float | None:
        """The median in milliseconds; None before the first draft."""
        return round(median(self._seconds) * 1000, 1) if self._seconds else None

    @property
    def quick(self) -> bool:
        """Whether drafts can follow a pointer."""
        return self._quick

    @property
    def doubtful(self) -> bool:
        """Whether they cannot now, but might when the machine is less busy."""
        return bool(self._seconds) and not self._quick and median(self._seconds) < HOPELESS
