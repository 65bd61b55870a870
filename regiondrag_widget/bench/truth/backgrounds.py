"""Where objects lie: crops of photographs chosen by what they show, or procedural pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.bench.truth import textures
from regiondrag_widget.bench.truth.photos import Photo

_CANDIDATES = 16


@dataclass(frozen=True)
class Background:
    """A square picture (n, n, 3) float32, 0 to 1, and its source."""

    pixels: NDArray[np.float32]
    name: str
    series: str


def background(kind: str, photos: Sequence[Photo], size: int, rng: np.random.Generator) -> Background:
    """A background for a kind of scene: strong structure, fine texture, flat sky, or anything but mere black.

    The best of sixteen random crops is taken. Some kinds use procedural pictures for a share of their
    backgrounds; without photographs every background is procedural.
    """
    procedural_share = {"over-structure": 0.4, "over-texture": 0.3, "over-sky": 0.35}.get(kind, 0.08)
    if not photos or rng.random() < procedural_share:
        return Background(_procedural(kind, size, rng), "procedural", "")
    crops = [_crop(photos, size, rng) for _ in range(_CANDIDATES)]
    return max(crops, key=lambda crop: _score(kind, crop.pixels))


def _procedural(kind: str, size: int, rng: np.random.Generator) -> NDArray[np.float32]:
    shape = (size, size)
    if kind == "over-structure":
        return textures.STRUCTURED[int(rng.integers(len(textures.STRUCTURED)))](rng, shape)
    if kind == "over-texture":
        return textures.fine_texture(rng, shape)
    if kind == "over-sky":
        return textures.flat_sky(rng, shape)
    return (textures.dead_leaves, textures.horizon, textures.fine_texture)[int(rng.integers(3))](rng, shape)


def _crop(photos: Sequence[Photo], size: int, rng: np.random.Generator) -> Background:
    photo = photos[int(rng.integers(len(photos)))]
    height, width = photo.pixels.shape[:2]
    side = int(rng.uniform(min(size, min(height, width)), min(height, width) + 1))
    y, x = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    crop = photo.pixels[y : y + side, x : x + side]
    how = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
    pixels = cv2.resize(crop, (size, size), interpolation=how) / np.float32(255)
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1].copy()
    return Background(np.asarray(pixels, dtype=np.float32), photo.name, photo.series)


def _score(kind: str, pixels: NDArray[np.float32]) -> float:
    """How well a crop serves a kind; near-black crops serve none."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    if grey.mean() < 0.15:
        return -1e3
    dx, dy = cv2.Sobel(grey, cv2.CV_32F, 1, 0) / 8, cv2.Sobel(grey, cv2.CV_32F, 0, 1) / 8
    strength = np.hypot(dx, dy)
    if kind == "over-sky":
        return -float(np.quantile(strength, 0.7))
    if kind == "over-texture":
        return float(np.quantile(strength, 0.3))  # detail nearly everywhere
    if kind == "over-structure":
        # long edges: the structure tensor over a wide window keeps one direction
        xx, yy, xy = (cv2.GaussianBlur(p, (0, 0), 6) for p in (dx * dx, dy * dy, dx * dy))
        coherence = np.sqrt((xx - yy) ** 2 + 4 * xy**2)
        return float(np.sqrt(np.quantile(coherence, 0.7)))
    return 0.0
