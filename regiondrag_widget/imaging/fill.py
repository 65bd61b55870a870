"""A first content for the vacated place: patterns and textures copied from around it.

Where the surroundings repeat themselves, the pattern goes on (`pattern`). Elsewhere, coarse to fine, every
patch that overlaps the hole looks for its nearest patch in the known picture, and the hole's pixels become
the vote of the patches that cover them (Wexler, Shechtman, Irani: Space-time completion of video, 2007; the
field is refined by propagation as in Barnes et al.: PatchMatch, 2009). Patches are compared by colour and by
how rough their surroundings are, else flat patches win everywhere (Newson et al.: Video inpainting of complex
scenes, 2014). What is copied stays as sharp as its source.

The search is made at a fixed size, and only the hole's box is computed at the picture's own resolution: the
cost follows the hole, and slowly.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.grain import with_grain
from regiondrag_widget.imaging.patchmatch import PatchSearch
from regiondrag_widget.imaging.pattern import pattern_sources
from regiondrag_widget.imaging.plain import plain_fill

__all__ = ["Fill", "exemplar_fill", "mixed_fill", "smooth_fill"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Window = tuple[slice, slice]

WORK_SIDE = 192
SMOOTH_SIDE = 512  # larger places are continued smoothly at this size
PATTERN_SIDE = 1024  # larger windows are not searched for a pattern
STRIP = 64  # rows of the picture that are filled at a time
GRAIN_PIXELS = 4_000_000  # larger boxes keep the grain that is copied
APART = 8  # pixels of a picture of 512: parts of a hole nearer than twice this are one
MOST_PLACES = 8  # that are filled one by one
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
class Fill:
    """A picture with its hole filled.

    Attributes
    ----------
    rgb
        (H, W, 3) float32 in 0..255, equal to the input outside the hole.
    source_offset
        (H, W, 2) float32 x, y, from each pixel to the one it was copied from, zero outside the hole; None
        where nothing was copied.
    doubt
        (H, W) float32 in [0, 1], 0 where the copied patches agree with their surroundings and outside the
        hole.
    """

    rgb: Float
    source_offset: Float | None
    doubt: Float


def smooth_fill(rgb: Float, hole: Bool) -> Float:
    """Telea's inpainting (2004, by OpenCV): rgb (H, W, 3) float32 in 0..255, hole (H, W) bool -> as rgb.

    Large holes are filled at a reduced size: what is smooth loses nothing.
    """
    filled = np.array(rgb, np.float32)
    if not hole.any():
        return filled
    window = _window(hole, 16, 0.1)
    filled[window] = _inpainted(filled[window], hole[window], cv2.INPAINT_TELEA)
    return filled


def _inpainted(rgb: Float, hole: Bool, how: int) -> Float:
    if hole.all():
        return np.full_like(rgb, 127.5)
    height, width = hole.shape
    ratio = max(height, width) / SMOOTH_SIDE
    if ratio <= 1:
        filled = cv2.inpaint(rgb.clip(0, 255).astype(np.uint8), hole.astype(np.uint8), 5, how)
        return np.where(hole[..., None], filled, rgb).astype(np.float32)
    size = max(1, round(width / ratio)), max(1, round(height / ratio))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    filled = _inpainted(np.asarray(small, np.float32), _shrink(hole, size), how)
    filled = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(hole[..., None], filled, rgb).astype(np.float32)


def exemplar_fill(
    rgb: Float, hole: Bool, forbidden: Bool | None = None, *, seed: int = 0, overwrite: bool = False
) -> Fill:
    """Fill `hole` with patches of the rest of the picture.

    Where too little is known to copy from, it is that of `smooth_fill`, with no sources and full doubt.

    Parameters
    ----------
    rgb
        (H, W, 3) float32 in 0..255.
    hole
        (H, W) bool, what to fill.
    forbidden
        (H, W) bool, known pixels that must not be copied (the moved object, a protected area).
    seed
        Of the search; the same gives the same.
    overwrite
        Fill `rgb` itself, which saves a copy of a large picture.
    """
    return _filled(rgb, hole, forbidden, seed, mixed=False, overwrite=overwrite)


def mixed_fill(
    rgb: Float, hole: Bool, forbidden: Bool | None = None, *, seed: int = 0, overwrite: bool = False
) -> Fill:
    """`exemplar_fill`, held back where it invents: then its tones go towards a smooth fill's.

    A copied patch goes on as its surroundings do and then ends somewhere. Where the copy stays close to the
    smooth continuation it is kept as it is. Where it stands far off, what is large in it is one guess among
    many, and nearer to their mean it is nearer to any truth; what is fine in it is right in kind wherever it
    stands. The continuation is Navier-Stokes inpainting (Bertalmio et al. 2001, by OpenCV). Takes and returns
    what `exemplar_fill` does.
    """
    return _filled(rgb, hole, forbidden, seed, mixed=True, overwrite=overwrite)


def _filled(
    rgb: Float, hole: Bool, forbidden: Bool | None, seed: int, *, mixed: bool, overwrite: bool
) -> Fill:
    result = np.asarray(rgb, np.float32) if overwrite else np.array(rgb, np.float32)
    doubt = np.zeros(hole.shape, np.float32)
    if not hole.any():
        return Fill(result, None, doubt)
    forbidden = np.zeros_like(hole) if forbidden is None else forbidden & ~hole
    # zeros that nobody writes to take no memory: only the hole's do
    source_offset = np.zeros((*hole.shape, 2), np.float32)
    copied = False
    for place in _places(hole):
        window = _window(place, 24, 1.0)
        rng = np.random.default_rng(seed)
        inside, unknown = place[window], forbidden[window] | (hole[window] & ~place[window])
        found = _fill_window(result[window], inside, unknown, rng, mixed)
        if found is None:
            result[window] = smooth_fill(result[window], inside | unknown) * inside[..., None] + result[
                window
            ] * (~inside[..., None])
            doubt[window][inside] = 1
            continue
        copied = True
        box, filled, offset, doubts = found
        within = inside[box]
        result[window][box][within], doubt[window][box][within] = filled[within], doubts[within]
        source_offset[window][box][within] = offset[within]
    return Fill(result, source_offset if copied else None, doubt)


def _places(hole: Bool) -> list[Bool]:
    """The hole's parts that lie apart: each is continued by what lies around it alone."""
    height, width = hole.shape
    ratio = max(1.0, max(height, width) / SMOOTH_SIDE)
    small = _shrink(hole, (max(1, round(width / ratio)), max(1, round(height / ratio))))
    near = cv2.dilate(small.astype(np.uint8), np.ones((2 * APART + 1, 2 * APART + 1), np.uint8))
    count, labels = cv2.connectedComponents(near)
    if count - 1 > MOST_PLACES or count == 2:
        return [hole]
    if ratio > 1:
        near = cv2.resize(labels.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
        labels = near.astype(np.int32)
        labels[hole & (labels == 0)] = 1
    return [place for place in (hole & (labels == i) for i in range(1, count)) if place.any()]


@dataclass(frozen=True)
class _Guess:
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


def _guess(rgb: Float, hole: Bool, forbidden: Bool, rng: np.random.Generator) -> _Guess | None:
    """Choose patches for a hole; None where too little is known to copy from.

    Parameters
    ----------
    rgb
        (H, W, 3) float32 in 0..255.
    hole, forbidden
        (H, W) bool, what to fill and what not to copy.
    """
    height, width = hole.shape
    ratio = max(1.0, max(height, width) / WORK_SIDE)
    size = max(8, round(width / ratio)), max(8, round(height / ratio))
    small = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.float32) if ratio > 1 else rgb
    small_hole, small_forbidden = _shrink(hole, size), _shrink(forbidden, size)
    continued = _inpainted(small, small_hole | small_forbidden, cv2.INPAINT_TELEA)
    rough = _with_roughness(continued, small_hole | small_forbidden)
    found = _synthesise(rough, small_hole, small_forbidden, rng)
    if found is None:
        return None
    voted, offsets, mismatch = found
    return _Guess(continued, small_hole, voted, offsets, mismatch, _coherence(offsets))


