"""A few representative points of a drawn region: what a person would click to drag by points."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.bench.truth.scene import Mask
from regiondrag_widget.regions import RegionPairs, pixel_map

Points = NDArray[np.float64]
POINTS_GROUP = "region or points"
COUNTS = (64, 16, 4, 1)


def fewpoints_name(count: int | None) -> str:
    """What the report calls the rule with this many points; None for the whole region."""
    if count is None:
        return "every cell of the region"
    return f"{count} points of it" if count > 1 else "1 point of it"


def spread_out(xy: Points, count: int) -> NDArray[np.intp]:
    """Indices of ``count`` of the positions (n, 2), each as far from those before it as can be.

    The first is the one nearest to the middle (farthest-point sampling, Eldar et al., 1997).
    """
    chosen = [int(np.linalg.norm(xy - xy.mean(axis=0), axis=1).argmin())]
    distance = np.linalg.norm(xy - xy[chosen[0]], axis=1)
    while len(chosen) < min(count, len(xy)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(xy - xy[chosen[-1]], axis=1))
    return np.array(chosen, dtype=np.intp)


def point_pairs(pairs: RegionPairs, count: int) -> tuple[Points, Points]:
    """``count`` points of each pair: handle and target positions (n, 2), x and y in pixels.

    They lie inside the regions, clear of the rim of background that a drawn handle carries.
    """
    handles, targets = [], []
    for pair in pairs:
        found = pixel_map(RegionPairs([pair]))
        rows, columns = np.nonzero(_core(found.target))
        chosen = spread_out(np.stack([columns, rows], axis=-1).astype(np.float64), count)
        targets.append(np.stack([columns[chosen], rows[chosen]], axis=-1).astype(np.float64))
        handles.append(found.source_xy[rows[chosen], columns[chosen]].astype(np.float64))
    return np.concatenate(handles), np.concatenate(targets)


def _core(mask: Mask, share: float = 0.5) -> Mask:
    depth = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    return np.asarray(depth >= share * depth.max())
