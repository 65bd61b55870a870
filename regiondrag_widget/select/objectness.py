"""How much regions look like the thing that somebody clicked on.

Fitted by `training/fit_selecting.py` on real photographs with objects outlined by hand. Small networks see a
few measures of a region and nothing of the picture: they cannot know what a dog is.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

from regiondrag_widget.select.graph import Graph

__all__ = ["NAMES", "WEIGHTS", "judged", "measures", "scores"]

Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float32]

MOST_STEP = 4.0  # of the usual step: more makes no difference

NAMES = ("step", "alike", "size", "rim", "round", "centre", "offset")
WEIGHTS = Path(__file__).with_name("objectness.safetensors")
MOST_DEVIATIONS = 5.0  # what is farther from the usual is taken for that


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
    return judged(measures(graph, regions, x, y), _weights())


def judged(values: Float, weights: dict[str, Float]) -> Float:
    """The scores (k,) float32 of measures (k, len(NAMES)), by these weights: the mean of small networks."""
    x = (values - weights["mean"]) / weights["deviation"]
    x = x.clip(-MOST_DEVIATIONS, MOST_DEVIATIONS)
    for layer in ("first", "second"):
        x = np.maximum(
            x @ weights[f"{layer}.weight"].transpose(0, 2, 1) + weights[f"{layer}.bias"][:, None], 0
        )
    found = (x @ weights["last.weight"].transpose(0, 2, 1))[..., 0] + weights["last.bias"]
    return np.asarray(found.mean(0), np.float32)


@cache
def _weights() -> dict[str, Float]:
    weights = load_file(WEIGHTS)
    if weights["mean"].shape != (len(NAMES),):
        raise ValueError(
            f"{WEIGHTS.name} holds weights for {len(weights['mean'])} measures, there are {len(NAMES)}: "
            "run training/fit_selecting.py again"
        )
    return weights


def measures(graph: Graph, regions: Bool, x: float, y: float) -> Float:
    """What `scores` judges by; parameters as there.

    Returns
    -------
    (k, len(NAMES)) float32
        step: how steep the outline is, over the usual step; alike: how much of the region's colours are
        around it too; size: logarithm of its share of the picture; rim: how much of the picture's edge
        it has; round: 1 for a disc, less for what is long or ragged; centre: logarithm of how deep the click
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
    found = (
        np.minimum(MOST_STEP, outline @ (graph.length * relative) / length),
        np.minimum(own, around).sum(1),
        np.log(area / graph.area.sum()),
        rim / max(1.0, float(graph.rim.sum())),
        4 * np.pi * area / (length + rim) ** 2,
        np.log((np.minimum(nearest, np.sqrt(graph.area.sum())) + 1) / radius),
        np.hypot(centroid[:, 0] - x, centroid[:, 1] - y) / radius,
    )
    return np.stack(found, 1).astype(np.float32)


def _beside(graph: Graph, regions: Bool) -> Bool:
    """(k, n) bool: the superpixels that touch each region and are no part of it."""
    touched = (graph.neighbours @ regions.T.astype(np.float32)).T > 0
    return np.asarray(touched & ~regions)
