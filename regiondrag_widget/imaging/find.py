"""Find the object in a drawn handle, and where it goes on beyond it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.cues import cues_of
from regiondrag_widget.imaging.likely import likely
from regiondrag_widget.imaging.nearness import depth
from regiondrag_widget.imaging.reach import firmness
from regiondrag_widget.imaging.recent import Recent
from regiondrag_widget.imaging.segment import SIDE

__all__ = ["LIKELY", "Found", "find_object", "looked_at"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

WORK_SIDE = 256  # a handle and what surrounds it are looked at no larger
LEAST_PAD, PAD = 20, 0.3  # pixels around a handle that are looked at too, and as a share of its side
CALM = 1.0  # pixels of the blur of what is likely
LIKELY = 0.15  # from which a pixel is carried
MORE = 0.04  # of the object, that the segmentation network may add: more is another thing beside it
FIRM = 1.5  # times as steep as usual, that an object's outline is
STRIP, REACHED = 2.5, 0.7  # pixels of the picture along an outline, and the reach that makes them ground
SPECK = 0.01  # of the largest piece: smaller ones are no part of the object
GAP = 0.01  # of the window's side: gaps twice as narrow are closed


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

    Three ways of GrabCut, colours, edges, the depth in the handle, what stands out of the picture and what a
    segmentation network sees in the handle's box are weighed (`cues`, `likely`). A doubted pixel is carried:
    what is missing from an object is seen at once, a strip of ground beside it hardly.

    Parameters
    ----------
    rgb
        (H, W, 3) uint8.
    handle
        (H, W) bool with at least one pixel.
    """
    part, inside, scale = looked_at(rgb, handle)
    if not inside.any():
        return None
    fine, _, _ = looked_at(rgb, handle, SIDE)
    seen = _recent.of((part, inside, fine, np.float64(scale)), lambda: _seen(part, inside, scale, fine))
    if seen is None:
        return None
    window = _window(handle)
    object_, beyond, unlike = (_full(mask, handle, window) for mask in seen)
    return Found(object_, beyond, unlike, scale)


def _seen(part: Pixels, inside: Bool, scale: float, fine: Pixels) -> tuple[Bool, Bool, Bool] | None:
    """What `Found` holds, at the size looked at."""
    cues = cues_of(part, inside, scale, fine)
    if cues is None:
        return None
    share = np.maximum(cv2.GaussianBlur(inside.astype(np.float32), (0, 0), CALM), 1e-3)
    chance = cv2.GaussianBlur(np.where(inside, likely(cues.values), 0), (0, 0), CALM) / share
    object_ = (chance > LIKELY) | cues.certain
    more = cues.segment & ~object_
    if more.sum() <= MORE * (object_ & inside).sum():
        object_ |= more
    object_ = _tidied(_trimmed(object_ & inside, cues.reach, STRIP * scale) | cues.certain, inside)
    if not object_.any() or firmness(part, inside, object_) < FIRM:
        return None
    return object_, _joined(cues.by_colour & ~inside, object_), cues.colours.outlying & inside


# asked about when a handle is complete, when its pair is moved, and at each run
_recent: Recent[tuple[Bool, Bool, Bool] | None] = Recent(64)


def _trimmed(object_: Bool, reach: Float, strip: float) -> Bool:
    """Without the strip along its outline that the surroundings reach and no edge parts from them."""
    return np.asarray(object_ & ((reach < REACHED) | (depth(object_) > strip)))


def looked_at(picture: Pixels, handle: Bool, side: int = WORK_SIDE) -> tuple[Pixels, Bool, float]:
    """What is looked at to find the object: the window around a handle, made small where it is large.

    Parameters
    ----------
    picture
        (H, W) or (H, W, 3) uint8.
    handle
        (H, W) bool.
    side
        Pixels of the window's longer side, at most.

    Returns
    -------
    tuple
        The window (h, w) or (h, w, 3) uint8, the handle in it (h, w) bool, and its pixels per pixel of the
        picture, at most 1.
    """
    window = _window(handle)
    part, inside = np.ascontiguousarray(picture[window]), np.ascontiguousarray(handle[window])
    height, width = inside.shape
    scale = min(1.0, side / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
        inside = cv2.resize(inside.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5
    return part, inside, scale


def _tidied(object_: Bool, handle: Bool) -> Bool:
    """What lies in the handle, without specks, narrow gaps and holes; those that end outside it included."""
    inside = object_ & handle
    if not inside.any():
        return inside
    object_ = inside | _joined(object_ & ~handle, inside)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(object_.astype(np.uint8), connectivity=8)
    if count > 1:
        areas = stats[:, cv2.CC_STAT_AREA].copy()
        areas[0] = 0
        object_ = np.asarray((areas >= max(4, SPECK * areas.max()))[labels])
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
