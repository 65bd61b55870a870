"""How much of the diffusion's change each pixel takes: all where content left, none where it stays."""

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

    Parameters
    ----------
    composite : Composite
        At the resolution of a window's box; the weight is that of the composite's own box.
    settings : EditSettings
        How the edit is made.
    scale : float
        Working pixels per picture pixel, above 0.

    Returns
    -------
    (H, W) float32 array
        In [0, 1], 0 outside the edit and fading to 0 at its rim.
    """
    if not settings.stop:  # the moved content is pasted to the end: only the vacated place is the diffusion's
        weight = fading_in(composite.vacated, scale) * (1 - composite.carried)
    else:
        weight = fading_in(composite.hole | (composite.carried > 0), scale)
    if settings.vacated != "noise":  # what was surely copied well stays as it is
        weight = np.where(composite.vacated, weight * composite.doubt, weight)
    return weight.astype(np.float32)


def fading_in(mask: Bool, scale: float) -> Float:
    """A mask that fades in over a few working pixels inside its rim.

    Parameters
    ----------
    mask : (H, W) bool array
        Where it is above 0.
    scale : float
        Working pixels per picture pixel.

    Returns
    -------
    (H, W) float32 array
        In [0, 1].
    """
    width = max(2.0, 4.0 / max(scale, 1e-6))
    return np.asarray(np.clip(depth_inside(mask) / width, 0, 1), np.float32)
