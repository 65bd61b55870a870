"""Pictures that are drawn in a few colours and not photographed: they keep their palette."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.spreading import spread

__all__ = ["drawn_fill", "onto_palette", "palette_of"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

MOST = 24  # colours of a palette
LOOKED_AT = 65536  # pixels that are looked at first
WORK_SIDE = 128  # of a window whose areas of colour are continued
FLAT = 0.9  # of the known pixels, that have the colour of the ones right of them and below: areas, no dither


def palette_of(rgb: Pixels) -> Float | None:
    """The colours (n, 3) float32 of a picture (h, w, 3) uint8 that has a few, else None."""
    step = max(1, int((rgb.shape[0] * rgb.shape[1] / LOOKED_AT) ** 0.5))
    if len(np.unique(_packed(rgb[::step, ::step].reshape(-1, 3)))) > MOST:
        return None
    colours = np.unique(_packed(rgb.reshape(-1, 3)))
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


def drawn_fill(rgb: Float | Pixels, hole: Bool, forbidden: Bool) -> Float | None:
    """The window (h, w, 3) float32, the flat areas around its hole continued into it, each in its own colour.

    Each colour's share of a pixel is spread into the hole, and the largest wins: a horizon goes on, and no
    colour appears between two others. None where the surroundings are not areas of a few colours.

    Parameters
    ----------
    rgb
        (h, w, 3) uint8, or float32 in 0..255.
    hole, forbidden
        (h, w) bool, what to fill, and what of the known must not colour it.
    """
    if _has_many(rgb, hole, forbidden):
        return None
    gap = hole | forbidden
    if gap.all():
        return None
    pixels: Pixels = np.rint(rgb.clip(0, 255)).astype(np.uint8)
    palette = palette_of(pixels[~gap][None])
    if palette is None or not _is_flat(pixels, ~gap):
        return None
    height, width = hole.shape
    ratio = max(1.0, max(height, width) / WORK_SIDE)
    size = max(4, round(width / ratio)), max(4, round(height / ratio))
    codes = _packed(palette.astype(np.uint8))
    shares = []
    for code in codes:
        own = ((_packed(pixels.reshape(-1, 3)).reshape(hole.shape) == code) & ~gap).astype(np.float32)
        shares.append(cv2.resize(own, size, interpolation=cv2.INTER_AREA))
    free = np.asarray(cv2.resize(gap.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 1e-3)
    if free.all():
        return None
    found = spread(np.dstack(shares).astype(np.float32), ~free, free)
    best = np.zeros(hole.shape, np.int64)
    most = np.full(hole.shape, -np.inf, np.float32)
    for i in range(len(codes)):
        share = cv2.resize(found[..., i], (width, height), interpolation=cv2.INTER_LINEAR)
        best, most = np.where(share > most, i, best), np.maximum(share, most)
    return np.where(hole[..., None], palette[best], rgb).astype(np.float32)


def _has_many(rgb: Float | Pixels, hole: Bool, forbidden: Bool) -> bool:
    """Whether already a sample of the known pixels has more colours than a palette: most photographs' do."""
    step = max(1, round((hole.size / LOOKED_AT) ** 0.5))
    few = slice(None, None, step), slice(None, None, step)
    sample = rgb[few][~(hole[few] | forbidden[few])]
    return len(np.unique(_packed(np.rint(sample.clip(0, 255)).astype(np.uint8)))) > MOST


def _is_flat(pixels: Pixels, known: Bool) -> bool:
    """Whether known pixels (h, w, 3) mostly have the colour of their neighbours."""
    right = (pixels[:, 1:] == pixels[:, :-1]).all(-1)[known[:, 1:] & known[:, :-1]]
    below = (pixels[1:] == pixels[:-1]).all(-1)[known[1:] & known[:-1]]
    alike = np.concatenate([right, below])
    return len(alike) > 0 and float(alike.mean()) >= FLAT
