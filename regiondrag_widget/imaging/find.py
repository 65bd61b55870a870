"""Find the object in a drawn handle, and where it goes on beyond it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.reach import firmness, reach_of_surroundings
from regiondrag_widget.imaging.surroundings import Surroundings, surroundings_of

__all__ = ["Found", "find_object"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

WORK_SIDE = 256  # a handle and what surrounds it are looked at no larger
LEAST_PAD, PAD = 20, 0.3  # pixels around a handle that are looked at too, and as a share of its side
ROUNDS = 4  # of GrabCut
GRAIN = 3.0  # grey levels of noise added for GrabCut, whose mixtures overfit what has none
BEYOND = 0.12  # of the window's side: how far outside the handle its object is followed
SPECK, PIECE = 0.01, 0.1  # of the largest piece: smaller ones are no part of the object, where colours fail
GAP = 0.01  # of the window's side: gaps twice as narrow are closed
RIM, RIM_SHARE = (
    6.0,
    0.35,
)  # pixels of a handle's rim that a person draws along, and the share that is doubted
SHUT_OFF = 0.15  # reach of the surroundings below which a pixel stays with the object
HINT, HALF = 0.6, 0.5  # where colours fail: slopes that count for edges, and the reach that tells two sides
MOST_TOUCH = 0.25  # of the handle's rim, that an object found by its edges alone may reach
FIRM = 2.0  # times as steep as usual, that an object's outline is
LEAST_COVER = 0.05  # of the handle
AGREEMENT, LEAST_COLOUR = 0.5, 0.01  # of all that is found, that colours alone find; of the handle, if any
LEAST_SPAN = 0.5  # of the handle's height and width
LEAST_SOLID = 0.5  # of its convex hull


@dataclass(frozen=True)
class Found:
    """What was found in a handle; (H, W) bool arrays of the picture's size.

    Attributes
    ----------
    object_
        The object, inside the handle.
    beyond
        Where it goes on outside the handle.
    unlike
        Pixels of the handle that the surroundings do not have; the object's, shadows', remnants'.
    scale
        Pixels of the size that was looked at per pixel of the picture, at most 1.
    """

    object_: Bool
    beyond: Bool
    unlike: Bool
    scale: float


def find_object(rgb: Pixels, handle: Bool) -> Found | None:
    """The object that a handle was drawn round, or None where nothing in it stands out.

    GrabCut (Rother, Kolmogorov, Blake 2004), once begun with what the colours say, when it may follow the
    object out of the handle, and once with how deep in the handle a pixel lies: what either finds is the
    object. What both take for background is believed only where the surroundings reach it without crossing
    an edge: enclosed parts belong to the object whatever their colour. Where colours fail (grey on grey, one
    grape of many) the edges alone decide, and faint ones are believed.

    Parameters
    ----------
    rgb
        (H, W, 3) uint8.
    handle
        (H, W) bool with at least one pixel.
    """
    window = _window(handle)
    part, inside = np.ascontiguousarray(rgb[window]), np.ascontiguousarray(handle[window])
    height, width = inside.shape
    scale = min(1.0, WORK_SIDE / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
        inside = cv2.resize(inside.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
    if not inside.any():
        return None
    colours = surroundings_of(part, inside)
    if colours is None:
        return None
    ways = _colour_labels(inside, colours), _depth_labels(inside)
    with ThreadPoolExecutor(len(ways)) as threads:  # GrabCut takes one core, and one generator a thread
        by_colour, by_depth = threads.map(lambda labels: _cut(part, labels), ways)
    cut = by_colour | by_depth
    object_ = _tidied(cut, inside)
    object_ |= inside & (reach_of_surroundings(part, inside, object_) < SHUT_OFF)
    object_ = _tidied(object_, inside)
    if not _believed(object_, by_colour & inside, inside) or firmness(part, inside, object_) < FIRM:
        reach = reach_of_surroundings(part, inside, np.zeros_like(inside), firm=HINT)
        object_ = _tidied((object_ | (reach < HALF)) & inside, inside, speck=PIECE)
        rim = inside & (_depth(inside) <= 1.5)
        if float(object_[rim].mean()) > MOST_TOUCH or not _believed(object_, object_, inside):
            return None
        if firmness(part, inside, object_) < FIRM:
            return None
    found = (object_, _joined(cut & ~inside, object_), colours.outlying & inside)
    object_, beyond, unlike = (_full(mask, handle, window) for mask in found)
    return Found(object_, beyond, unlike, scale)


def _believed(object_: Bool, by_colour: Bool, handle: Bool) -> bool:
    """Whether this is the thing that the handle was drawn round, and not some bright piece of it.

    A handle's outline is a thing's outline, roughly: what spans too little of it, or spans it with gaps, was
    not meant. Nor are two ways to look for it believed that find very different amounts.
    """
    cover, colour = float(object_.sum() / handle.sum()), float(by_colour.sum() / handle.sum())
    if cover < LEAST_COVER or LEAST_COLOUR < colour < AGREEMENT * cover:
        return False
    spans = [np.ptp(a) + 1 for a in np.nonzero(object_)], [np.ptp(a) + 1 for a in np.nonzero(handle)]
    if min(s / h for s, h in zip(*spans, strict=True)) < LEAST_SPAN:
        return False
    hull = cv2.convexHull(np.argwhere(object_).astype(np.int32))
    return float(object_.sum()) >= LEAST_SOLID * float(cv2.contourArea(hull))


def _colour_labels(handle: Bool, colours: Surroundings) -> Pixels:
    """GrabCut's labels (h, w) by colour, in the handle and near it."""
    near = ~handle & (_distance_to(handle) < max(10.0, BEYOND * max(handle.shape)))
    labels = np.full(handle.shape, cv2.GC_BGD, np.uint8)
    labels[handle | (near & colours.own)] = cv2.GC_PR_BGD
    labels[handle & (colours.own | colours.outlying)] = cv2.GC_PR_FGD
    labels[near & colours.own & colours.outlying] = cv2.GC_PR_FGD
    return labels


