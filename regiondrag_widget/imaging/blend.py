"""Copies that meet in a hole brought to one tone: seams are spread, real edges stay."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import splu

from regiondrag_widget.imaging.scaling import pixels_at

__all__ = ["blended"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Int = npt.NDArray[np.int64]

# a step across a seam that is half believed to be an edge: this much larger than a seam's step mostly is
TIMES = 4.0
LEAST, MOST = 8.0, 120.0  # grey levels of it
DRAWN = 24.0  # the same in a drawing
FADE = 3e-3  # what a correction costs in each pixel: it fades out within some 20 of them


def blended(
    rgb: Float, hole: Bool, labels: npt.NDArray[np.uint8], shifts: Int, drawn: bool = False
) -> tuple[Float, Float, Float]:
    """What brings the copies in a hole to one tone, the picture with them, and how much seams showed.

    A gradient-domain blend (Perez, Gangnet, Blake: Poisson image editing, 2003), in which a step across a
    seam weighs the less the larger it is than most: it is an edge.

    Parameters
    ----------
    rgb
        (h, w, 3) float32 in 0..255.
    hole
        (h, w) bool.
    labels
        (h, w) uint8, which copy a pixel is of; 0 outside the hole.
    shifts
        (n, 2) int64 dy, dx from a pixel of each label to its source; the first is (0, 0).
    drawn
        Whether the picture has flat areas: what counts as an edge is then the same everywhere.

    Returns
    -------
    tuple[Float, Float, Float]
        (h, w, 3) float32, to be added to the copies; (h, w, 3) float32 in 0..255, with it added; (h, w)
        float32 in grey levels, by how much copies miss each other. The first and last are zero outside the
        hole.
    """
    height, width = hole.shape
    offsets = shifts[labels][..., ::-1].astype(np.float32)
    xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))

    def shown(dy: int, dx: int, by: Float) -> Float:
        """The pixel dy, dx away from each one's source."""
        x = np.clip(xs + dx + by[..., 0], 0, width - 1).astype(np.float32)
        y = np.clip(ys + dy + by[..., 1], 0, height - 1).astype(np.float32)
        return pixels_at(rgb, x, y)

    copied = np.where(hole[..., None], shown(0, 0, offsets), rgb)
    seam = np.zeros(hole.shape, np.float32)
    misses = []
    for dy, dx in ((0, 1), (1, 0)):
        first, second = (slice(0, height - dy), slice(0, width - dx)), (slice(dy, None), slice(dx, None))
        across = copied[second] - copied[first]
        by_first = shown(dy, dx, offsets)[first] - copied[first]
        by_second = copied[second] - shown(-dy, -dx, offsets)[second]
        in_first, in_second = hole[first][..., None], hole[second][..., None]
        # what the step should be: that of either copy, where it is a copy
        wanted = np.where(
            in_first & in_second, (by_first + by_second) / 2, np.where(in_first, by_first, by_second)
        )
        met = (labels[first] != labels[second]) & (hole[first] | hole[second])
        miss = np.where(met[..., None], wanted - across, 0).astype(np.float32)
        far = np.abs(miss).max(-1)
        for here in (first, second):
            np.maximum(seam[here], far, out=seam[here], where=hole[here])
        misses.append((first, second, miss, far, far[met]))
    # against a clear sky a rock's outline is an edge, that tints no sky; in grass every step is as large
    usual = float(np.median(np.concatenate([beside for *_, beside in misses])))
    step = DRAWN if drawn else float(np.clip(TIMES * usual, LEAST, MOST))
    count = int(hole.sum())
    index = np.full(hole.shape, -1)
    index[hole] = np.arange(count)
    diagonal, target = np.full(count, FADE), np.zeros((count, 3))
    rows, columns, weights = [np.arange(count)], [np.arange(count)], [diagonal]
    for first, second, miss, far, _ in misses:
        weight = 1 / (1 + (far / step) ** 4)
        for here, there, sign in ((first, second, -1), (second, first, 1)):
            own, other = index[here], index[there]
            inner = own >= 0
            np.add.at(diagonal, own[inner], weight[inner])
            np.add.at(target, own[inner], (sign * weight[..., None] * miss)[inner])
            both = inner & (other >= 0)
            rows, columns = [*rows, own[both]], [*columns, other[both]]
            weights = [*weights, -weight[both]]
    data, at, to = (np.concatenate(p) for p in (weights, rows, columns))
    tones = np.zeros_like(rgb)
    tones[hole] = splu(csr_matrix((data, (at, to)), (count, count)).tocsc()).solve(target)
    return tones, (copied + tones).clip(0, 255).astype(np.float32), seam
