"""The shadow that a thing leaves beside its hole: taken off for the filling, and faded out in the hole.

Nothing outside a handle is changed, so a contact shadow that reaches out of it stays. A fill that takes it
for the ground's own colour draws it through the whole hole. A shadow is dark only beside the hole; a gap
between two boards is dark on and on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.scaling import averaged, enlarged, shrink
from regiondrag_widget.imaging.strips import in_strips

__all__ = ["Shadow", "cast_shadow"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Picture = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
Window = tuple[slice, slice]

WORK_SIDE = 256
REACH, LEAST_REACH = 0.2, 8.0  # of the hole's size, and in pixels searched, that a shadow may go out of it
CALM = 2.0  # pixels of the blur below which things are grain
BLACK = 8.0  # grey levels added before logarithms are taken: the darkest tones are noise
FAINT = 0.1  # logarithm of the darkening from which it is a shadow's
STEPS = 3.0  # lengths of the reach that a path may take on its way out
SOFT = 1.5  # pixels of the blur of a shadow's depth
LEAST = 0.01  # logarithm of the darkening below which it has faded out
LEAST_KNOWN = 64  # pixels beyond the reach


@dataclass(frozen=True)
class Shadow:
    """How dark a window lies in the shadow of what left its hole.

    Attributes
    ----------
    depth
        (h, w) float32 at the size searched, logarithm of the darkening, at least 0; in the hole what goes on
        of it.
    shape
        (H, W) of the window.
    """

    depth: Float
    shape: tuple[int, int]

    def enlarged(self, blocks: int) -> Shadow:
        """The same shadow in a window that is so many times as large."""
        return replace(self, shape=(blocks * self.shape[0], blocks * self.shape[1]))

    def lit(self, rgb: Picture) -> Picture:
        """The window (H, W, 3), uint8 or float32 as given, without the shadow."""
        lit = np.empty(rgb.shape, rgb.dtype)
        rows, columns = self._box

        def lighten(strip: slice) -> None:
            lit[strip] = rgb[strip]
            dark = slice(max(rows.start, strip.start), min(rows.stop, strip.stop))
            if dark.start < dark.stop:
                lighter = self._times(rgb[dark, columns], (dark, columns), 1)
                lit[dark, columns] = np.rint(lighter) if rgb.dtype == np.uint8 else lighter

        in_strips(lighten, slice(0, rgb.shape[0]), rgb.shape[1])
        return lit

    def dimmed(self, rgb: Float, box: Window) -> Float:
        """Pixels (h, w, 3) float32 of the box of what `lit` gave, in the shadow again."""
        dimmed = np.empty_like(rgb)

        def dim(strip: slice) -> None:
            at = slice(strip.start - box[0].start, strip.stop - box[0].start)
            dimmed[at] = self._times(rgb[at], (strip, box[1]), -1)

        in_strips(dim, box[0], box[1].stop - box[1].start)
        return dimmed

    def _times(self, rgb: Picture, box: Window, power: int) -> Float:
        depth = enlarged(self.depth, self.shape, box, cv2.INTER_LINEAR)[..., None]
        return np.asarray(
            ((rgb + np.float32(BLACK)) * np.exp(power * depth) - BLACK).clip(0, 255), np.float32
        )

    @property
    def _box(self) -> Window:
        """Where in the window it is dark."""
        bounds = []
        for axis, side in enumerate(self.shape):
            dark = np.flatnonzero((self.depth > 0).any(1 - axis))
            step = side / self.depth.shape[axis]
            bounds.append(slice(max(0, int((dark[0] - 1) * step)), min(side, int((dark[-1] + 2) * step) + 1)))
        return bounds[0], bounds[1]


def cast_shadow(rgb: Picture, hole: Bool, forbidden: Bool) -> Shadow | None:
    """The shadow around a hole; None where there is none.

    A pixel beside the hole is in its shadow where every way out to the farther surroundings leads over
    brighter ones, by how much brighter: a morphological reconstruction (Vincent: Morphological grayscale
    reconstruction in image analysis, 1993).

    Parameters
    ----------
    rgb
        (h, w, 3) float32 in 0..255 or uint8, a window.
    hole, forbidden
        (h, w) bool, what is filled, and known pixels that tell nothing.
    """
    height, width = hole.shape
    ratio = max(1.0, max(height, width) / WORK_SIDE)
    size = max(8, round(width / ratio)), max(8, round(height / ratio))
    small = averaged(rgb, size)
    gap = shrink(hole | forbidden, size)
    known = ~gap
    away = cv2.distanceTransform(known.astype(np.uint8), cv2.DIST_L2, 5)
    reach = max(LEAST_REACH, REACH * float(np.sqrt(gap.sum())))
    far = away > reach
    if far.sum() < LEAST_KNOWN:
        return None
    seen = known.astype(np.float32)
    share = np.maximum(cv2.GaussianBlur(seen, (0, 0), CALM), 1e-3)[..., None]
    tones = np.log(cv2.GaussianBlur(small * seen[..., None], (0, 0), CALM) / share + BLACK).astype(np.float32)
    outside = _brightest_on_the_way(tones, known, far, round(STEPS * reach))
    depth = np.where(known[..., None], outside - tones, 0)
    in_shadow = known & (depth.min(-1) > FAINT)
    if not in_shadow.any():
        return None
    dark = np.where(in_shadow, depth.mean(-1), 0).astype(np.float32)
    return Shadow(cv2.GaussianBlur(_faded(dark, known, reach), (0, 0), SOFT), hole.shape)


def _brightest_on_the_way(tones: Float, known: Bool, far: Bool, steps: int) -> Float:
    """For each known pixel the brightest tone on the darkest way to it from afar, each channel by itself."""
    outside = np.float32(1e3)
    floor = np.where(known[..., None], tones, outside)
    level = np.where(far[..., None], tones, outside).astype(np.float32)
    cross = np.ones((3, 3), np.uint8)
    for _ in range(steps):
        lower = np.maximum(cv2.erode(level, cross, borderValue=float(outside)), floor)
        if np.array_equal(lower, level):
            break
        level = lower
    return np.asarray(np.where(level < outside, level, floor), np.float32)


def _faded(depth: Float, known: Bool, reach: float) -> Float:
    """The shadow's depth, going on into the hole and out in it within half its reach."""
    inside, nearest = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    at = np.zeros(int(nearest.max()) + 1, np.int64)
    at[nearest[known]] = np.flatnonzero(known)
    carried = depth.ravel()[at[nearest]] * np.exp(-2 * inside / reach)
    return np.asarray(np.where(known, depth, np.where(carried > LEAST, carried, 0)), np.float32)
