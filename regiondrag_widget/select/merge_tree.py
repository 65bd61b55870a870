"""The tree of merged superpixels: which regions a superpixel is a part of, from small to large."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regiondrag_widget.select.graph import Graph

__all__ = ["MergeTree", "merge_tree"]

Bool = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.int32]

SMALL_FIRST = 0.5  # power of the smaller area by which a merger waits: small regions are merged first


@dataclass(frozen=True, eq=False)
class MergeTree:
    """Every merger of two regions, down to single superpixels.

    Attributes
    ----------
    order : (n,) int32, superpixels in an order in which each region is a slice.
    start, stop : (k,) int32, the slice of each region; the first n regions are the superpixels.
    parent : (k,) int32, the region that each was merged into, -1 for the last.
    """

    order: Indices
    start: Indices
    stop: Indices
    parent: Indices

    def region_when(self, count: int) -> Indices:
        """(n,) int32: for each superpixel the region it is in when so many are left, from 0."""
        n = len(self.order)
        done = n + max(0, n - count)  # the regions made by then
        region = np.arange(n, dtype=np.int32)
        while True:
            parent = self.parent[region]
            larger = (parent >= 0) & (parent < done)
            if not larger.any():
                return np.unique(region, return_inverse=True)[1].astype(np.int32)
            region = np.where(larger, parent, region)

    def regions_of(self, superpixel: int) -> list[Bool]:
        """The regions, (n,) bool each, that a superpixel is a part of, from itself to the largest."""
        found = []
        region = superpixel
        while region >= 0:
            members = np.zeros(len(self.order), bool)
            members[self.order[self.start[region] : self.stop[region]]] = True
            found.append(members)
            region = int(self.parent[region])
        return found


def merge_tree(graph: Graph) -> MergeTree:
    """Merge the two most alike neighbours again and again.

    How unlike two are is half the difference of their mean colours and half the step of colour along their
    border, times a power of the smaller one's area.
    """
    n = graph.count
    area, colour = graph.area.tolist(), graph.colour.tolist()
    # of each region its neighbours, with the length of the border and the sum of its steps
    near: list[dict[int, tuple[float, float]]] = [{} for _ in range(n)]
    edges = zip(graph.a.tolist(), graph.b.tolist(), graph.length.tolist(), graph.step.tolist(), strict=True)
    for a, b, length, step in edges:
        near[a][b] = near[b][a] = (length, step * length)
    waiting = [(_unlike(area, colour, near, a, b), a, b) for a in range(n) for b in near[a] if a < b]
    heapq.heapify(waiting)
    kids: list[tuple[int, int]] = []
    gone = [False] * n
    while waiting:
        _, a, b = heapq.heappop(waiting)
        if gone[a] or gone[b]:
            continue
        new = len(area)
        gone[a] = gone[b] = True
        gone.append(False)
        kids.append((a, b))
        total = area[a] + area[b]
        share = area[a] / total
        colour.append([share * p + (1 - share) * q for p, q in zip(colour[a], colour[b], strict=True)])
        area.append(total)
        borders: dict[int, tuple[float, float]] = {}
        for old, other in ((a, b), (b, a)):
            for next_, (length, steps) in near[old].items():
                if next_ != other:
                    del near[next_][old]
                    more = borders.get(next_, (0.0, 0.0))
                    borders[next_] = (more[0] + length, more[1] + steps)
            near[old] = {}
        near.append(borders)
        for next_, border in borders.items():
            near[next_][new] = border
            heapq.heappush(waiting, (_unlike(area, colour, near, new, next_), new, next_))
    return _as_slices(n, kids)


def _unlike(
    area: list[float],
    colour: list[list[float]],
    near: list[dict[int, tuple[float, float]]],
    a: int,
    b: int,
) -> float:
    length, steps = near[a][b]
    (l0, a0, b0), (l1, a1, b1) = colour[a], colour[b]
    apart = ((l0 - l1) ** 2 + (a0 - a1) ** 2 + (b0 - b1) ** 2) ** 0.5
    return float((apart + steps / length) / 2 * min(area[a], area[b]) ** SMALL_FIRST)


def _as_slices(n: int, kids: list[tuple[int, int]]) -> MergeTree:
    count = n + len(kids)
    parent = np.full(count, -1, np.int32)
    size = np.ones(count, np.int32)
    for number, (a, b) in enumerate(kids):
        parent[a] = parent[b] = n + number
        size[n + number] = size[a] + size[b]
    start = np.zeros(count, np.int32)
    start[count - 1] = 0
    for number in reversed(range(len(kids))):  # parents come after their children
        a, b = kids[number]
        start[a] = start[n + number]
        start[b] = start[a] + size[a]
    order = np.empty(n, np.int32)
    order[start[:n]] = np.arange(n, dtype=np.int32)
    return MergeTree(order, start, start + size, parent)
