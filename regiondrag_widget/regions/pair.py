"""RegionPair: one thing that the user asks for."""

from __future__ import annotations

from typing import Any

import numpy as np

from regiondrag_widget.regions import matrix as mx
from regiondrag_widget.regions.bend import Bend
from regiondrag_widget.regions.densemap import DenseMap
from regiondrag_widget.regions.given_points import as_points, is_convex, on_mask
from regiondrag_widget.regions.held_pair import HeldPair
from regiondrag_widget.regions.kept import KeptMask
from regiondrag_widget.regions.mask import Mask, as_mask, require_pixels
from regiondrag_widget.regions.moved import moved, require_in_front
from regiondrag_widget.regions.polygon import polygon_matrix
from regiondrag_widget.regions.target import Deformation, deformed_by, require_usable

CARRY = ("object", "painted")
ACTIONS = ("move", "copy", "remove")


class RegionPair(HeldPair):
    """One handle region and where it goes.

    Parameters
    ----------
    handle
        (H, W) mask of what is to be moved, at the picture's resolution; see :func:`~.mask.as_mask` for the
        types accepted. Copied and made read-only.
    target
        (H, W) mask of the place it is to cover. May be left out when ``matrix`` or ``deformation`` is given:
        then it is the handle carried by it, cut off at the picture's edges.
    matrix
        (3, 3) affine map or homography, handle pixel (x, y, 1) -> target pixel; integers are pixel centres, x
        to the right, y down. When both are given the matrix is the map and ``target`` is the region covered.
    name
        A label for the user.
    carry
        What of the handle is carried: "object" looks for the object in it, "painted" carries all of it, an
        (H, W) mask within the handle is carried as it is. None leaves it to the edit's ``matte``.
    action
        "move" carries the content away and fills its place, "copy" leaves the original where it is, "remove"
        fills the handle's place and carries nothing: it takes no target and no matrix, and its ``target``
        reads as the handle.
    deformation
        Instead of a matrix: the map of a bent pair; `bend` and `warp` make it.

    Raises
    ------
    TypeError, ValueError
        The handle or the target is empty or not clearly two-valued, or their shapes differ; the matrix is
        singular or not finite, sends part of the handle through the horizon, or moves all of it out of the
        picture; the same for the deformation; both or none of them are given and no target, or any of them
        for a removal; the carry mask is empty, of another size, or leaves the handle; or there is no such
        action.
    """

    def __init__(
        self,
        handle: Any,
        target: Any = None,
        matrix: Any = None,
        *,
        name: str = "",
        carry: Any = None,
        action: str = "move",
        deformation: Deformation | None = None,
    ) -> None:
        if not isinstance(name, str):
            raise TypeError(f"name must be a string, not {type(name).__name__}")
        check_action(action)
        held = _held(handle, "handle")
        nowhere = target is None and matrix is None and deformation is None
        if action == "remove" and not nowhere:
            raise ValueError("a removal takes no target, no matrix and no deformation: leave them out")
        if action != "remove" and nowhere:
            raise ValueError("no target and no matrix given: say where the handle goes with one of them")
        if matrix is not None:
            if deformation is not None:
                raise ValueError("a pair has a matrix or a deformation, not both: leave one of them out")
            matrix = mx.as_matrix(matrix)
            require_in_front(matrix, held.region())
        if deformation is not None:
            require_usable(deformation, held)
        if action == "remove":
            goal = held
        elif target is None:
            goal = moved(held, matrix) if deformation is None else deformed_by(held, deformation)
        else:
            goal = _held(target, "target")
            if goal.shape != held.shape:
                raise ValueError(
                    f"handle {_size(held)} and target {_size(goal)} differ in size: "
                    "draw both on the same picture"
                )
        chosen = as_carry(carry, held)
        kept = KeptMask(chosen) if isinstance(chosen, np.ndarray) else chosen
        self._hold(held, goal, matrix, name, kept, deformation, action)

    @classmethod
    def move(
        cls,
        handle: Any,
        dx: float = 0.0,
        dy: float = 0.0,
        scale: float = 1.0,
        rotate: float = 0.0,
        *,
        name: str = "",
        carry: Any = None,
        action: str = "move",
    ) -> RegionPair:
        """Shift the handle by (dx, dy) pixels, after scaling and turning it about its centroid.

        >>> rd.RegionPair.move(handle, dx=40)
        >>> rd.RegionPair.move(handle, rotate=15)

        ``rotate`` is in degrees, counter-clockwise as seen on the screen; ``scale`` is above 0.
        """
        if not np.isfinite([dx, dy, scale, rotate]).all():
            raise ValueError("dx, dy, scale and rotate must be finite numbers")
        if scale <= 0:
            raise ValueError(f"scale is {scale}: it must be above 0")
        mask = _held(handle, "handle")
        if abs(dx) > 100 * mask.shape[1] or abs(dy) > 100 * mask.shape[0]:
            raise ValueError(f"a move by ({dx:g}, {dy:g}) leads out of the picture: move it less far")
        matrix = mx.similarity(mask.region().centroid, dx, dy, scale, rotate)
        return cls(mask, matrix=matrix, name=name, carry=carry, action=action)

    @classmethod
    def remove(cls, handle: Any, *, name: str = "", carry: Any = None) -> RegionPair:
        """Take the handle's content away and fill its place; nothing is carried anywhere."""
        return cls(handle, name=name, carry=carry, action="remove")

    @property
    def moves(self) -> bool:
        """Whether content arrives at the target; False for a removal."""
        return self.action != "remove"

    @classmethod
    def perspective(
        cls, handle: Any, corners: Any, *, name: str = "", carry: Any = None, action: str = "move"
    ) -> RegionPair:
        """See the handle from another side: the corners of its bounding box go to four other points.

        >>> rd.RegionPair.perspective(handle, [(100, 80), (220, 95), (220, 180), (100, 200)])

        Parameters
        ----------
        handle
            (H, W) mask.
        corners
            (4, 2) points x, y: where the box's upper left, upper right, lower right and lower left corner go.
            The corners are the outer ones of the corner pixels.
        name, carry, action
            As `RegionPair` takes them.

        Raises
        ------
        ValueError
            The corners are not four points of a convex quadrilateral, in this order, or as for `RegionPair`.
        """
        mask = _held(handle, "handle")
        goals = as_points(corners, "corners")
        if len(goals) != 4:
            raise ValueError(f"there are {len(goals)} corners: give 4 points (x, y)")
        if not is_convex(goals):
            raise ValueError(
                "the corners do not form a convex quadrilateral: give upper left, upper right, lower right, "
                "lower left"
            )
        region = mask.region()
        x0, y0 = region.x0 - 0.5, region.y0 - 0.5
        x1, y1 = x0 + region.width, y0 + region.height
        matrix = polygon_matrix([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], goals)
        return cls(mask, matrix=matrix, name=name, carry=carry, action=action)

    @classmethod
    def bend(
        cls,
        handle: Any,
        from_points: Any,
        to_points: Any,
        *,
        matrix: Any = None,
        target: Any = None,
        name: str = "",
        carry: Any = None,
        action: str = "move",
    ) -> RegionPair:
        """Bend the handle by pins: each pin goes where it is pulled, and the rest follows smoothly.

        >>> rd.RegionPair.bend(handle, [(60, 90), (120, 90)], [(60, 90), (120, 60)])

        A pin that is to hold goes to where it is. One pin shifts the handle, two also turn it.

        Parameters
        ----------
        handle
            (H, W) mask.
        from_points, to_points
            (n, 2) pins x, y on the handle, and where they go, which may be outside the picture; n from 1
            to 64.
        matrix
            (3, 3), handle pixel -> target pixel before the bending; the identity when left out.
        target, name, carry, action
            As `RegionPair` takes them.

        Raises
        ------
        ValueError
            Pins that are not on the handle, or within a pixel of each other before or after; pins pulled so
            that the handle folds over itself; or as for `RegionPair` and `Bend`.
        """
        mask = _held(handle, "handle")
        bend = Bend(from_points, to_points, matrix, region=mask.region())
        outside = ~on_mask(mask.region(), bend.from_points)
        if outside.any():
            number = int(np.argmax(outside))
            x, y = bend.from_points[number]
            raise ValueError(f"pin {number + 1} at ({x:g}, {y:g}) is not on the handle: put it on the handle")
        limit = 100 * np.array([mask.shape[1], mask.shape[0]])
        if (np.abs(bend.to_points) > limit).any():
            raise ValueError("a pin is pulled far out of the picture: pull it less far")
        pair = cls(mask, target, name=name, carry=carry, action=action, deformation=bend)
        if bend.folds(mask.region()):
            raise ValueError(
                "the pins fold the handle over itself: pull them less far, or put more pins between them"
            )
        return pair

    @classmethod
    def warp(
        cls,
        handle: Any,
        source_xy: Any,
        *,
        target: Any = None,
        name: str = "",
        carry: Any = None,
        action: str = "move",
    ) -> RegionPair:
        """Move the handle by any dense map, such as an optical flow.

        >>> y, x = np.mgrid[:height, :width]
        >>> rd.RegionPair.warp(handle, np.stack([x - 40 - 6 * np.sin(y / 20), y], axis=-1))

        Parameters
        ----------
        handle
            (H, W) mask.
        source_xy
            (H, W, 2) numbers, columns x, y: where each pixel of the edited picture comes from. NaN, or a
            place outside the handle, where the pixel is not part of the target.
        target, name, carry, action
            As `RegionPair` takes them.

        Raises
        ------
        ValueError
            The map has another shape, no pixel comes from the handle, or as for `RegionPair`.
        """
        mask = _held(handle, "handle")
        return cls(mask, target, name=name, carry=carry, action=action, deformation=DenseMap(source_xy))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RegionPair):
            return NotImplemented
        if (self.name, self.action) != (other.name, other.action):
            return False
        if (self.matrix is None) != (other.matrix is None):
            return False
        same_matrix = self.matrix is None or np.array_equal(self.matrix, np.asarray(other.matrix))
        same_masks = np.array_equal(self.handle, other.handle) and np.array_equal(self.target, other.target)
        same_map = same_matrix and self.deformation == other.deformation
        return same_map and same_masks and _same_carry(self.carry, other.carry)

    def __hash__(self) -> int:
        return hash((self.shape, self.name, int(self.handle.sum()), int(self.target.sum())))

    def __repr__(self) -> str:
        height, width = self.shape
        label = f"{self.name!r}, " if self.name else ""
        if not self.moves:
            return f"RegionPair({label}{width}x{height}, {self.handle.sum()} px, remove)"
        exact = ", exact matrix" if self.matrix is not None else ""
        if self.deformation is not None:
            exact = f", {self.deformation!r}"
        copy = ", copy" if self.action == "copy" else ""
        sizes = f"{self.handle.sum()} -> {self.target.sum()} px"
        return f"RegionPair({label}{width}x{height}, {sizes}{exact}{copy})"


