"""What an edit says of itself in words."""

from __future__ import annotations

from collections.abc import Sequence

from regiondrag_widget.imaging.carry import VERDICTS
from regiondrag_widget.regions import RegionPairs

__all__ = ["notes_of"]


def notes_of(pairs: RegionPairs, verdicts: Sequence[str]) -> tuple[str, ...]:
    """What was carried of each pair, in words.

    Parameters
    ----------
    pairs : RegionPairs
        The pairs of the edit.
    verdicts : sequence of str
        One a pair, a key of `VERDICTS`.

    Returns
    -------
    tuple of str
        One note a pair; with several pairs each begins with the pair's number and name.
    """
    words = [
        VERDICTS[verdict] if pair.moves else "removed, and its place filled"
        for pair, verdict in zip(pairs, verdicts, strict=False)
    ]
    if len(pairs) < 2:
        return tuple(words)
    labels = (f"pair {n}{f' ({pair.name})' if pair.name else ''}" for n, pair in enumerate(pairs, start=1))
    return tuple(f"{label}: {note}" for label, note in zip(labels, words, strict=False))
