"""Four measures of an edit on a photograph whose object is known: lost, carried, seam, left behind."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from regiondrag_widget.bench.handles.handles import Mask

Pixels = NDArray[np.uint8]
Float = NDArray[np.float32]

OFF = 12  # grey levels in any channel by which a pixel counts as changed
INNER, OUTER = 4, 6  # pixels from the object's edge that count for neither side
STEP = 4.0  # grey levels by which a step must exceed the picture's own to be seen
MOST_LOST, MOST_CARRIED, MOST_SEAM, MOST_LEFT = 0.01, 0.02, 0.05, 0.01


@dataclass(frozen=True)
class Measures:
    """Shares in 0..1, lower is better.

    Attributes
    ----------
    lost
        Of the marked object's pixels, 4 px in from its edge, that arrive off by more than 12 grey levels.
    carried
        Of the moved handle's pixels, 6 px away from the object and outside the old handle, where the
        picture's own pixel changed by more than 12.
    seam
        Pixels where a step is more than 4 grey levels above the picture's own, at the place and at the
        source, over those that a step along the whole outline would have.
    left
        Of the object's old pixels that show what was there and nothing that surrounds it.
    """

    lost: float
    carried: float
    seam: float
    left: float

    @property
    def clean(self) -> bool:
        """Whether all four are small enough."""
        return (
            self.lost < MOST_LOST
            and self.carried < MOST_CARRIED
            and self.seam < MOST_SEAM
            and self.left < MOST_LEFT
        )

    def as_dict(self) -> dict[str, float]:
        """The four figures by name."""
        return asdict(self)


@dataclass(frozen=True)
class Moved:
    """What a perfect edit would bring to each pixel.

    Attributes
    ----------
    truth
        (H, W, 3) float32, the picture carried by the movement.
    object_
        (H, W) bool, the object at its new place, as far as it was marked.
    handle
        (H, W) bool, the handle at its new place.
    slack
        Grey levels by which resampling alone may differ, 0 for whole pixels.
    """

    truth: Float
    object_: Mask
    handle: Mask
    slack: float = 0.0


def measure(before: Pixels, after: Pixels, object_: Mask, handle: Mask, moved: Moved) -> Measures:
    """The four figures of one edit.

    Parameters
    ----------
    before, after
        (H, W, 3) uint8.
    object_
        (H, W) bool, the true object.
    handle
        (H, W) bool.
    """
    return Measures(
        lost(after, moved),
        carried(before, after, handle, moved),
        seam(before, after, handle, moved),
        left_behind(before, after, object_ & handle, handle, moved.handle),
    )


def lost(after: Pixels, moved: Moved) -> float:
    """Share of the object's inner pixels that arrive off by more than 12 grey levels in any channel."""
    inner = _inside(moved.object_, INNER)
    if not inner.any():
        inner = moved.object_
    if not inner.any():
        return 0.0
    off = np.abs(after.astype(np.float32) - moved.truth).max(-1)
    return float((off[inner] > OFF + moved.slack).mean())


def carried(before: Pixels, after: Pixels, handle: Mask, moved: Moved) -> float:
    """Share of the moved handle's pixels where background was carried: the picture's own pixel changed."""
    aside = moved.handle & (_distance_to(moved.object_) > OUTER) & ~handle
    if not moved.handle.any():
        return 0.0
    off = np.abs(after.astype(np.float32) - before).max(-1)
    return float((off[aside] > OFF).sum() / moved.handle.sum())


def seam(before: Pixels, after: Pixels, handle: Mask, moved: Moved) -> float:
    """How much of the moved handle's outline is seen: 1 is a step all along it.

    A step is the difference of two means 4 px apart, of pixels that noise was averaged out of, across or
    along. It is seen where it is more than 4 grey levels larger than the steps within 3 px of there both in
    the picture as it was and in what was moved. Where the object itself, the old handle, or the picture's
    edge is near, nothing is asked. A step is felt by pixels on either side of it: 4 to each pixel of outline.
    """
    outline = _outline(moved.handle)
    asked = (
        (_distance_to(moved.handle) <= 4) & (_distance_to(moved.object_) > OUTER) & (_distance_to(handle) > 4)
    )
    asked[:4], asked[-4:], asked[:, :4], asked[:, -4:] = False, False, False, False
    if not (asked & outline).any():
        return 0.0
    own = np.maximum(_nearby(_steps(before)), _nearby(_steps(moved.truth)))
    seen = asked & (_steps(after) - own > STEP)
    return float(seen.sum() / (4 * max(1, int((outline & asked).sum()))))


