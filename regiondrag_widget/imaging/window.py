"""The part of a picture that one edit works on, and the resolution it works at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.scaling import SMALL, enlarged
from regiondrag_widget.regions.box import Box, bounding_box, slices_of, within_box

__all__ = ["Box", "Window", "bounding_box", "choose_window", "resized", "shrunk_part", "slices_of"]

Float = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

MARGIN = 0.35  # context around the edit, as a share of its longer side


@dataclass(frozen=True)
class Window:
    """A box of the picture and its working copy.

    Attributes
    ----------
    box
        X0, y0, x1, y1 in picture pixels.
    scale
        Working pixels per picture pixel.
    size
        (height, width) of the working copy, multiples of the backbone's grid; beyond the box is padding.
    """

    box: tuple[int, int, int, int]
    scale: float
    size: tuple[int, int]

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns of the box in the picture."""
        return slices_of(self.box)

    @property
    def inner(self) -> tuple[int, int]:
        """(height, width) of the working copy without its padding."""
        x0, y0, x1, y1 = self.box
        return max(1, round((y1 - y0) * self.scale)), max(1, round((x1 - x0) * self.scale))

    def holds(self, box: Box) -> bool:
        """Whether x0, y0, x1, y1 lies inside the window's box."""
        return (
            self.box[0] <= box[0]
            and self.box[1] <= box[1]
            and self.box[2] >= box[2]
            and self.box[3] >= box[3]
        )

    def to_working(self, crop: Float | Pixels) -> Float:
        """The box's pixels (h, w[, c]) at working size as float32, edges repeated into the padding.

        Large ones of bytes are averaged as bytes.
        """
        if crop.dtype != np.uint8 or crop.shape[0] * crop.shape[1] <= SMALL:
            crop = np.asarray(crop, np.float32)
        return self._padded(resized(crop, self.inner))

    def part_to_working(self, part: Float, box: Box, around: Pixels | None, working: Float) -> Float:
        """As `to_working`, of pixels that differ in a part only from others.

        Parameters
        ----------
        part
            (h, w[, c]) float32, the pixels of the box.
        box
            X0, y0, x1, y1 in the window's own pixels.
        around
            (H, W[, c]) uint8, the others, of the window's size; zeros when left out.
        working
            What `to_working` makes of them.
        """
        inside, small = shrunk_part(part, box, around, self._shape, self.inner)
        whole = working[: self.inner[0], : self.inner[1]].copy()
        whole[slices_of(inside)] = small
        return self._padded(whole)

    def from_working(self, working: Float) -> Float:
        """A working-size array (h, w[, c]) float32 at the box's own resolution."""
        h, w = self.inner
        return resized(np.ascontiguousarray(working[:h, :w]), self._shape)

    def part_from_working(self, working: Float, box: Box) -> Float:
        """A box, in the window's own pixels, of what `from_working` makes."""
        height, width = self._shape
        if height * width <= SMALL:
            return self.from_working(working)[slices_of(box)]
        h, w = self.inner
        inner = np.ascontiguousarray(working[:h, :w])
        return enlarged(inner, (height, width), slices_of(box), cv2.INTER_CUBIC)

    @property
    def _shape(self) -> tuple[int, int]:
        """(height, width) of the box."""
        x0, y0, x1, y1 = self.box
        return y1 - y0, x1 - x0

    def _padded(self, small: Float) -> Float:
        h, w = self.inner
        pad = ((0, self.size[0] - h), (0, self.size[1] - w)) + ((0, 0),) * (small.ndim - 2)
        return np.pad(small, pad, mode="edge")


