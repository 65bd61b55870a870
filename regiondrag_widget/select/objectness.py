"""How much regions look like the thing that somebody clicked on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from regiondrag_widget.select.graph import Graph

__all__ = ["measures", "scores"]

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float32]

MOST_STEP, MOST_CENTRE = 4.0, 0.6  # of the usual step, and of the region's radius: more makes no difference

# measure -> its weight: a ridge regression of the overlap with the true object, by scripts/fit_selecting.py
WEIGHTS = {
    "step": -0.002,
    "alike": -0.501,
    "size": -0.056,
    "size squared": -0.163,
    "rim": -1.055,
    "round": 0.639,
    "centre": 0.227,
    "offset": -0.2,
}
BIAS = 0.524


def scores(graph: Graph, regions: Bool, x: float, y: float) -> Float:
    """(k,) float32: the overlap with the object that is expected of each region, about 0 to 1.

    Parameters
    ----------
    graph
        n superpixels.
    regions
        (k, n) bool, each with at least one superpixel.
    x, y
        Where the click was, at the working size.
    """
    found = measures(graph, regions, x, y)
    return np.asarray(sum((WEIGHTS[name] * found[name] for name in WEIGHTS), np.float32(BIAS)), np.float32)


def measures(graph: Graph, regions: Bool, x: float, y: float) -> dict[str, Float]:
    """What `scores` judges by, (k,) float32 each; parameters as there.

    Returns
    -------
    dict
        step: how steep the outline is, over the usual step; alike: how much of the region's colours are
        around it too; size: logarithm of its share of the picture; rim: how much of the outline is the
        picture's edge; round: 1 for a disc, less for what is long or ragged; centre: how deep the click
        lies, in radii; offset: how far it is from the centroid, in radii.
    """
    members = regions.astype(np.float32)
    area = members @ graph.area
    outline = regions[:, graph.a] != regions[:, graph.b]
    relative = graph.step / graph.usual_step
    inner_length = outline @ graph.length
    rim = members @ graph.rim
    length = np.maximum(inner_length, 1e-3)
    ring = _beside(graph, regions)
    wide = ring | _beside(graph, regions | ring)
    own, around = (members * graph.area) @ graph.shades, (wide * graph.area) @ graph.shades
    own, around = (c / np.maximum(c.sum(1, keepdims=True), 1) for c in (own, around))
    radius = np.sqrt(area / np.pi)
    from_click = np.hypot(graph.at[:, 0] - x, graph.at[:, 1] - y)
    nearest = np.where(ring, from_click, np.inf).min(1)
    centroid = (members * graph.area) @ graph.at / area[:, None]
    size = np.log(area / graph.area.sum())
    found = {
        "step": np.minimum(MOST_STEP, outline @ (graph.length * relative) / length),
        "alike": np.minimum(own, around).sum(1),
        "size": size,
        "size squared": size**2 / 10,
        "rim": rim / (length + rim),
        "round": 4 * np.pi * area / (length + rim) ** 2,
        "centre": np.minimum(MOST_CENTRE, nearest / radius),
        "offset": np.hypot(centroid[:, 0] - x, centroid[:, 1] - y) / radius,
    }
    return {name: np.asarray(values, np.float32) for name, values in found.items()}


def _beside(graph: Graph, regions: Bool) -> Bool:
    """(k, n) bool: the superpixels that touch each region and are no part of it."""
    touched = (graph.neighbours @ regions.T.astype(np.float32)).T > 0
    return np.asarray(touched & ~regions)
