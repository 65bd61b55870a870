"""The bundled matting network: how opaque each pixel of a drawn handle is.

A small U-Net that sees the picture, the handle, what GrabCut makes of it and a continuation of the
surroundings into the handle, and answers with the object's opacity. It was trained by
`training/train_matte.py` on objects laid on photographs, whose opacity is known (as in Xu, Price, Cohen,
Huang: Deep image matting, 2017), with handles drawn carefully and carelessly round them.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from regiondrag_widget.imaging.bundled import BundledWeightsMissingError
from regiondrag_widget.imaging.depth import depth_inside

__all__ = ["WEIGHTS", "MatteNet", "continued_into", "laid_out", "load_matte_net", "matte_inputs"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

WEIGHTS = Path(__file__).parents[1] / "mini" / "weights" / "matte" / "model.safetensors"
CHANNELS = 9
MULTIPLE = 16  # of pixels that every level of the network divides evenly
DEPTH_SEEN = 24.0  # pixels inside the handle beyond which depth tells nothing more


def continued_into(rgb: Pixels, handle: Bool) -> Pixels:
    """(h, w, 3) uint8: the picture with its handle (h, w) bool filled by what surrounds it (Telea, 2004)."""
    return np.asarray(cv2.inpaint(rgb, handle.astype(np.uint8), 5, cv2.INPAINT_TELEA), np.uint8)


def matte_inputs(rgb: Pixels, handle: Bool, cut: Bool, surroundings: Pixels) -> Float:
    """What the network sees, (9, h, w) float32: picture, handle, its depth, cut, what sets it off.

    rgb : (h, w, 3) uint8; handle : (h, w) bool; cut : (h, w) bool, GrabCut's object
    surroundings : (h, w, 3) uint8, that of `continued_into`
    """
    picture = rgb.astype(np.float32) / 255 - 0.5
    continued = surroundings.astype(np.float32) / 255 - 0.5
    layers = np.dstack(
        [
            picture,
            handle.astype(np.float32),
            np.minimum(depth_inside(handle), DEPTH_SEEN) / DEPTH_SEEN,
            cut.astype(np.float32),
            picture - continued,
        ]
    )
    return np.ascontiguousarray(layers.transpose(2, 0, 1), np.float32)


class MatteNet(nn.Module):
    """(B, 9, h, w) of `matte_inputs` -> (B, 1, h, w) logits of the opacity, h and w multiples of 16."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _block(4 * CHANNELS, 32, 2)  # at half size: pixels are folded into channels
        self.down1, self.down2, self.down3 = _block(32, 64, 2), _block(64, 80, 2), _block(80, 80, 1)
        self.up2, self.up1, self.up0 = _block(160, 80, 1), _block(144, 64, 2), _block(96, 32, 2)
        self.fine = nn.Conv2d(8 + CHANNELS, 16, 3, padding=1)
        self.out = nn.Conv2d(16, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        s = self.stem(F.pixel_unshuffle(x, 2))
        a = self.down1(F.max_pool2d(s, 2))
        b = self.down2(F.max_pool2d(a, 2))
        c = self.down3(F.max_pool2d(b, 2))
        b = self.up2(torch.cat([_twice(c), b], 1))
        a = self.up1(torch.cat([_twice(b), a], 1))
        s = self.up0(torch.cat([_twice(a), s], 1))
        fine = F.silu(self.fine(torch.cat([F.pixel_shuffle(s, 2), x], 1)))
        logits: Tensor = self.out(fine)
        return logits

    @torch.inference_mode()
    def opacity(self, inputs: Float) -> Float:
        """(9, h, w) of any size -> (h, w) float32 in [0, 1]."""
        h, w = inputs.shape[1:]
        x = torch.from_numpy(inputs)[None]
        x = F.pad(x, (0, -w % MULTIPLE, 0, -h % MULTIPLE), mode="replicate")
        x = x.contiguous(memory_format=torch.channels_last)
        return np.asarray(self(x)[0, 0, :h, :w].sigmoid().numpy(), np.float32)


def laid_out(net: MatteNet) -> MatteNet:
    """The network with its weights in the order that convolutions on processors are quickest with."""
    nn.utils.convert_conv2d_weight_memory_format(net, torch.channels_last)
    return net


def _block(inside: int, outside: int, count: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i in range(count):
        convolution = nn.Conv2d(outside if i else inside, outside, 3, padding=1)
        layers += [convolution, nn.GroupNorm(8, outside), nn.SiLU()]
    return nn.Sequential(*layers)


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


@lru_cache(maxsize=1)
def load_matte_net() -> MatteNet:
    """The bundled network, float32 on the processor: it is too small to gain from another place.

    Raises FileNotFoundError where its weights are missing.
    """
    if not WEIGHTS.is_file():
        raise BundledWeightsMissingError("the bundled matting network", WEIGHTS)
    net = MatteNet()
    net.load_state_dict({name: value.float() for name, value in load_file(WEIGHTS).items()})
    return laid_out(net).eval().requires_grad_(False)
