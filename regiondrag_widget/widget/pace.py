"""How long edits take here, as far as this process has seen any: what the time left is told from."""

from __future__ import annotations

from regiondrag_widget.locks import OrderedLock, Rank


class Pace:
    """Remembers the seconds of the latest edit of each kind. Safe on any thread."""

    def __init__(self) -> None:
        self._lock = OrderedLock(Rank.REGISTRY)
        self._seconds: dict[tuple[str, bool], float] = {}

    def expect(self, model: str, prepared: bool) -> float | None:
        """Seconds that an edit will take, or None before the first of its kind.

        Parameters
        ----------
        model
            The model's name.
        prepared
            Whether its picture was prepared before.
        """
        with self._lock:
            return self._seconds.get((model, prepared))

    def learn(self, model: str, prepared: bool, seconds: float) -> None:
        """Note what an edit has taken; the parameters as for `expect`."""
        with self._lock:
            self._seconds[model, prepared] = seconds


_shared = Pace()


def shared_pace() -> Pace:
    """What the widgets of this process have seen together."""
    return _shared
