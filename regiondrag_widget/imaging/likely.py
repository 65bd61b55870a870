"""How likely a pixel of a drawn handle is the object's: small networks that weigh the cues.

Fitted by `training/fit_likely.py` on real photographs with objects outlined by hand. A network sees the cues
of one pixel and nothing of the picture: it cannot know what a dog is.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

from regiondrag_widget.imaging.cues import NAMES

__all__ = ["WEIGHTS", "chances", "likely"]

Float = npt.NDArray[np.float32]

WEIGHTS = Path(__file__).with_name("likely.safetensors")


def likely(values: Float) -> Float:
    """The likelihood (n,) float32 in [0, 1] for rows of cues (n, len(NAMES)) float32."""
    return chances(values, _weights())


def chances(values: Float, weights: dict[str, Float]) -> Float:
    """As `likely`, by these weights: the mean of the networks' logits."""
    x = (values - weights["mean"]) / weights["deviation"]
    logits = np.zeros(len(x), np.float32)
    members = len(weights["first.bias"])
    for i in range(members):
        hidden = x
        for layer in ("first", "second"):
            hidden = np.maximum(hidden @ weights[f"{layer}.weight"][i].T + weights[f"{layer}.bias"][i], 0)
        logits += (hidden @ weights["last.weight"][i].T + weights["last.bias"][i])[:, 0] / members
    return np.asarray(1 / (1 + np.exp(-logits.clip(-30, 30))), np.float32)


@cache
def _weights() -> dict[str, Float]:
    weights = load_file(WEIGHTS)
    if weights["mean"].shape != (len(NAMES),):
        raise ValueError(
            f"{WEIGHTS.name} holds weights for {len(weights['mean'])} cues, there are {len(NAMES)}: "
            "run training/fit_likely.py again"
        )
    return weights
