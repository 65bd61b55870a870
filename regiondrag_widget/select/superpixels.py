"""Superpixels: small groups of alike, neighbouring pixels, made once for each picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Segmentation", "merged", "segment"]

Float = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]
Pixels = npt.NDArray[np.uint8]

WORK_SIDE = 512  # pixels of the longer side that superpixels are made at, whatever the picture's size
SPACING = 9  # pixels between the seeds of superpixels, at that size
REACH = 3  # pixels from its place on the grid where a seed looks for even ground
FILLS = 8  # passes that give the watershed's lines to a neighbour; two are enough unless seeds touch


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A picture at the working size, cut into superpixels.

    Attributes
    ----------
    labels : (h, w) int32, the superpixel of each pixel, from 0.
    lab : (h, w, 3) float32, the picture's colours in CIELAB.
    slope : (h, w) float32, how steep the colours are.
    count : how many superpixels there are.
    """

    labels: Labels
    lab: Float
    slope: Float
    count: int


def segment(rgb: Pixels, spacing: int = SPACING) -> Segmentation:
    """Cut a picture into superpixels by a watershed from a grid of seeds.

    Seeds lie on even ground, so that the superpixels' borders fall on edges (Machairas and others,
    *Waterpixels*, 2015).

    Parameters
    ----------
    rgb
        (H, W, 3) uint8 of any size from one pixel; larger than `WORK_SIDE` it is reduced first.
    spacing
        Pixels between seeds, at the working size.
    """
    small = _reduced(rgb)
    even = cv2.bilateralFilter(small, 5, 24.0, 3.0) if min(small.shape[:2]) > 1 else small
    lab = cv2.cvtColor(even.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    slope = _slope(lab)
    flooded = cv2.watershed(even, _seeds(slope, spacing))
    labels = _without_lines(flooded, lab)
    used, numbers = np.unique(labels, return_inverse=True)
    return Segmentation(numbers.reshape(slope.shape).astype(np.int32), lab, slope, len(used))


def merged(parts: Segmentation, region: Labels) -> Segmentation:
    """Return the segmentation with each superpixel's number replaced by its region's, (n,) int32 from 0."""
    return Segmentation(region[parts.labels], parts.lab, parts.slope, int(region.max()) + 1)


def _reduced(rgb: Pixels) -> Pixels:
    height, width = rgb.shape[:2]
    scale = WORK_SIDE / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(rgb)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def _slope(lab: Float) -> Float:
    dx = cv2.Scharr(lab, cv2.CV_32F, 1, 0, scale=1 / 16)
    dy = cv2.Scharr(lab, cv2.CV_32F, 0, 1, scale=1 / 16)
    return np.asarray(np.sqrt((dx**2 + dy**2).sum(-1)), np.float32)


def _seeds(slope: Float, spacing: int) -> Labels:
    """(h, w) int32: a number from 1 at each seed, 0 elsewhere."""
    height, width = slope.shape
    seeds = np.zeros(slope.shape, np.int32)
    number = 0
    for y in range(min(spacing // 2, height - 1), height, spacing):
        for x in range(min(spacing // 2, width - 1), width, spacing):
            top, left = max(0, y - REACH), max(0, x - REACH)
            around = slope[top : y + REACH + 1, left : x + REACH + 1]
            down, across = divmod(int(np.argmin(around)), around.shape[1])
            number += 1
            seeds[top + down, left + across] = number
    return seeds


def _without_lines(flooded: Labels, lab: Float) -> Labels:
    """Labels without the watershed's lines: their pixels go to the neighbour of the most similar colour."""
    labels = flooded
    for _ in range(FILLS):
        lines = labels <= 0
        if not lines.any():
            return labels
        framed = cv2.copyMakeBorder(labels, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=-1)
        colours = cv2.copyMakeBorder(lab, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
        rows, columns = np.nonzero(lines)
        offsets = np.array([(0, 1), (2, 1), (1, 0), (1, 2)])
        at = rows[:, None] + offsets[:, 0], columns[:, None] + offsets[:, 1]
        near = framed[at]
        unlike = np.abs(colours[at] - lab[rows, columns][:, None]).sum(-1)
        unlike[near <= 0] = np.inf
        labels = labels.copy()
        labels[rows, columns] = near[np.arange(len(rows)), unlike.argmin(1)]
    return np.maximum(labels, 0)
