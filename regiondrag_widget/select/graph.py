"""The graph of superpixels, geodesic distances on it, and its cuts into object and ground."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, dijkstra, maximum_flow

from regiondrag_widget.select.superpixels import Segmentation

__all__ = ["Graph", "cuts", "graph_of"]

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float32]
Costs = npt.NDArray[np.floating]
Indices = npt.NDArray[np.int32]

UNIT = 4096.0  # whole numbers per unit of cost: scipy's maximum flow counts in integers
MOST = 1e4  # the largest cost, which nothing outweighs
SHADES = 64  # colours that a picture's colours are told by
ALIKE = 6.0  # of CIELAB's units: how far a colour counts for those beside it


@dataclass(frozen=True, eq=False)
class Graph:
    """Superpixels and their neighbours.

    Attributes
    ----------
    colour : (n, 3) float32, mean CIELAB colour.
    area : (n,) float32, pixels.
    at : (n, 2) float32, centroid x, y.
    rim : (n,) float32, pixels at the picture's edge.
    a, b : (m,) int32, the two superpixels of each border.
    length : (m,) float32, pixels of each border.
    step : (m,) float32, mean difference of colour across it.
    """

    colour: Float
    area: Float
    at: Float
    rim: Float
    a: Indices
    b: Indices
    length: Float
    step: Float

    @property
    def count(self) -> int:
        """How many superpixels there are."""
        return len(self.area)

    @cached_property
    def usual_step(self) -> float:
        """The mean difference of colour across borders, weighted by their length; at least 1."""
        total = float(self.length.sum())
        return max(1.0, float((self.step * self.length).sum()) / total) if total else 1.0

    @cached_property
    def shades(self) -> Float:
        """(n, k) float32: how near each superpixel is to the picture's k main colours; rows sum to 1."""
        cv2.setRNGSeed(0)  # k-means draws from OpenCV's own generator
        stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1.0)
        count = min(SHADES, self.count)
        _, _, centres = cv2.kmeans(self.colour, count, None, stop, 1, cv2.KMEANS_PP_CENTERS)
        apart = ((self.colour[:, None] - centres[None]) ** 2).sum(-1)
        near = np.exp(-(apart - apart.min(1, keepdims=True)) / (2 * ALIKE**2))
        return np.asarray(near / near.sum(1, keepdims=True), np.float32)

    @cached_property
    def neighbours(self) -> csr_array:
        """(n, n) float32, sparse: 1 for each two superpixels that share a border."""
        both = np.concatenate([self.a, self.b]), np.concatenate([self.b, self.a])
        return csr_array((np.ones(2 * len(self.a), np.float32), both), shape=(self.count, self.count))

    def network(self, count: int) -> tuple[csr_array, Indices]:
        """The pattern of the flow network of so many `cuts`, and where in its data each capacity goes.

        It has count * n + 2 nodes, source and sink the last, and each edge in both directions.
        """
        if count not in self._networks:
            n = count * self.count
            every = np.arange(n, dtype=np.int32)
            copy = np.arange(count, dtype=np.int32)[:, None] * self.count
            a, b = (copy + self.a).ravel(), (copy + self.b).ravel()
            source, sink = np.full(n, n, np.int32), np.full(n, n + 1, np.int32)
            heads = np.concatenate([a, b, source, every, every, sink])
            tails = np.concatenate([b, a, every, sink, source, every])
            numbers = np.arange(1, len(heads) + 1, dtype=np.int32)
            pattern = csr_array((numbers, (heads, tails)), shape=(n + 2, n + 2))
            self._networks[count] = pattern, pattern.data - 1
        return self._networks[count]

    @cached_property
    def _networks(self) -> dict[int, tuple[csr_array, Indices]]:
        """The networks that were asked for."""
        return {}

    @cached_property
    def _links(self) -> tuple[Indices, Indices, Indices]:
        """Each border in both directions, sorted: where each superpixel's begin (n + 1,), its ends (2 m,)."""
        ways = self.neighbours
        heads = np.repeat(np.arange(self.count, dtype=np.int32), np.diff(ways.indptr))
        return ways.indptr, heads, ways.indices

    def distance_from(self, seeds: Indices, cost: Float) -> Float:
        """(n,) float32: the least sum of costs (m,) along any way from one of the seeds."""
        if not len(self.a) or not len(seeds):
            return np.where(np.isin(np.arange(self.count), seeds), 0, np.inf).astype(np.float32)
        both = np.concatenate([self.a, self.b]), np.concatenate([self.b, self.a])
        weights = np.maximum(np.concatenate([cost, cost]), 1e-6)
        ways = csr_array((weights, both), shape=(self.count, self.count))
        return np.asarray(dijkstra(ways, indices=seeds, min_only=True), np.float32)

    def joined(self, regions: Bool, seeds: Indices) -> Bool:
        """(k, n) bool: of each region (k, n) bool, the parts that contain one of the seeds."""
        part = self._parts(regions)
        found = np.zeros(regions.shape, bool)
        for seed in seeds:
            found |= regions[:, seed, None] & (part == part[:, seed, None])
        return found & regions

    def filled(self, regions: Bool) -> Bool:
        """(k, n) bool: regions (k, n) bool, each with all that it encloses."""
        free = ~regions
        part = self._parts(free)
        open_ = np.zeros(int(part.max()) + 1, bool)
        open_[part[free & (self.rim > 0)]] = True
        return np.asarray(regions | ~open_[part])

    def _parts(self, regions: Bool) -> Indices:
        """(k, n) int32: equal for superpixels of one region that hang together."""
        count, n = regions.shape
        starts, heads, tails = self._links
        kept = regions[:, heads] & regions[:, tails]
        # one graph of k copies, so that it is searched once
        offset = np.arange(count, dtype=np.int32)[:, None] * n
        before = np.concatenate([[0], np.cumsum(kept, dtype=np.int32)])
        first = before[(np.arange(count)[:, None] * len(heads) + starts[:-1]).ravel()]
        indices, indptr = (offset + tails)[kept], np.append(first, before[-1]).astype(np.int32)
        links = csr_array((np.ones(len(indices)), indices, indptr), shape=(count * n, count * n))
        # both directions are in it: parts that are strongly connected are all parts, and found without a copy
        found = connected_components(links, directed=True, connection="strong")[1]
        return np.asarray(found, np.int32).reshape(count, n)


