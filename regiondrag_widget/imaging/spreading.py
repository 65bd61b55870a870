"""Values spread from where they are given into free pixels, held back by edges."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import splu

__all__ = ["spread"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]


def spread(values: Float, given: Bool, free: Bool, passing: Float | None = None, fade: float = 1e-9) -> Float:
    """The steady state of a flow from given pixels through free ones.

    Each free pixel is the mean of its neighbours, weighted by what lies between them lets through: the
    membrane of Perez, Gangnet, Blake: Poisson image editing (2003), its guidance field zero; with weights,
    the random walks of Grady: Random walks for image segmentation (2006). The edge of the array reflects.
    One sparse factorisation, meant for small windows.

    Parameters
    ----------
    values
        (h, w, c) float32, read where they are given.
    given, free
        (h, w) bool, apart from each other; nothing flows through the rest.
    passing
        (h, w) above 0, what each pixel lets through; between two it is the less of both. All alike when left
        out.
    fade
        Lost on the way with each pixel.

    Returns
    -------
    (h, w, c) float32
        The solution where it is free, the values where they are given, 0 elsewhere.
    """
    height, width = free.shape
    found = np.where(given[..., None], values, 0).astype(np.float32)
    count = int(free.sum())
    if not count:
        return found
    index = np.full(free.shape, -1)
    index[free] = np.arange(count)
    diagonal, target = np.full(count, fade), np.zeros((count, values.shape[-1]))
    rows, columns, weights = [np.arange(count)], [np.arange(count)], [diagonal]
    let_through = np.ones(free.shape) if passing is None else passing
    for dy, dx in ((0, 1), (1, 0)):
        first, second = (slice(0, height - dy), slice(0, width - dx)), (slice(dy, None), slice(dx, None))
        weight = np.minimum(let_through[first], let_through[second])
        for here, there in ((first, second), (second, first)):
            own, other = index[here], index[there]
            inner, outer = (own >= 0) & (other >= 0), (own >= 0) & given[there]
            np.add.at(diagonal, own[inner | outer], weight[inner | outer])
            np.add.at(target, own[outer], weight[outer][:, None] * values[there][outer])
            rows, columns = [*rows, own[inner]], [*columns, other[inner]]
            weights = [*weights, -weight[inner]]
    data, at, to = (np.concatenate(p) for p in (weights, rows, columns))
    found[free] = splu(csr_matrix((data, (at, to)), (count, count)).tocsc()).solve(target)
    return found
