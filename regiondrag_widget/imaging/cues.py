"""What speaks for a pixel of a drawn handle being the object's: cuts, colours, edges, depth in the handle.

No cue is believed alone: `likely` weighs them, each beside those around it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.nearness import depth
from regiondrag_widget.imaging.plain import paper_of
from regiondrag_widget.imaging.reach import reach_of_surroundings
from regiondrag_widget.imaging.salient import salience
from regiondrag_widget.imaging.segment import Segments, segments_in
from regiondrag_widget.imaging.surroundings import Surroundings, distance_to_colours, surroundings_of
from regiondrag_widget.regions.box import bounding_box, grown, slices_of

__all__ = ["NAMES", "Cues", "cues_of"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

ROUNDS = 4  # of GrabCut
GRAIN = 3.0  # grey levels of noise added for GrabCut, whose mixtures overfit what has none
BEYOND = 0.12  # of the window's side: how far outside the handle its object is followed
RIM, WIDE_RIM = 6.0, 10.0  # pixels of a handle's rim that a person draws along: looked at, of the picture
RIM_SHARE = 0.35  # of a rim that is doubted
CORE = 0.35  # of the greatest depth, from which a pixel lies in the handle's core
FIRM, FAINT = 2.0, 0.6  # how many times as steep as usual slopes must be to stop the surroundings
SHUT_OFF = 0.1  # reach of the surroundings below which an edge encloses a pixel
INK = 12.0  # grey levels from the paper's colour
CROSSED = 0.1  # of the rim of a handle on paper, that ink may cross
NEAR, FAR = 6.0, 20.0  # pixels of the blur that the surroundings' colours nearby are told from
FINE, COARSE = 2.5, 7.0  # pixels of the blur of what the cuts say
FEW = 50  # pixels that are too few to learn colours from
CLOSE = 0.05  # of a handle's side, around it: the second view of what stands out
STANDS_OUT = 0.5  # salience from which a pixel counts
LOGITS = 3.0  # of the segmentation network per unit of a cue
SURE = 0.95  # the quality it expects, from which it is believed
EVEN = 8.0  # CIELAB units added to the surroundings' deviation, which may be none

NAMES = (
    *("cut by colour", "cut by depth", "cut by core", "reach", "faint reach", "depth", "depth share"),
    *("outlying", "own", "distance", "distance to all around", "distance to core"),
    *("distance nearby", "distance around", "cuts, fine", "cuts, coarse", "slope", "reach, coarse"),
    *("share by colour", "share by depth", "share by core"),
    *("rim by colour", "rim by depth", "rim by core"),
    *("fill of the box", "fill of the hull", "size", "reach of the core", "faint reach of the core"),
    *("salient share", "salient share, close", "salient rim", "salient rim, close", "salient within"),
    *("segment's quality", "segment's share", "segment's rim", "segment's share within"),
    *("L", "a", "b", "L from the surroundings", "a from the surroundings", "b from the surroundings"),
    *("in the handle", "distance to the handle", "salience", "salience, close", "segment", "only segment"),
)
"""What each channel of `Cues.values` holds. From "L" on it is known in the whole window, before only in the
handle; from "share by colour" to there it is the same for the whole handle."""


@dataclass(frozen=True)
class Cues:
    """The cues in a window.

    Attributes
    ----------
    values
        (h, w, len(NAMES)) float32.
    by_colour
        (h, w) bool, the cut that may follow the object out of the handle.
    certain
        (h, w) bool, the object's whatever is likely: by two cuts, one of them by colour, or shut off from the
        surroundings by an edge; and ink. `likely` knows photographs, and nothing of drawings and words.
    segment
        (h, w) bool, what the segmentation network sees in the handle and is sure of.
    reach
        (h, w) float32 in [0, 1], how far the surroundings reach before an edge stops them.
    colours
        How the window's pixels compare with what surrounds the handle.
    """

    values: Float
    by_colour: Bool
    certain: Bool
    segment: Bool
    reach: Float
    colours: Surroundings


def cues_of(rgb: Pixels, handle: Bool, scale: float, fine: Pixels | None = None) -> Cues | None:
    """Gather the cues; None where too little surrounds the handle.

    Parameters
    ----------
    rgb
        (h, w, 3) uint8, a window around the handle.
    handle
        (h, w) bool with at least one pixel.
    scale
        Pixels of the window per pixel of the picture, at most 1.
    fine
        (h', w', 3) uint8, the same window as large as the segmentation network takes it; `rgb` if left out.
    """
    colours = surroundings_of(rgb, handle)
    if colours is None:
        return None
    deep = depth(handle)
    ways = _by_colour(handle, colours), _by_depth(handle, deep), _by_core(handle, scale)
    with ThreadPoolExecutor(len(ways)) as threads:  # GrabCut takes one core, and one generator a thread
        cutting = threads.map(lambda labels: _cut(rgb, labels), ways)
        wide, close = salience(rgb), _from_close(rgb, handle)  # meanwhile
        segments = _segments(rgb if fine is None else fine, handle)
        by_colour, by_depth, by_core = cutting
    by_core &= handle
    none = np.zeros_like(handle)
    reach, faint = (reach_of_surroundings(rgb, handle, none, firm=firm) for firm in (FIRM, FAINT))
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    ring, most = ~handle, float(deep.max())
    core = handle & (deep > max(2.0, CORE * most))
    if core.sum() < FEW:
        core = handle
    votes = (by_colour.astype(np.float32) + by_depth + by_core) / 3
    per_pixel = (
        *(by_colour, by_depth, by_core, reach, faint, np.log1p(deep), deep / most),
        *(colours.outlying, colours.own),
        *(_capped(lab, known) for known in (ring & ~colours.own, ring, core)),
        *(_from_nearby(lab, ring, sigma) for sigma in (NEAR, FAR)),
        *(cv2.GaussianBlur(votes, (0, 0), sigma) for sigma in (FINE, COARSE)),
        *(_slope(lab), cv2.GaussianBlur(reach, (0, 0), 3.0)),
    )
    rim = handle & (deep <= 1.5)
    rows, columns = np.nonzero(handle)
    box = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    hull = cv2.contourArea(cv2.convexHull(np.stack([columns, rows], 1).astype(np.int32)))
    cuts = by_colour, by_depth, by_core
    segment = segments.best > 0
    of_handle = (
        *(cut[handle].mean() for cut in cuts),
        *((cut & rim).sum() / max(1, int(rim.sum())) for cut in cuts),
        *(handle.sum() / box, handle.sum() / max(1.0, hull), np.log(most)),
        *(reach[core].mean(), faint[core].mean()),
        *((seen[handle] > STANDS_OUT).mean() for seen in (wide, close)),
        *((seen[rim] > STANDS_OUT).mean() if rim.any() else 0 for seen in (wide, close)),
        wide[handle].sum() / (wide.sum() + 1),
        segments.quality,
        *(segment[part].mean() if part.any() else 0 for part in (handle, rim)),
        segment[handle].sum() / max(1, int(segment.sum())),
    )
    values = np.dstack(
        [
            *(np.where(handle, cue, 0) for cue in (*per_pixel, *of_handle)),
            *(lab / 50 - 2).transpose(2, 0, 1),
            *_from_all(lab, ring).transpose(2, 0, 1),
            handle,
            np.log1p(cv2.distanceTransform(ring.astype(np.uint8), cv2.DIST_L2, 5)),
            wide,
            close,
            *(cue / LOGITS for cue in (segments.best, segments.only)),
        ]
    ).astype(np.float32)
    certain = (by_colour & (by_depth | by_core)) | (reach < SHUT_OFF)
    certain |= _ink(rgb, ring, rim)
    sure = segment & handle & (segments.quality > SURE)
    return Cues(values, by_colour, certain & handle, sure, reach, colours)


def _ink(rgb: Pixels, ring: Bool, rim: Bool) -> Bool:
    """What differs from the paper (h, w), none where the picture is no drawing on paper."""
    paper = paper_of(rgb.astype(np.float32), ring)
    if paper is None:
        return np.zeros(ring.shape, bool)
    ink = np.asarray(np.abs(rgb - paper).max(-1) > INK)
    if float(ink[rim].mean()) > CROSSED:  # a drawing's ground
        return np.zeros(ring.shape, bool)
    return ink


def _by_colour(handle: Bool, colours: Surroundings) -> Pixels:
    """GrabCut's labels (h, w) by colour, in the handle and near it."""
    away = cv2.distanceTransform((~handle).astype(np.uint8), cv2.DIST_L2, 5)
    near = ~handle & (away < max(10.0, BEYOND * max(handle.shape)))
    labels = np.full(handle.shape, cv2.GC_BGD, np.uint8)
    labels[handle | (near & colours.own)] = cv2.GC_PR_BGD
    labels[handle & (colours.own | colours.outlying)] = cv2.GC_PR_FGD
    labels[near & colours.own & colours.outlying] = cv2.GC_PR_FGD
    return labels


