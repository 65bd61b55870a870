"""What clicks select: of many regions at the place clicked, the one that looks most like a thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regiondrag_widget.select.graph import MOST, Graph, cut
from regiondrag_widget.select.merge_tree import MergeTree
from regiondrag_widget.select.objectness import scores

__all__ = ["Click", "Regions", "corrected", "different", "regions_at", "regions_in"]

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int32]

TOUCH = 0.35  # of the usual step: from one superpixel to the next, up to this much is no way to go
LEAST_WAY = 0.05  # of the usual step: what each border costs all the same
LEVELS = (0.2, 0.4, 0.55, 0.7)  # of the way from the click to the ground: where an object may end
NEARNESS, COLOUR = 0.8, 0.8  # what distance and colour count, per pixel of a superpixel's side
LEAST_BORDER = 0.05  # what a pixel of border costs where it lies on the steepest edge; on even ground, 1
BOX_COLOUR, BOX_ROUNDS = 2.0, 3  # what colour counts in a box, and how often it is learned anew
PLACES = ((0.5, 0.5), (0.5, 0.3), (0.5, 0.7), (0.3, 0.5), (0.7, 0.5))  # in a box, where its object may be
FIT = 1.0  # what it counts that a region reaches all sides of its box
CANDIDATES, DIFFERENT = 3, 0.7  # how many are offered, and their largest overlap
WHOLE = 0.5  # what it counts in a correction how much the whole selection looks like a thing
MOST_PICTURE = 0.85  # of the picture that a thing may take


@dataclass(frozen=True)
class Click:
    """A click: its superpixel, where it was at the working size, and whether it takes or takes away."""

    superpixel: int
    x: float
    y: float
    takes: bool


@dataclass(frozen=True, eq=False)
class Regions:
    """What clicks may mean: (k, n) bool with (k,) float32 scores, the best first; at least one."""

    members: Bool
    scores: Float

    def sorted(self) -> Regions:
        """The best first."""
        order = np.argsort(-self.scores, kind="stable")
        return Regions(self.members[order], self.scores[order])


def regions_at(graph: Graph, tree: MergeTree, click: Click) -> Regions:
    """The regions that a first click, which takes, may mean in a picture of n superpixels."""
    rim = np.flatnonzero(graph.rim > 0).astype(np.int32)
    members = np.array(_proposals(graph, tree, click, rim))
    return Regions(members, scores(graph, members, click.x, click.y)).sorted()


def regions_in(graph: Graph, tree: MergeTree, inside: Bool) -> Regions:
    """The regions that a box may mean.

    Parameters
    ----------
    graph, tree
        The picture's n superpixels.
    inside
        (n,) bool, those in the box, at least one.
    """
    ground = np.flatnonzero(~inside).astype(np.int32)
    low, high = graph.at[inside].min(0), graph.at[inside].max(0)
    found: list[Bool] = []
    for across, down in PLACES:
        x, y = low + (high - low) * (across, down)
        where = np.flatnonzero(inside)
        seed = int(where[np.hypot(graph.at[where, 0] - x, graph.at[where, 1] - y).argmin()])
        found += [region & inside for region in tree.regions_of(seed)]
        if (across, down) == PLACES[0]:
            found += [region & inside for region in _cuts(graph, np.array([seed], np.int32), ground)]
    found.append(_unlike_outside(graph, inside))
    members = np.array(_unique([region for region in map(graph.filled, found) if region.any()]))
    middle = (low + high) / 2
    span = np.maximum(high - low, 1)
    fit = [1 - np.abs((_span(graph, region) - (low, high)) / span).max() for region in members]
    judged = scores(graph, members, *middle.tolist()) + FIT * np.array(fit, np.float32)
    return Regions(members, judged).sorted()


def _span(graph: Graph, region: Bool) -> Float:
    at = graph.at[region]
    return np.asarray([at.min(0), at.max(0)])


def _unlike_outside(graph: Graph, inside: Bool) -> Bool:
    """What in a box has other colours than what is outside it, by cuts that learn the colours anew."""
    size = np.sqrt(graph.area)
    border = graph.length * (np.exp(-((graph.step / graph.usual_step) ** 2) / 2) + LEAST_BORDER)
    region = inside
    for _ in range(BOX_ROUNDS):
        like = _likeness(graph, region)
        object_cost, ground_cost = BOX_COLOUR * size * (1 - like), BOX_COLOUR * size * like
        object_cost[~inside], ground_cost[~inside] = MOST, 0
        cut_out = cut(graph, object_cost, ground_cost, border)
        if not cut_out.any():
            break
        region = cut_out
    return region


def different(graph: Graph, regions: Regions) -> list[int]:
    """The best of the regions that differ clearly from each other, as indices, the best first."""
    kept: list[int] = []
    for i, region in enumerate(regions.members):
        shared = [
            float(
                graph.area[region & regions.members[k]].sum() / graph.area[region | regions.members[k]].sum()
            )
            for k in kept
        ]
        if all(value < DIFFERENT for value in shared):
            kept.append(i)
        if len(kept) == CANDIDATES:
            break
    return kept


def corrected(graph: Graph, tree: MergeTree, before: Bool, clicks: Sequence[Click]) -> Regions:
    """The selections that one more click may mean: a part is added to the one before, or taken from it.

    Parameters
    ----------
    graph, tree
        The picture's n superpixels.
    before
        (n,) bool, what was selected.
    clicks
        All clicks; the last is the new one.
    """
    click, earlier = clicks[-1], clicks[:-1]
    free = ~before if click.takes else before  # what may change sides
    free = free.copy()
    free[click.superpixel] = True
    against = np.array([c.superpixel for c in earlier if c.takes != click.takes], np.int32)
    against = against[against != click.superpixel]
    far = np.union1d(np.flatnonzero(graph.rim > 0), against) if click.takes else against
    seed = np.array([click.superpixel], np.int32)
    found = _proposals(graph, tree, click, far.astype(np.int32))
    parts = _unique([graph.joined(region & free, seed) for region in found])
    kept = [part for part in parts if not part[against].any()]
    if not kept:
        kept = [np.arange(graph.count) == click.superpixel]
    changed = np.array(kept)
    members = changed | before if click.takes else ~changed & before
    judged = scores(graph, changed, click.x, click.y)
    first = next(c for c in clicks if c.takes) if any(c.takes for c in clicks) else click
    some = members.any(1)
    judged[some] += WHOLE * scores(graph, members[some], first.x, first.y)
    return Regions(members, judged).sorted()


def _proposals(graph: Graph, tree: MergeTree, click: Click, far: Indices) -> list[Bool]:
    """Regions around a click, each once: cuts at several levels, and the tree's."""
    seed = np.array([click.superpixel], np.int32)
    cuts = [graph.joined(region, seed) for region in _unique(_cuts(graph, seed, far[far != seed]))]
    found = _unique(tree.regions_of(click.superpixel) + cuts)
    most = MOST_PICTURE * float(graph.area.sum())
    found = [region for region in found if float(graph.area[region].sum()) < most] or found[:1]
    return _unique([graph.filled(region) for region in found])


