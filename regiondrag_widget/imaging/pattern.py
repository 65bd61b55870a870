"""Regular patterns: checks, stripes and tiles are found by their period and go on into the hole."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["pattern_sources", "periods"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Int = npt.NDArray[np.int64]

WORK_SIDE = 256  # pixels at which a period is looked for
LEAST_PERIOD = 4
LEAST_SHARE = 0.2  # of the known pixels that must overlap for a shift to be judged
ALIKE = 0.1  # of the difference between unrelated pixels, that a period leaves at most
RISE = 4.0  # times as different halfway through a period
FLATTEST = 0.6  # of the picture's spread: flatter overlaps are not judged
LEAST_SPREAD = 4.0  # grey levels; flatter surroundings have no pattern
REACH = 24  # periods away that are copied from


def pattern_sources(rgb: Float, hole: Bool, forbidden: Bool) -> tuple[Int, Int] | None:
    """Where each pixel of the hole is copied from so that a regular pattern goes on.

    Parameters
    ----------
    rgb
        (h, w, 3) float32, a window.
    hole, forbidden
        (h, w) bool.

    Returns
    -------
    tuple[Int, Int] | None
        The rows and columns (h, w) int64 of every pixel's source, itself outside the hole, or None where no
        pattern is found or it does not reach over the whole hole.
    """
    known = ~(hole | forbidden)
    steps = periods(rgb, known)
    if not steps:
        return None
    height, width = hole.shape
    rows, columns = np.mgrid[:height, :width]
    todo = hole.copy()
    for dy, dx in _combined(steps, max(height, width)):
        at_y, at_x = np.nonzero(todo)
        from_y, from_x = at_y + dy, at_x + dx
        inside = (from_y >= 0) & (from_y < height) & (from_x >= 0) & (from_x < width)
        at_y, at_x, from_y, from_x = at_y[inside], at_x[inside], from_y[inside], from_x[inside]
        right = known[from_y, from_x]
        at_y, at_x = at_y[right], at_x[right]
        rows[at_y, at_x], columns[at_y, at_x] = from_y[right], from_x[right]
        todo[at_y, at_x] = False
        if not todo.any():
            return rows, columns
    return None


def periods(rgb: Float, known: Bool) -> list[tuple[int, int]]:
    """Up to two shifts (dy, dx) in whole pixels by which the known picture repeats itself, best first.

    The mean squared difference of the picture and itself, shifted, for all shifts at once (masked
    correlation by Fourier transforms, as in Padfield: Masked object registration in the Fourier domain,
    2012). A period is a shift that leaves next to no difference while half of it does.
    """
    height, width = known.shape
    ratio = max(1.0, max(height, width) / WORK_SIDE)
    size = max(8, round(width / ratio)), max(8, round(height / ratio))
    small, seen = rgb, known.astype(np.float32)
    if ratio > 1:
        small = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.float32)
        seen = np.asarray(cv2.resize(seen, size, interpolation=cv2.INTER_AREA) > 0.999, np.float32)
    if seen.sum() < 200:
        return []
    values = small - small[seen > 0].mean(0)
    spread = float((values[seen > 0] ** 2).mean())
    if spread < LEAST_SPREAD**2:
        return []
    error, judged = _differences(values, seen, spread)
    found: list[tuple[int, int]] = []
    for dy, dx in _minima(error, judged):
        if all(abs(dy * v - dx * u) > 0.2 * math.hypot(dy, dx) * math.hypot(u, v) for u, v in found):
            found.append((dy, dx))
        if len(found) == 2:
            break
    return found if ratio == 1 else [_refined(rgb, known, step, ratio) for step in found]


def _differences(values: Float, seen: Float, spread: float) -> tuple[Float, Bool]:
    """Squared difference for each shift, (2h, 2w) with the zero shift first, and which are judged.

    As a share of what unrelated pixels of the same overlap would differ by. An overlap far flatter than the
    picture, whose own spread is `spread`, is not judged: paper says nothing about the text beside it.
    """
    shape = [cv2.getOptimalDFTSize(2 * n) for n in seen.shape]
    mask = np.fft.rfft2(seen, shape)
    squares = np.fft.rfft2((values**2).mean(-1) * seen, shape)
    overlap = np.fft.irfft2(np.abs(mask) ** 2, shape)
    own = 2 * np.fft.irfft2((np.conj(mask) * squares).real, shape)
    both = own.copy()
    for channel in range(values.shape[-1]):
        power = np.abs(np.fft.rfft2(values[..., channel] * seen, shape)) ** 2
        both -= 2 / values.shape[-1] * np.fft.irfft2(power, shape)
    judged = overlap > LEAST_SHARE * seen.sum()
    judged &= own > FLATTEST * 2 * spread * overlap
    return np.where(judged, both / np.maximum(own, 1e-6), np.inf).astype(np.float32), judged


def _minima(error: Float, judged: Bool) -> list[tuple[int, int]]:
    """Shifts that are periods, by how little they leave, then by length."""
    lowest = cv2.erode(error, np.ones((3, 3), np.uint8))
    ys, xs = np.nonzero(judged & (error <= lowest) & (error < ALIKE))
    height, width = error.shape
    shifts = []
    for y, x in zip(ys, xs, strict=True):
        dy, dx = (
            (int(y) if y < height / 2 else int(y) - height),
            (int(x) if x < width / 2 else int(x) - width),
        )
        if dy < 0 or (dy == 0 and dx < 0) or math.hypot(dy, dx) < LEAST_PERIOD:
            continue
        left = float(error[y, x])
        halfway = max(float(error[round(dy * t), round(dx * t)]) for t in (0.4, 0.5, 0.6))
        if halfway > RISE * left + 0.02:
            shifts.append((round(left, 2), math.hypot(dy, dx), dy, dx))
    return [(dy, dx) for _, _, dy, dx in sorted(shifts)]


def _refined(rgb: Float, known: Bool, step: tuple[int, int], ratio: float) -> tuple[int, int]:
    """A period found at a reduced size, to the pixel, by trying all near it on some of the pixels."""
    height, width = known.shape
    reach = math.ceil(ratio)
    dy0, dx0 = round(step[0] * ratio), round(step[1] * ratio)
    ys, xs = np.nonzero(known)
    chosen = np.random.default_rng(0).choice(len(ys), min(4000, len(ys)), replace=False)
    ys, xs = ys[chosen], xs[chosen]
    best, least = (dy0, dx0), np.inf
    for dy in range(dy0 - reach, dy0 + reach + 1):
        for dx in range(dx0 - reach, dx0 + reach + 1):
            y, x = ys + dy, xs + dx
            inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
            inside[inside] = known[y[inside], x[inside]]
            if inside.sum() < 200:
                continue
            error = float(((rgb[y[inside], x[inside]] - rgb[ys[inside], xs[inside]]) ** 2).mean())
            if error < least:
                best, least = (dy, dx), error
    return best


def _combined(steps: list[tuple[int, int]], side: int) -> list[tuple[int, int]]:
    """Sums of whole multiples of the periods, shortest first."""
    (ay, ax), (by, bx) = steps[0], steps[1] if len(steps) > 1 else (0, 0)
    many = range(-REACH, REACH + 1)
    sums = {(i * ay + j * by, i * ax + j * bx) for i in many for j in (many if (by or bx) else (0,))}
    sums.discard((0, 0))
    near = [s for s in sums if max(abs(s[0]), abs(s[1])) < side]
    return sorted(near, key=lambda s: (math.hypot(*s), s))[:400]
