"""Shifts found at a small size, brought to the pixel where the copies that they make meet."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.scaling import averaged

__all__ = ["aligned"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Int = npt.NDArray[np.int64]
Labels = npt.NDArray[np.uint8]

LARGEST_SIDE = 1536  # finer shifts are not told of larger windows
POINTS = 400  # pixels beside a copy that are compared, and spots in each
SPOTS = 4
OUTLIER = 900.0  # squared grey levels; more is no worse
BETTER = 0.98  # of the difference, that a moved copy must leave at most


def aligned(
    rgb: Float | npt.NDArray[np.uint8], labels: Labels, shifts: Float, known: Bool, rng: np.random.Generator
) -> Float:
    """Shifts moved a little, so that each copy goes on best into what lies beside it.

    From the size of the labels to the picture's own, doubled at each step.

    Parameters
    ----------
    rgb
        (H, W, 3) uint8, or float32 in 0..255.
    labels
        (h, w) uint8, which copy a pixel belongs to; 0 for none.
    shifts
        (n, 2) float32 dy, dx in pixels of the labels' size, that of each label; the first is (0, 0).
    known
        (h, w) bool, pixels that are compared with as they are.

    Returns
    -------
    (n, 2) float32
        Shifts in pixels of the labels' size, to the fraction.
    """
    height, width = labels.shape
    ratio = max(rgb.shape[0] / height, rgb.shape[1] / width)
    size = (width, height)
    beside = [_points_beside(labels, label, known, rng) for label in range(len(shifts))]
    order = np.argsort([-len(points) for points in beside], kind="stable")
    found = shifts.astype(np.float32)
    finest = min(ratio, LARGEST_SIDE / max(height, width))
    factor = 1.0
    while True:
        picture = averaged(rgb, size)
        scale = np.array([picture.shape[0] / height, picture.shape[1] / width], np.float32)
        for label in order:
            if label and len(beside[label]):
                found[label] = _moved(picture, labels, known, found, int(label), beside[label], scale, rng)
        if factor >= finest:
            return found
        factor = min(2 * factor, finest) if finest / (2 * factor) > 1.2 else finest
        size = round(width * factor), round(height * factor)


def _points_beside(labels: Labels, label: int, known: Bool, rng: np.random.Generator) -> Int:
    """Some pixels (n, 2) y, x within two of a copy's, that are known or another copy's."""
    own = (labels == label).astype(np.uint8)
    near = (cv2.dilate(own, np.ones((5, 5), np.uint8)) > 0) & (own == 0) & (known | (labels > 0))
    points = np.argwhere(near)
    if len(points) > POINTS:
        points = points[rng.choice(len(points), POINTS, replace=False)]
    return points


def _moved(
    picture: Float,
    labels: Labels,
    known: Bool,
    shifts: Float,
    label: int,
    points: Int,
    scale: Float,
    rng: np.random.Generator,
) -> Float:
    """One label's shift, moved by at most a pixel of the picture's size."""
    height, width = picture.shape[:2]
    spots = np.repeat(points, SPOTS if scale.max() > 1.2 else 1, 0)
    spread = rng.random(spots.shape) if scale.max() > 1.2 else 0.5
    at = np.floor((spots + spread) * scale).astype(np.int64)
    by = np.where(
        known[spots[:, 0], spots[:, 1]][:, None], 0, shifts[labels[spots[:, 0], spots[:, 1]]] * scale
    )

    def colours(y: Int, x: Int) -> Float:
        return picture[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]

    meant = np.rint(at + by).astype(np.int64)
    wanted = colours(meant[:, 0], meant[:, 1])
    base = np.rint(shifts[label] * scale).astype(np.int64)
    tried = [(0, 0)] + [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]
    costs = []
    for dy, dx in tried:
        there = colours(at[:, 0] + base[0] + dy, at[:, 1] + base[1] + dx)
        costs.append(float(np.minimum(((there - wanted) ** 2).sum(-1), OUTLIER).mean()))
    best = int(np.argmin(costs))
    if costs[best] > BETTER * costs[0]:
        best = 0
    return np.asarray((base + tried[best]) / scale, np.float32)
