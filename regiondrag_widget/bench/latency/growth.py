"""How the cost grows: with the picture's size, and with the number of pairs (which it should not)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from regiondrag_widget.bench.latency.case import Case, make_case, make_pairs_case
from regiondrag_widget.bench.latency.rounds import Row, Trial
from regiondrag_widget.bench.latency.workbench import Workbench

__all__ = ["PAIRS", "PAIRS_GROUP", "SIZES", "SIZE_GROUP", "pairs_rows", "size_rows"]

SIZE_GROUP, PAIRS_GROUP = "picture size", "number of pairs"
SIZES = (128, 256, 384, 512, 768, 1024)
PAIRS = (1, 2, 4, 8)


def size_rows(work: Workbench, repetitions: int, sizes: Sequence[int] = SIZES) -> list[Row]:
    """Cold edits, warm edits and drafts of square pictures; the regions grow with the picture."""
    return [
        row
        for size in sizes
        for row in _rows(work, SIZE_GROUP, "px", size, lambda size=size: make_case(size), repetitions)  # type: ignore[misc]
    ]


def pairs_rows(work: Workbench, size: int, repetitions: int, counts: Sequence[int] = PAIRS) -> list[Row]:
    """Warm edits and drafts with a constant total area, shared by more and more pairs."""
    return [
        row
        for count in counts
        for row in _rows(
            work,
            PAIRS_GROUP,
            "pair" if count == 1 else "pairs",
            count,
            lambda count=count: make_pairs_case(size, count),  # type: ignore[misc]
            repetitions,
        )
        if not row.name.startswith("cold")
    ]


def _rows(
    work: Workbench, group: str, unit: str, x: int, make: Callable[[], Case], repetitions: int
) -> list[Row]:
    def cold() -> Trial:
        return work.cold(work.pipe(), make())

    def warm() -> Trial:
        return work.warm(work.pipe(), make())

    def draft() -> Trial:
        return work.draft(work.pipe(), 2, make())

    ways = {"cold": cold, "warm": warm, "draft": draft}
    return [
        Row(f"{name}, {x} {unit}", group, prepare, name, x=x, most=repetitions, warmups=1)
        for name, prepare in ways.items()
    ]
