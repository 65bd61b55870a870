"""What stands out of a picture to a person's eye, as a network trained on many pictures has learned it.

U²-Net in its small variant (Qin et al. 2020, "U²-Net: Going Deeper with Nested U-Structure for Salient Object
Detection", arXiv 2005.09007), run by OpenCV. It knows nothing of the handle, and sees what colours and edges
cannot tell: that a robot's black arms on a dark sofa are the robot's. Its file and licence are named in
NOTICE.
"""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.locks import OrderedLock, Rank

__all__ = ["NETWORK", "salience"]

Float = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

NETWORK = Path(__file__).with_name("u2netp.onnx")
OUTPUT = "1959"  # the fused map
SIDE = 256  # at which a picture is looked at; OpenCV before 5 takes no other than the one the file names
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the pictures it was trained on


def salience(rgb: Pixels) -> Float:
    """How much each pixel (h, w) belongs to what stands out, float32 in [0, 1], of (h, w, 3) uint8."""
    height, width = rgb.shape[:2]
    smaller = min(height, width) > SIDE
    square = cv2.resize(
        rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    ).astype(np.float32)
    square /= max(float(square.max()), 1.0)
    normal = (square - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    with _lock:
        net = _network()
        net.setInput(np.ascontiguousarray(normal.transpose(2, 0, 1)[None]))
        seen = net.forward(OUTPUT)[0, 0].copy()
    return np.asarray(cv2.resize(seen, (width, height), interpolation=cv2.INTER_LINEAR).clip(0, 1))


# one network for all threads, in turns: it keeps some 170 MB of what it computes
_lock = OrderedLock(Rank.SALIENCE)
_kept: dict[int, cv2.dnn.Net] = {}


def _network() -> cv2.dnn.Net:
    """The process has one of its own: a forked child may have got another's in the middle of its work."""
    process = os.getpid()
    if process not in _kept:
        _kept[process] = cv2.dnn.readNetFromONNX(str(NETWORK))
    return _kept[process]
