"""A first content for the vacated place: patterns, edges and textures copied from around it.

Where the surroundings repeat themselves, the pattern goes on (`pattern`). Where they are plain, their tones
do (`plain`); the flat areas of a drawing go on as areas (`palette`). Elsewhere a few
shifted copies of it meet (`exemplar`): what is copied stays as sharp as its source.

The search is made at a fixed size, and only the hole's box is computed at the picture's own resolution: the
cost follows the hole, and slowly. What surrounds a large hole is looked at in one smaller copy (`seen`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.crossfade import agreement, crossfaded
from regiondrag_widget.imaging.exemplar import Copies, choose_copies, copied, fine_labels, tones_of
from regiondrag_widget.imaging.grain import with_grain
from regiondrag_widget.imaging.palette import drawn_fill
from regiondrag_widget.imaging.pattern import pattern_sources
from regiondrag_widget.imaging.plain import onto_paper, plain_fill
from regiondrag_widget.imaging.rim import BESIDE, to_rim
from regiondrag_widget.imaging.scaling import enlarged, hole_window, lay, shrink
from regiondrag_widget.imaging.seen import Seen
from regiondrag_widget.imaging.shadow import cast_shadow
from regiondrag_widget.imaging.smooth import smooth_fill
from regiondrag_widget.imaging.strips import in_strips
from regiondrag_widget.regions.box import Box, bounding_box, grown, slices_of, within_box

__all__ = ["Fill", "exemplar_fill", "mixed_fill"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Picture = Float | npt.NDArray[np.uint8]
Window = tuple[slice, slice]

PLACES_SIDE = 512  # parts of a larger picture are told apart at this size
PATTERN_SIDE = 1024  # larger windows are not searched for a pattern
GRAIN_PIXELS = 4_000_000  # larger boxes keep the grain that is copied, and their rim
FADING, REACH = 128, (2, 6)  # parts of a window, and pixels, in which copies pass into one another
APART = 8  # pixels of a picture of 512: parts of a hole nearer than twice this are one
MOST_PLACES = 8  # that are filled one by one


@dataclass(frozen=True)
class Fill:
    """The part of a picture around its hole, filled.

    Attributes
    ----------
    box
        X0, y0, x1, y1, the hole and a pixel around it; empty without a hole.
    rgb
        (y1 - y0, x1 - x0, 3) float32 in 0..255, equal to the picture outside the hole.
    source_offset
        (y1 - y0, x1 - x0, 2) float32 x, y, from each pixel to the one it was copied from, zero outside the
        hole; None where nothing was copied.
    doubt
        (y1 - y0, x1 - x0) float32 in [0, 1], 0 where copies meet unseen and outside the hole.
    """

    box: Box
    rgb: Float
    source_offset: Float | None
    doubt: Float


def exemplar_fill(rgb: Picture, hole: Bool, forbidden: Bool | None = None, *, seed: int = 0) -> Fill:
    """Fill `hole` with copies of the rest of the picture.

    Where too little is known to copy from, it is that of `smooth_fill`, with no sources and full doubt.

    Parameters
    ----------
    rgb
        (H, W, 3) uint8, or float32 in 0..255.
    hole
        (H, W) bool, what to fill.
    forbidden
        (H, W) bool, known pixels that must not be copied (the moved object, a protected area).
    seed
        Of the search; the same gives the same.
    """
    return _filled(rgb, hole, forbidden, seed, mixed=False)


def mixed_fill(rgb: Picture, hole: Bool, forbidden: Bool | None = None, *, seed: int = 0) -> Fill:
    """`exemplar_fill`, held back where it invents: then its tones go towards a smooth fill's.

    Where copies meet unseen, or stay close to the smooth continuation, they are kept as they are. Where they
    miss each other and stand far off, what is large in them is one guess among many, and nearer to their mean
    it is nearer to any truth; what is fine in them is right in kind wherever it stands. The continuation is
    Navier-Stokes inpainting (Bertalmio et al. 2001, by OpenCV). Takes and returns what `exemplar_fill` does.
    """
    return _filled(rgb, hole, forbidden, seed, mixed=True)


def _filled(rgb: Picture, hole: Bool, forbidden: Bool | None, seed: int, *, mixed: bool) -> Fill:
    if not hole.any():
        nothing = np.zeros((0, 0, 3), np.float32)
        return Fill((0, 0, 0, 0), nothing, None, nothing[..., 0])
    box = grown(bounding_box(hole), 1, (hole.shape[0], hole.shape[1]))
    forbidden = np.zeros_like(hole) if forbidden is None else forbidden
    result = np.array(rgb[slices_of(box)], np.float32, order="C")
    doubt = np.zeros(result.shape[:2], np.float32)
    source_offset = np.zeros((*doubt.shape, 2), np.float32)
    any_copied = False
    for place in _places(hole):
        window = hole_window(place, 24, 1.0)
        rng = np.random.default_rng(seed)
        inside = place[window]
        unknown = (forbidden[window] | hole[window]) & ~inside
        around: Picture = rgb[window]
        if max(inside.shape) <= PATTERN_SIDE:  # only smaller copies are made of larger ones
            around = _with_filled(around, window, result, box)
        rows, columns = within = hole_window(inside, 1, 0.0)
        top, left = window[0].start - box[1], window[1].start - box[0]
        at = slice(rows.start + top, rows.stop + top), slice(columns.start + left, columns.stop + left)
        shown = inside[within]
        small = Seen.of(around, inside, unknown)
        shadow = cast_shadow(small.rgb, small.hole, small.forbidden)
        seen = around
        if shadow is not None:
            small = replace(small, rgb=shadow.lit(small.rgb))
            shadow = shadow.enlarged(small.blocks)
            seen = small.rgb if small.blocks == 1 else shadow.lit(around)
        found = _fill_window(seen, inside, unknown, small, rng, mixed)
        if found is None:
            filled = smooth_fill(np.asarray(around, np.float32), inside | unknown)[within]
            lay(filled, result[at], shown)
            np.copyto(doubt[at], 1, where=shown)
            continue
        any_copied = True
        filled, offset, doubts = found
        if shadow is not None:
            filled = shadow.dimmed(filled, within)
        for values, onto in ((filled, result), (doubts, doubt), (offset, source_offset)):
            lay(values, onto[at], shown)
    return Fill(box, result, source_offset if any_copied else None, doubt)


def _with_filled(around: Picture, window: Window, result: Float, box: Box) -> Float:
    """A window of the picture with what has been filled already in a box that may reach beyond it."""
    shown = np.array(around, np.float32)
    rows, columns = window
    y0, y1 = max(rows.start, box[1]), min(rows.stop, box[3])
    x0, x1 = max(columns.start, box[0]), min(columns.stop, box[2])
    both = (x0, y0, x1, y1)
    outer = (columns.start, rows.start, columns.stop, rows.stop)
    shown[within_box(both, outer)] = result[within_box(both, box)]
    return shown


def _places(hole: Bool) -> list[Bool]:
    """The hole's parts that lie apart: each is continued by what lies around it alone."""
    height, width = hole.shape
    ratio = max(1.0, max(height, width) / PLACES_SIDE)
    small = shrink(hole, (max(1, round(width / ratio)), max(1, round(height / ratio))))
    near = cv2.dilate(small.astype(np.uint8), np.ones((2 * APART + 1, 2 * APART + 1), np.uint8))
    count, labels = cv2.connectedComponents(near)
    if count - 1 > MOST_PLACES or count == 2:
        return [hole]
    if ratio > 1:
        near = cv2.resize(labels.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
        labels = near.astype(np.int32)
        labels[hole & (labels == 0)] = 1
    return [place for place in (hole & (labels == i) for i in range(1, count)) if place.any()]


def _fill_window(
    rgb: Picture, hole: Bool, forbidden: Bool, seen: Seen, rng: np.random.Generator, mixed: bool
) -> tuple[Float, Float, Float] | None:
    """In the hole's box in the window: filled pixels, the offset (x, y) of each one's source, the doubt."""
    box = hole_window(hole, 1, 0.0)
    if max(hole.shape) <= PATTERN_SIDE:
        sources = pattern_sources(np.asarray(rgb, np.float32), hole, forbidden)
        if sources is not None:
            rows, columns = (at[box] for at in sources)
            own = np.mgrid[box]
            offset = np.stack([columns - own[1], rows - own[0]], -1).astype(np.float32)
            return np.asarray(rgb[rows, columns], np.float32), offset, np.zeros(rows.shape, np.float32)
    plain = None
    if mixed:
        plain = drawn_fill(rgb, hole, forbidden)
        if plain is not None:
            return plain[box], *_uncopied(plain[box])
        plain = plain_fill(rgb, hole, forbidden, box, seen)
    if plain is not None:
        filled = _grained(rgb, plain, hole, forbidden, box, rng)
        return filled, *_uncopied(filled)
    found = choose_copies(seen.rgb, seen.hole, seen.forbidden, rng)
    if found is None:
        return None
    filled, flow, doubts = _laid_copies(rgb, hole, forbidden, seen, found, mixed)
    filled = _grained(rgb, filled, hole, forbidden, box, rng)
    if max(hole.shape) <= PATTERN_SIDE:
        whole = np.array(rgb, np.float32)
        whole[box] = filled
        filled = onto_paper(whole, hole, np.asarray(rgb, np.float32), ~(hole | forbidden))[box]
    return np.clip(filled, 0, 255, out=filled), flow, doubts


def _laid_copies(
    rgb: Picture, hole: Bool, forbidden: Bool, seen: Seen, found: Copies, mixed: bool
) -> tuple[Float, Float, Float]:
    """As `_fill_window`, of the copies that were chosen, at the window's own size."""
    tones, doubt = tones_of(found, mixed)
    labels = fine_labels(found.labels, max(hole.shape)).astype(np.float32)
    shifts = np.rint(seen.blocks * found.shifts[:, ::-1]).astype(np.float32)
    agreed = agreement(found.filled, found.labels)
    unknown = hole | forbidden
    reach = int(np.clip(max(hole.shape) / FADING, *REACH))

    box = hole_window(hole, 1, 0.0)
    wide = hole_window(hole, BESIDE, 0.0)  # as much as the rim needs
    filled = np.empty((wide[0].stop - wide[0].start, wide[1].stop - wide[1].start, 3), np.float32)
    flow = np.empty((*filled.shape[:2], 2), np.float32)
    doubts = np.empty(filled.shape[:2], np.float32)

    def fill(rows: slice) -> None:
        strip = rows, wide[1]
        at = slice(rows.start - wide[0].start, rows.stop - wide[0].start)

        def full(a: Float) -> Float:
            return enlarged(a, seen.whole, strip, cv2.INTER_LINEAR)

        top = max(0, rows.start - reach)
        beside = slice(top, min(seen.whole[0], rows.stop + reach)), wide[1]
        copies = enlarged(labels, seen.whole, beside, cv2.INTER_NEAREST).astype(np.uint8)
        above = rows.start - top
        flow[at] = shifts[copies[above : above + rows.stop - rows.start]]
        filled[at] = full(tones)
        sources = copied(rgb, flow[at], strip, unknown, shifts)
        filled[at] += crossfaded(
            rgb, sources, copies, strip, above, hole, unknown, shifts, reach, full(agreed)
        )
        doubts[at] = full(doubt)

    in_strips(fill, wide[0], wide[1].stop - wide[1].start)
    part = np.asarray(rgb[wide], np.float32)
    if filled.shape[0] * filled.shape[1] <= GRAIN_PIXELS:
        filled += to_rim(part, filled, hole[wide], ~unknown[wide], reach)
    lay(part, filled, ~hole[wide])
    inner = tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip(box, wide, strict=True))
    return np.ascontiguousarray(filled[inner]), flow[inner], doubts[inner]


def _uncopied(filled: Float) -> tuple[Float, Float]:
    """Offsets and doubt of a box that nothing was copied into, and that needs no more."""
    return np.zeros((*filled.shape[:2], 2), np.float32), np.zeros(filled.shape[:2], np.float32)


def _grained(
    rgb: Picture, filled: Float, hole: Bool, forbidden: Bool, box: Window, rng: np.random.Generator
) -> Float:
    """The filled box with the grain of the window around it; one too large keeps what was copied."""
    if filled.shape[0] * filled.shape[1] > GRAIN_PIXELS:
        return filled
    pad = 24
    wide = tuple(slice(max(0, s.start - pad), s.stop + pad) for s in box)
    rows, columns = wide
    part = np.array(rgb[rows, columns], np.float32)
    top, left = box[0].start - rows.start, box[1].start - columns.start
    part[top : top + filled.shape[0], left : left + filled.shape[1]] = filled
    inside, known = hole[rows, columns], ~(hole | forbidden)[rows, columns]
    grained = with_grain(part, inside, known, rng)
    return grained[top : top + filled.shape[0], left : left + filled.shape[1]]
