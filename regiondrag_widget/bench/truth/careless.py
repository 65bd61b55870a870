"""A careless drawing: the handle a few pixels too small or too large all round."""

from __future__ import annotations

import cv2
import numpy as np

from regiondrag_widget.bench.truth.scene import Mask, Scene
from regiondrag_widget.regions import RegionPair, RegionPairs

DRAWING_GROUP = "drawing"
CARELESS = (-16, -8, -4, -2, 2, 4, 8, 16)
"""How many pixels too large or, negative, too small a handle is drawn."""
MOST_ERODED = 0.7
"""Share of a region's depth that may be eroded, so that some of it is left."""


def carelessly_drawn(scene: Scene, pixels: int) -> RegionPairs:
    """The scene's regions with handles ``pixels`` larger (or smaller, when negative) on every side.

    The target is the handle carried by the exact matrix. Without a matrix it is drawn as carelessly.
    """
    drawn = []
    for pair in scene.pairs:
        handle = resized_mask(pair.handle, pixels)
        target = None if pair.matrix is not None else resized_mask(pair.target, pixels)
        drawn.append(RegionPair(handle, target, pair.matrix))
    return RegionPairs(drawn)


def careless_name(pixels: int) -> str:
    """What the report calls an edit whose handle is this many pixels too large or, negative, too small."""
    return f"handle {abs(pixels)} px too {'large' if pixels > 0 else 'small'}"


def resized_mask(mask: Mask, pixels: int) -> Mask:
    """A mask (H, W) grown by ``pixels`` on every side, or shrunk by ``-pixels``, but never to nothing."""
    framed = np.pad(mask.astype(np.uint8), 1)
    if pixels >= 0:
        outside = cv2.distanceTransform(1 - framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
        return np.asarray(mask | (outside <= pixels))
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
    return np.asarray(depth > min(-pixels, MOST_ERODED * depth.max()))
