"""Ways to move what a handle marks, from OpenCV alone to ours, without any diffusion."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.bench.methods.baselines import grabcut_matte
from regiondrag_widget.imaging.background import empty
from regiondrag_widget.imaging.composite import compose
from regiondrag_widget.imaging.cutout import cut_out
from regiondrag_widget.regions import RegionPair, RegionPairs, pixel_map

Pixels = NDArray[np.uint8]
Edit = Callable[[Pixels, RegionPair], Pixels]


def methods(model: str | None = None) -> Mapping[str, Edit]:
    """Every method by name, in the order of the table; with a model's name its whole edit too."""
    found: dict[str, Edit] = {
        "as painted": as_painted,
        "GrabCut": by_grabcut,
        "seamlessClone": by_seamless_clone,
        "ours": ours,
    }
    if model is not None:
        found[f"ours, {model}"] = _by_network(model)
    return found


def as_painted(picture: Pixels, pair: RegionPair) -> Pixels:
    """All that is painted, pasted; the handle filled by Telea's inpainting."""
    emptied = cv2.inpaint(picture, pair.handle.astype(np.uint8), 5, cv2.INPAINT_TELEA)
    return _pasted(picture, np.ones(pair.shape, np.float32), emptied, pair)


def by_grabcut(picture: Pixels, pair: RegionPair) -> Pixels:
    """GrabCut's object, pasted; its place and 2 px around filled by Telea's inpainting."""
    alpha = grabcut_matte(picture, pair.handle)
    hole = pair.handle & (cv2.dilate((alpha > 0.02).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)
    emptied = cv2.inpaint(picture, hole.astype(np.uint8), 5, cv2.INPAINT_TELEA)
    return _pasted(picture, alpha, emptied, pair)


def by_seamless_clone(picture: Pixels, pair: RegionPair) -> Pixels:
    """All that is painted, cloned by its gradients (Perez et al. 2003, OpenCV's `seamlessClone`)."""
    emptied = cv2.inpaint(picture, pair.handle.astype(np.uint8), 5, cv2.INPAINT_TELEA)
    moved = _pasted(picture, np.ones(pair.shape, np.float32), emptied, pair)
    target = pair.target.copy()
    target[:2], target[-2:], target[:, :2], target[:, -2:] = False, False, False, False
    if target.sum() < 9:
        return moved
    ys, xs = np.nonzero(target)
    centre = (int(xs.min() + xs.max() + 1) // 2, int(ys.min() + ys.max() + 1) // 2)
    cloned = cv2.seamlessClone(
        np.ascontiguousarray(moved),
        np.ascontiguousarray(emptied),
        target.astype(np.uint8) * 255,
        centre,
        cv2.NORMAL_CLONE,
    )
    return np.asarray(np.where(target[..., None], cloned, emptied), np.uint8)


def ours(picture: Pixels, pair: RegionPair) -> Pixels:
    """The composite that every edit of ours begins with, before any diffusion."""
    carry = "object" if pair.carry is None else pair.carry
    cutout = cut_out(picture, pair.handle, carry)
    background = empty(picture, [pair.handle], [cutout])
    composite = compose(RegionPairs([pair]), background, [cutout])
    return np.asarray(np.rint(composite.over(picture).clip(0, 255)), np.uint8)


def _by_network(model: str) -> Edit:
    """The whole edit, its diffusion by this model."""
    import regiondrag_widget as rd

    loaded = rd.RegionDragPipeline.from_pretrained(model)

    def edit(picture: Pixels, pair: RegionPair) -> Pixels:
        result = rd.edit(picture, [pair], model=loaded, seed=0)
        return np.asarray(result.image.convert("RGB"), np.uint8)

    return edit


def _pasted(picture: Pixels, alpha: NDArray[np.float32], background: Pixels, pair: RegionPair) -> Pixels:
    found = pixel_map(pair)
    x, y = (np.ascontiguousarray(found.source_xy[..., i]) for i in (0, 1))
    moved = cv2.remap(picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    cover = cv2.remap(alpha, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) * found.target
    mixed = moved * cover[..., None] + background * (1 - cover[..., None])
    return np.asarray(np.rint(np.clip(mixed, 0, 255)), np.uint8)