def _cuts(graph: Graph, seed: Indices, far: Indices) -> list[Bool]:
    """Minimum cuts around a superpixel, each by distance alone and then by the colours found too."""
    if not len(far):
        return []
    usual = graph.usual_step
    way = np.maximum(graph.step / usual - TOUCH, 0) + LEAST_WAY
    near, rest = graph.distance_from(seed, way), graph.distance_from(far, way)
    share = near / np.maximum(near + rest, 1e-6)  # 0 at the click, 1 at the ground
    border = graph.length * (np.exp(-((graph.step / usual) ** 2) / 2) + LEAST_BORDER)
    size = np.sqrt(graph.area)
    found = []
    for level in LEVELS:
        most = NEARNESS * size / max(level, 1 - level)
        object_cost, ground_cost = most * np.maximum(share - level, 0), most * np.maximum(level - share, 0)
        object_cost[seed], ground_cost[seed] = 0, MOST
        region = cut(graph, object_cost, ground_cost, border)
        like = _likeness(graph, region)
        object_cost += COLOUR * size * (1 - like)
        ground_cost += COLOUR * size * like
        object_cost[seed], ground_cost[seed] = 0, MOST
        found += [region, cut(graph, object_cost, ground_cost, border)]
    return found


def _likeness(graph: Graph, region: Bool) -> Float:
    """(n,) float32 in 0..1: how much more each superpixel's colours are the region's than the others'."""
    own, other = (graph.shades.T @ (graph.area * side) for side in (region, ~region))
    own, other = own / max(1.0, own.sum()) + 1e-4, other / max(1.0, other.sum()) + 1e-4
    return np.asarray(graph.shades @ (own / (own + other)), np.float32)


def _unique(regions: list[Bool]) -> list[Bool]:
    return list({region.tobytes(): region for region in regions}.values())
