"""The soft edge of an object: how opaque its rim is, and its colours free of what lay behind."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.nearness import depth, signed_depth
from regiondrag_widget.imaging.strips import in_strips

__all__ = ["hard_edge", "seam_opacity", "soft_edge"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.intp]

INNER, OUTER = 3.0, 2.0  # pixels on either side of an outline that may be mixed
SEAM, SEAM_LEAST = 2.0, 0.55  # pixels over which a seam fades, and what it fades to
NEARBY = 5  # pixels either way by which the two sides' colours are told
NOISE = 36.0  # squared grey levels; sides nearer than that cannot be told apart
SOLID, CLEAR = 0.95, 0.05


def soft_edge(rgb: Pixels, object_: Bool, handle: Bool, width: float = 1.0) -> tuple[Float, Pixels]:
    """Opacity (h, w) float32 in [0, 1] and the object's own colours (h, w, 3) uint8.

    Near the outline each pixel is taken for a mixture of the mean colours on either side (the projection
    of Chuang et al., A Bayesian approach to digital matting, 2001, with one colour a side); where the two
    cannot be told apart, by its distance to the outline, rather carried than not. Deep in the object the
    opacity is exactly 1 and the colours are the picture's own. Only the outline's band is computed at full
    size; the sides' colours are told at a size at which the outline is sharp.

    Parameters
    ----------
    rgb
        (h, w, 3) uint8.
    object_
        (h, w) bool.
    handle
        (h, w) bool, outside it nothing is carried.
    width
        Pixels by which the outline may be off.
    """
    wide = max(1.0, width)
    signed = signed_depth(object_, (INNER + OUTER) * wide)
    inner, outer = signed > INNER * wide, signed < -OUTER * wide
    opacity = np.empty(handle.shape, np.float32)
    colours = np.empty(rgb.shape, np.uint8)
    sides = _sides(rgb, inner if inner.any() else object_, outer, wide)

    def soften(rows: slice) -> None:
        opacity[rows] = handle[rows] & inner[rows]
        colours[rows] = rgb[rows]
        band = np.nonzero(handle[rows] & ~inner[rows] & ~outer[rows])
        if not len(band[0]):
            return
        front, back, sure = (_at(a, (band[0] + rows.start, band[1]), handle.shape) for a in sides)
        picture = rgb[rows][band].astype(np.float32)
        apart = front - back
        mixed = ((picture - back) * apart).sum(-1) / np.maximum((apart**2).sum(-1), 1.0)
        plain = np.clip(0.75 + 0.5 * signed[rows][band] / wide, 0, 1)
        alpha = sure * np.clip((mixed - CLEAR) / (SOLID - CLEAR), 0, 1) + (1 - sure) * plain
        opacity[rows][band] = alpha
        share = alpha[:, None]
        own = (picture - (1 - share) * back) / np.maximum(share, 0.1)
        known = (share < 1) & (sure > 0)[:, None]
        colours[rows][band] = np.rint(np.where(known, own, picture).clip(0, 255)).astype(np.uint8)

    in_strips(soften, slice(0, handle.shape[0]), handle.shape[1])
    return opacity, colours


def _sides(rgb: Pixels, inner: Bool, outer: Bool, wide: float) -> tuple[Float, Float, Float]:
    """Mean colours inside and outside near each pixel, and how well they explain it, 0 to 1; all smaller."""
    height, width = inner.shape
    picture: Float = rgb.astype(np.float32) if wide <= 1 else np.zeros(0, np.float32)
    if wide > 1:
        size = max(1, round(width / wide)), max(1, round(height / wide))
        picture = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        inner, outer = (
            cv2.resize(m.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA) > 250
            for m in (inner, outer)
        )
    front, front_known = _mean(picture, inner)
    back, back_known = _mean(picture, outer)
    apart = front - back
    contrast = (apart**2).sum(-1)
    mixed = ((picture - back) * apart).sum(-1) / np.maximum(contrast, 1.0)
    rest = picture - back - np.clip(mixed, 0, 1)[..., None] * apart
    unexplained = cv2.blur((rest**2).sum(-1), (5, 5))
    sure = contrast / (contrast + 4 * unexplained + NOISE) * front_known * back_known
    return front, back, np.asarray(sure, np.float32)


def _at(small: Float, band: tuple[Rows, ...], shape: tuple[int, ...]) -> Float:
    """The values (n[, c]) of a smaller array at rows and columns of the band in an array of a shape."""
    if small.shape[:2] == shape:
        return small[band]
    y = (band[0] + 0.5) * small.shape[0] / shape[0] - 0.5
    x = (band[1] + 0.5) * small.shape[1] / shape[1] - 0.5
    row = np.clip(np.rint(y), 0, small.shape[0] - 1).astype(np.int64)
    column = np.clip(np.rint(x), 0, small.shape[1] - 1).astype(np.int64)
    return np.asarray(small[row, column], np.float32)


def hard_edge(mask: Bool) -> Float:
    """(h, w) float32: 1 in the mask, 0 outside it; for drawings, and for what has an alpha of its own."""
    return mask.astype(np.float32)


def seam_opacity(handle: Bool, width: float = SEAM) -> Float:
    """(h, w) float32: 1 inside a handle, fading over a few pixels to its rim, so that a part joins softly.

    The picture's edge is no rim. What is thinner than the fading keeps its middle.
    """
    deep = depth(handle)
    fade = min(width, 0.5 * float(deep.max()))
    return np.where(
        handle, np.clip(SEAM_LEAST + (1 - SEAM_LEAST) * (deep - 1) / max(fade, 0.5), SEAM_LEAST, 1), 0
    ).astype(np.float32)


def _mean(picture: Float, where: Bool) -> tuple[Float, Float]:
    """Mean colour of the pixels near each that are in `where`, and 1 where there are any, else 0."""
    size = 2 * NEARBY + 1
    share = cv2.blur(where.astype(np.float32), (size, size))
    total = cv2.blur(np.where(where[..., None], picture, 0), (size, size))
    known = share > 0.5 / size**2
    return total / np.maximum(share, 1e-6)[..., None] * known[..., None], known.astype(np.float32)
