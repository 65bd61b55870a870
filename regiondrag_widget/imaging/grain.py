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


def with_grain(rgb: Float, hole: Bool, around: Bool, rng: np.random.Generator) -> Float:
    """The picture (h, w, 3) float32, its hole given as much noise as its surroundings have.

    hole : (h, w) bool; around : (h, w) bool, the known pixels to learn from

    Noise is what a small blur takes away; its level around is that of the flattest third, so that a texture
    is not answered with noise. Only what is missing is added, coloured as it is around.
    """
    if around.sum() < 100 or not hole.any():
        return rgb
    fine = rgb - cv2.GaussianBlur(rgb, (0, 0), SIGMA)
    local = cv2.blur((fine**2).mean(-1), (NEARBY, NEARBY))
    inner = around & (cv2.erode(around.astype(np.uint8), np.ones((NEARBY, NEARBY), np.uint8)) > 0)
    where = inner if inner.sum() > 100 else around
    wanted = float(np.quantile(local[where], FLAT))
    if wanted < LEAST**2:
        return rgb
    flat = where & (local <= np.quantile(local[where], 0.5))
    covariance = np.cov(fine[flat].T) + 1e-3 * np.eye(3)
    colour = np.linalg.cholesky(covariance / (np.trace(covariance) / 3)).astype(np.float32)
    white = rng.standard_normal(rgb.shape).astype(np.float32)
    passed = float((white - cv2.GaussianBlur(white, (0, 0), SIGMA)).std())  # what of white noise is fine
    missing = np.sqrt(np.maximum(wanted - local, 0)) / passed
    return np.where(hole[..., None], rgb + missing[..., None] * (white @ colour.T), rgb).astype(np.float32)
