"""How much of the diffusion's change each pixel takes: all where content left, none where it is kept."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.imaging.composite import Composite
from regiondrag_widget.imaging.depth import depth_inside

__all__ = ["change_weight"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]


def change_weight(composite: Composite, settings: EditSettings, scale: float) -> Float:
    """The share of the diffusion's change that each pixel of a composite takes.

    composite : at the resolution of a window's box
    scale : working pixels per picture pixel, above 0

    Returns (H, W) float32 in [0, 1], 0 outside the edit and fading to 0 at its rim.
    """
    if (
        settings.stop <= 0
    ):  # the moved content is pasted to the end: only the vacated place is the diffusion's
        weight = fading_in(composite.vacated, scale) * (1 - composite.carried)
    else:
        weight = fading_in(composite.hole | (composite.carried > 0), scale)
    if settings.vacated != "noise":  # what was copied without doubt stays as it was copied
        weight = np.where(composite.vacated, weight * composite.doubt, weight)
    return weight.astype(np.float32)


def fading_in(mask: Bool, scale: float) -> Float:
    """(H, W) float32: 1 inside the mask, falling to 0 within it over a few working pixels at its rim."""
    width = max(2.0, 4.0 / max(scale, 1e-6))
    return np.asarray(np.clip(depth_inside(mask) / width, 0, 1), np.float32)
