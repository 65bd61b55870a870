"""Training pictures of the matting network: objects laid on photographs, handles drawn round them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from regiondrag_widget.bench.truth.backgrounds import background
from regiondrag_widget.bench.truth.photos import Photo, others
from regiondrag_widget.bench.truth.scenes import KINDS, draw_handle
from regiondrag_widget.bench.truth.sprites import Sprite, over, photo_sprite, procedural_sprite, render
from regiondrag_widget.bench.truth.transforms import Homography, about
from regiondrag_widget.imaging.grabcut import grabcut

__all__ = ["Example", "make_example"]

Float = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
SIDE = 192


@dataclass(frozen=True)
class Example:
    """One picture with a handle and the opacity to be found in it, `SIDE` pixels a side.

    Attributes
    ----------
    rgb
        (h, w, 3) uint8.
    handle
        (h, w) bool.
    cut
        (h, w) bool, what GrabCut makes of it.
    alpha
        (h, w) uint8, 0 outside the handle.
    """

    rgb: npt.NDArray[np.uint8]
    handle: Bool
    cut: Bool
    alpha: npt.NDArray[np.uint8]


def make_example(photos: Sequence[Photo], rng: np.random.Generator) -> Example:
    """Draw one example from photographs (H, W, 3) uint8."""
    while True:
        ground = background(str(rng.choice(KINDS)), photos, SIDE, rng)
        picture, objects = ground.pixels, others(photos, ground.series)
        bare = rng.random() < 0.06  # a piece of the photograph itself: all of it is object
        if bare:
            handle = _blob(rng)
            alpha = np.ones(handle.shape, np.float32)
        else:
            if rng.random() < 0.25:  # something else lies there, perhaps under the rim
                picture = over(_laid(_sprite(objects, rng), rng), picture)
            layer = _laid(_sprite(objects, rng), rng)
            if rng.random() < 0.3:
                layer = _akin(layer, picture, rng)
            picture, alpha = over(layer, picture), layer[..., 3]
            handle = _handle(alpha > 0, rng)
        if 60 < handle.sum() < 0.8 * handle.size:
            break
    rgb = _photographed(picture, rng)
    # a handle that ends within the object is softened there
    meant = alpha * np.where(handle, cv2.GaussianBlur(handle.astype(np.float32), (0, 0), 0.8), 0)
    cut = grabcut(rgb, handle)
    return Example(rgb, handle, handle if cut is None else cut, np.rint(meant * 255).astype(np.uint8))


def _sprite(photos: Sequence[Photo], rng: np.random.Generator) -> Sprite:
    kind = rng.random()
    if kind < 0.15:
        return procedural_sprite(rng)
    photo = photos[int(rng.integers(len(photos)))]
    sprite = photo_sprite(photo.pixels, photo.name, rng)
    return sprite if kind < 0.6 else _recut(sprite, rng)


def _recut(sprite: Sprite, rng: np.random.Generator) -> Sprite:
    """The sprite's colours under another outline: limbs, corners and holes, its edge hard or soft."""
    h, w = sprite.rgba.shape[:2]
    opaque = np.maximum(sprite.rgba[..., 3:], 1e-3)
    colour = cv2.inpaint(
        np.rint(np.clip(sprite.rgba[..., :3] / opaque, 0, 1) * 255).astype(np.uint8),
        (sprite.rgba[..., 3] < 0.9).astype(np.uint8),
        3,
        cv2.INPAINT_TELEA,
    )
    mask = np.zeros((h, w), np.uint8)
    for part in range(int(rng.integers(2, 8))):
        centre = tuple(int(v) for v in rng.uniform(0.3, 0.7, 2) * (w, h))
        kind = int(rng.integers(3))
        paint = 0 if part > 2 and rng.random() < 0.15 else 1
        if kind == 0:
            axes = tuple(int(v) for v in rng.uniform(0.06, 0.28, 2) * min(h, w))
            cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, paint, -1)
        elif kind == 1:
            end = tuple(int(v) for v in rng.uniform(0.08, 0.92, 2) * (w, h))
            width = rng.uniform(0.03, 0.14) if rng.random() < 0.7 else rng.uniform(0.005, 0.03)  # masts too
            cv2.line(mask, centre, end, paint, int(width * min(h, w)) + 1)
        else:
            corners = np.array(centre) + rng.uniform(-0.3, 0.3, (int(rng.integers(3, 6)), 2)) * (w, h)
            cv2.fillPoly(mask, [corners.astype(np.int32)], paint)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    if len(stats) > 1:
        mask = (labels == 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), float(rng.uniform(0.5, 2.2)))
    soft[[0, -1], :], soft[:, [0, -1]] = 0, 0
    if soft.max() < 0.9:
        return sprite
    rgb = colour.astype(np.float32) / 255 * soft[..., None]
    return Sprite(np.dstack([rgb, soft]).astype(np.float32), sprite.name)


def _laid(sprite: Sprite, rng: np.random.Generator) -> Float:
    """The sprite (h, w, 4) somewhere in the picture, of any size and turn, now and then cut by its edge."""
    rows, columns = sprite.rgba.shape[:2]
    middle = np.array([(columns - 1) / 2, (rows - 1) / 2])
    centre = rng.uniform(0.1, 0.9, 2) * SIDE if rng.random() < 0.15 else rng.uniform(0.3, 0.7, 2) * SIDE
    scale = SIDE * float(rng.uniform(0.15, 0.6)) / sprite.diameter
    turn = float(rng.uniform(0, 360)) if rng.random() < 0.5 else 0.0
    placement: Homography = about(middle, scale=scale, degrees=turn, shift=centre - middle)
    return render(sprite, placement, None, (SIDE, SIDE))


