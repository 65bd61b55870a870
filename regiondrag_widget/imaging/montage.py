"""A hole covered by few shifted copies of what surrounds it, cut where they agree.

A picture repeats itself at few offsets (He, Sun: Statistics of patch offsets for image completion, 2012):
those are gathered from what lies beside the hole. One is chosen for each pixel, so that the copies meet each
other and the known picture unseen (Pritch, Kav-Venaki, Peleg: Shift-map image editing, 2009), by belief
propagation along rows and columns. Straight edges and regular things go on as they are, where patches
chosen one by one would smear them.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.scaling import shrink

__all__ = ["Labels", "legal", "montage"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Int = npt.NDArray[np.int64]
Labels = npt.NDArray[np.uint8]

HOLE_PIXELS, WINDOW_PIXELS = 1000, 14_000  # at most, at the size where shifts are chosen
RADIUS = 3  # patches of 7 x 7
BAND = 4  # pixels beside the hole whose patches are looked for
ASKED, AT_ONCE = 500, 64  # of these patches
NEAREST = 6  # shorter shifts say that neighbours are alike, and no more
BEST = 3  # places kept for each patch
LEAST_COVER = 0.05  # of the hole that a shift brings something known into
SPARE = 6  # of the shifts, kept for what no other reaches
LABELS = 32  # shifts to choose from
SWEEPS = 4  # of messages along rows and columns, both ways
FIT = 2.0  # weight of how a patch differs from the known picture, against seams
BLOCKED = 20_000.0  # squared grey levels of a pixel that cannot be copied
CHANGE = 20.0  # squared grey levels of a seam as such


def montage(
    picture: Float, hole: Bool, forbidden: Bool, rng: np.random.Generator
) -> tuple[Labels, Float] | None:
    """Which copy each pixel of a hole is of, and the shifts of the copies; None with too little known.

    Parameters
    ----------
    picture
        (h, w, C) float32.
    hole, forbidden
        (h, w) bool, what to fill and what not to copy, apart.

    Returns
    -------
    tuple[Labels, Float] | None
        Labels (h, w) uint8, 0 outside the hole, and (n, 2) float32 dy, dx in pixels from a pixel of each
        label to its source; the first is (0, 0).
    """
    height, width = hole.shape
    ratio = max(1.0, (hole.sum() / HOLE_PIXELS) ** 0.5, (hole.size / WINDOW_PIXELS) ** 0.5)
    size = max(8, round(width / ratio)), max(8, round(height / ratio))
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)
    small_hole = shrink(hole, size)
    found = _choose(small, small_hole, ~(small_hole | shrink(forbidden, size)), rng)
    if found is None:
        return None
    labels, shifts = found
    shifts = shifts * np.array([height / size[1], width / size[0]], np.float32)
    large = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
    large = np.where(hole, np.asarray(large, np.uint8), np.uint8(0))
    return legal(large, np.rint(shifts).astype(np.int64), ~(hole | forbidden)), shifts.astype(np.float32)


def _choose(picture: Float, hole: Bool, known: Bool, rng: np.random.Generator) -> tuple[Labels, Int] | None:
    shifts = _candidates(picture, hole, known, rng)
    if shifts is None:
        return None
    rows, columns = _box_of(hole)
    misfit, colours = _misfit(picture, _sources_of(known), rows, columns, shifts)
    inside = hole[rows, columns]
    misfit[~inside] = 0
    squares = (colours**2).sum(-1)
    apart = squares[..., :, None] + squares[..., None, :] - 2 * colours @ np.swapaxes(colours, -1, -2)
    apart = np.maximum(apart, 0) + CHANGE / 2 * (1 - np.eye(len(shifts), dtype=np.float32))
    labels = np.zeros(hole.shape, np.uint8)
    labels[rows, columns][inside] = _labelled(misfit, apart, inside)[inside] + 1
    return labels, np.concatenate([[[0, 0]], shifts])


def legal(labels: Labels, shifts: Int, known: Bool) -> Labels:
    """Labels (h, w), those that lead to nothing known replaced by the nearest label that does not.

    Parameters
    ----------
    labels
        (h, w) uint8, 0 for none.
    shifts
        (n, 2) int64 dy, dx of each label.
    known
        (h, w) bool.
    """
    replaced = labels.copy()
    ys, xs = np.nonzero(labels)
    own = labels[ys, xs].astype(np.int64)
    good = _reaches(ys, xs, shifts[own], known)
    bad = np.flatnonzero(~good)
    if not len(bad) or not good.any():
        return replaced
    away = np.full((len(bad), len(shifts)), np.inf)
    for label in np.unique(own[good]):
        of = labels == label
        far = cv2.distanceTransform((~of).astype(np.uint8), cv2.DIST_L2, 5)[ys[bad], xs[bad]]
        able = _reaches(ys[bad], xs[bad], np.broadcast_to(shifts[label], (len(bad), 2)), known)
        away[:, label] = np.where(able, far, np.inf)
    replaced[ys[bad], xs[bad]] = away.argmin(1)
    return replaced


def _reaches(ys: Int, xs: Int, shifts: Int, known: Bool) -> Bool:
    y, x = ys + shifts[:, 0], xs + shifts[:, 1]
    good = (y >= 0) & (y < known.shape[0]) & (x >= 0) & (x < known.shape[1])
    good[good] = known[y[good], x[good]]
    return np.asarray(good)


def _sources_of(known: Bool) -> Bool:
    """The known pixels (h, w) bool that may be copied: rounded at a larger size they are known still."""
    return np.asarray(cv2.erode(known.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) > 0)


def _box_of(hole: Bool) -> tuple[slice, slice]:
    ys, xs = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    return slice(int(ys[0]), int(ys[-1]) + 1), slice(int(xs[0]), int(xs[-1]) + 1)


def _misfit(picture: Float, known: Bool, rows: slice, columns: slice, shifts: Int) -> tuple[Float, Float]:
    """For each pixel of a box and each shift: how a patch differs from the known picture; its colour."""
    around = int(np.abs(shifts).max()) + RADIUS
    padded = np.pad(picture, ((around, around), (around, around), (0, 0)), mode="edge")
    given = np.pad(known, around)
    inner, side = (slice(RADIUS, -RADIUS),) * 2, 2 * RADIUS + 1

    def part(dy: int, dx: int) -> tuple[slice, slice]:
        top, left = rows.start + around + dy, columns.start + around + dx
        bottom, right = rows.stop + around + dy, columns.stop + around + dx
        return slice(top - RADIUS, bottom + RADIUS), slice(left - RADIUS, right + RADIUS)

    shape = (rows.stop - rows.start, columns.stop - columns.start, len(shifts))
    colours = np.empty((*shape, picture.shape[2]), np.float32)
    misfit = np.empty(shape, np.float32)
    here = part(0, 0)
    for k, (dy, dx) in enumerate(shifts):
        there = part(dy, dx)
        colours[:, :, k] = padded[there][inner]
        differ = ((padded[there] - padded[here]) ** 2).sum(-1)
        differ = np.where(given[there], differ, BLOCKED) * given[here]
        misfit[..., k] = FIT * cv2.blur(differ, (side, side))[inner]
        misfit[..., k][~given[there][inner]] += BLOCKED
    return misfit, colours


def _candidates(picture: Float, hole: Bool, known: Bool, rng: np.random.Generator) -> Int | None:
    """Shifts (n, 2) dy, dx, at which patches beside the hole are found again, the most frequent first."""
    height, width = hole.shape
    side = 2 * RADIUS + 1
    whole = np.zeros_like(hole)
    inner = (slice(RADIUS, -RADIUS),) * 2
    whole[inner] = cv2.erode(known.astype(np.uint8), np.ones((side, side), np.uint8))[inner] > 0
    away = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, 5)
    asked, sources = np.flatnonzero(whole & (away <= RADIUS + 1 + BAND)), np.flatnonzero(whole)
    if len(asked) < 8 or len(sources) < 64:
        return None
    if len(asked) > ASKED:
        asked = rng.choice(asked, ASKED, replace=False)
    windows = np.lib.stride_tricks.sliding_window_view(picture, (side, side), (0, 1))

    def patches(flat: Int) -> Float:
        found = windows[flat // width - RADIUS, flat % width - RADIUS]
        return np.asarray(found.reshape(len(flat), -1), np.float32)

    b = patches(sources)
    squares = (b**2).sum(1)
    votes = np.zeros((2 * height + 1, 2 * width + 1), np.float32)
    for first in range(0, len(asked), AT_ONCE):
        some = asked[first : first + AT_ONCE]
        a = patches(some)
        cost = squares - 2 * a @ b.T
        dy = sources // width - some[:, None] // width
        dx = sources % width - some[:, None] % width
        cost[np.maximum(np.abs(dy), np.abs(dx)) < NEAREST] = np.inf
        best = np.argpartition(cost, BEST, 1)[:, :BEST]
        detail = np.sqrt(
            a.reshape(len(a), -1, side * side).std(-1).mean(1)
        )  # flat patches are found anywhere
        to = np.take_along_axis(dy, best, 1) + height, np.take_along_axis(dx, best, 1) + width
        np.add.at(votes, to, detail[:, None])
    votes = cv2.GaussianBlur(votes, (0, 0), 1.0)
    ys, xs = np.nonzero((votes >= cv2.dilate(votes, np.ones((3, 3), np.uint8))) & (votes > 0))
    ranked = np.argsort(-votes[ys, xs], kind="stable")
    return _covering(np.stack([ys, xs], 1)[ranked] - (height, width), hole, _sources_of(known))


def _covering(shifts: Int, hole: Bool, sources: Bool) -> Int | None:
    """Of shifts the first that bring enough into the hole, and then those that reach what is left of it."""
    hole_y, hole_x = np.nonzero(hole)
    chosen: list[Int] = []
    left = np.ones(len(hole_y), bool)
    for shift in shifts:
        y, x = hole_y + shift[0], hole_x + shift[1]
        covered = (y >= 0) & (y < hole.shape[0]) & (x >= 0) & (x < hole.shape[1])
        covered[covered] = sources[y[covered], x[covered]]
        few = len(chosen) >= LABELS - SPARE
        if covered.sum() < LEAST_COVER * len(hole_y) or (few and not (covered & left).any()):
            continue
        chosen.append(shift)
        left &= ~covered
        if len(chosen) == LABELS or (few and not left.any()):
            break
    return np.array(chosen) if chosen else None


def _labelled(own: Float, apart: Float, inside: Bool) -> Int:
    """The label (h, w) of each pixel, by its own cost (h, w, K) and what it adds to a seam (h, w, K, K).

    Min-sum belief propagation, its messages passed along rows and columns in turn (Tappen, Freeman:
    Comparison of graph cuts with belief propagation for stereo, 2003).
    """
    beside = (inside[:, :-1] & inside[:, 1:])[..., None]
    below = (inside[:-1] & inside[1:])[..., None]
    east, west, south, north = (np.zeros_like(own) for _ in range(4))  # messages going there

    def passed(known: Float, both: Float) -> Float:
        message = (known[:, :, None] + both).min(1)
        return np.asarray(message - message.min(1, keepdims=True), np.float32)

    for _ in range(SWEEPS):
        rest = own + south + north
        for x in range(own.shape[1] - 1):
            both = apart[:, x] + apart[:, x + 1]
            east[:, x + 1] = passed(rest[:, x] + east[:, x], both) * beside[:, x]
        for x in range(own.shape[1] - 1, 0, -1):
            both = apart[:, x] + apart[:, x - 1]
            west[:, x - 1] = passed(rest[:, x] + west[:, x], both) * beside[:, x - 1]
        rest = own + east + west
        for y in range(own.shape[0] - 1):
            south[y + 1] = passed(rest[y] + south[y], apart[y] + apart[y + 1]) * below[y]
        for y in range(own.shape[0] - 1, 0, -1):
            north[y - 1] = passed(rest[y] + north[y], apart[y] + apart[y - 1]) * below[y - 1]
    return np.asarray((own + east + west + south + north).argmin(-1))
