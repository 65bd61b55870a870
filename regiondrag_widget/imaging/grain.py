"""Grain: what is filled in is as noisy as what surrounds it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["with_grain"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

SIGMA = 1.2  # pixels of the blur that noise is told from
NEARBY = 9  # pixels across within which a noise level is measured
FLAT = 0.3  # quantile of the levels around, that is taken for noise: above it are textures
LEAST = 0.4  # grey levels of noise that are worth adding
LARGE = 1 << 20  # pixels; in more, levels are told from a sample and the noise repeats
SAMPLES, TILE = 200_000, 256


def with_grain(rgb: Float, hole: Bool, around: Bool, rng: np.random.Generator) -> Float:
    """The picture (h, w, 3) float32, its hole given as much noise as its surroundings have.

    Noise is what a small blur takes away; its level around is that of the flattest third, so that a texture
    is not answered with noise. Only what is missing is added, coloured as it is around.

    Parameters
    ----------
    hole
        (h, w) bool.
    around
        (h, w) bool, the known pixels to learn from.
    """
    if around.sum() < 100 or not hole.any():
        return rgb
    fine = rgb - cv2.GaussianBlur(rgb, (0, 0), SIGMA)
    large = hole.size > LARGE
    power = cv2.transform(fine * fine, np.full((1, 3), 1 / 3)) if large else (fine**2).mean(-1)
    local = cv2.blur(power, (NEARBY, NEARBY))
    inner = around & (cv2.erode(around.astype(np.uint8), np.ones((NEARBY, NEARBY), np.uint8)) > 0)
    where = inner if inner.sum() > 100 else around
    levels, colours = local[where], fine[where]
    if large:
        every = max(1, len(levels) // SAMPLES)
        levels, colours = levels[::every], colours[::every]
    wanted = float(np.quantile(levels, FLAT))
    if wanted < LEAST**2:
        return rgb
    covariance = np.cov(colours[levels <= np.quantile(levels, 0.5)].T) + 1e-3 * np.eye(3)
    colour = np.linalg.cholesky(covariance / (np.trace(covariance) / 3)).astype(np.float32)
    shape = (TILE, TILE, 3) if large else rgb.shape
    white = rng.standard_normal(shape).astype(np.float32)
    passed = float((white - cv2.GaussianBlur(white, (0, 0), SIGMA)).std())  # what of white noise is fine
    missing = np.sqrt(np.maximum(wanted - local, 0)) / passed
    if large:
        return _laid(rgb, hole, missing, white @ colour.T, rng)
    return np.where(hole[..., None], rgb + missing[..., None] * (white @ colour.T), rgb).astype(np.float32)


def _laid(rgb: Float, hole: Bool, missing: Float, tile: Float, rng: np.random.Generator) -> Float:
    """The picture, its hole given noise from a tile (n, n, 3), shifted anew for each row of tiles."""
    result = rgb.copy()
    many = -(-rgb.shape[1] // TILE)
    for top in range(0, rgb.shape[0], TILE):
        at = slice(top, min(top + TILE, rgb.shape[0]))
        shifted = np.roll(tile, tuple(rng.integers(0, TILE, 2)), (0, 1))
        noise = np.tile(shifted, (1, many, 1))[: at.stop - at.start, : rgb.shape[1]]
        result[at] += noise * np.where(hole[at], missing[at], 0)[..., None]
    return result
