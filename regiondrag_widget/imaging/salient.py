"""What stands out of a picture to a person's eye, as a network trained on many pictures has learned it.

U²-Net in its small variant (Qin et al. 2020, "U²-Net: Going Deeper with Nested U-Structure for Salient Object
Detection", arXiv 2005.09007), run by ONNX Runtime. It knows nothing of the handle, and sees what colours and
edges cannot tell: that a robot's black arms on a dark sofa are the robot's. Its file and licence are named in
NOTICE.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.onnx_network import Network
from regiondrag_widget.locks import Rank

__all__ = ["NETWORK", "salience"]

Float = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

NETWORK = Path(__file__).with_name("u2netp.onnx")
INPUT = "input.1"  # as the file names it
SIDE = 256  # at which a picture is looked at, as the file says
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
    (seen,) = _network(**{INPUT: np.ascontiguousarray(normal.transpose(2, 0, 1)[None])})
    return np.asarray(cv2.resize(seen[0, 0], (width, height), interpolation=cv2.INTER_LINEAR).clip(0, 1))


_network = Network(NETWORK, Rank.SALIENCE)
