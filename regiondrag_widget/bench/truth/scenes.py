"""Build scenes with exact truth: an object composed on a background, then again after a known transform."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.bench.truth.backgrounds import background
from regiondrag_widget.bench.truth.motions import sample_motion
from regiondrag_widget.bench.truth.photos import Photo, others
from regiondrag_widget.bench.truth.scene import Mask, Scene, ScenePair
from regiondrag_widget.bench.truth.sprites import Sprite, over, photo_sprite, procedural_sprite, render
from regiondrag_widget.bench.truth.transforms import Homography, Points, Transform, about, carry_mask, folds

KINDS = (
    "translate-short",
    "scale-up",
    "rotate",
    "over-structure",
    "translate-long",
    "scale-down",
    "over-texture",
    "perspective",
    "bend",
    "over-sky",
    "two-objects",
)
_MOVES = {
    "translate-short": ("translate-short",),
    "translate-long": ("translate-long",),
    "scale-up": ("scale-up",),
    "scale-down": ("scale-down",),
    "rotate": ("rotate",),
    "perspective": ("perspective",),
    "bend": ("bend",),
}
_MIXED = ("translate-long", "rotate", "scale-up", "translate-short", "rotate", "scale-down")
_MOTION_OF = {
    "translate-short": "translation",
    "translate-long": "translation",
    "scale-up": "scaling",
    "scale-down": "scaling",
    "rotate": "rotation",
    "perspective": "perspective",
    "bend": "bending",
}
_MARGIN = 4
_LEAST_SIZE, _MOST_SIZE = 64, 2048


def build_scenes(
    photos: Sequence[Photo] = (), count: int = 100, size: int = 256, seed: int = 0
) -> Iterator[Scene]:
    """Yield ``count`` scenes of ``size`` x ``size`` pixels, the kinds in turn.

    Scene ``i`` depends on ``photos``, ``size``, ``seed`` and ``i`` alone, so that fewer scenes are the first
    of more. Without photographs everything is procedural.

    Raises
    ------
    ValueError
        When ``count`` is below 1 or ``size`` is not within 64 to 2048.
    """
    if count < 1:
        raise ValueError(f"count is {count}: ask for at least one scene")
    if not _LEAST_SIZE <= size <= _MOST_SIZE:
        raise ValueError(f"size is {size}: give {_LEAST_SIZE} to {_MOST_SIZE} pixels")
    for index in range(count):
        yield build_scene(index, photos, size, seed)


def build_scene(index: int, photos: Sequence[Photo], size: int, seed: int) -> Scene:
    """Scene number ``index``; see :func:`build_scenes`."""
    kind, turn = KINDS[index % len(KINDS)], index // len(KINDS)
    rng = np.random.default_rng([seed, index])
    ground = background(kind, photos, size, rng)
    moves = _moves(kind, turn)
    placed: list[_Placed] = []
    for move in moves:
        sprite = _sprite(others(photos, ground.series), rng)
        placed.append(_place(sprite, move, size, rng, placed, small=len(moves) > 1))
    before, after = ground.pixels, ground.pixels
    alpha = np.zeros((size, size), np.float32)
    for item in placed:
        before, after = over(item.before, before), over(item.after, after)
        alpha = np.maximum(alpha, item.after[..., 3])
    return Scene(
        name=f"{index:03d}-{kind}",
        kind=kind,
        motion="several" if len(moves) > 1 else _MOTION_OF[moves[0]],
        before=_to_bytes(before),
        after=_to_bytes(after),
        pairs=tuple(ScenePair(item.handle, item.target, item.motion) for item in placed),
        alpha=alpha,
        sources=(ground.name, *(item.name for item in placed)),
    )


@dataclass(frozen=True)
class _Placed:
    name: str
    before: NDArray[np.float32]
    after: NDArray[np.float32]
    handle: Mask
    target: Mask
    motion: Transform


def _moves(kind: str, turn: int) -> tuple[str, ...]:
    if kind == "two-objects":
        return _MIXED[turn % len(_MIXED)], _MIXED[(turn + 1) % len(_MIXED)]
    return _MOVES.get(kind, (_MIXED[turn % len(_MIXED)],))


def _sprite(photos: Sequence[Photo], rng: np.random.Generator) -> Sprite:
    if not photos or rng.random() < 0.3:
        return procedural_sprite(rng)
    photo = photos[int(rng.integers(len(photos)))]
    return photo_sprite(photo.pixels, photo.name, rng)


def _place(
    sprite: Sprite, move: str, size: int, rng: np.random.Generator, rest: Sequence[_Placed], small: bool
) -> _Placed:
    """Draw places and motions until the object is inside the picture both times, clear of the others."""
    diameter = size * float(rng.uniform(0.17, 0.24) if small else rng.uniform(0.2, 0.34))
    for attempt in range(400):
        if attempt % 20 == 19:
            diameter *= 0.93
        centre = rng.uniform(0.15, 0.85, 2) * size
        placement = _put(sprite, centre, diameter)
        before = render(sprite, placement, None, (size, size))
        support = before[..., 3] > 0
        if not _whole(support):
            continue
        motion = sample_motion(move, centre, diameter, size, rng)
        after = render(sprite, placement, motion, (size, size))
        handle = draw_handle(support, rng)
        target = _covered(handle, motion, after[..., 3] > 0)
        clear = not any((handle & other.handle).any() or (target & other.target).any() for other in rest)
        if (
            clear
            and _whole(after[..., 3] > 0)
            and not folds(motion, target)
            and not (after[..., 3] > 0)[~target].any()
        ):
            return _Placed(sprite.name, before, after, handle, target, motion)
    raise RuntimeError(f"no room for a {move} of {sprite.name} in {size}x{size} pixels after 400 draws")


def draw_handle(support: Mask, rng: np.random.Generator) -> Mask:
    """What a person draws round an object: its support (H, W) and 3 to 9 px more, uneven, hollows closed."""
    reach = 7
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    padded = np.pad(support.astype(np.uint8), 16)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, disc)[16:-16, 16:-16]
    outside = cv2.distanceTransform(1 - closed, cv2.DIST_L2, 5)
    coarse = rng.random((7, 7)).astype(np.float32)
    wobble = np.clip(cv2.resize(coarse, support.shape[::-1], interpolation=cv2.INTER_CUBIC), 0, 1)
    return np.asarray((outside < 3 + 6 * wobble) | support)


def _covered(handle: Mask, motion: Transform, support: Mask) -> Mask:
    """The handle under the motion, without specks that extrapolation throws far from the object."""
    target = carry_mask(handle, motion)
    if isinstance(motion, Homography):
        return target
    _, components = cv2.connectedComponents(target.astype(np.uint8))
    return np.asarray(target & np.isin(components, np.unique(components[support & target])))


def _put(sprite: Sprite, centre: Points, diameter: float) -> Homography:
    rows, columns = sprite.rgba.shape[:2]
    middle: Points = np.array([(columns - 1) / 2, (rows - 1) / 2])
    return about(middle, scale=diameter / sprite.diameter, shift=centre - middle)


def _whole(support: Mask) -> bool:
    """Whether the support is there and keeps a margin from the picture's edge."""
    inner = support[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    return bool(inner.any()) and int(inner.sum()) == int(support.sum())


def _to_bytes(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
