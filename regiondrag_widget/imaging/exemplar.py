"""Copies chosen for a hole at a size that can be searched, and what brings them to one tone."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.align import aligned
from regiondrag_widget.imaging.blend import blended
from regiondrag_widget.imaging.montage import Labels, legal, montage
from regiondrag_widget.imaging.scaling import averaged, pixels_at, shrink
from regiondrag_widget.imaging.smooth import inpainted, low_frequencies

__all__ = ["Copies", "choose_copies", "copied", "fine_labels", "tones_of"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

WORK_SIDE = 192
LABELS_SIDE = 1536  # finer outlines of copies are not told
ROUGHNESS_WEIGHT = 50.0**0.5
# grey levels by which copies may miss each other at a seam and be taken for right, or not
SURE, UNSURE = 8.0, 40.0
# tones: structures larger than this, in searched pixels
TONE_SIGMA, BROAD_SIGMA = 2.0, 4.0
# grey levels by which the copies' broad tones may stand off from a smooth continuation's: up to the first
# they are believed, from the second on as little as the share below where they miss each other
NEAR, FAR = 20.0, 28.0
MOST_HELD = 0.9
# a drawing's areas have edges and no tones between: slopes below the first in most of it are no photograph's
FLAT, MOSTLY_FLAT = 3.0, 0.75


@dataclass(frozen=True)
class Copies:
    """Copies chosen for a hole, at a size that can be searched; arrays (h, w, ...) but for the shifts.

    Attributes
    ----------
    continued
        RGB float32, the window continued smoothly into the hole.
    hole
        Bool.
    labels
        Uint8, which copy a pixel is of; 0 outside the hole.
    shifts
        (n, 2) float32 dy, dx from a pixel of each label to its source, in pixels of the whole window.
    tones
        RGB float32, what is added to the copies so that they meet.
    filled
        RGB float32 in 0..255, the copies with it.
    seam
        Float32 in grey levels, by how much copies miss each other.
    drawn
        Whether the picture has flat areas, and no tones between them.
    """

    continued: Float
    hole: Bool
    labels: Labels
    shifts: Float
    tones: Float
    filled: Float
    seam: Float
    drawn: bool


def choose_copies(
    rgb: Float | npt.NDArray[np.uint8], hole: Bool, forbidden: Bool, rng: np.random.Generator
) -> Copies | None:
    """Choose copies for a hole; None where too little is known to copy from.

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
    small_hole = shrink(hole, size)
    unknown = small_hole | shrink(forbidden, size)
    continued = inpainted(small, unknown, cv2.INPAINT_TELEA)
    found = montage(_with_roughness(continued, unknown), small_hole, unknown & ~small_hole, rng)
    if found is None:
        return None
    labels, shifts = found
    shifts = aligned(rgb, labels, shifts, ~unknown, rng)
    whole = np.rint(shifts).astype(np.int64)
    labels = legal(labels, whole, ~unknown)
    drawn = _is_flat(continued, ~unknown)
    tones, filled, seam = blended(continued, small_hole, labels, whole, drawn)
    scale = np.array([height / small_hole.shape[0], width / small_hole.shape[1]], np.float32)
    return Copies(continued, small_hole, labels, shifts * scale, tones, filled, seam, drawn)


def tones_of(found: Copies, mixed: bool) -> tuple[Float, Float]:
    """What is added to the copies (h, w, 3), and the doubt (h, w) in [0, 1], at the size searched."""
    hole, tones = found.hole, found.tones
    doubt = np.clip((cv2.GaussianBlur(found.seam, (0, 0), 2.0) - SURE) / (UNSURE - SURE), 0, 1)
    if mixed and not found.drawn:
        smooth = inpainted(found.continued, hole, cv2.INPAINT_NS)
        away = smooth - found.filled
        apart = low_frequencies(away, hole, BROAD_SIGMA)[hole]
        far = np.clip((float(np.sqrt((apart**2).mean())) - NEAR) / (FAR - NEAR), 0, 1)
        tones = tones + low_frequencies(far * MOST_HELD * doubt[..., None] * away, hole, TONE_SIGMA)
    beyond = low_frequencies(tones, hole, 1.0)  # enlarged, the hole's rim has its tones and not half of them
    return np.where(hole[..., None], tones, beyond).astype(np.float32), np.asarray(doubt, np.float32)


