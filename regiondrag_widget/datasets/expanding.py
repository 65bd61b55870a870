"""Points to regions: what a user who marked two points would have painted."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.datasets.sample import Mask, Points, Sample, SampleError
from regiondrag_widget.imaging.picture import PictureSource, read_picture
from regiondrag_widget.regions import RegionPair, RegionPairs
from regiondrag_widget.select.picker import Superpixels

__all__ = ["expand", "expand_sample"]

By = Literal["selection", "disc"]

MOST = 0.35  # share of the picture that a selection may take: more is the ground, not an object
DISC = 12  # a disc's radius is this part of the picture's shorter side
TOGETHER = 0.5  # overlap over union above which two selections are one object
SPREAD = 1.5  # pixels by which points of one object may move apart and still be one movement


def expand(
    image: PictureSource | NDArray[np.uint8],
    points: Any,
    *,
    by: By = "selection",
    radius: float | None = None,
    editable: Mask | None = None,
) -> RegionPairs:
    """Make region pairs of points, as RegionDrag's authors did by hand for DragBench.

    By selection, the handle is the object at the point (`select.Superpixels`), as far as it may change; where
    that is most of the picture, or nothing, it is a disc. Points whose selections are nearly the same move
    one object: one shifts it, two also turn and scale it, more bend it. By disc, each point moves a disc.

    >>> pairs = rd.datasets.expand("photo.jpg", [[(120, 80), (160, 90)]])

    Parameters
    ----------
    image
        As `rd.edit` takes it, or (H, W, 3) uint8 of any size.
    points
        (N, 2, 2): for each point its handle and its target, each as x, y in pixels.
    by
        ``"selection"`` or ``"disc"``.
    radius
        Of the discs in pixels; a twelfth of the picture's shorter side when left out.
    editable
        (H, W) bool, where the picture may change.

    Returns
    -------
    RegionPairs

    Raises
    ------
    ValueError, TypeError, OSError
        The points are no such list or outside the picture, another ``by``, a radius below 1, or a picture
        that cannot be read.
    """
    if by not in ("selection", "disc"):
        raise ValueError(f"by is {by!r}: use 'selection' or 'disc'")
    rgb = image if isinstance(image, np.ndarray) and image.ndim == 3 else read_picture(image).rgb
    # the sample's own checks: shapes, and points within the picture
    sample = Sample("points", np.asarray(rgb, np.uint8), "", RegionPairs([]), _as_points(points), editable)
    if not len(sample.points):
        raise ValueError("there are no points to expand")
    size = min(sample.shape) / DISC if radius is None else float(radius)
    if not size >= 1:
        raise ValueError(f"radius is {radius}: it must be at least 1 pixel")
    discs = [_disc(sample.shape, point[0], size) for point in sample.points]
    if by == "disc":
        return RegionPairs(_moved(disc, sample.points[[i]]) for i, disc in enumerate(discs))
    pieces = Superpixels(sample.image)
    masks = [
        _selected(pieces, point[0], disc, editable) for point, disc in zip(sample.points, discs, strict=True)
    ]
    return RegionPairs(
        _moved(np.logical_or.reduce([masks[i] for i in group]), sample.points[group])
        for group in _together(masks)
    )


def expand_sample(sample: Sample, *, by: By = "selection", radius: float | None = None) -> Sample:
    """The sample with regions made of its points, which `expand` says more of.

    Raises
    ------
    SampleError
        It has no points.
    """
    if not len(sample.points):
        raise SampleError("it has neither regions nor points")
    pairs = expand(sample.image, sample.points, by=by, radius=radius, editable=sample.editable)
    return replace(sample, pairs=pairs)


def _as_points(points: Any) -> Points:
    try:
        return np.asarray(points, dtype=np.float64).reshape(-1, 2, 2)
    except (TypeError, ValueError):
        raise ValueError("the points are no (N, 2, 2): a handle and a target for each, as x, y") from None


def _selected(pieces: Superpixels, at: NDArray[np.float64], disc: Mask, editable: Mask | None) -> Mask:
    """The object at a place, as far as it may change; the disc where there is none."""
    limit = np.array([pieces.shape[1], pieces.shape[0]]) - 1
    x, y = np.clip(at, 0, limit)
    for candidate in pieces.candidates([(float(x), float(y))], [True]):
        mask = candidate.mask if editable is None else candidate.mask & editable
        if disc.sum() / 4 < mask.sum() <= MOST * mask.size and mask[round(y), round(x)]:
            return np.asarray(mask)
    return disc


def _disc(shape: tuple[int, int], at: NDArray[np.float64], radius: float) -> Mask:
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    found = np.asarray(np.hypot(x - at[0], y - at[1]) <= radius)
    return found if found.any() else np.asarray(np.hypot(x - at[0], y - at[1]) <= 1)


def _together(masks: list[Mask]) -> list[list[int]]:
    """Indices of the masks that are nearly one, each in its first one's group."""
    groups: list[list[int]] = []
    for index, mask in enumerate(masks):
        for group in groups:
            first = masks[group[0]]
            if (mask & first).sum() > TOGETHER * (mask | first).sum():
                group.append(index)
                break
        else:
            groups.append([index])
    return groups


def _moved(handle: Mask, points: Points) -> RegionPair:
    """A handle and where its points take it: all of it where they agree, bent where they do not."""
    shift = points[:, 1] - points[:, 0]
    mean = shift.mean(axis=0)
    if len(points) == 1 or np.abs(shift - mean).max() <= SPREAD:
        return RegionPair.move(handle, float(mean[0]), float(mean[1]))
    apart = len({tuple(point) for point in np.rint(points[:, 0]).tolist()}) == len(points)
    if not apart:  # two targets of one place: no map has both
        return RegionPair.move(handle, float(mean[0]), float(mean[1]))
    try:
        return RegionPair.bend(handle, points[:, 0], points[:, 1])
    except ValueError:  # a bend that folds over: the nearest movement without one
        with suppress(ValueError):  # points that all but meet have none
            return RegionPair(handle, matrix=_nearest_movement(points))
        return RegionPair.move(handle, float(mean[0]), float(mean[1]))


def _nearest_movement(points: Points) -> NDArray[np.float64]:
    """(3, 3) matrix that shifts, turns and scales handle points nearest to their targets."""
    whole = np.ascontiguousarray(points, np.float32)  # OpenCV takes no views
    matrix, _ = cv2.estimateAffinePartial2D(whole[:, 0].copy(), whole[:, 1].copy())
    if matrix is None:
        raise ValueError("no movement takes the points there")
    return np.vstack([np.asarray(matrix, np.float64), [0, 0, 1]])