def left_behind(before: Pixels, after: Pixels, object_: Mask, handle: Mask, covered: Mask) -> float:
    """Share of the object's old pixels that show a sliver or a ghost of it.

    One counts where it leans by at least a quarter from what continues the surroundings towards what was
    there, by more than 12 grey levels, and is more than 12 from all colours within 24 px around the handle.

    Parameters
    ----------
    before, after
        (H, W, 3) uint8.
    object_, handle
        (H, W) bool, the true object and the drawn handle.
    covered
        (H, W) bool, the handle at its new place, which does not count.
    """
    place = (_distance_to(object_) <= 4) & handle & (_distance_to(covered) > 2)
    size = int((object_ & ~covered).sum())
    if not place.any() or size == 0:
        return 0.0
    away = handle | (_distance_to(object_) <= 4)
    ring = (_distance_to(away) <= 24) & ~away & ~covered
    if ring.sum() < 50:
        return 0.0
    reference = _continued(before, away)
    was, is_ = (a.astype(np.float32)[place] - reference[place] for a in (before, after))
    lean = (was * is_).sum(1) / np.maximum((was**2).sum(1), 1)
    suspect = (np.abs(is_).max(1) > OFF) & (lean > 0.25) & (np.abs(was).max(1) > OFF)
    if not suspect.any():
        return 0.0
    tree = cKDTree(np.unique(before[ring] // 2, axis=0).astype(np.float32) * 2)
    apart, _ = tree.query(after[place][suspect].astype(np.float32), p=np.inf)
    found = np.zeros_like(place)
    where = np.argwhere(place)[suspect][apart > OFF]
    found[where[:, 0], where[:, 1]] = True
    return float(found.sum() / size)


def _steps(picture: NDArray[np.generic]) -> Float:
    """Largest difference (H, W) of two means 4 px apart, along either axis, in any channel."""
    smooth = cv2.blur(picture.astype(np.float32), (3, 3))
    out = np.zeros(picture.shape[:2], np.float32)
    for axis in (0, 1):
        along = cv2.blur(smooth, (3, 9) if axis == 0 else (9, 3)) if False else smooth
        # averaged along the step, so that grain does not hide or feign one
        size = (7, 1) if axis == 0 else (1, 7)
        along = cv2.blur(along, size)
        difference = np.abs(np.roll(along, -2, axis) - np.roll(along, 2, axis)).max(-1)
        out = np.maximum(out, difference)
    return out


def _nearby(steps: Float, reach: int = 3) -> Float:
    return np.asarray(cv2.dilate(steps, np.ones((2 * reach + 1,) * 2, np.uint8)), np.float32)


def _continued(picture: Pixels, hole: Mask) -> Float:
    """The surroundings continued smoothly into the hole, at most at 256 px."""
    scale = min(1.0, 256 / max(hole.shape))
    size = (max(8, round(hole.shape[1] * scale)), max(8, round(hole.shape[0] * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    gap = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    filled = cv2.inpaint(small, gap.astype(np.uint8), 5, cv2.INPAINT_TELEA)
    full = cv2.resize(filled, hole.shape[::-1], interpolation=cv2.INTER_LINEAR).astype(np.float32)
    return np.where(hole[..., None], full, picture).astype(np.float32)


def _outline(mask: Mask) -> Mask:
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1)
    return np.asarray(mask & (inner == 0))


def _inside(mask: Mask, depth: float) -> Mask:
    framed = np.pad(mask.astype(np.uint8), 1)
    return np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1] > depth)


def _distance_to(mask: Mask) -> Float:
    if not mask.any():
        return np.full(mask.shape, np.inf, np.float32)
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5), np.float32)
