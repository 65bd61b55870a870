"""Regions given as dense points, and back: DragBench's region files name many pixels of handle and target."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from regiondrag_widget.regions import RegionPair, RegionPairs, pixel_map

__all__ = ["pairs_of_points", "points_of_pairs", "region_of_points"]

Mask = NDArray[np.bool_]
Points = NDArray[np.float64]

LATTICE = 8.0  # pixels between the points of a lattice, in the released files
MAX_SPACING = 16.0  # pixels: points further apart are no region
STRAYS = 2  # points that may stand alone
MAX_REGIONS = 64  # of one sample: more blobs than this are specks


def region_of_points(points: Points, shape: tuple[int, int]) -> Mask:
    """Make the region that points are spread over, whatever their spacing.

    Where its outline is listed too, the region is all within it. Else each point stands for a bell as wide as
    the points are apart, and the region is where the bells together are at least half as high as they are
    among the points: the outline runs half a spacing outside the outermost points, as the drawn one did on
    average.

    Parameters
    ----------
    points
        (n, 2) x, y in pixels, within the picture.
    shape
        (H, W) of the picture.

    Returns
    -------
    (H, W) bool array
        Empty for no points.
    """
    if not len(points):
        return np.zeros(shape, np.bool_)
    whole = np.unique(np.rint(points).astype(np.int64), axis=0)
    x = np.clip(whole[:, 0], 0, shape[1] - 1)
    y = np.clip(whole[:, 1], 0, shape[0] - 1)
    listed = np.zeros(shape, np.bool_)
    listed[y, x] = True
    spacing = _spacing(whole)
    closed = _closed(listed, spacing)
    if spacing < 2 or (listed & _outline(closed)).sum() > 0.7 * _outline(closed).sum():
        return closed
    bells = listed.astype(np.float32)
    blurred = cv2.GaussianBlur(bells, (0, 0), 0.7 * spacing, borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred >= 0.5 * float(np.median(blurred[y, x])))


def pairs_of_points(handles: Points, targets: Points, shape: tuple[int, int]) -> RegionPairs:
    """Make region pairs of a dense map: one pair for each blob of the handle.

    Parameters
    ----------
    handles, targets
        (n, 2) x, y in pixels: row i of the handles goes to row i of the targets.
    shape
        (H, W) of the picture.
    """
    if not len(handles):
        return RegionPairs([])
    whole = region_of_points(handles, shape)
    count, labels = cv2.connectedComponents(whole.astype(np.uint8), connectivity=8)
    if not 2 < count <= MAX_REGIONS + 1:
        return RegionPairs([RegionPair(whole, region_of_points(targets, shape))])
    x, y = np.rint(handles).astype(np.int64).T
    blob = labels[np.clip(y, 0, shape[0] - 1), np.clip(x, 0, shape[1] - 1)]
    return RegionPairs(
        [
            RegionPair(labels == label, region_of_points(targets[blob == label], shape))
            for label in range(1, count)
            if (blob == label).any()
        ]
    )


def points_of_pairs(pairs: RegionPairs, spacing: int) -> tuple[Points, Points]:
    """List the points of a dense map, handle and target: what DragBench's region files hold.

    Parameters
    ----------
    pairs
        Whose pixels are listed.
    spacing
        1: every pixel of handle and target; 8: every eighth row and column of them, and their outlines,
        without which a region could be told from its points to half a spacing only.

    Returns
    -------
    handles, targets
        (n, 2) whole numbers x, y: row i goes to row i. Every listed pixel of a handle and of a target occurs.
    """
    handles, targets = [np.zeros((0, 2))], [np.zeros((0, 2))]
    for pair in pairs:
        if not pair.moves:
            continue
        found = pixel_map(RegionPairs([pair]))
        goals = _listed(found.target, spacing)
        sources = found.source_xy[goals[:, 1].astype(int), goals[:, 0].astype(int)].astype(np.float64)
        # a handle that is larger than its target has pixels that no target pixel comes from
        own = _listed(np.asarray(pair.handle), spacing)
        nearest = cKDTree(sources).query(own)[1] if len(sources) else np.zeros(0, int)
        handles += [_nearest_listed(sources, own), own[: len(nearest)]]
        targets += [goals, goals[nearest]]
    return np.concatenate(handles), np.concatenate(targets)


def _listed(mask: Mask, spacing: int) -> Points:
    """(n, 2) x, y of the mask's pixels in every so many rows and columns, and of its outline."""
    chosen = _outline(mask)
    first = slice(spacing // 2, None, spacing)
    chosen[first, first] = mask[first, first]
    y, x = np.nonzero(chosen)
    return np.stack([x, y], axis=-1).astype(np.float64)


def _outline(mask: Mask) -> Mask:
    """The pixels of a mask with a neighbour, above, below or beside, that is not in it."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    framed = np.pad(mask.astype(np.uint8), 1)
    return np.asarray(mask & (cv2.erode(framed, cross)[1:-1, 1:-1] == 0))


def _closed(listed: Mask, spacing: float) -> Mask:
    """What lies between listed pixels, by a disc that just covers the gaps of a square grid."""
    radius = int(np.ceil(0.75 * spacing))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    framed = np.pad(listed.astype(np.uint8), radius + 1)
    closed = cv2.morphologyEx(framed, cv2.MORPH_CLOSE, disc)
    return np.asarray(closed[radius + 1 : -radius - 1, radius + 1 : -radius - 1] > 0)


def _nearest_listed(points: Points, listed: Points) -> Points:
    """Snap points to the listed ones, so that the sources are a part of the handle's own points."""
    return np.asarray(listed[cKDTree(listed).query(points)[1]], dtype=np.float64)


def _spacing(points: NDArray[np.int64]) -> float:
    """How far apart the points are where they are widest apart: by the distance to the fourth nearest."""
    if len(points) < 5:
        return LATTICE
    distance, _ = cKDTree(points).query(points, k=5)
    widest = float(np.sort(distance[:, 4])[-STRAYS])
    # beside an outline a lattice's points seem nearer to each other than they are
    return widest if widest < 2 else min(MAX_SPACING, max(LATTICE, widest))
