"""Procedural pictures (H, W, 3) float32, 0 to 1: noise, dead leaves, skies, fences, windows, bricks."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]


def value_noise(
    rng: np.random.Generator, shape: tuple[int, int], cells: float = 4.0, octaves: int = 5
) -> Picture:
    """Smooth random field (H, W), 0 to 1: octaves of enlarged white noise, each half as strong."""
    height, width = shape
    field = np.zeros(shape, np.float32)
    for octave in range(octaves):
        count = max(2, round(cells * 2**octave))
        coarse = rng.random((count, max(2, round(count * width / height)))).astype(np.float32)
        field += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC) * 0.5**octave
    return _stretch(field)


def colour(rng: np.random.Generator, value: tuple[float, float] = (0.25, 0.95)) -> Picture:
    """A random colour (3,) of natural saturation."""
    rgb = colorsys.hsv_to_rgb(rng.random(), float(rng.uniform(0.1, 0.75)), float(rng.uniform(*value)))
    return np.array(rgb, np.float32)


def dead_leaves(rng: np.random.Generator, shape: tuple[int, int], leaves: int = 500) -> Picture:
    """Overlapping ellipses of power-law sizes, as in natural pictures (Lee, Mumford and Huang, IJCV 2001)."""
    height, width = shape
    picture = np.broadcast_to(colour(rng), (height, width, 3)).astype(np.float32).copy()
    for _ in range(leaves):
        # inverse-cube radii between 2 % and 30 % of the side
        radius = 0.02 * min(shape) / np.sqrt(1 - rng.random() * (1 - (0.02 / 0.3) ** 2))
        centre = (int(rng.integers(width) * 16), int(rng.integers(height) * 16))
        axes = (max(1, int(radius * 16)), max(1, int(radius * rng.uniform(0.4, 1.0) * 16)))
        fill = tuple(float(c) for c in colour(rng))
        cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, fill, -1, cv2.LINE_AA, 4)
    return _weathered(rng, picture, 0.12)


def fine_texture(rng: np.random.Generator, shape: tuple[int, int]) -> Picture:
    """Gravel, bark or cloth: high-frequency noise between two colours."""
    cells = float(rng.uniform(14, 30))
    grain = value_noise(rng, shape, cells=cells, octaves=3)[..., None]
    low, high = colour(rng, (0.1, 0.5)), colour(rng, (0.5, 0.95))
    return _weathered(rng, low + (high - low) * grain, 0.1)


def flat_sky(rng: np.random.Generator, shape: tuple[int, int]) -> Picture:
    """A smooth vertical gradient with faint clouds and sensor noise."""
    ramp = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None, None]
    top, bottom = colour(rng, (0.4, 0.9)), colour(rng, (0.6, 1.0))
    clouds = value_noise(rng, shape, cells=2, octaves=3)[..., None] * float(rng.uniform(0, 0.12))
    sky = top + (bottom - top) * ramp + clouds
    return _clip(sky + rng.normal(0, 0.006, (*shape, 1)))


def horizon(rng: np.random.Generator, shape: tuple[int, int]) -> Picture:
    """Sky above, rough ground below, a sharp slanted line between."""
    height, width = shape
    line = rng.uniform(0.35, 0.65) * height + np.arange(width) * rng.uniform(-0.15, 0.15)
    below = np.clip(np.arange(height)[:, None] - line[None] + 0.5, 0, 1).astype(np.float32)[..., None]
    return _clip(flat_sky(rng, shape) * (1 - below) + fine_texture(rng, shape) * below)


def fence(rng: np.random.Generator, shape: tuple[int, int]) -> Picture:
    """Slats, upright or slanted, before a soft garden."""
    period, slat = float(rng.uniform(0.07, 0.16)) * shape[1], float(rng.uniform(0.35, 0.6))
    x = np.arange(shape[1])[None] + rng.uniform(-0.3, 0.3) * np.arange(shape[0])[:, None]
    phase = np.mod(x, period) / period
    cover = np.clip(np.minimum(phase, slat - phase) * period + 0.5, 0, 1).astype(np.float32)[..., None]
    roundness = 0.75 + 0.25 * np.sin(np.pi * np.clip(phase / slat, 0, 1))[..., None]
    grain = value_noise(rng, shape, cells=10, octaves=3)[..., None] * 0.2 + 0.85
    garden = value_noise(rng, shape, cells=5, octaves=3)[..., None] * colour(rng, (0.3, 0.7))
    return _clip(garden * (1 - cover) + colour(rng, (0.55, 0.95)) * roundness * grain * cover)


def windows(rng: np.random.Generator, shape: tuple[int, int]) -> Picture:
    """A facade: a grid of panes with frames, each pane of another brightness."""
    return _grid(
        rng, shape, columns=int(rng.integers(4, 8)), rows=int(rng.integers(4, 8)), gap=0.24, stagger=False
    )


def bricks(rng: np.random.Generator, shape: tuple[int, int]) -> Picture:
    """A brick wall."""
    return _grid(
        rng, shape, columns=int(rng.integers(5, 9)), rows=int(rng.integers(10, 17)), gap=0.12, stagger=True
    )


def _grid(
    rng: np.random.Generator, shape: tuple[int, int], columns: int, rows: int, gap: float, stagger: bool
) -> Picture:
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    v = y / shape[0] * rows
    u = x / shape[1] * columns + (0.5 * (np.floor(v) % 2) if stagger else 0)
    edge_u = (0.5 - np.abs(u % 1 - 0.5)) * shape[1] / columns
    edge_v = (0.5 - np.abs(v % 1 - 0.5)) * shape[0] / rows
    joint = 0.5 * gap * shape[0] / rows
    tile = np.clip(np.minimum(edge_u, edge_v) - joint + 0.5, 0, 1)[..., None]
    tones = rng.uniform(0.6, 1.1, (rows + 2, columns + 2)).astype(np.float32)
    tone = tones[v.astype(int), u.astype(int)][..., None]
    wall = colour(rng, (0.3, 0.9)) * np.ones((*shape, 1), np.float32)
    return _weathered(rng, wall * (1 - tile) + colour(rng, (0.3, 0.9)) * tone * tile, 0.15)


STRUCTURED = (horizon, fence, windows, bricks)


def _weathered(rng: np.random.Generator, picture: NDArray[np.floating], strength: float) -> Picture:
    shape = (picture.shape[0], picture.shape[1])
    light = 1 - strength * value_noise(rng, shape, cells=3, octaves=6)[..., None]
    return _clip(picture * light + rng.normal(0, 0.008, (*shape, 1)))


def _stretch(field: Picture) -> Picture:
    low, high = float(field.min()), float(field.max())
    return (field - low) / max(high - low, 1e-6)


def _clip(picture: NDArray[np.floating]) -> Picture:
    return np.asarray(np.clip(picture, 0, 1), dtype=np.float32)