def _by_depth(handle: Bool, deep: Float) -> Pixels:
    """GrabCut's labels (h, w) by how deep in the handle a pixel lies."""
    labels = np.full(handle.shape, cv2.GC_BGD, np.uint8)
    labels[handle] = cv2.GC_PR_BGD
    labels[deep > RIM_SHARE * min(RIM, 0.5 * float(deep.max()))] = cv2.GC_PR_FGD
    return labels


def _by_core(handle: Bool, scale: float) -> Pixels:
    """GrabCut's labels (h, w) with the core of the handle for sure."""
    # here the picture's edge is a rim too: what is cut off there is not the core for sure
    deep = cv2.distanceTransform(np.pad(handle.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    rim = min(WIDE_RIM * scale, 0.5 * float(deep.max()))
    labels = np.full(handle.shape, cv2.GC_BGD, np.uint8)
    labels[handle] = cv2.GC_PR_BGD
    labels[deep > RIM_SHARE * rim] = cv2.GC_PR_FGD
    labels[deep > rim] = cv2.GC_FGD
    return labels


def _cut(rgb: Pixels, labels: Pixels) -> Bool:
    """GrabCut's object (h, w), by Rother et al. 2004; empty where its labels leave nothing to tell."""
    grain = np.random.default_rng(0).normal(0, GRAIN, rgb.shape)
    grainy = np.clip(rgb + grain, 0, 255).astype(np.uint8)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    try:
        cv2.setRNGSeed(0)  # GrabCut's k-means draws from OpenCV's own generator
        cv2.grabCut(grainy, labels, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # it does not take labels of one kind alone
        return np.zeros(labels.shape, bool)
    return np.asarray((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))


def _from_close(rgb: Pixels, handle: Bool) -> Float:
    """The salience (h, w) in a view of the handle and hardly more; none outside it."""
    x0, y0, x1, y1 = box = bounding_box(handle)
    pad = round(CLOSE * (max(x1 - x0, y1 - y0) - 1))
    view = slices_of(grown(box, pad, (handle.shape[0], handle.shape[1])))
    seen = np.zeros(handle.shape, np.float32)
    seen[view] = salience(np.ascontiguousarray(rgb[view]))
    return seen


def _segments(fine: Pixels, handle: Bool) -> Segments:
    """What the segmentation network sees in the handle's box, at the handle's size (h, w)."""
    height, width = handle.shape
    x0, y0, x1, y1 = bounding_box(handle)
    across, down = fine.shape[1] / width, fine.shape[0] / height
    seen = segments_in(fine, (x0 * across, y0 * down, x1 * across, y1 * down))
    best, only = (cv2.resize(seen_, (width, height)) for seen_ in (seen.best, seen.only))
    return Segments(best, only, seen.quality)


def _capped(lab: Float, known: Bool) -> Float:
    """How far each colour is from those of the known pixels, in quarters of a mixture's deviations."""
    if known.sum() < FEW:
        return np.zeros(known.shape, np.float32)
    return np.asarray(np.minimum(distance_to_colours(lab, lab[known]), 12) / 4, np.float32)


def _from_nearby(lab: Float, ring: Bool, sigma: float) -> Float:
    """How far each colour is from the surroundings' mean colour nearby, in twentieths of CIELAB units."""
    share = cv2.GaussianBlur(ring.astype(np.float32), (0, 0), sigma)[..., None] + 1e-4
    mean = cv2.GaussianBlur(lab * ring[..., None], (0, 0), sigma) / share
    return np.asarray(np.minimum(np.sqrt(((lab - mean) ** 2).sum(-1)), 80) / 20, np.float32)


def _from_all(lab: Float, ring: Bool) -> Float:
    """Each colour's difference (h, w, 3) from the surroundings' mean, in their deviations."""
    around = lab[ring]
    return np.asarray(((lab - around.mean(0)) / (around.std(0) + EVEN)).clip(-5, 5), np.float32)


def _slope(lab: Float) -> Float:
    smooth = cv2.GaussianBlur(lab, (0, 0), 1.0)
    across, down = (np.abs(cv2.Sobel(smooth, cv2.CV_32F, *d)).sum(-1) for d in ((1, 0), (0, 1)))
    return np.asarray(np.minimum(across + down, 200) / 50, np.float32)
