"""Handles as people draw them round an object whose true mask is known, and movements for them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

KINDS = ("tight", "loose 8", "loose 16", "rectangle", "ellipse", "lasso", "brush", "misses")
PART_KINDS = ("as drawn", "lasso")
MISSED = 0.05  # share of the object that a "misses" handle leaves out


def handle_of(mask: Mask, kind: str, seed: int = 0) -> Mask:
    """The handle (H, W) bool of one kind round an object's mask (H, W) bool.

    "tight" follows the outline 3 px away, "loose N" N px away; "rectangle" is the bounding box and 10 px;
    "ellipse" is the smallest upright one that holds the object, and 4 px; "lasso" wanders between 2 and
    18 px from the outline; "brush" is painted with a round brush; "misses" is a loose handle that cuts off
    5 % of the object; "as drawn" is the mask itself.

    Raises ``ValueError`` for another kind.
    """
    rng = np.random.default_rng(seed)
    if kind == "as drawn":
        return mask.copy()
    if kind == "tight":
        return _distance_to(mask) <= 3
    if kind.startswith("loose "):
        return np.asarray(_distance_to(mask) <= float(kind.split()[1]))
    if kind == "rectangle":
        return _rectangle(mask, 10)
    if kind == "ellipse":
        return _ellipse(mask, 4)
    if kind == "lasso":
        return _filled(_distance_to(mask) <= _wander(mask.shape, rng, 2, 18))
    if kind == "brush":
        return _brushed(mask, rng)
    if kind == "misses":
        return _missing(mask, rng)
    raise ValueError(f"handle kind {kind!r} is unknown: use one of {', '.join((*KINDS, *PART_KINDS))}")


def shifted(a: NDArray[np.generic], dx: int, dy: int) -> NDArray[np.generic]:
    """An array (H, W, ...) moved by whole pixels, zeros where nothing comes from."""
    out = np.zeros_like(a)
    height, width = a.shape[:2]
    if abs(dx) >= width or abs(dy) >= height:
        return out
    to_y, from_y = slice(max(0, dy), height + min(0, dy)), slice(max(0, -dy), height + min(0, -dy))
    to_x, from_x = slice(max(0, dx), width + min(0, dx)), slice(max(0, -dx), width + min(0, -dx))
    out[to_y, to_x] = a[from_y, from_x]
    return out


def _distance_to(mask: Mask) -> NDArray[np.float32]:
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5), np.float32)


def _filled(mask: Mask) -> Mask:
    """Without holes: a lasso encloses everything within it."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    cv2.drawContours(filled, contours, -1, 1, cv2.FILLED)
    return filled > 0


def _wander(shape: tuple[int, ...], rng: np.random.Generator, low: float, high: float) -> NDArray[np.float32]:
    """A smooth random field (H, W) between two values, waves about 60 px long."""
    grid = (max(3, shape[1] // 30), max(3, shape[0] // 30))
    noise = rng.uniform(0, 1, grid[::-1]).astype(np.float32)
    field = cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(low + (high - low) * np.clip(field, 0, 1), np.float32)


def _rectangle(mask: Mask, margin: int) -> Mask:
    ys, xs = np.nonzero(mask)
    out = np.zeros_like(mask)
    out[
        max(0, ys.min() - margin) : ys.max() + margin + 1, max(0, xs.min() - margin) : xs.max() + margin + 1
    ] = True
    return out


def _ellipse(mask: Mask, margin: float) -> Mask:
    ys, xs = np.nonzero(mask)
    cx, cy = (xs.min() + xs.max()) / 2, (ys.min() + ys.max()) / 2
    a, b = (xs.max() - xs.min()) / 2 + 1, (ys.max() - ys.min()) / 2 + 1
    grow = np.sqrt((((xs - cx) / a) ** 2 + ((ys - cy) / b) ** 2).max())
    yy, xx = np.mgrid[: mask.shape[0], : mask.shape[1]]
    inside = ((xx - cx) / (a * grow + margin)) ** 2 + ((yy - cy) / (b * grow + margin)) ** 2 <= 1
    return np.asarray(inside)


def _brushed(mask: Mask, rng: np.random.Generator) -> Mask:
    """Painted with a round brush until the object is covered, as a few generous strokes would."""
    ys, xs = np.nonzero(mask)
    radius = max(6, round(0.12 * float(np.sqrt(len(ys)))))
    left = mask.copy()
    painted = np.zeros(mask.shape, np.uint8)
    while left.any():
        ys, xs = np.nonzero(left)
        at = int(rng.integers(len(ys)))
        cv2.circle(painted, (int(xs[at]), int(ys[at])), radius, 1, cv2.FILLED)
        left &= painted == 0
    return _filled(painted > 0)


def _missing(mask: Mask, rng: np.random.Generator) -> Mask:
    """A handle 6 px loose, cut straight so that about 5 % of the object lies outside it."""
    angle = rng.uniform(0, 2 * np.pi)
    yy, xx = np.mgrid[: mask.shape[0], : mask.shape[1]]
    along = xx * np.cos(angle) + yy * np.sin(angle)
    return np.asarray((_distance_to(mask) <= 6) & (along <= np.quantile(along[mask], 1 - MISSED)))
