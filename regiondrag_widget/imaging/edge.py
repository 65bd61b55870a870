"""The soft edge of an object: how opaque its rim is, and its colours free of what lay behind."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["hard_edge", "seam_opacity", "soft_edge"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

INNER, OUTER = 3.0, 2.0  # pixels on either side of an outline that may be mixed
SEAM, SEAM_LEAST = 2.0, 0.55  # pixels over which a seam fades, and what it fades to
NEARBY = 5  # pixels either way by which the two sides' colours are told
NOISE = 36.0  # squared grey levels; sides nearer than that cannot be told apart
SOLID, CLEAR = 0.95, 0.05


def soft_edge(rgb: Pixels, object_: Bool, handle: Bool, width: float = 1.0) -> tuple[Float, Float]:
    """Opacity (h, w) float32 in [0, 1] and the object's own colours (h, w, 3) float32 in 0..255.

    rgb : (h, w, 3) uint8; object_ : (h, w) bool; handle : (h, w) bool, outside it nothing is carried
    width : pixels by which the outline may be off

    Near the outline each pixel is taken for a mixture of the mean colours on either side (the projection
    of Chuang et al., A Bayesian approach to digital matting, 2001, with one colour a side); where the two
    cannot be told apart, by its distance to the outline. Deep in the object the opacity is exactly 1 and the
    colours are the picture's own.
    """
    wide = max(1.0, width)
    signed = _depth(object_) - _depth(~object_)  # positive inside
    signed = signed - 0.5 * np.sign(signed)
    plain = np.clip(0.75 + 0.5 * signed / wide, 0, 1)  # rather carried than not
    picture = rgb.astype(np.float32)
    size = 2 * round(NEARBY * wide) + 1
    inner, outer = signed > INNER * wide, signed < -OUTER * wide
    front, front_known = _mean(picture, np.where(inner.any(), inner, object_), size)
    back, back_known = _mean(picture, outer, size)
    apart = front - back
    contrast = (apart**2).sum(-1)
    mixed = ((picture - back) * apart).sum(-1) / np.maximum(contrast, 1.0)
    rest = picture - back - np.clip(mixed, 0, 1)[..., None] * apart
    unexplained = cv2.blur((rest**2).sum(-1), (5, 5))
    sure = contrast / (contrast + 4 * unexplained + NOISE) * front_known * back_known
    alpha = sure * np.clip((mixed - CLEAR) / (SOLID - CLEAR), 0, 1) + (1 - sure) * plain
    alpha = np.where(inner, 1, np.where(outer, 0, alpha))
    alpha = np.where(handle, alpha, 0).astype(np.float32)
    share = alpha[..., None]
    own = (picture - (1 - share) * back) / np.maximum(share, 0.1)
    known = back_known[..., None]
    colours = np.where((share < 1) & (known > 0), own, picture)
    return alpha, np.clip(colours, 0, 255).astype(np.float32)


def hard_edge(mask: Bool) -> Float:
    """(h, w) float32: 1 in the mask, 0 outside it; for drawings, and for what has an alpha of its own."""
    return mask.astype(np.float32)


def seam_opacity(handle: Bool, width: float = SEAM) -> Float:
    """(h, w) float32: 1 inside a handle, fading over a few pixels to its rim, so that a part joins softly.

    The picture's edge is no rim. What is thinner than the fading keeps its middle.
    """
    depth = _depth(handle)
    fade = min(width, 0.5 * float(depth.max()))
    return np.where(
        handle, np.clip(SEAM_LEAST + (1 - SEAM_LEAST) * (depth - 1) / max(fade, 0.5), SEAM_LEAST, 1), 0
    ).astype(np.float32)


def _depth(mask: Bool) -> Float:
    framed = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    if framed.all():
        return np.full(mask.shape, 1e6, np.float32)
    return np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)


def _mean(picture: Float, where: Bool, size: int) -> tuple[Float, Float]:
    """Mean colour of the pixels near each that are in `where`, and 1 where there are any, else 0."""
    share = cv2.blur(where.astype(np.float32), (size, size))
    total = cv2.blur(np.where(where[..., None], picture, 0), (size, size))
    known = share > 0.5 / size**2
    return total / np.maximum(share, 1e-6)[..., None] * known[..., None], known.astype(np.float32)