def _fill_window(
    rgb: Float, hole: Bool, forbidden: Bool, rng: np.random.Generator, mixed: bool
) -> tuple[Window, Float, Float, Float] | None:
    """The hole's box in the window; its filled pixels, the offset (x, y) of each one's source, the doubt."""
    box = _window(hole, 1, 0.0)
    if max(hole.shape) <= PATTERN_SIDE:
        sources = pattern_sources(rgb, hole, forbidden)
        if sources is not None:
            rows, columns = (at[box] for at in sources)
            own = np.mgrid[box]
            offset = np.stack([columns - own[1], rows - own[0]], -1).astype(np.float32)
            return box, rgb[rows, columns], offset, np.zeros(rows.shape, np.float32)
    plain = plain_fill(rgb, hole, forbidden) if mixed else None
    if plain is not None:
        filled = _grained(rgb, plain[box], hole, forbidden, box, rng)
        return (
            box,
            filled,
            np.zeros((*filled.shape[:2], 2), np.float32),
            np.zeros(filled.shape[:2], np.float32),
        )
    found = _guess(rgb, hole, forbidden, rng)
    if found is None:
        return None
    height, width = hole.shape
    scale = np.array([width / found.hole.shape[1], height / found.hole.shape[0]], np.float32)
    tones, sharp, doubt = _tones(found, mixed)

    filled = np.empty((box[0].stop - box[0].start, box[1].stop - box[1].start, 3), np.float32)
    flow = np.empty((*filled.shape[:2], 2), np.float32)
    doubts = np.empty(filled.shape[:2], np.float32)
    for top in range(box[0].start, box[0].stop, STRIP):  # a few rows at a time stay in the processor's cache
        strip = slice(top, min(top + STRIP, box[0].stop)), box[1]
        at = slice(strip[0].start - box[0].start, strip[0].stop - box[0].start)

        def full(a: Float, how: int = cv2.INTER_LINEAR, strip: Window = strip) -> Float:
            return _enlarged(a, (height, width), strip, how)

        flow[at] = np.rint(full(found.offsets, cv2.INTER_NEAREST) * scale)
        xs = np.arange(box[1].start, box[1].stop, dtype=np.float32)
        ys = np.arange(strip[0].start, strip[0].stop, dtype=np.float32)[:, None]
        map_x = np.clip(flow[at, :, 0] + xs, 0, width - 1)
        map_y = np.clip(flow[at, :, 1] + ys, 0, height - 1)
        made = full(tones) + full(sharp)[..., None] * _at(rgb, map_x, map_y)
        filled[at] = np.where(hole[strip][..., None], made, rgb[strip])
        doubts[at] = full(doubt)
    filled = _grained(rgb, filled, hole, forbidden, box, rng)
    return box, filled.clip(0, 255).astype(np.float32, copy=False), flow, doubts


