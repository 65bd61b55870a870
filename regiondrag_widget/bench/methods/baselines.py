"""What OpenCV alone gives: the baselines that an edit must beat."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.bench.methods.method import Method, MethodOutput, drawn_pairs
from regiondrag_widget.bench.truth.scene import Image, Mask, Scene
from regiondrag_widget.regions import pixel_map

INPAINT_RADIUS = 5


def baselines() -> list[Method]:
    """Leave alone; paste; paste with each of OpenCV's inpaintings; a GrabCut matte with Telea, two ways.

    ``matte + Telea`` inpaints the whole handle; ``matte + Telea, tight`` only the object found in it, and
    keeps the rim of background that the handle carries.
    """
    return [
        Method("leave alone", _timed(lambda scene: scene.before.copy())),
        Method("paste", _timed(lambda scene: pasted(scene, scene.before))),
        Method("paste + Telea", _timed(lambda scene: pasted(scene, inpainted(scene, cv2.INPAINT_TELEA)))),
        Method(
            "paste + Navier-Stokes", _timed(lambda scene: pasted(scene, inpainted(scene, cv2.INPAINT_NS)))
        ),
        Method("matte + Telea", _timed(lambda scene: _matte_paste(scene, tight=False))),
        Method("matte + Telea, tight", _timed(lambda scene: _matte_paste(scene, tight=True))),
    ]


def grabcut_matte(image: Image, handle: Mask, rim: float = 10.0, reach: int = 24) -> NDArray[np.float32]:
    """Tell the object from the background that a drawn handle carries along its rim.

    GrabCut (Rother, Kolmogorov and Blake, SIGGRAPH 2004): the core of the handle is surely object, its
    outside surely background, the rim undecided. Written apart from the editor's own cut-out on purpose:
    a baseline must not change with it.

    Parameters
    ----------
    image, handle
        (H, W, 3) uint8 RGB and (H, W) bool.
    rim
        Width in pixels of the undecided rim, at most half the handle's depth.
    reach
        Pixels of background round the handle that GrabCut learns from.

    Returns
    -------
    alpha
        (H, W) float32, 0 to 1; 0 outside the handle. The handle itself when nothing surrounds it.
    """
    rows, columns = np.flatnonzero(handle.any(axis=1)), np.flatnonzero(handle.any(axis=0))
    window = (
        slice(max(0, rows[0] - reach), rows[-1] + reach + 1),
        slice(max(0, columns[0] - reach), columns[-1] + reach + 1),
    )
    inside = np.pad(handle[window].astype(np.uint8), 1)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1]
    labels = np.full(depth.shape, cv2.GC_BGD, np.uint8)
    labels[depth > 0] = cv2.GC_PR_BGD
    labels[depth > 0.35 * min(rim, 0.5 * depth.max())] = cv2.GC_PR_FGD
    labels[depth > min(rim, 0.5 * depth.max())] = cv2.GC_FGD
    crop = np.ascontiguousarray(image[window][..., ::-1])
    alpha = np.zeros(handle.shape, np.float32)
    alpha[window] = (depth > 0).astype(np.float32)
    if (labels == cv2.GC_BGD).any():
        cv2.setRNGSeed(0)  # GrabCut's k-means draws from OpenCV's own generator
        models, unused = (np.zeros((1, 65)), np.zeros((1, 65))), (0, 0, 1, 1)
        cv2.grabCut(crop, labels, unused, *models, 5, cv2.GC_INIT_WITH_MASK)
        found = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
        alpha[window] = cv2.GaussianBlur(found, (0, 0), 0.8) * (depth > 0)
    return alpha


def _timed(edit: Callable[[Scene], Image]) -> Callable[[Scene], MethodOutput]:
    def run(scene: Scene) -> MethodOutput:
        start = time.perf_counter()
        image = edit(scene)
        return MethodOutput(image, time.perf_counter() - start)

    return run


def pasted(scene: Scene, background: Image) -> Image:
    """The handle's pixels at the target, on a background."""
    return _Drag.of(scene).composite(scene.before, np.ones(scene.shape, np.float32), background)


def inpainted(scene: Scene, how: int) -> Image:
    """The picture with its handles inpainted by OpenCV, ``cv2.INPAINT_TELEA`` or ``cv2.INPAINT_NS``."""
    return np.asarray(
        cv2.inpaint(scene.before, scene.handle.astype(np.uint8), INPAINT_RADIUS, how), dtype=np.uint8
    )


def _matte_paste(scene: Scene, *, tight: bool) -> Image:
    """Only the object moves; the target keeps its own background round it."""
    alphas = [grabcut_matte(scene.before, pair.handle) for pair in scene.pairs]
    alpha = np.maximum.reduce(alphas)
    hole = scene.handle
    if tight:
        hole = hole & cv2.dilate((alpha > 0.02).astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    background = np.asarray(
        cv2.inpaint(scene.before, hole.astype(np.uint8), INPAINT_RADIUS, cv2.INPAINT_TELEA), np.uint8
    )
    return _Drag.of(scene).composite(scene.before, alpha, background)


@dataclass(frozen=True)
class _Drag:
    """The map of the drawn regions, ready for OpenCV's remap."""

    source_xy: NDArray[np.float32]
    target: Mask

    @classmethod
    def of(cls, scene: Scene) -> _Drag:
        found = pixel_map(drawn_pairs(scene))
        return cls(np.ascontiguousarray(found.source_xy, dtype=np.float32), found.target)

    def composite(self, picture: Image, alpha: NDArray[np.float32], background: Image) -> Image:
        """``picture`` warped into the target by as much as ``alpha`` warped there, over ``background``."""
        x, y = self.source_xy[..., 0], self.source_xy[..., 1]
        moved = cv2.remap(picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
        cover = cv2.remap(alpha, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) * self.target
        mixed = moved * cover[..., None] + background * (1 - cover[..., None])
        return np.asarray(np.rint(np.clip(mixed, 0, 255)), dtype=np.uint8)
