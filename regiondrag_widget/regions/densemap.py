"""A map given pixel by pixel: where each target pixel comes from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.regions import matrix as mx
from regiondrag_widget.regions.box import bounding_box, slices_of
from regiondrag_widget.regions.kept import KeptMask
from regiondrag_widget.regions.limits import check_pixels
from regiondrag_widget.regions.mask import Mask, Points
from regiondrag_widget.regions.region import Region

__all__ = ["DenseMap"]


@dataclass(frozen=True, init=False, eq=False)
class DenseMap:
    """Where each pixel of a target comes from, for any correspondence: an optical flow, a grid, a mesh.

    Parameters
    ----------
    source_xy
        (H, W, 2) numbers, columns x, y, of the picture's size: the handle's point (sub-pixel) that each pixel
        comes from. NaN, infinity, or a place outside the picture where the pixel is not part of the target.

    Attributes
    ----------
    shape
        (H, W) of the picture.
    x0, y0
        First column and row of the box that holds all pixels of the map.
    source
        (h, w, 2) float32, read-only, the map in that box; NaN outside the map.

    Raises
    ------
    ValueError
        The array has another shape, is too large, or no pixel comes from within the picture.
    """

    shape: tuple[int, int]
    x0: int
    y0: int
    source: NDArray[np.float32]

    def __init__(self, source_xy: Any) -> None:
        try:
            array = np.asarray(source_xy, dtype=np.float32)
        except (TypeError, ValueError, OverflowError):
            raise ValueError("source_xy is not an array of numbers: give (H, W, 2), columns x, y") from None
        if array.ndim != 3 or array.shape[2] != 2 or array.size == 0:
            raise ValueError(f"source_xy has shape {array.shape}: give (H, W, 2), columns x, y")
        height, width = array.shape[:2]
        check_pixels("source_xy", width, height)
        with np.errstate(invalid="ignore"):
            inside = np.all((array >= -0.5) & (array < np.array([width, height]) - 0.5), axis=2)
        if not np.any(inside):
            raise ValueError(
                "source_xy is outside the picture everywhere: give the pixel of the picture that each target "
                "pixel comes from, x before y"
            )
        box = bounding_box(np.asarray(inside))
        at = slices_of(box)
        source = np.where(np.asarray(inside)[at][..., None], array[at], np.float32(np.nan))
        self._set((height, width), box[0], box[1], source)

    @classmethod
    def of_box(cls, shape: tuple[int, int], x0: int, y0: int, source: NDArray[np.float32]) -> DenseMap:
        """The map of a picture whose attributes are these; some pixel of it must be finite."""
        dense = object.__new__(cls)
        dense._set(shape, x0, y0, source)
        return dense

    def _set(self, shape: tuple[int, int], x0: int, y0: int, source: NDArray[np.float32]) -> None:
        source.flags.writeable = False
        for name, value in (("shape", shape), ("x0", x0), ("y0", y0), ("source", source)):
            object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        return self.key == other.key if isinstance(other, DenseMap) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.key)

    def __getstate__(self) -> dict[str, Any]:
        """A copy works out again what follows from the map."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def __repr__(self) -> str:
        return f"DenseMap({int(self.mapped.sum())} pixels)"

    @cached_property
    def key(self) -> str:
        """A digest of the map: equal maps have the same."""
        place = repr((self.shape, self.x0, self.y0, self.source.shape)).encode()
        return hashlib.blake2b(place + self.source.tobytes(), digest_size=16).hexdigest()

    @cached_property
    def mapped(self) -> Mask:
        """(h, w) bool, the pixels of the box that the map knows."""
        return np.asarray(np.isfinite(self.source[..., 0]), dtype=np.bool_)

    def target(self, handle: Region) -> KeptMask:
        """The pixels that come from a handle."""
        y, x = np.nonzero(self.mapped)
        inside = handle.contains(self.source[y, x].astype(np.float64))
        box = np.zeros(self.mapped.shape, dtype=np.bool_)
        box[y[inside], x[inside]] = True
        return KeptMask.boxed(self.shape, self.x0, self.y0, box)

    def to_source(self, points: Points) -> Points:
        """Map target points (n, 2) to handle points (n, 2), between pixels linearly.

        A point that the map does not know is moved as the nearest pixel that it knows.
        """
        shift = self._shift
        h, w = shift.shape[:2]
        local = points - np.array([self.x0, self.y0])
        at = np.clip(local, 0, np.array([w - 1, h - 1]))
        low = np.minimum(at.astype(np.int64), np.maximum(np.array([w - 2, h - 2]), 0))
        share = at - low
        x, y = low.T
        right, below = np.minimum(x + 1, w - 1), np.minimum(y + 1, h - 1)
        sx, sy = share[:, :1], share[:, 1:]
        upper = shift[y, x] * (1 - sx) + shift[y, right] * sx
        lower = shift[below, x] * (1 - sx) + shift[below, right] * sx
        return np.asarray(points + upper * (1 - sy) + lower * sy, dtype=np.float64)

    def framed(self, forth: mx.Matrix, target: Mask) -> DenseMap:
        """The same map in other pixels, to which ``forth`` (3, 3) leads by a scale and a shift.

        Parameters
        ----------
        forth
            From the map's pixels to the others.
        target
            (h, w) bool, in the other pixels: what is kept of the map.
        """
        region = Region.of(target)
        pixels = region.pixels.astype(np.float64)
        sources = mx.apply(forth, self.to_source(mx.apply(mx.inverse(forth), pixels)))
        source = np.full((region.height, region.width, 2), np.nan, dtype=np.float32)
        x, y = (pixels.astype(np.int64) - [region.x0, region.y0]).T
        source[y, x] = sources
        shape = int(target.shape[0]), int(target.shape[1])
        return DenseMap.of_box(shape, region.x0, region.y0, source)

    def padded(self, shape: tuple[int, int]) -> DenseMap:
        """The same map of a picture (H, W) that goes on to the right and below."""
        return DenseMap.of_box(shape, self.x0, self.y0, self.source)

    @cached_property
    def _shift(self) -> NDArray[np.float32]:
        """(h, w, 2) from each pixel to its source; unknown ones have the nearest known one's."""
        h, w = self.mapped.shape
        own = np.stack(np.meshgrid(self.x0 + np.arange(w), self.y0 + np.arange(h)), axis=-1)
        shift = (self.source - own).astype(np.float32)
        if self.mapped.all():
            return shift
        unknown = (~self.mapped).astype(np.uint8)
        kind = cv2.DIST_LABEL_PIXEL
        _, labels = cv2.distanceTransformWithLabels(unknown, cv2.DIST_L2, 5, labelType=kind)
        by_label = np.zeros((int(labels.max()) + 1, 2), dtype=np.float32)
        by_label[labels[self.mapped]] = shift[self.mapped]
        return np.asarray(by_label[labels], dtype=np.float32)