def _tones(found: _Guess, mixed: bool) -> tuple[Float, Float, Float]:
    """What is added to the copy, how much of the copy is taken, and the doubt, all at the size searched.

    The vote has the tones and no seams, the copy the texture: low frequencies of one, high of the other.
    Where neighbours come from different places the copy would be noise: there the vote's own detail is kept.
    """
    h, w = found.hole.shape
    xs, ys = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
    copied = _at(
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
        smooth = _inpainted(found.continued, found.hole, cv2.INPAINT_NS)
        apart = _within(smooth - merged, found.hole, BROAD_SIGMA)[found.hole]
        far = np.clip((float(np.sqrt((apart**2).mean())) - NEAR) / (FAR - NEAR), 0, 1)
        held = far * (1 - SHARE_SURE - (SHARE_DOUBTED - SHARE_SURE) * doubt)
        tones = tones + _within(held[..., None] * (smooth - merged), found.hole, TONE_SIGMA)
    return np.asarray(tones, np.float32), sharp, np.asarray(doubt, np.float32)


def _grained(
    rgb: Float, filled: Float, hole: Bool, forbidden: Bool, box: Window, rng: np.random.Generator
) -> Float:
    """The filled box with the grain of the window around it; one too large keeps what was copied."""
    if filled.shape[0] * filled.shape[1] > GRAIN_PIXELS:
        return filled
    pad = 24
    wide = tuple(slice(max(0, s.start - pad), s.stop + pad) for s in box)
    rows, columns = wide
    part = rgb[rows, columns].copy()
    top, left = box[0].start - rows.start, box[1].start - columns.start
    part[top : top + filled.shape[0], left : left + filled.shape[1]] = filled
    inside, known = hole[rows, columns], ~(hole | forbidden)[rows, columns]
    grained = with_grain(part, inside, known, rng)
    return grained[top : top + filled.shape[0], left : left + filled.shape[1]]


def _enlarged(a: Float, shape: tuple[int, int], box: Window, how: int) -> Float:
    """A small window's array (h, w[, c]) at the full shape, of which only the box is computed."""
    rows, columns = box
    step_y, step_x = a.shape[0] / shape[0], a.shape[1] / shape[1]
    if step_x == 1 and step_y == 1:
        return np.asarray(a[box], np.float32)
    xs = ((np.arange(columns.start, columns.stop) + 0.5) * step_x - 0.5).astype(np.float32)
    ys = ((np.arange(rows.start, rows.stop) + 0.5) * step_y - 0.5).astype(np.float32)
    map_x, map_y = np.meshgrid(xs, ys)
    return np.asarray(cv2.remap(a, map_x, map_y, how, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _at(rgb: Float, map_x: Float, map_y: Float) -> Float:
    """The picture at whole-pixel coordinates."""
    if max(rgb.shape[:2]) < 32000:  # the largest that cv2.remap takes
        return np.asarray(cv2.remap(rgb, map_x, map_y, cv2.INTER_NEAREST), np.float32)
    return rgb[map_y.astype(np.int64), map_x.astype(np.int64)]


def _within(difference: Float, hole: Bool, sigma: float) -> Float:
    """The low frequencies of a difference, of the hole alone."""
    difference = np.where(hole[..., None], difference, 0).astype(np.float32)
    share = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), sigma)[..., None]
    return np.asarray(cv2.GaussianBlur(difference, (0, 0), sigma) / np.maximum(share, 1e-3), np.float32)


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


def _window(hole: Bool, least: int, share: float) -> Window:
    """Rows and columns of the hole's bounding box, widened by a share of its longer side or by `least`."""
    ys, xs = np.nonzero(hole.any(1))[0], np.nonzero(hole.any(0))[0]
    pad = int(max(least, share * max(ys[-1] - ys[0], xs[-1] - xs[0])))
    return (
        slice(max(0, int(ys[0]) - pad), min(hole.shape[0], int(ys[-1]) + pad + 1)),
        slice(max(0, int(xs[0]) - pad), min(hole.shape[1], int(xs[-1]) + pad + 1)),
    )


def _shrink(mask: Bool, size: tuple[int, int]) -> Bool:
    if (mask.shape[1], mask.shape[0]) == size:
        return mask
    area = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.asarray(area > 1e-3)


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
        h, f = _shrink(hole, size), _shrink(forbidden, size)
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
    tones = _membrane(rgb[..., :3] - grown.voted[..., :3], grown.ring, hole)
    return estimate[..., :3] + tones, offsets, grown.mismatch


def _membrane(error: Float, ring: Bool, hole: Bool) -> Float:
    """What the vote misses on the hole's rim, spread smoothly over the hole (pull-push): tones meet."""
    total, count = error * ring[..., None], ring.astype(np.float32)
    sums, counts = [total], [count]
    while min(counts[-1].shape) > 2:
        size = (max(1, counts[-1].shape[1] // 2), max(1, counts[-1].shape[0] // 2))
        sums.append(np.asarray(cv2.resize(sums[-1], size, interpolation=cv2.INTER_AREA), np.float32))
        counts.append(np.asarray(cv2.resize(counts[-1], size, interpolation=cv2.INTER_AREA), np.float32))
    smooth = sums[-1] / np.maximum(counts[-1], 1e-6)[..., None]
    for total, count in zip(reversed(sums[:-1]), reversed(counts[:-1]), strict=True):
        coarse = cv2.resize(smooth, (count.shape[1], count.shape[0]), interpolation=cv2.INTER_LINEAR)
        weight = np.clip(count * 2, 0, 1)[..., None]
        smooth = weight * total / np.maximum(count, 1e-6)[..., None] + (1 - weight) * coarse
    smooth = cv2.GaussianBlur(smooth, (0, 0), 2.0)
    return np.where(hole[..., None], smooth, 0).astype(np.float32)
