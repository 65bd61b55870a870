"""Plain surroundings, as a wall's or the sky's: their tones go on smoothly, with nothing copied in."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.scaling import SMALL, averaged, enlarged, shrink
from regiondrag_widget.imaging.seen import Seen
from regiondrag_widget.imaging.spreading import spread

__all__ = ["onto_paper", "paper_of", "plain_fill"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Picture = Float | npt.NDArray[np.uint8]

WORK_SIDE = 160
BAND = 5  # pixels around the hole that must be plain
BROAD = 6.0  # pixels of the blur that tones are told from
MOST, MOSTLY = 7.0, 0.85  # grey levels by which the band may stand off from its tones, and how much of it

PAPER_SHARE = 0.5  # of the surroundings that have one colour: paper, a screen, a drawing's ground
PAPER_NEAR = 12.0  # grey levels from it by which a filled pixel is meant to be that colour
BLANK = 0.995  # of the pixels beside a hole, that paper alone surrounds it: no line crosses it
LOOKED_AT = 8192  # pixels, at least


def plain_fill(
    rgb: Picture, hole: Bool, forbidden: Bool, box: tuple[slice, slice], seen: Seen | None = None
) -> Float | None:
    """A window's hole filled harmonically; None where the surroundings are not plain.

    Parameters
    ----------
    rgb
        (h, w, 3) uint8, or float32 in 0..255, a window.
    hole, forbidden
        (h, w) bool, what to fill, and what of the known must not colour it.
    box
        Rows and columns of the window that are wanted.
    seen
        What is looked at of the window; the window itself when left out.

    Returns
    -------
    (bh, bw, 3) float32 or None
        The box, equal to the window outside the hole.
    """
    seen = Seen(rgb, hole, forbidden) if seen is None else seen
    gap = seen.hole | seen.forbidden
    height, width = gap.shape
    ratio = max(1.0, max(height, width) / WORK_SIDE)
    size = max(4, round(width / ratio)), max(4, round(height / ratio))
    small, gap = averaged(seen.rgb, size), shrink(gap, size)
    near = cv2.distanceTransform((~gap).astype(np.uint8), cv2.DIST_L2, 5)
    band = ~gap & (near <= BAND)
    if gap.all() or band.sum() < 24:
        return None
    beside = band.astype(np.float32)  # what stands farther off, as a door's frame, is not asked
    share = np.maximum(cv2.GaussianBlur(beside, (0, 0), BROAD), 1e-3)[..., None]
    tones = cv2.GaussianBlur(small * beside[..., None], (0, 0), BROAD) / share
    if float(np.quantile(np.abs(small - tones).max(-1)[band], MOSTLY)) > MOST:
        return None
    known = (~gap).astype(np.float32)
    part = cv2.GaussianBlur(known, (0, 0), 1.5)[..., None]  # noise of single pixels would run into the hole
    calm = cv2.GaussianBlur(small * known[..., None], (0, 0), 1.5) / np.maximum(part, 1e-3)
    filled = spread(np.asarray(calm, np.float32), ~gap, gap)
    if ratio > 1 and hole.size <= SMALL:
        filled = np.asarray(cv2.resize(filled, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
        filled = filled[box]
    else:
        filled = enlarged(filled, seen.whole, box, cv2.INTER_CUBIC)
    return np.where(hole[box][..., None], filled, rgb[box]).astype(np.float32)


def paper_of(rgb: Float, known: Bool) -> Float | None:
    """The one colour (3,) float32 that half of the known pixels have, as paper or a screen; None without one.

    Parameters
    ----------
    rgb
        (h, w, 3) float32, a window.
    known
        (h, w) bool, the pixels to look at.
    """
    seen = rgb[known]
    if not len(seen):
        return None
    whole = np.rint(seen[:: max(1, len(seen) // LOOKED_AT)]).astype(np.int32)
    values, counts = np.unique(whole @ np.array([65536, 256, 1]), return_counts=True)
    colour = int(values[counts.argmax()])
    paper = np.array([colour >> 16, (colour >> 8) & 255, colour & 255], np.float32)
    return paper if float((np.abs(whole - paper).max(-1) <= 1).mean()) >= PAPER_SHARE else None


def onto_paper(filled: Float, hole: Bool, rgb: Float, known: Bool) -> Float:
    """What was filled in, as paper where it is nearly that; all of it where nothing but paper surrounds it.

    Parameters
    ----------
    filled
        (h, w, 3) float32, the window filled.
    hole
        (h, w) bool.
    rgb, known
        As `paper_of` takes them. Without paper nothing is changed.
    """
    paper = paper_of(rgb, known)
    if paper is None:
        return filled
    beside = cv2.dilate(hole.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool) & known
    blank = np.abs(rgb[beside] - paper).max(-1) <= PAPER_NEAR
    if len(blank) and float(blank.mean()) >= BLANK:
        return np.where(hole[..., None], paper, filled)
    near = hole & (np.abs(filled - paper).max(-1) <= PAPER_NEAR)
    return np.where(near[..., None], paper, filled)
