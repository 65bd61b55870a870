"""Random movements of a kind: how far objects are dragged, scaled, turned and bent in the benchmark."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.bench.truth.transforms import ThinPlate, Transform, about, quad_to_quad

Vector = NDArray[np.float64]


def sample_motion(
    move: str, centre: Vector, diameter: float, size: int, rng: np.random.Generator
) -> Transform:
    """Draw a movement of an object of a diameter at a centre (x, y) in a picture ``size`` pixels wide.

    Parameters
    ----------
    move
        ``translate-short``: 8 to 20 % of the picture, mostly over its own old place. ``translate-long``: 30
        to 60 %. ``scale-up``: 1.2 to 1.7 times, ``scale-down``: 0.55 to 0.8 times, each with a small shift.
        ``rotate``: 15 to 110 degrees either way, shifted up to 25 %. ``perspective``: corners displaced by up
        to a quarter of the diameter. ``bend``: a thin plate through nine points.
    """
    if move == "translate-short":
        return about(centre, shift=_shift(rng, 0.08 * size, 0.2 * size))
    if move == "translate-long":
        return about(centre, shift=_shift(rng, 0.3 * size, 0.6 * size))
    if move == "scale-up":
        return about(centre, scale=float(rng.uniform(1.2, 1.7)), shift=_shift(rng, 0, 0.15 * size))
    if move == "scale-down":
        return about(centre, scale=float(rng.uniform(0.55, 0.8)), shift=_shift(rng, 0, 0.15 * size))
    if move == "rotate":
        degrees = float(rng.choice([-1, 1]) * rng.uniform(15, 110))
        return about(centre, degrees=degrees, shift=_shift(rng, 0, 0.25 * size))
    if move == "perspective":
        square = centre + 0.5 * diameter * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=np.float64)
        moved = square + _shift(rng, 0.05 * size, 0.3 * size) + rng.uniform(-0.25, 0.25, (4, 2)) * diameter
        return quad_to_quad(square, moved)
    if move == "bend":
        return _bend(centre, diameter, size, rng)
    raise ValueError(f"move is {move!r}: not one the benchmark knows")


def _bend(centre: Vector, diameter: float, size: int, rng: np.random.Generator) -> ThinPlate:
    """An arch: the ends of a 3 x 3 lattice rise or sink by 15 to 35 % of the diameter, somewhat unevenly."""
    lattice = np.array([[x, y] for y in (-1, 0, 1) for x in (-1, 0, 1)], dtype=np.float64)
    turn = rng.uniform(0, np.pi)
    along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    arch = float(rng.choice([-1, 1]) * rng.uniform(0.15, 0.35)) * (lattice[:, :1] ** 2 - 0.5) * across
    uneven = rng.uniform(-0.05, 0.05, lattice.shape)
    handle_points = centre + 0.7 * diameter * (lattice[:, :1] * along + lattice[:, 1:] * across)
    target_points = handle_points + diameter * (arch + uneven) + _shift(rng, 0.05 * size, 0.25 * size)
    return ThinPlate(handle_points, target_points)


def _shift(rng: np.random.Generator, least: float, most: float) -> Vector:
    angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(least, most)
    return length * np.array([np.cos(angle), np.sin(angle)])
