"""Objects to move: procedural ones and ones cut out of photographs, each with a soft edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.bench.truth import textures
from regiondrag_widget.bench.truth.transforms import Points, Transform, pixel_grid

Image = NDArray[np.uint8]
Field = NDArray[np.float32]
SPRITE_SIZE = 224
_SUPERSAMPLE = 3


@dataclass(frozen=True)
class Sprite:
    """An object on its own: ``rgba`` (h, w, 4) float32, 0 to 1, premultiplied, alpha 0 along the border."""

    rgba: Field
    name: str

    @property
    def diameter(self) -> float:
        """Side of the square of the object's area, in its own pixels."""
        return float(np.sqrt(self.rgba[..., 3].sum()))


def procedural_sprite(rng: np.random.Generator, size: int = SPRITE_SIZE) -> Sprite:
    """A textured, shaded body with a random smooth outline."""
    outline = _outline_distance(rng, size)
    painters = (_stripes, _spots, textures.dead_leaves, textures.fine_texture, _marble)
    paint = painters[int(rng.integers(len(painters)))](rng, (size, size))
    return Sprite(_premultiply(_shade(rng, paint, outline), _soft_edge(outline)), "procedural")


def photo_sprite(photo: Image, name: str, rng: np.random.Generator, size: int = SPRITE_SIZE) -> Sprite:
    """An object from a photograph (H, W, 3) uint8: what GrabCut finds, or else a blob of a sharp part."""
    found = _salient_mask(photo) if rng.random() < 0.75 else None
    if found is not None:
        crop, mask = found
        scale = size / max(crop.shape[:2])
        colour = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        soft = cv2.resize(mask.astype(np.float32), colour.shape[1::-1], interpolation=cv2.INTER_AREA)
        # blurred and re-thresholded, so that GrabCut's ragged pixels become one clean outline
        alpha = _clip((cv2.GaussianBlur(soft, (0, 0), 2.5) - 0.5) * 4 + 0.5)
        return Sprite(_premultiply(_clip(colour / 255), alpha), f"{name} (object)")
    colour = cv2.resize(_sharp_square(photo, rng), (size, size), interpolation=cv2.INTER_AREA)
    alpha = _soft_edge(_outline_distance(rng, size))
    return Sprite(_premultiply(_clip(colour / 255), alpha), f"{name} (piece)")