def _akin(layer: Float, picture: Float, rng: np.random.Generator) -> Float:
    """The layer (h, w, 4) with colours near those of what it lies on, on one side more than on the other.

    Like a tower's shaded side before a hazy sky. An object cut from one photograph and laid on another nearly
    always differs from its surroundings; a network trained on those alone misses edges of low contrast.
    """
    alpha = layer[..., 3:]
    if alpha.sum() < 1:
        return layer
    ground = (picture * alpha).sum((0, 1)) / alpha.sum()
    tone = ground + rng.normal(0, 1, 3) * rng.uniform(0.02, 0.12)
    y, x = np.mgrid[: layer.shape[0], : layer.shape[1]].astype(np.float32)
    turn = rng.uniform(0, 2 * np.pi)
    across = x * np.cos(turn) + y * np.sin(turn)
    inside = across[alpha[..., 0] > 0]
    across = (across - inside.min()) / max(1.0, float(np.ptp(inside)))
    near, far = rng.uniform(0.2, 0.6), rng.uniform(0.6, 0.95)
    share = np.clip(near + (far - near) * across, 0, 1)[..., None]
    rgb = layer[..., :3] * (1 - share) + np.clip(tone, 0, 1) * share * alpha
    return np.dstack([rgb, alpha]).astype(np.float32)


def _handle(support: Bool, rng: np.random.Generator) -> Bool:
    """As people draw it: with a rim, a wide one, as a polygon or box, tight, or not round all of it."""
    if not support.any():
        return support
    kind = rng.random()
    if kind < 0.5:
        return draw_handle(support, rng)
    if kind < 0.65:
        return _grown(support, rng, float(rng.uniform(0, 4)), float(rng.uniform(4, 18)))
    if kind < 0.75:
        return _outlined(support, rng)
    if kind < 0.85:
        return _grown(support, rng, 0.5, float(rng.uniform(0.5, 2.5)))
    if kind < 0.93:
        depth = cv2.distanceTransform(support.astype(np.uint8), cv2.DIST_L2, 5)
        return np.asarray(depth > rng.uniform(0, 4) + rng.uniform(0, 8) * _wobble(support.shape, rng))
    ys, xs = np.nonzero(support)
    angle, i = rng.uniform(0, 2 * np.pi), int(rng.integers(len(ys)))
    y, x = np.mgrid[: support.shape[0], : support.shape[1]]
    beyond = (x - xs[i]) * np.cos(angle) + (y - ys[i]) * np.sin(angle) > 0
    return np.asarray(draw_handle(support, rng) & ~beyond)


def _grown(support: Bool, rng: np.random.Generator, least: float, more: float) -> Bool:
    outside = cv2.distanceTransform(1 - support.astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(outside < least + more * _wobble(support.shape, rng))


def _outlined(support: Bool, rng: np.random.Generator) -> Bool:
    """A box, an ellipse or a coarse polygon round the support."""
    mask = np.zeros(support.shape, np.uint8)
    points = np.argwhere(support)[:, ::-1].astype(np.int32)
    kind = int(rng.integers(3))
    if kind == 0:
        (x0, y0), (x1, y1), m = points.min(0), points.max(0), int(rng.integers(0, 7))
        mask[max(0, y0 - m) : y1 + m + 1, max(0, x0 - m) : x1 + m + 1] = 1
    elif kind == 1:
        centre, radius = cv2.minEnclosingCircle(points)
        cv2.circle(mask, (int(centre[0]), int(centre[1])), int(radius + rng.uniform(0, 5)), 1, -1)
    else:
        hull = cv2.convexHull(points)
        hull = cv2.approxPolyDP(hull, float(rng.uniform(0.5, 5)), True)
        cv2.fillPoly(mask, [hull], 1)
        cv2.polylines(mask, [hull], True, 1, int(rng.integers(1, 9)))
    return mask > 0


def _blob(rng: np.random.Generator) -> Bool:
    y, x = np.mgrid[:SIDE, :SIDE]
    cy, cx = rng.uniform(0.3, 0.7, 2) * SIDE
    ry, rx = rng.uniform(0.08, 0.3, 2) * SIDE
    wobble = 0.6 + 0.8 * _wobble((SIDE, SIDE), rng)
    return np.asarray(((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < wobble)


def _wobble(shape: tuple[int, ...], rng: np.random.Generator) -> Float:
    coarse = rng.random((7, 7)).astype(np.float32)
    field = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(field, 0, 1), np.float32)


def _photographed(picture: Float, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """As a camera and a file format leave a picture: half of them a little soft, noisy, compressed."""
    if rng.random() < 0.5:
        if rng.random() < 0.5:
            picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.3, 0.9)))
        if rng.random() < 0.5:
            noise = rng.normal(0, rng.uniform(0.004, 0.02), picture.shape)
            picture = picture + noise.astype(np.float32)
        rgb = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
        if rng.random() < 0.6:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 96))]
            decoded = cv2.imdecode(cv2.imencode(".jpg", rgb[..., ::-1], quality)[1], cv2.IMREAD_COLOR)
            rgb = np.asarray(decoded, np.uint8)[..., ::-1]
        return np.ascontiguousarray(rgb)
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
