"""Blobs of a mask, and which blob of the handle goes to which blob of the target."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from regiondrag_widget.regions.region import Region

MAX_COMPONENTS = 64  # more than this are specks of a rough selection, not objects


def matched_components(handle: Region, target: Region) -> list[tuple[Region, Region]]:
    """Pair the blobs one to one, or return [] when their numbers differ or there is only one.

    The assignment is optimal in the distance of their centroids, measured in each mask's own spread, plus the
    difference in their share of the area.
    """
    handles, targets = components(handle), components(target)
    if len(handles) != len(targets) or not 1 < len(handles) <= MAX_COMPONENTS:
        return []
    place_h, place_t = _places(handles, handle), _places(targets, target)
    distance = np.linalg.norm(place_h[:, None] - place_t[None], axis=2)
    share_h, share_t = _log_shares(handles), _log_shares(targets)
    rows, columns = linear_sum_assignment(distance + np.abs(share_h[:, None] - share_t[None]))
    return [(handles[i], targets[j]) for i, j in zip(rows, columns, strict=True)]


def components(region: Region) -> list[Region]:
    """The 8-connected blobs, in a fixed order; [] when there are more than ``MAX_COMPONENTS``."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(region.mask.view(np.uint8), connectivity=8)
    if count == 2:
        return [region]
    if count - 1 > MAX_COMPONENTS:
        return []
    blobs = []
    for label in range(1, count):
        x, y, width, height = (int(value) for value in stats[label, :4])
        mask = np.asarray(labels[y : y + height, x : x + width] == label, dtype=np.bool_)
        blobs.append(Region(region.x0 + x, region.y0 + y, mask))
    return blobs


def _places(blobs: list[Region], whole: Region) -> NDArray[np.float64]:
    centroids = np.stack([blob.centroid for blob in blobs])
    return np.asarray((centroids - whole.centroid) / np.sqrt(np.trace(whole.covariance)), dtype=np.float64)


def _log_shares(blobs: list[Region]) -> NDArray[np.float64]:
    areas = np.array([blob.area for blob in blobs], dtype=np.float64)
    return np.asarray(np.log(areas / areas.sum()), dtype=np.float64)
