"""Pictures that are drawn in a few colours and not photographed: they keep their palette."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["onto_palette", "palette_of"]

Float = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

MOST = 24  # colours of a palette
LOOKED_AT = 65536  # pixels that are looked at first


def palette_of(rgb: Pixels) -> Float | None:
    """The colours (n, 3) float32 of a picture (h, w, 3) uint8 that has a few, else None."""
    flat = rgb.reshape(-1, 3)
    if len(np.unique(_packed(flat[:: max(1, len(flat) // LOOKED_AT)]))) > MOST:
        return None
    colours = np.unique(_packed(flat))
    if len(colours) > MOST:
        return None
    return np.stack([colours >> 16, (colours >> 8) & 255, colours & 255], 1).astype(np.float32)


def _packed(rgb: Pixels) -> npt.NDArray[np.uint32]:
    """Colours (n, 3) as one number each."""
    return np.asarray(rgb.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32), np.uint32)


def onto_palette(rgb: Float, palette: Float) -> Float:
    """Each colour of rgb (n, 3) replaced by the nearest of the palette (m, 3)."""
    distance = ((rgb[:, None] - palette[None]) ** 2).sum(-1)
    return np.asarray(palette[distance.argmin(1)], np.float32)
