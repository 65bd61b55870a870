"""The picture a plain compositor would make: content moved by the exact map, the place it left filled.

The diffusion model then takes it from there (`content="pixels"`).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.engine.fill import Fill, exemplar_fill, smooth_fill
from regiondrag_widget.engine.matte import handle_alpha
from regiondrag_widget.regions import RegionPairs, pixel_map

__all__ = ["Composite", "compose", "warp_residual"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

# how far the hole reaches beyond the object cut out of the handle, as a share of the side: its blurred edge
HOLE_GROWTH = 2 / 256


@dataclass(frozen=True)
class Composite:
    """All arrays at the resolution of the picture given.

    rgb : (H, W, 3) float32 in 0..255
    alpha : (H, W) float32 in 0..255 or None, the picture's transparency carried along
    carried : (H, W) float32 in [0, 1], opacity of the moved content at its new place
    hole : (H, W) bool, the place to be filled, whether or not moved content covers it again
    source_xy : (H, W, 2) float32 x, y or None: where each pixel of the hole was copied from
    doubt : (H, W) float32 in [0, 1], how far the diffusion model must change the hole's first content
    """

    rgb: Float
    alpha: Float | None
    carried: Float
    hole: Bool
    source_xy: Float | None
    doubt: Float

    @property
    def vacated(self) -> Bool:
        """(H, W) bool, the part of the hole that stays visible."""
        return self.hole & (self.carried < 0.98)


def compose(
    rgb: npt.NDArray[np.uint8],
    pairs: RegionPairs,
    *,
    alpha: npt.NDArray[np.uint8] | None = None,
    editable: Bool | None = None,
    vacated: str = "fill",
    matte: str = "auto",
    method: str = "auto",
    prefill: str = "exemplar",
    seed: int = 0,
) -> Composite:
    """Carry every handle to its target and fill what is left.

    rgb : (H, W, 3) uint8
    pairs : masks of that size, at least one pair; later ones come on top
    alpha : (H, W) uint8, the picture's transparency, carried along
    editable : (H, W) bool, False keeps the picture's own pixel
    vacated : "fill" and "noise" empty the handles, "keep" leaves their content (a copy instead of a move)
    matte : see `handle_alpha`
    method : see `pixel_map`
    prefill : "exemplar" copies surrounding texture into the hole, "smooth" continues tones only
    seed : of the texture's search
    """
    opacities = [handle_alpha(rgb, pair.handle, matte) for pair in pairs]
    picture = rgb.astype(np.float32)
    uniform = alpha is None or alpha.min() == alpha.max()
    transparency = None if alpha is None or uniform else alpha.astype(np.float32)
    hole = np.zeros(rgb.shape[:2], bool)
    background, background_alpha = picture, transparency
    first = Fill(picture, None, np.zeros(rgb.shape[:2], np.float32))
    if vacated != "keep":
        growth = max(1, round(HOLE_GROWTH * max(hole.shape)))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * growth + 1,) * 2)
        for pair, opacity in zip(pairs, opacities, strict=True):
            hole |= (cv2.dilate((opacity > 0.02).astype(np.uint8), kernel) > 0) & pair.handle
        if editable is not None:
            hole &= editable
        if prefill == "exemplar":
            first = exemplar_fill(picture, hole, seed=seed)
        else:
            first = Fill(smooth_fill(picture, hole), None, hole.astype(np.float32))
        background = first.rgb
        if transparency is not None:
            background_alpha = smooth_fill(np.repeat(transparency[..., None], 3, -1), hole)[..., 0]
    result, result_alpha = background.copy(), None if background_alpha is None else background_alpha.copy()
    carried = np.zeros(rgb.shape[:2], np.float32)
    for pair, opacity in zip(pairs, opacities, strict=True):
        found = pixel_map(pair, method=method)
        map_x, map_y = (np.ascontiguousarray(found.source_xy[..., i]) for i in (0, 1))
        cover = _remap(opacity, map_x, map_y) * found.target
        if editable is not None:
            cover *= editable
        result += cover[..., None] * (_remap(picture, map_x, map_y) - result)
        if result_alpha is not None and transparency is not None:
            result_alpha += cover * (_remap(transparency, map_x, map_y) - result_alpha)
        carried = np.maximum(carried, cover)
    return Composite(result, result_alpha, carried, hole, first.source_xy, first.doubt)


def warp_residual(residual: Float, pairs: RegionPairs, *, method: str = "auto") -> Float:
    """What the codec loses (H, W, 3), carried along with the content: zero where that has left."""
    found = pixel_map(pairs, method=method)
    map_x, map_y = (np.ascontiguousarray(found.source_xy[..., i]) for i in (0, 1))
    warped = _remap(residual, map_x, map_y)
    return np.where(found.vacated[..., None], 0, warped).astype(np.float32)


def _remap(a: Float, map_x: Float, map_y: Float) -> Float:
    # cubic keeps the moved content as sharp as it was; opacities must not overshoot
    kind = cv2.INTER_CUBIC if a.ndim == 3 else cv2.INTER_LINEAR
    return np.asarray(cv2.remap(a, map_x, map_y, kind, borderMode=cv2.BORDER_REPLICATE), np.float32)