def shrunk_part(
    part: Float, box: Box, around: Pixels | None, shape: tuple[int, int], size: tuple[int, int]
) -> tuple[Box, Float]:
    """A part of a picture as it lies in a smaller copy of the whole.

    In a large picture only the part is worked on; its pixels' edges are then rounded to whole pixels.

    Parameters
    ----------
    part
        (h, w[, c]) float32, the pixels of the box.
    box
        X0, y0, x1, y1 in the picture.
    around
        (H, W[, c]) uint8, the rest of the picture; zeros when left out.
    shape, size
        (H, W) of the picture and of the copy.

    Returns
    -------
    box : (x0, y0, x1, y1)
        In the copy: all pixels that the part shows in.
    pixels : (y1 - y0, x1 - x0[, c]) float32
    """
    spans = [
        _shrunk_span(box[i], box[i + 2], old, new)
        for i, (old, new) in enumerate(zip(shape[::-1], size[::-1], strict=True))
    ]
    inside = spans[0][0], spans[1][0], spans[0][1], spans[1][1]
    source = spans[0][2], spans[1][2], spans[0][3], spans[1][3]
    exact = shape[0] * shape[1] <= SMALL
    outer = (0, 0, shape[1], shape[0]) if exact else source
    if around is None:
        whole = np.zeros((outer[3] - outer[1], outer[2] - outer[0], *part.shape[2:]), np.float32)
    else:
        whole = around[slices_of(outer)].astype(np.float32)
    whole[within_box(box, outer)] = part
    if exact:
        return inside, resized(whole, size)[slices_of(inside)]
    return inside, resized(whole, (inside[3] - inside[1], inside[2] - inside[0]))


def _shrunk_span(low: int, high: int, old: int, new: int) -> tuple[int, int, int, int]:
    """The pixels of a smaller copy that low to high show in, and all those that show in them."""
    start = min(int(low * new / old), new - 1)
    stop = min(new, max(start + 1, math.ceil(high * new / old)))
    return start, stop, min(low, round(start * old / new)), max(high, min(old, round(stop * old / new)))


def resized(a: Float | Pixels, shape: tuple[int, int]) -> Float:
    """Area average when shrinking, cubic when growing; float32. a (h, w[, c]), shape (h, w)."""
    if a.shape[:2] == shape:
        return np.asarray(a, np.float32)
    smaller = shape[0] * shape[1] < a.shape[0] * a.shape[1]
    out = cv2.resize(a, (shape[1], shape[0]), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    return np.asarray(out, np.float32)


def choose_window(
    shape: tuple[int, int],
    edit: tuple[int, int, int, int] | None,
    *,
    side: int,
    min_side: int,
    multiple: int,
    known: Sequence[Window] = (),
) -> Window:
    """The window an edit should work on.

    A picture whose sides are at most `side` is one window, whatever the edit, so that every edit shares its
    inversion. Of a larger one a square window is taken that holds the edit and some context, at the picture's
    own resolution where it fits. Windows stand on a coarse lattice, and a known one that serves is preferred:
    edits near each other share their inversion too.

    Parameters
    ----------
    shape
        (H, W) of the picture.
    edit
        X0, y0, x1, y1, None for the whole picture.
    side
        Longest side the backbone works at.
    min_side
        A smaller picture is enlarged to this.
    multiple
        The working size is a multiple of this many pixels.
    """
    height, width = shape
    whole = (0, 0, width, height)
    if max(height, width) <= side or edit is None:
        scale = min(1.0, side / max(height, width))
        if max(height, width) < min_side:
            scale = min_side / max(height, width)
        return _window(whole, scale, multiple)
    wanted = _widened(edit, shape)
    extent = max(wanted[2] - wanted[0], wanted[3] - wanted[1])
    side_taken = side * 2 ** max(0, math.ceil(math.log2(extent / side) * 2) / 2)
    for window in known:
        if window.holds(edit) and window.scale >= min(1.0, side / side_taken) * 0.99:
            return window
    step = max(1, int(side_taken / 4))
    box = []
    for low, high, limit in ((wanted[0], wanted[2], width), (wanted[1], wanted[3], height)):
        length = int(min(limit, side_taken))
        centre = (low + high) / 2
        at = round((centre - length / 2) / step) * step
        at = min(max(at, high - length), low)  # the lattice may never cut the edit
        at = min(max(at, 0), limit - length)
        box.append((at, at + length))
    return _window((box[0][0], box[1][0], box[0][1], box[1][1]), min(1.0, side / side_taken), multiple)


def _widened(edit: Box, shape: tuple[int, int]) -> Box:
    x0, y0, x1, y1 = edit
    pad = int(max(32, MARGIN * max(x1 - x0, y1 - y0)))
    return max(0, x0 - pad), max(0, y0 - pad), min(shape[1], x1 + pad), min(shape[0], y1 + pad)


def _window(box: tuple[int, int, int, int], scale: float, multiple: int) -> Window:
    x0, y0, x1, y1 = box
    h, w = max(1, round((y1 - y0) * scale)), max(1, round((x1 - x0) * scale))
    size = (math.ceil(h / multiple) * multiple, math.ceil(w / multiple) * multiple)
    return Window(box, scale, size)
