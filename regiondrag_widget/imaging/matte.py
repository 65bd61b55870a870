"""Tell the object inside a drawn handle from the ring of background that a person draws along with it."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.imaging.grabcut import grabcut, recut
from regiondrag_widget.imaging.mattenet import continued_into, load_matte_net, matte_inputs
from regiondrag_widget.imaging.standout import missed_parts
from regiondrag_widget.regions.box import bounding_box

__all__ = ["MATTES", "handle_alpha"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Pixels = npt.NDArray[np.uint8]

MATTES = ("auto", "grabcut", "none")
WORK_SIDE = 384  # a handle and what surrounds it are looked at no larger
LEAST_PAD, PAD = 24, 0.3  # pixels around a handle that are looked at too, and as a share of its side
EDGE_SIGMA = 0.8  # pixels, of the softness of an edge that is only known as a mask
FAINT = 0.1  # opacities as near as this to none and to all are taken for those
LEAST_SHARE = 0.05  # of the handle; an object smaller than this is not believed


def handle_alpha(rgb: Pixels, handle: Bool, matte: str = "auto") -> Float:
    """Opacity of what the handle carries, (H, W) float32 in [0, 1], 0 outside the handle.

    rgb : (H, W, 3) uint8
    handle : (H, W) bool with at least one pixel
    matte : "auto" asks the bundled matting network, "grabcut" takes GrabCut's word; where either finds next
        to nothing the whole handle is carried. "none" always carries the whole handle.

    Raises ValueError for another matte.
    """
    if matte not in MATTES:
        raise ValueError(f"matte must be one of {', '.join(MATTES)}, got {matte!r}")
    whole = _softened(handle)
    if matte == "none":
        return whole
    x0, y0, x1, y1 = bounding_box(handle)
    pad = max(LEAST_PAD, round(PAD * max(x1 - x0, y1 - y0)))
    around = slice(max(0, y0 - pad), y1 + pad), slice(max(0, x0 - pad), x1 + pad)
    alpha = np.zeros_like(whole)
    alpha[around] = _found(rgb[around], handle[around], matte) * handle[around]
    return alpha if alpha.sum() >= LEAST_SHARE * handle.sum() and alpha.max() > 0.5 else whole


def _found(rgb: Pixels, handle: Bool, matte: str) -> Float:
    """Opacity (h, w) by the network or by GrabCut, at most at the working size."""
    height, width = handle.shape
    scale = min(1.0, WORK_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if scale < 1:
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
        handle = cv2.resize(handle.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    rgb = np.ascontiguousarray(rgb)
    cut = grabcut(rgb, handle)
    if matte == "grabcut":
        alpha = _softened(handle if cut is None else cut)
    else:
        alpha = _by_network(rgb, handle, handle if cut is None else cut)
    if scale < 1:
        alpha = np.asarray(cv2.resize(alpha, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    return np.clip(alpha, 0, 1)


def _by_network(rgb: Pixels, handle: Bool, cut: Bool) -> Float:
    """The network's opacity (h, w) without its blurred doubt where the colours are clear, and what it missed.

    What is far from the outline the network knows better; just where the outline runs the colours do. A faint
    opacity beside the object would take background along and make the vacated place too large.
    """
    surroundings = continued_into(rgb, handle)
    opacity = load_matte_net().opacity(matte_inputs(rgb, handle, cut, surroundings))
    object_ = recut(rgb, handle, opacity)
    if object_ is None or not object_.any():
        return opacity
    steep = np.clip((opacity - FAINT) / (1 - 2 * FAINT), 0, 1)
    alpha = np.where(_grown(object_), steep, 0).astype(np.float32)
    parts = missed_parts(rgb, surroundings, handle, (opacity > 0.5) & handle)
    if parts.any():
        whole = object_ | parts
        soft = cv2.GaussianBlur((whole & _grown(parts)).astype(np.float32), (0, 0), EDGE_SIGMA)
        alpha = np.maximum(alpha, np.where(whole, soft, 0)).astype(np.float32)
    return alpha


def _grown(mask: Bool) -> Bool:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)


def _softened(mask: Bool) -> Float:
    """A pixel or two of ramp within the mask: edges in photographs are never steps."""
    alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), EDGE_SIGMA)
    if alpha.max() < 0.9:  # a region thinner than the ramp
        alpha = mask.astype(np.float32)
    return np.where(mask, alpha, 0).astype(np.float32)
