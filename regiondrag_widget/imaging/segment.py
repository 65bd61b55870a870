"""The thing in a box, as a network sees it that was trained to segment anything.

MobileSAM (Zhang et al. 2023, "Faster Segment Anything", arXiv 2306.14289): the Segment Anything Model
(Kirillov et al. 2023, arXiv 2304.02643) with a small image encoder, run by ONNX Runtime. It has seen eleven
million photographs, and knows what colours and edges cannot tell: that a robot's black arms on a dark sofa
are the robot's. Its file and licence are named in NOTICE.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.onnx_network import Network
from regiondrag_widget.locks import Rank

__all__ = ["NETWORK", "SIDE", "Segments", "segments_in"]

Float = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

NETWORK = Path(__file__).with_name("mobilesam.onnx")
SIDE = 512  # pixels of the square that is looked at: a quarter of the work of the 1024 it was trained with
MEAN, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of the pictures it was trained on


@dataclass(frozen=True)
class Segments:
    """What a box holds.

    Attributes
    ----------
    best
        (h, w) float32 logits, above 0 in the thing: the one of three answers (a part, more, the whole) that
        the network itself thinks best of.
    only
        (h, w) float32 logits of its answer where it may give but one.
    quality
        How well it expects `best` to fit, about 0 to 1.
    """

    best: Float
    only: Float
    quality: float


def segments_in(rgb: Pixels, box: tuple[float, float, float, float]) -> Segments:
    """What a box holds.

    Parameters
    ----------
    rgb
        (h, w, 3) uint8; `SIDE` pixels are looked at, of smaller pictures as many as there are.
    box
        X0, y0, x1, y1 in its pixels.
    """
    height, width = rgb.shape[:2]
    scale = SIDE / max(height, width)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(rgb, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    image = np.zeros((1, 3, SIDE, SIDE), np.float32)
    normal = (small.astype(np.float32) - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    image[0, :, : inner[1], : inner[0]] = normal.transpose(2, 0, 1)
    corners = np.array(box, np.float32).reshape(1, 2, 2) * np.float32(scale)
    masks, qualities = _network(image=image, box=corners)
    answer = 1 + int(np.argmax(qualities[0, 1:]))
    best, only = (_at_size(masks[0, i], inner, (width, height)) for i in (answer, 0))
    return Segments(best, only, float(qualities[0, answer]))


def _at_size(logits: Float, inner: tuple[int, int], size: tuple[int, int]) -> Float:
    """A mask of the square, without its padding, at the picture's size; both (width, height)."""
    square = cv2.resize(logits, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)[: inner[1], : inner[0]]
    return np.asarray(cv2.resize(square, size, interpolation=cv2.INTER_LINEAR), np.float32)


_network = Network(NETWORK, Rank.SEGMENT)