def fine_labels(labels: Labels, side: int) -> Labels:
    """Labels at up to a larger side, their blocks rounded off and their outer rim widened."""
    labels = np.where(labels > 0, labels, cv2.dilate(labels, np.ones((7, 7), np.uint8))).astype(np.uint8)
    while max(labels.shape) < side and 2 * max(labels.shape) <= LABELS_SIDE:
        doubled = cv2.resize(labels, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
        labels = np.asarray(cv2.medianBlur(doubled, 5), np.uint8)
    return labels


def copied(
    rgb: Float | npt.NDArray[np.uint8],
    flow: Float,
    strip: tuple[slice, slice],
    unknown: Bool,
    shifts: Float,
) -> Float:
    """The sources (h, w, 3) of a strip's pixels.

    Parameters
    ----------
    rgb
        (H, W, 3) uint8, or float32 in 0..255.
    flow
        (h, w, 2) float32 x, y from each pixel of the strip to its source; changed where that is not known.
    strip
        Rows and columns.
    unknown
        (H, W) bool, the hole and what must not be copied.
    shifts
        (n, 2) float32 x, y, of all copies; the first is (0, 0).
    """
    rows, columns = strip
    xs = np.arange(columns.start, columns.stop, dtype=np.float32)
    ys = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None]
    last_x, last_y = unknown.shape[1] - 1, unknown.shape[0] - 1

    def at(flow: Float, xs: Float, ys: Float) -> tuple[Float, Float]:
        return np.clip(xs + flow[..., 0], 0, last_x), np.clip(ys + flow[..., 1], 0, last_y)

    map_x, map_y = at(flow, xs, ys)
    lost = pixels_at(unknown.view(np.uint8), map_x, map_y) > 0
    for shift in shifts[1:]:  # outlines of copies are not exact to the pixel
        y, x = np.nonzero(lost)
        if not len(y):
            break
        other_x, other_y = at(shift, x + xs[0], y + ys[0])
        right = ~unknown[other_y.astype(np.int64), other_x.astype(np.int64)]
        y, x = y[right], x[right]
        flow[y, x], map_x[y, x], map_y[y, x] = shift, other_x[right], other_y[right]
        lost[y, x] = False
    return pixels_at(rgb, map_x, map_y)


def _is_flat(rgb: Float, known: Bool) -> bool:
    """Whether most of the known picture is without any slope."""
    grey = rgb.mean(-1).astype(np.float32)
    slope = (
        np.maximum(np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)), np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1))) / 4
    )
    return float((slope[known] < FLAT).mean()) > MOSTLY_FLAT if known.any() else False


def _with_roughness(rgb: Float, unknown: Bool) -> Float:
    """A fourth channel: the mean slope of the lightness around each pixel, continued into what is unknown.

    Without it flat places match everywhere (Newson et al.: Video inpainting of complex scenes, 2014).
    """
    grey = rgb.mean(-1).astype(np.float32)
    edge = cv2.dilate(unknown.astype(np.uint8), np.ones((3, 3), np.uint8))
    known = (1 - edge).astype(np.float32)
    slope = (
        (np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1))) / 4 * known
    )
    mean = cv2.boxFilter(slope, -1, (13, 13)) / np.maximum(cv2.boxFilter(known, -1, (13, 13)), 1e-3)
    continued = cv2.inpaint(mean.astype(np.float32), edge, 5, cv2.INPAINT_TELEA)
    return np.dstack([rgb, continued * ROUGHNESS_WEIGHT]).astype(np.float32)
