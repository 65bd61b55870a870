"""How much changes of a selection look like the correction that somebody clicked for."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.select.graph import Graph
from regiondrag_widget.select.objectness import scores
from regiondrag_widget.select.proposals import Pieces

__all__ = ["change_measures", "change_scores", "depth_of"]

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float32]
Place = tuple[float, float]

SEEN = 170  # pixels of the longer side at which depths are measured

# measure -> its weight: with these choosing the best loses the least overlap, by training/fit_selecting.py
WEIGHTS = {"thing": 0.251, "better": 0.876, "thicker": -0.185, "touching": 0.291, "middle": 1.0}


def change_scores(pieces: Pieces, before: Bool, changed: Bool, click: Place, first: Place) -> Float:
    """(k,) float32: how much each change looks like the one that is meant; only their order counts.

    Parameters
    ----------
    pieces
        The picture's n superpixels.
    before
        (n,) bool, what was selected.
    changed
        (k, n) bool, the superpixels that change sides, at least one each; all from the same side.
    click, first
        Where the new click and the first were, x, y at the working size.
    """
    found = change_measures(pieces, before, changed, click, first)
    return np.asarray(sum(WEIGHTS[name] * found[name] for name in WEIGHTS), np.float32)


def change_measures(
    pieces: Pieces, before: Bool, changed: Bool, click: Place, first: Place
) -> dict[str, Float]:
    """What `change_scores` judges by, (k,) float32 each; parameters as there.

    Returns
    -------
    dict
        thing: how much the change itself looks like a thing; better: how much more than before the whole
        does; thicker: by how much the change is thicker than the click is deep in what may change,
        logarithm; touching: how much of its outline is the outline before; middle: how deep the click lies
        in the change, of its largest depth.
    """
    graph = pieces.graph
    after = before ^ changed
    some = after.any(1)
    whole = np.zeros(len(changed), np.float32)
    whole[some] = scores(graph, after[some], *first)
    was = float(scores(graph, before[None], *first)[0]) if before.any() else 0.0
    area = changed.astype(np.float32) @ graph.area
    outline = changed[:, graph.a] != changed[:, graph.b]
    old = outline & (before[graph.a] != before[graph.b])
    length, shared = (np.maximum(part @ graph.length, 1e-3) for part in (outline, old))
    thick = 2 * area / (length + changed.astype(np.float32) @ graph.rim)
    depth = depth_of(graph, before, bool(before[changed[0]][0]), click)
    ratio = np.log(np.maximum(thick, 0.5) / depth)
    found = {
        "thing": scores(graph, changed, *click),
        "better": whole - was,
        "thicker": np.maximum(ratio, 0),
        "touching": shared / length,
        "middle": _middle(pieces, changed, click),
    }
    return {name: np.asarray(values, np.float32) for name, values in found.items()}


def _middle(pieces: Pieces, regions: Bool, click: Place) -> Float:
    """(k,) float32 in 0..1: how deep a click lies in each region (k, n), of the region's largest depth."""
    step = max(1, round(max(pieces.labels.shape) / SEEN))
    labels = pieces.labels[step // 2 :: step, step // 2 :: step]
    places = (round((v - step // 2) / step) for v in reversed(click))
    row, column = (min(max(v, 0), size - 1) for v, size in zip(places, labels.shape, strict=True))
    found = []
    for region in regions:
        framed = np.pad(region[labels].view(np.uint8), 1)  # people do not click at the picture's edge either
        depth = cv2.distanceTransform(framed, cv2.DIST_L2, 3)[1:-1, 1:-1]
        found.append((depth[row, column] + 0.5) / (depth.max() + 0.5))
    return np.array(found, np.float32)


def depth_of(graph: Graph, before: Bool, side: bool, click: Place) -> float:
    """How far a click is from the superpixels of the other side, in pixels, at least 1.

    People click into the middle of what is wrong, and that ends at the selection's outline or before.
    """
    other = graph.at[before != side]
    if not len(other):
        return max(1.0, float(np.hypot(*np.ptp(graph.at, 0))))
    return max(1.0, float(np.hypot(other[:, 0] - click[0], other[:, 1] - click[1]).min()))
