"""How much of the diffusion's change each pixel takes: all where content left, none where it is kept."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.engine.composite import Composite
from regiondrag_widget.engine.settings import EditSettings

__all__ = ["change_weight"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]


def change_weight(composite: Composite, settings: EditSettings, scale: float) -> Float:
    """The share of the diffusion's change that each pixel of a composite takes.

    composite : at the resolution of a view's box
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
    # the box's edge is no seam
    framed = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    depth = np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1])
    return np.clip(depth / width, 0, 1).astype(np.float32)
