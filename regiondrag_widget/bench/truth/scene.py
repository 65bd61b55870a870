"""A scene with known truth, and folders of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage

from regiondrag_widget.bench.truth.transforms import (
    Homography,
    Transform,
    carry_mask,
    motion_of,
    transform_from_json,
    transform_to_json,
)

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
FILES = ("before.png", "after.png", "handle.png", "target.png", "scene.json")
MAX_SIDE = 8192  # pixels: what a benchmark measures stays well below the limits of an edit


class SceneError(ValueError):
    """A scene folder that cannot be read; the message names the scene and the remedy."""


@dataclass(frozen=True)
class ScenePair:
    """One object that moves: ``handle`` and ``target`` (H, W) bool, and the true map when it is known."""

    handle: Mask
    target: Mask
    transform: Transform | None = None

    @property
    def matrix(self) -> NDArray[np.float64] | None:
        """(3, 3) handle pixel to target pixel; None for bending: then a method must find the map itself."""
        return self.transform.matrix if isinstance(self.transform, Homography) else None


@dataclass(frozen=True)
class Scene:
    """A picture before and after a known edit.

    Parameters
    ----------
    name, kind, motion
        A unique name; the kind of scene (``over-sky``); the kind of movement (``translation``) that results
        are grouped by.
    before, after
        (H, W, 3) uint8; equal outside ``touched`` in the scenes built here.
    pairs
        What a person would draw, with the truth.
    alpha
        (H, W) float32, how much of each pixel of ``after`` is moved object; None when unknown.
    sources
        The photographs it was made of.
    """

    name: str
    kind: str
    motion: str
    before: Image
    after: Image
    pairs: tuple[ScenePair, ...]
    alpha: NDArray[np.float32] | None = None
    sources: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the picture."""
        return int(self.before.shape[0]), int(self.before.shape[1])

    @cached_property
    def handle(self) -> Mask:
        """The union of all handles, (H, W) bool."""
        return np.asarray(np.logical_or.reduce([pair.handle for pair in self.pairs]))

    @cached_property
    def target(self) -> Mask:
        """The union of all targets, (H, W) bool."""
        return np.asarray(np.logical_or.reduce([pair.target for pair in self.pairs]))

    @property
    def touched(self) -> Mask:
        """(H, W) bool, handle or target."""
        return self.handle | self.target

    @property
    def vacated(self) -> Mask:
        """(H, W) bool, handle without target."""
        return self.handle & ~self.target

    @cached_property
    def digest(self) -> str:
        """Twelve hex digits that change with anything a method or a measure can see."""
        state = hashlib.sha256()
        for array in (
            self.before,
            self.after,
            *(mask for pair in self.pairs for mask in (pair.handle, pair.target)),
        ):
            state.update(str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
        state.update(json.dumps([transform_to_json(pair.transform) for pair in self.pairs]).encode())
        return state.hexdigest()[:12]


def write_scene(scene: Scene, folder: Path) -> None:
    """Write one scene; a second pair goes to ``handle_2.png`` and ``target_2.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    PILImage.fromarray(scene.before).save(folder / "before.png")
    PILImage.fromarray(scene.after).save(folder / "after.png")
    if scene.alpha is not None:
        PILImage.fromarray(np.rint(scene.alpha * 255).astype(np.uint8)).save(folder / "alpha.png")
    for number, pair in enumerate(scene.pairs, start=1):
        for role, mask in (("handle", pair.handle), ("target", pair.target)):
            PILImage.fromarray(mask.astype(np.uint8) * 255).save(folder / _mask_name(role, number))
    described: dict[str, Any] = {"kind": scene.kind, "motion": scene.motion, "sources": list(scene.sources)}
    described |= transform_to_json(scene.pairs[0].transform)
    if len(scene.pairs) > 1:
        described["pairs"] = [transform_to_json(pair.transform) for pair in scene.pairs]
    (folder / "scene.json").write_text(json.dumps(described, indent=1) + "\n", "utf-8")


def read_scene(folder: Path, name: str | None = None) -> Scene:
    """Read one scene folder; ``name`` is what the report calls it, the folder's own when left out.

    ``scene.json`` holds a 3x3 ``matrix`` (handle pixel to target pixel) or null, and optionally ``kind``,
    ``motion`` (derived from the matrix when left out) and, for several objects, ``pairs``: a list of such
    entries, their masks in ``handle_2.png``, ``target_2.png`` and so on. Masks are white, one, or opaque
    where they are set.

    Raises
    ------
    SceneError
        When a file is missing or unreadable, sizes disagree, a mask is empty, or the matrix is unusable or
        carries the handle past its target; names the scene.
    """
    name = folder.name if name is None else name
    missing = [file for file in FILES if not (folder / file).is_file()]
    if missing:
        raise SceneError(f"scene {name} lacks {', '.join(missing)}: add them or remove the folder")
    try:
        described = json.loads((folder / "scene.json").read_text("utf-8"))
        if not isinstance(described, dict):
            raise ValueError("scene.json is not an object")
        before, after = (_read_rgb(folder / file) for file in ("before.png", "after.png"))
        shape = before.shape[:2]
        pairs = tuple(
            ScenePair(
                _read_mask(folder / _mask_name("handle", number), shape),
                _read_mask(folder / _mask_name("target", number), shape),
                transform_from_json(entry),
            )
            for number, entry in enumerate(described.get("pairs", [described]), start=1)
        )
        if after.shape != before.shape:
            raise ValueError(
                f"after.png is {_size(after)}, before.png is {_size(before)}: make them one size"
            )
        for pair in pairs:
            _check_map(pair)
        alpha = _read_alpha(folder / "alpha.png", shape)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise SceneError(f"scene {name}: {error}") from error
    kind = str(described.get("kind", "given"))
    motion = str(described.get("motion") or motion_of([pair.transform for pair in pairs]))
    return Scene(name, kind, motion, before, after, pairs, alpha, tuple(described.get("sources", ())))


def read_scenes(folder: Path) -> Iterator[Scene | SceneError]:
    """Every scene in a folder and the folders in it, by path, named by its path.

    One that cannot be read comes as the error, so that the others still count. ``folder`` may be a scene.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder: give a folder with one subfolder for each scene")
    found = list(_scene_folders(folder))
    if not found:
        raise ValueError(f"{folder} holds no scenes: each is a subfolder with {', '.join(FILES)}")
    for scene in found:
        yield _read_or_error(scene, scene.relative_to(folder).as_posix() if scene != folder else folder.name)


def _scene_folders(folder: Path) -> Iterator[Path]:
    """Folders with any of a scene's files, and leaf folders: an incomplete scene is reported, not skipped."""
    subfolders = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    is_scene = any((folder / file).exists() for file in FILES)
    if is_scene:
        yield folder
    for subfolder in subfolders:
        below = list(_scene_folders(subfolder))
        yield from below or ([] if is_scene else [subfolder])


def _read_or_error(folder: Path, name: str) -> Scene | SceneError:
    try:
        return read_scene(folder, name)
    except SceneError as error:
        return error


def _check_map(pair: ScenePair) -> None:
    """Refuse a matrix that is inverted or of another picture: it takes the handle nowhere near its target."""
    if (
        isinstance(pair.transform, Homography)
        and not (carry_mask(pair.handle, pair.transform) & pair.target).any()
    ):
        raise ValueError("the matrix carries no pixel of handle.png to target.png: it maps handle to target")


def _mask_name(role: str, number: int) -> str:
    return f"{role}.png" if number == 1 else f"{role}_{number}.png"


def _read_rgb(path: Path) -> Image:
    with PILImage.open(path) as picture:
        if max(picture.size) > MAX_SIDE:
            raise ValueError(
                f"{path.name} is {picture.width}x{picture.height}: at most {MAX_SIDE} pixels a side"
            )
        return np.asarray(picture.convert("RGB"))


def _read_grey(path: Path, shape: tuple[int, ...]) -> Image:
    if not path.is_file():
        raise ValueError(f"{path.name} is missing: each pair needs its masks")
    with PILImage.open(path) as picture:
        if picture.size != (shape[1], shape[0]):
            sizes = f"{picture.width}x{picture.height}, before.png {shape[1]}x{shape[0]}"
            raise ValueError(f"{path.name} is {sizes}: make them one size")
        if "A" in picture.getbands() and len(set(picture.getchannel("A").getextrema())) == 2:
            return np.asarray(picture.getchannel("A"))  # drawn on a transparent ground
        return np.asarray(picture.convert("L"))


def _read_mask(path: Path, shape: tuple[int, ...]) -> Mask:
    grey = _read_grey(path, shape)
    mask = np.asarray(grey > grey.max() / 2)  # 0 and 255, or 0 and 1
    if not mask.any():
        raise ValueError(f"{path.name} is empty: mark at least one pixel")
    return mask


def _read_alpha(path: Path, shape: tuple[int, ...]) -> NDArray[np.float32] | None:
    return np.asarray(_read_grey(path, shape) / 255, dtype=np.float32) if path.is_file() else None


def _size(image: Image) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
