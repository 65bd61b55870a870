"""Objects to move: procedural ones and ones cut out of photographs, each with a soft edge."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.bench import textures
from regiondrag_widget.bench.transforms import Points, Transform, pixel_grid

Image = NDArray[np.uint8]
SPRITE_SIZE = 224
_SUPERSAMPLE = 3


@dataclass(frozen=True)
class Sprite:
    """An object on its own: ``rgba`` (h, w, 4) float32, 0 to 1, colour premultiplied by alpha, alpha 0 along the border."""

    rgba: NDArray[np.float32]
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
    """An object of a photograph (H, W, 3) uint8: the thing GrabCut finds in its middle, else a soft blob of a sharp place."""
    found = _salient_mask(photo) if rng.random() < 0.75 else None
    if found is not None:
        crop, mask = found
        scale = size / max(crop.shape[:2])
        crop = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        soft = cv2.resize(mask.astype(np.float32), (crop.shape[1], crop.shape[0]), interpolation=cv2.INTER_AREA)
        # blurred and re-thresholded, so that GrabCut's ragged pixels become one clean outline
        soft = np.clip((cv2.GaussianBlur(soft, (0, 0), 2.5) - 0.5) * 4 + 0.5, 0, 1)
        return Sprite(_premultiply(crop.astype(np.float32) / 255, soft), f"{name} (object)")
    crop = _sharp_square(photo, rng)
    crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    alpha = _soft_edge(_outline_distance(rng, size))
    return Sprite(_premultiply(crop.astype(np.float32) / 255, alpha), f"{name} (piece)")


def render(sprite: Sprite, placement: Transform, motion: Transform | None, shape: tuple[int, int]) -> NDArray[np.float32]:
    """The object as it lies in a picture: (H, W, 4) float32, premultiplied.

    Colour and alpha are both warped inversely, three samples to a pixel's side, so that before and after are two views
    of one finer original and neither is a resampling of the other.

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
    fine = cv2.remap(sprite.rgba, source[..., 0], source[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    layer = cv2.resize(fine, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    # less than half a grey level of cover changes no pixel: cut it, so that the support is honest
    layer[layer[..., 3] < 0.5 / 255] = 0
    return np.asarray(layer, dtype=np.float32)


def over(layer: NDArray[np.float32], background: NDArray[np.float32]) -> NDArray[np.float32]:
    """The layer (H, W, 4, premultiplied) on a background (H, W, 3), both 0 to 1."""
    return np.asarray(layer[..., :3] + background * (1 - layer[..., 3:]), dtype=np.float32)


def _premultiply(rgb: NDArray[np.float32], alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    alpha = alpha.astype(np.float32).copy()
    alpha[[0, -1], :] = 0
    alpha[:, [0, -1]] = 0
    return np.dstack([rgb * alpha[..., None], alpha]).astype(np.float32)


def _outline_distance(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
    """How far inside a random star-shaped outline each pixel lies: 1 at the centre, 0 on it, negative outside."""
    y, x = (np.mgrid[:size, :size] - (size - 1) / 2) / (size / 2 - 4)
    x, y = x / rng.uniform(0.65, 1.0), y / rng.uniform(0.65, 1.0)
    angle = np.arctan2(y, x)
    radius = np.full_like(angle, 0.82)
    for wave in range(2, 6):
        radius += rng.normal(0, 0.16) / wave * np.cos(wave * angle + rng.uniform(0, 2 * np.pi))
    radius = np.minimum(radius, 0.98)
    return (1 - np.hypot(x, y) / np.maximum(radius, 0.3)).astype(np.float32)


def _soft_edge(distance: NDArray[np.float32]) -> NDArray[np.float32]:
    # about five sprite pixels, two picture pixels: the softness of a lens
    return np.clip(distance * distance.shape[0] / 10 + 0.5, 0, 1).astype(np.float32)


def _shade(rng: np.random.Generator, paint: NDArray[np.float32], distance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Light a rounded body from one side, with a highlight."""
    height = np.sqrt(np.clip(distance, 0, 1)) * paint.shape[0] * 0.25
    dy, dx = np.gradient(cv2.GaussianBlur(height, (0, 0), 4))
    normal = np.dstack([-dx, -dy, np.ones_like(dx)])
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    direction = np.array([rng.uniform(-0.7, 0.7), -rng.uniform(0.3, 0.8), 0.7])
    lit = np.clip(normal @ (direction / np.linalg.norm(direction)), 0, 1)[..., None]
    return np.clip(paint * (0.35 + 0.75 * lit) + 0.35 * lit**24, 0, 1).astype(np.float32)


def _stripes(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    y, x = np.mgrid[: shape[0], : shape[1]] / shape[0]
    turn = rng.uniform(0, np.pi)
    wave = np.sin(2 * np.pi * rng.uniform(4, 10) * (x * np.cos(turn) + y * np.sin(turn)) + 2 * textures.value_noise(rng, shape, 3, 2))
    mix = np.clip(wave * 3 + 0.5, 0, 1)[..., None]
    return (textures.colour(rng) * mix + textures.colour(rng) * (1 - mix)).astype(np.float32)


def _spots(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    paint = (np.ones((*shape, 1), np.float32) * textures.colour(rng)).astype(np.float32)
    for _ in range(40):
        centre = (int(rng.integers(shape[1])), int(rng.integers(shape[0])))
        cv2.circle(paint, centre, int(rng.integers(4, 16)), tuple(float(c) for c in textures.colour(rng)), -1, cv2.LINE_AA)
    return paint


def _marble(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    veins = np.abs(textures.value_noise(rng, shape, 3, 6) - 0.5)[..., None] * 4
    return np.clip(textures.colour(rng, (0.6, 1.0)) * np.clip(veins, 0.15, 1), 0, 1).astype(np.float32)


def _salient_mask(photo: Image) -> tuple[Image, NDArray[np.bool_]] | None:
    """The crop and mask of the one compact thing in the middle of a photograph, or None when there is no such thing."""
    side = min(photo.shape[:2])
    top, left = (photo.shape[0] - side) // 2, (photo.shape[1] - side) // 2
    square = np.ascontiguousarray(photo[top : top + side, left : left + side])
    small = cv2.resize(square, (160, 160), interpolation=cv2.INTER_AREA)
    labels = np.zeros(small.shape[:2], np.uint8)
    cv2.setRNGSeed(0)  # GrabCut's k-means draws from OpenCV's own generator
    cv2.grabCut(small[..., ::-1].copy(), labels, (24, 24, 112, 112), np.zeros((1, 65)), np.zeros((1, 65)), 4, cv2.GC_INIT_WITH_RECT)
    mask = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    count, components, stats, _ = cv2.connectedComponentsWithStats(mask)
    if count < 2:
        return None
    best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    x, y, w, h, area = (int(v) for v in stats[best])
    contours, _ = cv2.findContours((components == best).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
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
    corners = [(int(rng.integers(photo.shape[0] - side + 1)), int(rng.integers(photo.shape[1] - side + 1))) for _ in range(12)]
    y, x = max(corners, key=lambda corner: float(energy[corner[0] : corner[0] + side, corner[1] : corner[1] + side].mean()))
    return photo[y : y + side, x : x + side]
