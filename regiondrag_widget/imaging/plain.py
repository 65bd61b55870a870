"""Plain surroundings, as a wall's or the sky's: their tones go on smoothly, with nothing copied in."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import splu

__all__ = ["harmonic", "plain_fill"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

WORK_SIDE = 160
BAND = 5  # pixels around the hole that must be plain
BROAD = 6.0  # pixels of the blur that tones are told from
MOST = 7.0  # grey levels by which nine tenths of the band may stand off from their tones


def plain_fill(rgb: Float, hole: Bool, forbidden: Bool) -> Float | None:
    """The window (h, w, 3) float32, its hole filled harmonically; None where the surroundings are not plain.

    Parameters
    ----------
    hole, forbidden
        (h, w) bool, what to fill, and what of the known must not colour it.
    """
    height, width = hole.shape
    ratio = max(1.0, max(height, width) / WORK_SIDE)
    size = max(4, round(width / ratio)), max(4, round(height / ratio))
    small, gap = rgb, hole | forbidden
    if ratio > 1:
        small = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.float32)
        gap = np.asarray(cv2.resize(gap.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 1e-3)
    near = cv2.distanceTransform((~gap).astype(np.uint8), cv2.DIST_L2, 5)
    band = ~gap & (near <= BAND)
    if gap.all() or band.sum() < 24:
        return None
    known = (~gap).astype(np.float32)
    share = np.maximum(cv2.GaussianBlur(known, (0, 0), BROAD), 1e-3)[..., None]
    tones = cv2.GaussianBlur(small * known[..., None], (0, 0), BROAD) / share
    if float(np.quantile(np.abs(small - tones).max(-1)[band], 0.9)) > MOST:
        return None
    seen = cv2.GaussianBlur(known, (0, 0), 1.5)[..., None]  # noise of single pixels would run into the hole
    calm = cv2.GaussianBlur(small * known[..., None], (0, 0), 1.5) / np.maximum(seen, 1e-3)
    filled = harmonic(np.where(gap[..., None], 0, calm).astype(np.float32), gap)
    if ratio > 1:
        filled = np.asarray(cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    return np.where(hole[..., None], filled, rgb).astype(np.float32)


def harmonic(values: Float, gap: Bool) -> Float:
    """Values (h, w, c) float32 continued into a gap (h, w) bool so that each pixel is its neighbours' mean.

    The membrane of Perez, Gangnet, Blake: Poisson image editing (2003), its guidance field zero; the edge of
    the picture reflects. One sparse factorisation, meant for small windows.
    """
    height, width = gap.shape
    count = int(gap.sum())
    if not count:
        return values
    index = np.full(gap.shape, -1)
    index[gap] = np.arange(count)
    diagonal = np.full(count, 1e-9)
    given = np.zeros((count, values.shape[-1]))
    rows, columns = [np.arange(count)], [np.arange(count)]
    weights = [diagonal]
    for dy, dx in ((0, 1), (1, 0)):
        first, second = (slice(0, height - dy), slice(0, width - dx)), (slice(dy, None), slice(dx, None))
        for here, there in ((first, second), (second, first)):
            own, other = index[here], index[there]
            inner, outer = (own >= 0) & (other >= 0), (own >= 0) & (other < 0)
            np.add.at(diagonal, own[inner | outer], 1.0)
            np.add.at(given, own[outer], values[there][outer])
            rows, columns = [*rows, own[inner]], [*columns, other[inner]]
            weights = [*weights, np.full(int(inner.sum()), -1.0)]
    data, at, to = (np.concatenate(p) for p in (weights, rows, columns))
    solved = splu(csr_matrix((data, (at, to)), (count, count)).tocsc()).solve(given)
    filled = values.copy()
    filled[gap] = solved
    return filled