def graph_of(parts: Segmentation) -> Graph:
    """The graph of a picture's superpixels."""
    labels, count = parts.labels, parts.count
    flat = labels.ravel()
    area = np.bincount(flat, minlength=count).astype(np.float32)

    def mean(values: npt.NDArray[np.generic]) -> Float:
        return (np.bincount(flat, values.ravel(), minlength=count) / area).astype(np.float32)

    ys, xs = np.mgrid[: labels.shape[0], : labels.shape[1]]
    colour = np.stack([mean(parts.lab[..., i]) for i in range(3)], 1)
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    rim = np.bincount(edge, minlength=count).astype(np.float32)
    sides = [_across(labels, parts.lab, axis) for axis in (0, 1)]
    a, b, step = (np.concatenate(values) for values in zip(*sides, strict=True))
    low, high = np.minimum(a, b).astype(np.int64), np.maximum(a, b)
    codes, border = np.unique(low * count + high, return_inverse=True)
    length = np.bincount(border, minlength=len(codes)).astype(np.float32)
    steps = (np.bincount(border, step, minlength=len(codes)) / length).astype(np.float32)
    first, second = np.divmod(codes, count)
    at = np.stack([mean(xs), mean(ys)], 1)
    return Graph(colour, area, at, rim, first.astype(np.int32), second.astype(np.int32), length, steps)


def _across(labels: Indices, lab: Float, axis: int) -> tuple[Indices, Indices, Float]:
    """The two superpixels and the step of colour at each place where a border crosses rows or columns.

    Colours are compared one pixel further out on both sides: an edge is seldom sharper than that.
    """
    here = labels if axis == 0 else labels.T
    colours = lab if axis == 0 else lab.transpose(1, 0, 2)
    rows, columns = np.nonzero(here[1:] != here[:-1])
    above, below = np.maximum(rows - 1, 0), np.minimum(rows + 2, len(here) - 1)
    step = np.sqrt(((colours[above, columns] - colours[below, columns]) ** 2).sum(-1))
    return here[rows, columns], here[rows + 1, columns], step.astype(np.float32)


def cuts(graph: Graph, object_costs: Costs, ground_costs: Costs, border_cost: Costs) -> Bool:
    """The cheapest divisions into object and ground: minimum cuts (Boykov, Jolly 2001).

    Several are made at once, which takes less time than one after the other.

    Parameters
    ----------
    graph
        n superpixels with m borders.
    object_costs, ground_costs
        (k, n) at least 0, what it costs in each cut to call a superpixel object or ground.
    border_cost
        (m,) at least 0, what it costs where the two sides of a border are divided.

    Returns
    -------
    (k, n) bool
        The objects.
    """
    count, n = object_costs.shape[0], object_costs.size
    shared = np.minimum(object_costs, ground_costs)  # what both cost decides nothing
    nothing, borders = np.zeros(n, np.float32), np.tile(border_cost, count)
    to_source, to_sink = (ground_costs - shared).ravel(), (object_costs - shared).ravel()
    costs = np.concatenate([borders, borders, to_source, to_sink, nothing, nothing])
    pattern, where = graph.network(count)
    capacity = np.rint(np.clip(costs, 0, MOST) * UNIT).astype(np.int32)[where]
    ways = csr_array((capacity, pattern.indices, pattern.indptr), shape=pattern.shape)
    flow = maximum_flow(ways, n, n + 1).flow.data  # each edge has its reverse, so no other was added
    left = capacity - flow
    open_ = left > 0
    indptr = np.concatenate([[0], np.cumsum(open_, dtype=np.int32)])[pattern.indptr].astype(np.int32)
    left = csr_array((left[open_].astype(float), pattern.indices[open_], indptr), shape=pattern.shape)
    reached = breadth_first_order(left, n, return_predecessors=False)
    objects = np.zeros(n + 2, bool)
    objects[reached] = True
    return objects[:n].reshape(count, -1)