def render(sprite: Sprite, placement: Transform, motion: Transform | None, shape: tuple[int, int]) -> Field:
    """The object as it lies in a picture: (H, W, 4) float32, premultiplied.

    Colour and alpha are both warped inversely, three samples to a pixel's side, so that before and after are
    two views of one finer original and neither is a resampling of the other.

    Parameters
    ----------
    placement
        Sprite pixel to picture pixel, before the edit.
    motion
        Picture pixel before to picture pixel after; None for the picture before.
    """
    grid: Points = pixel_grid(shape, _SUPERSAMPLE)
    if motion is not None:
        grid = motion.backward(grid)
    source = np.clip(placement.backward(grid), -1e4, 1e4).astype(np.float32)
    x, y = source[..., 0], source[..., 1]
    fine = cv2.remap(sprite.rgba, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    layer = cv2.resize(fine, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    # cover below half a grey level changes no pixel: cut it, so that the support is exact
    layer[layer[..., 3] < 0.5 / 255] = 0
    return np.asarray(layer, dtype=np.float32)


def over(layer: Field, background: Field) -> Field:
    """The layer (H, W, 4, premultiplied) on a background (H, W, 3), both 0 to 1."""
    return np.asarray(layer[..., :3] + background * (1 - layer[..., 3:]), dtype=np.float32)


def _premultiply(rgb: Field, alpha: Field) -> Field:
    alpha = alpha.astype(np.float32).copy()
    alpha[[0, -1], :] = 0
    alpha[:, [0, -1]] = 0
    return np.dstack([rgb * alpha[..., None], alpha]).astype(np.float32)


def _outline_distance(rng: np.random.Generator, size: int) -> Field:
    """How far inside a random smooth outline each pixel lies: 1 at the centre, 0 on it, negative outside."""
    y, x = (np.mgrid[:size, :size] - (size - 1) / 2) / (size / 2 - 4)
    x, y = x / rng.uniform(0.65, 1.0), y / rng.uniform(0.65, 1.0)
    angle = np.arctan2(y, x)
    radius = np.full_like(angle, 0.82)
    for wave in range(2, 6):
        radius += rng.normal(0, 0.16) / wave * np.cos(wave * angle + rng.uniform(0, 2 * np.pi))
    radius = np.minimum(radius, 0.98)
    return np.asarray(1 - np.hypot(x, y) / np.maximum(radius, 0.3), dtype=np.float32)


def _soft_edge(distance: Field) -> Field:
    # about five sprite pixels, two picture pixels: the softness of a lens
    return _clip(distance * distance.shape[0] / 10 + 0.5)


def _shade(rng: np.random.Generator, paint: Field, distance: Field) -> Field:
    """Light a rounded body from one side, with a highlight."""
    height = np.sqrt(np.clip(distance, 0, 1)) * paint.shape[0] * 0.25
    dy, dx = np.gradient(cv2.GaussianBlur(height, (0, 0), 4))
    normal = np.dstack([-dx, -dy, np.ones_like(dx)])
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    direction = np.array([rng.uniform(-0.7, 0.7), -rng.uniform(0.3, 0.8), 0.7])
    lit = np.clip(normal @ (direction / np.linalg.norm(direction)), 0, 1)[..., None]
    return _clip(paint * (0.35 + 0.75 * lit) + 0.35 * lit**24)


def _stripes(rng: np.random.Generator, shape: tuple[int, int]) -> Field:
    y, x = np.mgrid[: shape[0], : shape[1]] / shape[0]
    turn = rng.uniform(0, np.pi)
    phase = 2 * np.pi * rng.uniform(4, 10) * (x * np.cos(turn) + y * np.sin(turn))
    wave = np.sin(phase + 2 * textures.value_noise(rng, shape, 3, 2))
    mix = np.clip(wave * 3 + 0.5, 0, 1)[..., None]
    return _clip(textures.colour(rng) * mix + textures.colour(rng) * (1 - mix))


def _spots(rng: np.random.Generator, shape: tuple[int, int]) -> Field:
    paint = (np.ones((*shape, 1), np.float32) * textures.colour(rng)).astype(np.float32)
    for _ in range(40):
        centre = (int(rng.integers(shape[1])), int(rng.integers(shape[0])))
        radius, fill = int(rng.integers(4, 16)), tuple(float(c) for c in textures.colour(rng))
        cv2.circle(paint, centre, radius, fill, -1, cv2.LINE_AA)
    return paint


def _marble(rng: np.random.Generator, shape: tuple[int, int]) -> Field:
    veins = np.abs(textures.value_noise(rng, shape, 3, 6) - 0.5)[..., None] * 4
    return _clip(textures.colour(rng, (0.6, 1.0)) * np.clip(veins, 0.15, 1))


def _clip(values: NDArray[Any]) -> Field:
    return np.asarray(np.clip(values, 0, 1), dtype=np.float32)


def _salient_mask(photo: Image) -> tuple[Image, NDArray[np.bool_]] | None:
    """The crop and mask of the one compact object in the middle of a photograph, or None."""
    side = min(photo.shape[:2])
    top, left = (photo.shape[0] - side) // 2, (photo.shape[1] - side) // 2
    square = np.ascontiguousarray(photo[top : top + side, left : left + side])
    small = cv2.resize(square, (160, 160), interpolation=cv2.INTER_AREA)
    labels = np.zeros(small.shape[:2], np.uint8)
    cv2.setRNGSeed(0)  # GrabCut's k-means draws from OpenCV's own generator
    models, rectangle = (np.zeros((1, 65)), np.zeros((1, 65))), (24, 24, 112, 112)
    cv2.grabCut(small[..., ::-1].copy(), labels, rectangle, *models, 4, cv2.GC_INIT_WITH_RECT)
    found = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    mask = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    count, components, stats, _ = cv2.connectedComponentsWithStats(mask)
    if count < 2:
        return None
    best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    x, y, w, h, area = (int(v) for v in stats[best])
    blob = (components == best).astype(np.uint8)
    contours, _ = cv2.findContours(blob, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull_area = cv2.contourArea(cv2.convexHull(contours[0]))
    touches_rim = x <= 24 or y <= 24 or x + w >= 136 or y + h >= 136
    if touches_rim or not 500 < area < 9000 or area < 0.72 * hull_area:
        return None
    filled = cv2.drawContours(np.zeros_like(mask), contours, -1, 1, -1)
    scale, margin = side / 160, 6
    x0, y0, x1, y1 = (round(v * scale) for v in (x - margin, y - margin, x + w + margin, y + h + margin))
    full = cv2.resize(filled, (side, side), interpolation=cv2.INTER_LINEAR).astype(bool)
    return square[y0:y1, x0:x1], full[y0:y1, x0:x1]


def _sharp_square(photo: Image, rng: np.random.Generator) -> Image:
    """A square with much detail, about half the photograph's shorter side: the best of twelve draws."""
    side = int(min(photo.shape[:2]) * rng.uniform(0.35, 0.6))
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    energy = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    most = (photo.shape[0] - side + 1, photo.shape[1] - side + 1)
    corners = [(int(rng.integers(most[0])), int(rng.integers(most[1]))) for _ in range(12)]
    squares = [(slice(y, y + side), slice(x, x + side)) for y, x in corners]
    return photo[max(squares, key=lambda square: float(energy[square].mean()))]