def check_action(action: Any) -> None:
    """Raise ``ValueError`` for what is no pair's action."""
    if action not in ACTIONS:
        raise ValueError(f"action must be one of {', '.join(ACTIONS)}, got {action!r}")


def as_carry(carry: Any, handle: Mask | KeptMask) -> str | Mask | None:
    """What a pair's ``carry`` may be: a word, a mask within the handle, or nothing said."""
    if carry is None or (isinstance(carry, str) and carry in CARRY):
        return carry
    if isinstance(carry, str):
        raise ValueError(f"carry must be one of {', '.join(CARRY)}, or a mask, got {carry!r}")
    mask = as_mask(carry, "carry mask")
    if mask.shape != handle.shape:
        raise ValueError(
            f"carry mask {_size(mask)} and handle {_size(handle)} differ in size: "
            "draw both on the same picture"
        )
    require_pixels(mask, "carry mask")
    if bool((mask & ~(handle.full if isinstance(handle, KeptMask) else handle)).any()):
        raise ValueError("carry mask leaves the handle: paint the handle over it too, or cut the mask")
    return mask


def _same_carry(a: str | Mask | None, b: str | Mask | None) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return np.array_equal(a, b)
    return type(a) is type(b) and bool(np.all(a == b))


def _held(value: Any, name: str) -> KeptMask:
    """A mask that is not empty, held in little memory; one that is held already is shared."""
    kept = value if isinstance(value, KeptMask) else KeptMask(as_mask(value, name))
    if not kept.any():
        require_pixels(kept.full, name)
    return kept


def _size(mask: Mask | KeptMask | RegionPair) -> str:
    return f"{mask.shape[1]}x{mask.shape[0]}"
