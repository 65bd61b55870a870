"""What clicks select: superpixels that are cut from the rest of the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from regiondrag_widget.select.graph import MOST, Graph, cut

__all__ = ["object_at"]

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int32]

TOUCH = 0.35  # of the usual step: what it costs to go from one superpixel to the next where none is seen
NEARNESS, COLOUR = 0.8, 0.8  # how much geodesic distance and colour count, per square root of a pixel
EDGE = 1.0  # of the usual step at which a border costs a third of what a flat one does
ROUNDS = 2  # of cutting and learning colours anew


def object_at(graph: Graph, inside: Indices, outside: Indices) -> Bool:
    """(n,) bool: the superpixels of the object that clicks mean.

    Parameters
    ----------
    graph
        The picture's n superpixels.
    inside, outside
        Superpixels that were clicked as object, at least one, and as ground.
    """
    usual = graph.usual_step
    way = np.maximum(graph.step - TOUCH * usual, 0) / usual + 0.05
    near = graph.distance_from(inside, way)
    ground = np.union1d(np.flatnonzero(graph.rim > 0), outside)
    ground = np.setdiff1d(ground, inside).astype(np.int32)
    if not len(ground):
        return np.ones(graph.count, bool)
    far = graph.distance_from(ground, way)
    share = near / np.maximum(near + far, 1e-6)  # 0 at the click, 1 at the ground
    border = graph.length * np.exp(-((graph.step / (EDGE * usual)) ** 2) / 2) + 0.05 * graph.length
    size = np.sqrt(graph.area)
    object_cost, ground_cost = NEARNESS * size * share, NEARNESS * size * (1 - share)
    chosen = np.zeros(graph.count, bool)
    for turn in range(ROUNDS):
        if turn:
            like = _likeness(graph, chosen, usual)
            object_cost = size * (NEARNESS * share + COLOUR * (1 - like))
            ground_cost = size * (NEARNESS * (1 - share) + COLOUR * like)
        object_cost[inside], ground_cost[inside] = 0, MOST
        object_cost[outside], ground_cost[outside] = MOST, 0
        chosen = cut(graph, object_cost, ground_cost, border)
    return _connected(graph, chosen, inside)


def _likeness(graph: Graph, chosen: Bool, usual: float) -> Float:
    """(n,) float32 in 0..1: how much more each colour is the chosen superpixels' than the others'."""
    apart = graph.colour[:, None] - graph.colour[None]
    alike = np.exp(-(apart**2).sum(-1) / (2 * (1.5 * usual) ** 2)) * graph.area
    own, other = alike[:, chosen].sum(1), alike[:, ~chosen].sum(1)
    own, other = own / max(1, graph.area[chosen].sum()), other / max(1, graph.area[~chosen].sum())
    return np.asarray(own / np.maximum(own + other, 1e-9), np.float32)


def _connected(graph: Graph, chosen: Bool, seeds: Indices) -> Bool:
    """The chosen superpixels that hang together with a seed."""
    inner = chosen[graph.a] & chosen[graph.b]
    cost = np.where(inner, 0, 1).astype(np.float32)
    return chosen & (graph.distance_from(seeds, cost) < 0.5)


def as_indices(values: Sequence[int]) -> Indices:
    """Superpixel numbers, each once."""
    return np.unique(np.asarray(values, np.int32)).astype(np.int32)
