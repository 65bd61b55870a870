"""From a row to the picture, its region pairs and what may not change: files are opened here."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from regiondrag_widget.batch.edit_row import EditRow
from regiondrag_widget.imaging.mask_file import load_mask
from regiondrag_widget.imaging.picture import Picture, load_picture
from regiondrag_widget.regions import RegionPair, RegionPairs, load_protect, load_regions

__all__ = ["picture_of", "regions_of"]

Bool = NDArray[np.bool_]
T = TypeVar("T")


def picture_of(row: EditRow) -> Picture:
    """The row's picture; raises as `load_picture`."""
    return load_picture(load_regions(row.regions)[0] if row.picture is None else row.picture)


def regions_of(row: EditRow, picture: Picture) -> tuple[RegionPairs, Bool | None]:
    """The row's pairs, and (H, W) bool where something may change, or None for everywhere.

    Raises
    ------
    ValueError, OSError
        A mask cannot be read or is of another size than the picture, numbers of handles and targets differ,
        or as for `RegionPair`.
    """
    protect: Bool | None = None
    if row.regions is None:
        pairs = RegionPairs(_pairs(row, picture))
    else:
        pairs = load_regions(row.regions)[1]
        if len(pairs) and pairs.shape != picture.shape:
            height, width = pairs[0].shape
            raise ValueError(
                f"the regions in {row.regions} are {width}x{height} px but the picture is "
                f"{picture.size[0]}x{picture.size[1]} px: they must be the same size"
            )
        protect = load_protect(row.regions)
    if row.protect is not None:
        also = load_mask(row.protect, picture.size)
        protect = also if protect is None else protect | also
    return pairs, None if protect is None else ~protect


def _pairs(row: EditRow, picture: Picture) -> list[RegionPair]:
    handles = [_mask(one, picture) for one in row.handles] + _selected(row, picture)
    count = len(handles)
    carries = _for_each(row.carries, count, "carry", None)
    actions = _for_each(row.actions, count, "action", "move")
    targets = _for_each(row.targets, count, "target", None) if len(row.targets) == count else row.targets
    if len(targets) not in (0, count):
        raise ValueError(f"there are {count} handles and {len(targets)} targets: give one for each handle")
    points = _for_each(row.points, count, "points", None)
    moves = _for_each(row.moves, count, "move", (0.0, 0.0))
    scales = _for_each(row.scales, count, "scale", 1.0)
    turns = _for_each(row.turns, count, "rotate", 0.0)
    made: list[RegionPair] = []
    for index, handle in enumerate(handles):
        said: dict[str, Any] = {"carry": carries[index], "action": actions[index]}
        pins = points[index]
        if actions[index] == "remove":
            made.append(RegionPair.remove(handle, carry=carries[index]))
        elif targets:
            made.append(RegionPair(handle, _mask(targets[index], picture), **said))
        elif pins is not None:
            made.append(RegionPair.bend(handle, [pin[0] for pin in pins], [pin[1] for pin in pins], **said))
        else:
            dx, dy = moves[index]
            made.append(RegionPair.move(handle, dx, dy, scales[index], turns[index], **said))
    return made


def _mask(source: Any, picture: Picture) -> Any:
    """A mask from a file or its bytes; an array goes on as it is, to be checked with its pair."""
    return source if isinstance(source, np.ndarray) else load_mask(source, picture.size)


def _selected(row: EditRow, picture: Picture) -> list[Bool]:
    """The objects at the places named, or at the points where these stand without a handle."""
    places = [[place] for place in row.selects]
    if not places and not row.handles:
        places = [[start for start, _ in pins] for pins in row.points]
    if not places:
        return []
    from regiondrag_widget.select.picker import Superpixels

    pieces = Superpixels(picture)
    return [pieces.click(clicks, [True] * len(clicks)) for clicks in places]


def _for_each(values: list[T], count: int, column: str, default: Any) -> list[Any]:
    if len(values) > 1 and len(values) != count:
        raise ValueError(
            f"there are {count} handles and {len(values)} values of {column}: give one for each, "
            "or one for all"
        )
    return list(values) if len(values) > 1 else (values or [default]) * count
