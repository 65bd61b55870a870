"""Regions that a click may mean: minimum cuts around it, and the merge tree's regions that it lies in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regiondrag_widget.select.graph import MOST, Graph, cuts, graph_of
from regiondrag_widget.select.merge_tree import MergeTree, merge_tree
from regiondrag_widget.select.superpixels import Segmentation, merged

__all__ = [
    "Pieces",
    "cuts_around",
    "cuts_within",
    "filled",
    "pieces_of",
    "proposals",
    "unique",
    "unlike_outside",
]

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int32]
Radii = npt.NDArray[np.floating]

COARSE = 1000  # regions that a cut divides: its time grows with their number
TOUCH = 0.35  # of the usual step: from one region to the next, up to this much is no way to go
LEAST_WAY = 0.05  # of the usual step: what each border costs all the same
LEVELS = (0.15, 0.45, 0.75)  # of the way from the click to the ground: where an object may end
NEARNESS, COLOUR = 0.8, 0.8  # what distance and colour count, per pixel of a region's side
LEAST_BORDER = 0.05  # what a pixel of border costs where it lies on the steepest edge; on even ground, 1
SURROUNDED = 1.5  # what colour counts where a thing stands out from what surrounds it
CORE, BEYOND, RING = 0.6, 1.3, 1.6  # of a disc's radius: mostly the thing; its end; the end of the ground
BOX_COLOUR, BOX_ROUNDS = 2.0, 3  # what colour counts in a box, and how often it is learned anew
MOST_PICTURE = 0.85  # of the picture that a thing may take


@dataclass(frozen=True, eq=False)
class Pieces:
    """A picture's n superpixels.

    Attributes
    ----------
    graph : the superpixels and their neighbours.
    tree : the regions they merge into.
    coarse : fewer, larger regions, for cuts.
    region : (n,) int32, the coarse region of each superpixel.
    labels : (h, w) int32, the superpixel of each pixel.
    """

    graph: Graph
    tree: MergeTree
    coarse: Graph
    region: Indices
    labels: Indices


def pieces_of(parts: Segmentation) -> Pieces:
    """Make all that clicks need of a picture's superpixels."""
    graph = graph_of(parts)
    tree = merge_tree(graph)
    region = tree.region_when(COARSE)
    coarse = graph_of(merged(parts, region))
    for each in (graph, coarse):  # made here, so that the first click is as quick as the others
        _ = each.shades, each.neighbours
    return Pieces(graph, tree, coarse, region, parts.labels)


def proposals(pieces: Pieces, superpixel: int, far: Indices, radii: Radii) -> list[Bool]:
    """Regions, (n,) bool each, that a superpixel is a part of; at least one.

    Parameters
    ----------
    pieces
        The picture's n superpixels.
    superpixel
        Where the click was.
    far
        Superpixels that are thought to be ground.
    radii
        (k,), of the discs around the click in which a thing is looked for, pixels of the working size.
    """
    graph = pieces.graph
    cuts_ = [*cuts_around(pieces, superpixel, far), *cuts_within(pieces, superpixel, radii)]
    found = unique([*pieces.tree.regions_of(superpixel), *cuts_])
    most = MOST_PICTURE * float(graph.area.sum())
    found = [region for region in found if float(graph.area[region].sum()) < most] or found[:1]
    return unique(list(filled(pieces, np.array(found))))


def filled(pieces: Pieces, regions: Bool) -> Bool:
    """(k, n) bool: regions (k, n) bool, each with the coarse regions that it encloses."""
    free = np.zeros((len(regions), pieces.coarse.count), bool)
    which, superpixel = np.nonzero(~regions)
    free[which, pieces.region[superpixel]] = True
    enclosed = pieces.coarse.filled(~free) & free
    return np.asarray(regions | enclosed[:, pieces.region])


