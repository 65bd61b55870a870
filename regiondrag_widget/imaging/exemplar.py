"""Patches chosen for a hole, at a size that can be searched.

Coarse to fine, every patch that overlaps the hole looks for its nearest patch in the known picture, and the
hole's pixels become the vote of the patches that cover them (Wexler, Shechtman, Irani: Space-time completion
of video, 2007; the field is refined by propagation as in Barnes et al.: PatchMatch, 2009). Patches are
compared by colour and by how rough their surroundings are, else flat patches win everywhere (Newson et al.:
Video inpainting of complex scenes, 2014).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.patchmatch import PatchSearch
from regiondrag_widget.imaging.scaling import averaged, pixels_at, shrink
from regiondrag_widget.imaging.smooth import inpainted, low_frequencies, membrane, smooth_fill

__all__ = ["Patches", "choose_patches", "tones_of"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

WORK_SIDE = 192
ROUGHNESS_WEIGHT = 50.0**0.5
# grey levels by which a patch may differ from its source and be taken for right, or not
SURE, UNSURE = 2.0, 8.0
# tones: structures larger than this, in searched pixels
TONE_SIGMA, BROAD_SIGMA = 2.0, 4.0
# grey levels by which the copy's broad tones may stand off from a smooth continuation's: up to the first the
# copy is believed, from the second on it has the shares below, where its patches agree and where they do not
NEAR, FAR = 20.0, 28.0
SHARE_SURE, SHARE_DOUBTED = 0.2, 0.1


@dataclass(frozen=True)
class Patches:
    """Patches chosen for a hole, at a size that can be searched; all arrays (h, w, ...).

    Attributes
    ----------
    continued
        RGB float32, the window continued smoothly into the hole.
    hole
        Bool.
    voted
        RGB float32, what the chosen patches make of the picture and its hole.
    offsets
        X, y float32, from each pixel to its source.
    mismatch
        Float32 in grey levels, how much a pixel's patch differs from its source.
    coherence
        Float32 in [0, 1], how many of a pixel's neighbours are copied from beside its own source.
    """

    continued: Float
    hole: Bool
    voted: Float
    offsets: Float
    mismatch: Float
    coherence: Float


def choose_patches(
    rgb: Float | npt.NDArray[np.uint8], hole: Bool, forbidden: Bool, rng: np.random.Generator
) -> Patches | None:
    """Choose patches for a hole; None where too little is known to copy from.

    Parameters
    ----------
    rgb
        (H, W, 3) uint8, or float32 in 0..255.
    hole, forbidden
        (H, W) bool, what to fill and what not to copy.
    """
    height, width = hole.shape
    ratio = max(1.0, max(height, width) / WORK_SIDE)
    size = max(8, round(width / ratio)), max(8, round(height / ratio))
    small = averaged(rgb, size) if ratio > 1 else np.asarray(rgb, np.float32)
    small_hole, small_forbidden = shrink(hole, size), shrink(forbidden, size)
    continued = inpainted(small, small_hole | small_forbidden, cv2.INPAINT_TELEA)
    rough = _with_roughness(continued, small_hole | small_forbidden)
    found = _synthesise(rough, small_hole, small_forbidden, rng)
    if found is None:
        return None
    voted, offsets, mismatch = found
    return Patches(continued, small_hole, voted, offsets, mismatch, _coherence(offsets))


def tones_of(found: Patches, mixed: bool) -> tuple[Float, Float, Float]:
    """What is added to the copy, how much of the copy is taken, and the doubt, all at the size searched.

    The vote has the tones and no seams, the copy the texture: low frequencies of one, high of the other.
    Where neighbours come from different places the copy would be noise: there the vote's own detail is kept.
    """
    h, w = found.hole.shape
    xs, ys = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    copied = pixels_at(
        found.continued,
        np.clip(xs + found.offsets[..., 0], 0, w - 1),
        np.clip(ys + found.offsets[..., 1], 0, h - 1),
    )
    sigma = 2.0
    sharp = found.coherence
    low = cv2.GaussianBlur(found.voted, (0, 0), sigma)
    detail = found.voted - low
    tones = low - sharp[..., None] * cv2.GaussianBlur(copied, (0, 0), sigma) + (1 - sharp[..., None]) * detail
    doubt = np.clip((cv2.GaussianBlur(found.mismatch, (0, 0), 2.0) - SURE) / (UNSURE - SURE), 0, 1)
    if mixed:
        merged = tones + sharp[..., None] * copied
        smooth = inpainted(found.continued, found.hole, cv2.INPAINT_NS)
        apart = low_frequencies(smooth - merged, found.hole, BROAD_SIGMA)[found.hole]
        far = np.clip((float(np.sqrt((apart**2).mean())) - NEAR) / (FAR - NEAR), 0, 1)
        held = far * (1 - SHARE_SURE - (SHARE_DOUBTED - SHARE_SURE) * doubt)
        tones = tones + low_frequencies(held[..., None] * (smooth - merged), found.hole, TONE_SIGMA)
    return np.asarray(tones, np.float32), sharp, np.asarray(doubt, np.float32)


def _synthesise(
    rgb: Float, hole: Bool, forbidden: Bool, rng: np.random.Generator
) -> tuple[Float, Float, Float] | None:
    """Coarse to fine: the voted picture, each pixel's offset (x, y) to its source, and their mismatch."""
    depth = float(cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3).max())
    count = int(np.clip(np.ceil(np.log2(max(1.0, depth / 2.5))), 0, 4))
    offsets: Float | None = None
    estimate: Float | None = None
    for level in range(count, -1, -1):
        size = (max(8, hole.shape[1] >> level), max(8, hole.shape[0] >> level))
        known = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
        h, f = shrink(hole, size), shrink(forbidden, size)
        current = known.copy()
        if estimate is None:
            current[..., :3] = smooth_fill(np.ascontiguousarray(current[..., :3]), h)
        else:
            current[h] = cv2.resize(estimate, size, interpolation=cv2.INTER_LINEAR)[h]
        grown = PatchSearch(current, h, f, rng)
        if not grown.usable:
            if level == 0:
                return None
            continue
        offsets = grown.run(offsets, iterations=10 if estimate is None else (4 if level else 3))
        estimate = grown.picture
    if estimate is None or offsets is None:
        return None
    tones = membrane(rgb[..., :3] - grown.voted[..., :3], grown.ring, hole)
    return estimate[..., :3] + tones, offsets, grown.mismatch


def _coherence(offsets: Float) -> Float:
    """(h, w) float32 in [0, 1]: how many of a pixel's neighbours are copied from beside its own source."""
    alike = np.zeros(offsets.shape[:2], np.float32)
    for axis in (0, 1):
        for step in (1, -1):
            alike += (np.abs(offsets - np.roll(offsets, step, axis)).max(-1) < 0.5) / 4
    return np.asarray(cv2.blur(alike, (3, 3)), np.float32)


def _with_roughness(rgb: Float, unknown: Bool) -> Float:
    """A fourth channel: the mean slope of the lightness around each pixel, continued into what is unknown."""
    grey = rgb.mean(-1).astype(np.float32)
    edge = cv2.dilate(unknown.astype(np.uint8), np.ones((3, 3), np.uint8))
    known = (1 - edge).astype(np.float32)
    slope = (
        (np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1))) / 4 * known
    )
    mean = cv2.boxFilter(slope, -1, (13, 13)) / np.maximum(cv2.boxFilter(known, -1, (13, 13)), 1e-3)
    continued = cv2.inpaint(mean.astype(np.float32), edge, 5, cv2.INPAINT_TELEA)
    return np.dstack([rgb, continued * ROUGHNESS_WEIGHT]).astype(np.float32)
