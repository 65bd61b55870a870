"""The part of a picture that one edit works on, and the resolution it works at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.regions.box import Box, bounding_box, slices_of

__all__ = ["Box", "Window", "bounding_box", "choose_window", "slices_of"]

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

    def to_working(self, crop: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """The box's pixels (h, w[, c]) float32 at working size, edges repeated into the padding."""
        h, w = self.inner
        small = resized(crop, (h, w))
        pad = ((0, self.size[0] - h), (0, self.size[1] - w)) + ((0, 0),) * (crop.ndim - 2)
        return np.pad(small, pad, mode="edge")

    def from_working(self, working: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """A working-size array (h, w[, c]) float32 at the box's own resolution."""
        h, w = self.inner
        x0, y0, x1, y1 = self.box
        return resized(np.ascontiguousarray(working[:h, :w]), (y1 - y0, x1 - x0))


def resized(a: npt.NDArray[np.float32], shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Area average when shrinking, cubic when growing. a (h, w[, c]), shape (h, w)."""
    if a.shape[:2] == shape:
        return a
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