def _depth_labels(handle: Bool) -> Pixels:
    """GrabCut's labels (h, w) by how deep in the handle a pixel lies."""
    depth = _depth(handle)
    labels = np.full(handle.shape, cv2.GC_BGD, np.uint8)
    labels[handle] = cv2.GC_PR_BGD
    labels[depth > RIM_SHARE * min(RIM, 0.5 * float(depth.max()))] = cv2.GC_PR_FGD
    return labels


def _cut(rgb: Pixels, labels: Pixels) -> Bool:
    """GrabCut's object (h, w); empty where its labels leave nothing to tell."""
    grain = np.random.default_rng(0).normal(0, GRAIN, rgb.shape)
    grainy = np.clip(rgb + grain, 0, 255).astype(np.uint8)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    try:
        cv2.setRNGSeed(0)  # GrabCut's k-means draws from OpenCV's own generator
        cv2.grabCut(grainy, labels, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # it does not take labels of one kind alone
        return np.zeros(labels.shape, bool)
    return np.asarray((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD))


def _tidied(object_: Bool, handle: Bool, speck: float = SPECK) -> Bool:
    """What lies in the handle, without specks, narrow gaps and holes; those that end outside it included."""
    inside = object_ & handle
    if not inside.any():
        return inside
    object_ = inside | _joined(object_ & ~handle, inside)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(object_.astype(np.uint8), connectivity=8)
    if count > 1:
        areas = stats[:, cv2.CC_STAT_AREA].copy()
        areas[0] = 0
        object_ = np.asarray((areas >= max(4, speck * areas.max()))[labels])
    radius = max(1, round(GAP * max(handle.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    framed = np.pad(object_.astype(np.uint8), radius)
    closed = cv2.morphologyEx(framed, cv2.MORPH_CLOSE, disc)[radius:-radius, radius:-radius] > 0
    free = np.pad((~closed).astype(np.uint8), 1, constant_values=1)
    _, labels = cv2.connectedComponents(free, connectivity=4)
    return np.asarray((labels != labels[0, 0])[1:-1, 1:-1] & handle)


def _joined(outside: Bool, object_: Bool) -> Bool:
    """What of `outside` hangs together with the object."""
    _, labels = cv2.connectedComponents((outside | object_).astype(np.uint8), connectivity=4)
    return outside & np.isin(labels, np.unique(labels[object_]))


def _full(mask: Bool, handle: Bool, window: tuple[slice, slice]) -> Bool:
    """A mask of the window at the size looked at, in the whole picture."""
    full = np.zeros_like(handle)
    height, width = full[window].shape
    if mask.shape != (height, width):
        soft = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        mask = soft > 0.5
    full[window] = mask
    return full


def _window(handle: Bool) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(handle.any(1)), np.flatnonzero(handle.any(0))
    extent = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    pad = max(LEAST_PAD, round(PAD * extent))
    return (
        slice(max(0, rows[0] - pad), rows[-1] + 1 + pad),
        slice(max(0, columns[0] - pad), columns[-1] + 1 + pad),
    )


def _distance_to(mask: Bool) -> Float:
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5), np.float32)


def _depth(mask: Bool) -> Float:
    framed = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)
