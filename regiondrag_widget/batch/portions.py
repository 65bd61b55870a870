"""Rows in the order in which they are done, and cut into portions for several workers."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from regiondrag_widget.batch.row import Row
from regiondrag_widget.batch.work import Work

__all__ = ["MOST", "in_portions"]

# rows of one group that a worker takes at once: a larger group is spread over workers, and what its rows
# share is then made once for each portion
MOST = 32


def in_portions(rows: Sequence[Row], work: Work, most: int = MOST) -> list[list[Row]]:
    """Sort rows so that those of one group follow each other, and cut the groups.

    Groups come in the order of their first rows, at each of their parts: with groups of (picture, seed) the
    rows of one picture stay together too.

    Parameters
    ----------
    rows
        Rows that make sense to the work.
    work
        Tells the groups.
    most
        Rows in a portion, at the most.
    """
    groups = [work.group(row) for row in rows]
    first: dict[Hashable, int] = {}
    for index, group in enumerate(groups):
        for end in range(1, len(group) + 1):
            first.setdefault(group[:end], index)

    def place(index: int) -> tuple[int, ...]:
        return tuple(first[groups[index][:end]] for end in range(1, len(groups[index]) + 1))

    portions: list[list[Row]] = []
    last: tuple[str, ...] | None = None
    for index in sorted(range(len(rows)), key=lambda index: (place(index), index)):
        if groups[index] != last or len(portions[-1]) >= most:
            portions.append([])
            last = groups[index]
        portions[-1].append(rows[index])
    return portions
