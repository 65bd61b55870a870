"""How likely a pixel of a drawn handle is the object's: a small network that weighs the cues.

A U-Net (Ronneberger et al. 2015) of some 100,000 weights looks at the cues at half size, and at much of the
window around each pixel: where an outline goes on, which bite is none, how a gap closes, and when what stands
out of the picture is what the handle was drawn round. `training/fit_likely.py` fits it on real photographs
with objects outlined by hand, and with careful and careless handles. It is computed here in numpy: so an
outline is shown before torch is loaded, in any thread and in forked children.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

from regiondrag_widget.imaging.cues import NAMES

__all__ = ["GROUPS", "LEVELS", "WEIGHTS", "chances", "halved", "likely"]

Float = npt.NDArray[np.float32]

WEIGHTS = Path(__file__).with_name("likely.safetensors")
LEVELS = 4  # sizes at which the cues are looked at, each half the one before
GROUPS = 4  # of channels that are normalised together
CAP = 6.0  # deviations: no cue says more
EPS = 1e-5  # of a group's normalisation


def likely(values: Float) -> Float:
    """The likelihood (h, w) float32 in [0, 1] by cues (h, w, len(NAMES)) float32."""
    height, width = values.shape[:2]
    half = chances(halved(values), _weights())
    full = cv2.resize(half, (2 * half.shape[1], 2 * half.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(1 / (1 + np.exp(-full[:height, :width].clip(-30, 30))), np.float32)


def halved(values: Float) -> Float:
    """Cues (h, w, c) at half the size, rounded up."""
    height, width = values.shape[:2]
    even = np.pad(values, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.asarray(_pooled(even), np.float32)


def chances(values: Float, weights: Mapping[str, Float]) -> Float:
    """The network's logits (h, w) float32 for cues at half size (h, w, c), by weights of `fit_likely`."""
    height, width = values.shape[:2]
    x = ((values - weights["mean"]) / weights["deviation"]).clip(-CAP, CAP)
    step = 2 ** (LEVELS - 1)
    x = np.pad(x, ((0, -height % step), (0, -width % step), (0, 0)))
    entered = np.maximum(x @ weights["enter.weight"][:, :, 0, 0].T + weights["enter.bias"], 0)
    seen = [_block(entered, weights, "down.0")]
    for level in range(1, LEVELS):
        seen.append(_block(_pooled(seen[-1]), weights, f"down.{level}"))
    x = seen.pop()
    for level in reversed(range(LEVELS - 1)):
        larger = cv2.resize(x, (2 * x.shape[1], 2 * x.shape[0]), interpolation=cv2.INTER_LINEAR)
        x = _block(np.dstack([larger, seen.pop()]), weights, f"up.{level}")
    left = np.dstack([x, entered]) @ weights["leave.weight"][0, :, 0, 0] + weights["leave.bias"]
    return np.asarray(left[:height, :width], np.float32)


def _block(x: Float, weights: Mapping[str, Float], name: str) -> Float:
    """Twice: a convolution, a normalisation of groups of channels, and what is positive of it."""
    for convolution, norm in ((0, 1), (3, 4)):
        x = _convolved(x, weights[f"{name}.{convolution}.weight"], weights[f"{name}.{convolution}.bias"])
        x = _normalised(x, weights[f"{name}.{norm}.weight"], weights[f"{name}.{norm}.bias"])
        x = np.maximum(x, 0)
    return x


def _convolved(x: Float, weight: Float, bias: Float) -> Float:
    """A convolution of (h, w, c) by (out, c, 3, 3), zeros beyond the edges."""
    height, width = x.shape[:2]
    framed = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    shifts = [framed[dy : dy + height, dx : dx + width] for dy in range(3) for dx in range(3)]
    rows = np.concatenate(shifts, axis=-1).reshape(height * width, -1)
    kernel = weight.transpose(2, 3, 1, 0).reshape(-1, len(weight))
    return np.asarray(rows @ kernel + bias, np.float32).reshape(height, width, -1)


def _normalised(x: Float, weight: Float, bias: Float) -> Float:
    """Group normalisation (Wu and He 2018) of (h, w, c)."""
    groups = x.reshape(-1, GROUPS, x.shape[-1] // GROUPS)
    mean = groups.mean((0, 2), keepdims=True)
    variance = groups.var((0, 2), keepdims=True)
    return np.asarray(((groups - mean) / np.sqrt(variance + EPS)).reshape(x.shape) * weight + bias)


def _pooled(x: Float) -> Float:
    """The means (h / 2, w / 2, c) of squares of four."""
    height, width = x.shape[:2]
    return np.asarray(x.reshape(height // 2, 2, width // 2, 2, -1).mean((1, 3)))


@cache
def _weights() -> dict[str, Float]:
    weights = {name: value.astype(np.float32) for name, value in load_file(WEIGHTS).items()}
    if weights["mean"].shape != (len(NAMES),):
        raise ValueError(
            f"{WEIGHTS.name} holds weights for {len(weights['mean'])} cues, there are {len(NAMES)}: "
            "run training/fit_likely.py again"
        )
    return weights
