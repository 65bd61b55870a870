"""What clicks and boxes select: of many regions there, the one that looks most like a thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from regiondrag_widget.select.correcting import change_scores, depth_of
from regiondrag_widget.select.graph import Graph
from regiondrag_widget.select.objectness import scores
from regiondrag_widget.select.proposals import Pieces, cuts_around, filled, proposals, unique, unlike_outside

__all__ = ["Click", "Regions", "corrected", "different", "regions_at", "regions_in"]

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float32]

PLACES = ((0.5, 0.5), (0.5, 0.3), (0.5, 0.7), (0.3, 0.5), (0.7, 0.5))  # in a box, where its object may be
# radii of discs in which a thing is looked for: of a square picture's side, and of a correction's depth
RADII = (0.05, 0.07, 0.097, 0.134, 0.186, 0.259, 0.36, 0.5)
DEPTHS = (1.2, 1.8, 2.7, 4.0, 6.0)
FIT, GOOD_FIT = 1.0, 0.8  # what it counts that a region reaches all sides of its box, and when it does
CANDIDATES, DIFFERENT = 3, 0.7  # how many are offered, and their largest overlap
AGAIN = (0.3, 0.6)  # levels of the cuts around the first click that are made anew after a correction
NEAR = (0.8, 1.3, 2.0)  # depths of a correcting click: discs that may be what it means


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


def regions_at(pieces: Pieces, click: Click) -> Regions:
    """The regions that a first click, which takes, may mean in a picture of n superpixels."""
    graph = pieces.graph
    rim = np.flatnonzero(graph.rim > 0).astype(np.int32)
    radii = np.sqrt(float(graph.area.sum())) * np.array(RADII)
    members = np.array(proposals(pieces, click.superpixel, rim, radii))
    return Regions(members, scores(graph, members, click.x, click.y)).sorted()


def regions_in(pieces: Pieces, inside: Bool) -> Regions:
    """The regions that a box may mean.

    Parameters
    ----------
    pieces
        The picture's n superpixels.
    inside
        (n,) bool, those in the box, at least one.
    """
    graph = pieces.graph
    ground = np.flatnonzero(~inside).astype(np.int32)
    low, high = graph.at[inside].min(0), graph.at[inside].max(0)
    found: list[Bool] = []
    for across, down in PLACES:
        x, y = low + (high - low) * (across, down)
        where = np.flatnonzero(inside)
        seed = int(where[np.hypot(graph.at[where, 0] - x, graph.at[where, 1] - y).argmin()])
        found += [region & inside for region in pieces.tree.regions_of(seed)]
        if (across, down) == PLACES[0]:
            found += [region & inside for region in cuts_around(pieces, seed, ground)]
    found.append(unlike_outside(pieces, inside))
    members = np.array(unique(list(filled(pieces, np.array([region for region in found if region.any()])))))
    middle = (low + high) / 2
    span = np.maximum(high - low, 1)
    fit = [1 - np.abs((_span(graph, region) - (low, high)) / span).max() for region in members]
    judged = scores(graph, members, *middle.tolist()) + FIT * np.minimum(np.array(fit, np.float32), GOOD_FIT)
    return Regions(members, np.asarray(judged, np.float32)).sorted()


def _span(graph: Graph, region: Bool) -> Float:
    at = graph.at[region]
    return np.asarray([at.min(0), at.max(0)])


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


def corrected(pieces: Pieces, before: Bool, clicks: Sequence[Click]) -> Regions:
    """The selections that one more click may mean: a part is added to the one before, or taken from it.

    Parameters
    ----------
    pieces
        The picture's n superpixels.
    before
        (n,) bool, what was selected.
    clicks
        All clicks; the last is the new one.
    """
    click = clicks[-1]
    if bool(before[click.superpixel]) == click.takes:  # as it is asked for already
        return Regions(before[None], np.ones(1, np.float32))
    changed = changes(pieces, before, clicks)
    members = changed | before if click.takes else ~changed & before
    things = scores(pieces.graph, changed, click.x, click.y)
    if click.takes and not _touch(pieces.graph, changed[things.argmax()], before):
        return Regions(members, things).sorted()  # another thing, apart from what was selected
    first = next((c for c in clicks if c.takes), click)
    judged = change_scores(pieces, before, changed, (click.x, click.y), (first.x, first.y))
    return Regions(members, judged).sorted()


def _readings(pieces: Pieces, clicks: Sequence[Click]) -> list[Bool]:
    """The regions (n,) bool around the first click that agree with all clicks."""
    taken = np.array([c.superpixel for c in clicks if c.takes], np.int32)
    left = np.array([c.superpixel for c in clicks if not c.takes], np.int32)
    found = pieces.tree.regions_of(int(taken[0]))
    far = np.union1d(np.flatnonzero(pieces.graph.rim > 0), left).astype(np.int32)
    if len(left):
        found += cuts_around(pieces, int(taken[0]), far, AGAIN)
    return [region for region in found if region[taken].all() and not region[left].any()]


def _touch(graph: Graph, region: Bool, other: Bool) -> bool:
    """Whether two regions share a border."""
    a, b = graph.a, graph.b
    return bool(((region[a] & other[b]) | (region[b] & other[a])).any())


def changes(pieces: Pieces, before: Bool, clicks: Sequence[Click]) -> Bool:
    """(k, n) bool: the parts around the last click that may change sides; parameters as `corrected`."""
    graph, click = pieces.graph, clicks[-1]
    free = before != click.takes
    against = np.array([c.superpixel for c in clicks[:-1] if c.takes != click.takes], np.int32)
    against = against[against != click.superpixel]
    far = np.union1d(np.flatnonzero(graph.rim > 0), against) if click.takes else against
    away = np.hypot(graph.at[:, 0] - click.x, graph.at[:, 1] - click.y)
    depth = depth_of(graph, before, not click.takes, (click.x, click.y))
    found = proposals(pieces, click.superpixel, far.astype(np.int32), depth * np.array(DEPTHS))
    found += [away <= max(share * depth, float(away[click.superpixel])) for share in NEAR]
    found += [region if click.takes else ~region for region in _readings(pieces, clicks)]
    seed = np.array([click.superpixel], np.int32)
    parts = unique(list(graph.joined(np.array(found) & free, seed)))
    kept = [part for part in parts if not part[against].any()]
    return np.array(kept or [np.arange(graph.count) == click.superpixel])