def cuts_around(
    pieces: Pieces, superpixel: int, far: Indices, levels: Sequence[float] = LEVELS
) -> list[Bool]:
    """Minimum cuts around a superpixel, (n,) bool: at each level by distance alone, then by colours too."""
    graph = pieces.coarse
    here = int(pieces.region[superpixel])
    ground = np.setdiff1d(pieces.region[far], [here]).astype(np.int32)
    if not len(ground):
        return []
    seed, usual = np.array([here], np.int32), graph.usual_step
    way = np.maximum(graph.step / usual - TOUCH, 0) + LEAST_WAY
    near, rest = graph.distance_from(seed, way), graph.distance_from(ground, way)
    share = near / np.maximum(near + rest, 1e-6)  # 0 at the click, 1 at the ground
    border, size = _border(graph), np.sqrt(graph.area)
    level = np.array(levels, np.float32)[:, None]
    most = NEARNESS * size / np.maximum(level, 1 - level)
    object_costs, ground_costs = most * np.maximum(share - level, 0), most * np.maximum(level - share, 0)
    object_costs[:, here], ground_costs[:, here] = 0, MOST
    by_distance = cuts(graph, object_costs, ground_costs, border)
    like = _likeness(graph, by_distance, ~by_distance)
    object_costs += COLOUR * size * (1 - like)
    ground_costs += COLOUR * size * like
    object_costs[:, here], ground_costs[:, here] = 0, MOST
    found = unique([*by_distance, *cuts(graph, object_costs, ground_costs, border)])
    return list(graph.joined(np.array(found), seed)[:, pieces.region])


def cuts_within(pieces: Pieces, superpixel: int, radii: Radii) -> list[Bool]:
    """Minimum cuts by colour, (n,) bool: what in discs around a superpixel is unlike what surrounds them.

    They find things of several colours.

    Parameters
    ----------
    pieces
        The picture's n superpixels.
    superpixel
        Where the click was.
    radii
        (k,), of the discs, pixels of the working size.
    """
    graph = pieces.coarse
    here = int(pieces.region[superpixel])
    away = np.hypot(*(graph.at - pieces.graph.at[superpixel]).T) / radii[:, None]
    around = (away > 1) & (away <= RING)
    none = ~around.any(1)
    around[none] = away[none] > away[none].max(1, keepdims=True) * CORE
    core = away <= CORE
    core[:, here] = True
    like, size = _likeness(graph, core, around), np.sqrt(graph.area)
    object_costs, ground_costs = SURROUNDED * size * (1 - like), SURROUNDED * size * like
    beyond = away > BEYOND
    object_costs[beyond], ground_costs[beyond] = MOST, 0
    object_costs[:, here], ground_costs[:, here] = 0, MOST
    found = np.array(unique(list(cuts(graph, object_costs, ground_costs, _border(graph)))))
    return list(graph.joined(found, np.array([here], np.int32))[:, pieces.region])


def unlike_outside(pieces: Pieces, inside: Bool) -> Bool:
    """(n,) bool: what in a box, (n,) bool, has other colours than what is outside it."""
    graph = pieces.graph
    border, size = _border(graph), np.sqrt(graph.area)
    region = inside
    for _ in range(BOX_ROUNDS):
        like = _likeness(graph, region[None], ~region[None])[0]
        object_cost, ground_cost = BOX_COLOUR * size * (1 - like), BOX_COLOUR * size * like
        object_cost[~inside], ground_cost[~inside] = MOST, 0
        smaller = cuts(graph, object_cost[None], ground_cost[None], border)[0]
        if not smaller.any():
            break
        region = smaller
    return region


def unique(regions: list[Bool]) -> list[Bool]:
    """Each of the regions once, in their order."""
    return list({region.tobytes(): region for region in regions}.values())


def _border(graph: Graph) -> Float:
    """(m,) float32: what it costs to divide the two sides of each border."""
    relative = graph.step / graph.usual_step
    return np.asarray(graph.length * (np.exp(-(relative**2) / 2) + LEAST_BORDER), np.float32)


def _likeness(graph: Graph, regions: Bool, others: Bool) -> Float:
    """(k, n) float32 in 0..1: how much more each one's colours are a region's (k, n) than the others'."""
    own, other = ((graph.area * side) @ graph.shades for side in (regions, others))
    own, other = (c / np.maximum(1.0, c.sum(1, keepdims=True)) + 1e-4 for c in (own, other))
    return np.asarray((own / (own + other)) @ graph.shades.T, np.float32)
