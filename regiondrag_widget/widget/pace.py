"""How long edits take here, as far as this process has seen any: what the time left is told from."""

from __future__ import annotations

from regiondrag_widget.locks import OrderedLock, Rank

COLD = 3.0  # times as long as in a prepared picture, until one of each kind was seen
OF_DRAFTS = 3.0  # drafts that an edit of a prepared picture takes as long as, showing it included
FIRST = 10.0  # seconds for loading torch and the bundled model, on one core of a laptop
FIRST_MEGAPIXEL = 0.7  # seconds more for each megapixel of the picture
FIRST_GIGABYTE = 6.0  # and for each gigabyte of a model's weights, which are read and then computed with


def first_guess(pixels: int, weights: int | None) -> float | None:
    """Seconds that the first edit of a process may take; None where the weights have to be downloaded first.

    Parameters
    ----------
    pixels
        Of the picture.
    weights
        Bytes of the model's weights, or None; see `weights_here`.
    """
    if weights is None:
        return None
    return FIRST + FIRST_MEGAPIXEL * pixels / 1e6 + FIRST_GIGABYTE * weights / 1e9


class Pace:
    """Remembers the seconds of the latest edit of each kind. Safe on any thread."""

    def __init__(self) -> None:
        self._lock = OrderedLock(Rank.REGISTRY)
        self._seconds: dict[tuple[str, bool], float] = {}

    def expect(self, model: str, prepared: bool, draft: float | None = None) -> float | None:
        """Seconds that an edit will take; roughly, before the first of its kind; None where nothing was seen.

        Parameters
        ----------
        model
            The model's name.
        prepared
            Whether its picture was prepared before.
        draft
            Seconds of a draft by this model, where one was timed.
        """
        with self._lock:
            same, other = (self._seconds.get((model, kind)) for kind in (prepared, not prepared))
        if same is not None:
            return same
        warm = None if draft is None else draft * OF_DRAFTS
        if other is not None:
            warm = other if not prepared else other / COLD
        return warm if warm is None or prepared else warm * COLD

    def learn(self, model: str, prepared: bool, seconds: float) -> None:
        """Note what an edit has taken; the parameters as for `expect`."""
        with self._lock:
            self._seconds[model, prepared] = seconds


_shared = Pace()


def shared_pace() -> Pace:
    """What the widgets of this process have seen together."""
    return _shared
