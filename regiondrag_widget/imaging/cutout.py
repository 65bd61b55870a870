"""What a handle carries: how opaque each pixel of the object is, and its colour free of the background."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.matte import handle_alpha
from regiondrag_widget.regions.box import Box, bounding_box

__all__ = ["Cutout", "cut_out"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

RIM = 2  # pixels of zeros kept around an opacity, for the samples just outside
REACHES = 31, 7  # pixels whose colours a rim is told by, first roughly, then finely


@dataclass(frozen=True)
class Cutout:
    """What one handle carries, kept inside a box.

    box : x0, y0, x1, y1, the handle's own and a rim of zeros where the picture goes on
    opacity : (y1 - y0, x1 - x0) float32 in [0, 1]
    rgb : (y1 - y0, x1 - x0, 3) float32 in 0..255, the object's colours, continued to where it is not
    """

    box: Box
    opacity: Float
    rgb: Float

    @property
    def nbytes(self) -> int:
        """Memory taken, in bytes."""
        return self.opacity.nbytes + self.rgb.nbytes


def cut_out(rgb: Pixels, handle: Bool, matte: str = "auto") -> Cutout:
    """What one handle carries, by `handle_alpha` on the part of the picture around it.

    rgb : (H, W, 3) uint8; handle : (H, W) bool with at least one pixel; matte : see `handle_alpha`

    The whole handle (matte "none") keeps the picture's own colours.
    """
    x0, y0, x1, y1 = bounding_box(handle)
    height, width = handle.shape
    pad = max(x1 - x0, y1 - y0) + 32
    ox, oy = max(0, x0 - pad), max(0, y0 - pad)
    around = slice(oy, y1 + pad), slice(ox, x1 + pad)
    picture = np.ascontiguousarray(rgb[around])
    values = handle_alpha(picture, np.ascontiguousarray(handle[around]), matte)
    colours = picture.astype(np.float32) if matte == "none" else _own_colours(picture, values)
    box = max(0, x0 - RIM), max(0, y0 - RIM), min(width, x1 + RIM), min(height, y1 + RIM)
    inside = slice(box[1] - oy, box[3] - oy), slice(box[0] - ox, box[2] - ox)
    return Cutout(box, values[inside].copy(), colours[inside].copy())


def _own_colours(rgb: Pixels, opacity: Float) -> Float:
    """The object's colours (h, w, 3) float32, where its edge is mixed with the background, and beyond it.

    Blur fusion (Forte, Approximate fast foreground colour estimation, ICIP 2021, equations 5 to 8), twice.
    """
    alpha = opacity[..., None]
    picture = rgb.astype(np.float32)
    front, back = picture, picture
    for reach in REACHES:
        near_front = _mean(front * alpha, reach) / (_mean(alpha, reach) + 1e-5)
        near_back = _mean(back * (1 - alpha), reach) / (_mean(1 - alpha, reach) + 1e-5)
        unexplained = picture - alpha * near_front - (1 - alpha) * near_back
        front, back = np.clip(near_front + alpha * unexplained, 0, 255), np.clip(near_back, 0, 255)
    return np.asarray(front, np.float32)


def _mean(a: Float, reach: int) -> Float:
    return np.asarray(cv2.blur(a, (reach, reach)), np.float32).reshape(a.shape)
