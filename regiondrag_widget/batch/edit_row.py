"""What a row says of one edit: read from text or plain values, without opening any file."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from regiondrag_widget.batch.row import Row
from regiondrag_widget.engine.settings import BY_NAME, EditSettings, names

__all__ = ["COLUMNS", "SETTING_COLUMNS", "EditRow", "edit_row"]

NEAR = 0.8  # how alike a misspelled column is; "note" and "rotate" are 0.6
SEPARATOR = "|"  # between the values of several handles
# columns of a table of edits, besides settings
COLUMNS = {
    "name": "what the result is called; the picture's name and the row's number when left out",
    "picture": "the picture's file",
    "handle": "a mask: white where the object is",
    "select": "X,Y: the object at this place, instead of a handle",
    "target": "a mask: white where it is to go",
    "move": "DX,DY: pixels to the right and down, instead of a target",
    "scale": "resize by this factor as well",
    "rotate": "turn by these degrees as well, counter-clockwise",
    "points": "X,Y:X,Y, from where to where, several with spaces between them, instead of a target; "
    "without a handle the object at the first points is taken",
    "carry": "object or painted: what of the handle is carried",
    "action": "move, copy or remove; a removal needs no target",
    "regions": "saved regions, a folder or .zip, instead of all of the above",
    "protect": "a mask: white where nothing may change",
}
SEVERAL_FILES = ("handle", "target")
FILES = ("picture", "handle", "target", "regions", "protect")
SETTING_COLUMNS = tuple(name for name in names("command line") if BY_NAME[name].scope != "model")


@dataclass(frozen=True)
class EditRow:
    """One edit, as a row has it. Of several handles each list has one value for each, or one for all.

    Attributes
    ----------
    picture : path, bytes or array, optional
        Left out with saved regions.
    handles, targets : list of path, bytes or array
        Masks.
    selects, moves : list of (x, y)
        Places on objects; movements in pixels.
    scales, turns : list of float
        Factors and degrees.
    points : list of list of ((x, y), (x, y))
        For each handle, from where to where.
    carries, actions : list of str
        As `RegionPair` takes them.
    regions, protect : path, optional
        Saved regions, a protect mask.
    settings : mapping
        Prompt, seed and other settings of this row.
    """

    picture: Any = None
    handles: list[Any] = field(default_factory=list)
    selects: list[tuple[float, float]] = field(default_factory=list)
    targets: list[Any] = field(default_factory=list)
    moves: list[tuple[float, float]] = field(default_factory=list)
    scales: list[float] = field(default_factory=list)
    turns: list[float] = field(default_factory=list)
    points: list[list[tuple[tuple[float, float], tuple[float, float]]]] = field(default_factory=list)
    carries: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    regions: Any = None
    protect: Any = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read."""
        given = [self.picture, *self.handles, *self.targets, self.protect]
        found = [Path(one) for one in given if isinstance(one, (str, Path))]
        if isinstance(self.regions, (str, Path)):
            saved = Path(self.regions)
            # saved regions are a folder without folders in it; any other folder is not looked through
            index = saved / "regions.json"
            inside = sorted(path for path in saved.iterdir() if path.is_file()) if index.is_file() else []
            found += inside or [index if saved.is_dir() else saved]
        return tuple(found)


def edit_row(row: Row) -> EditRow:
    """Read a row.

    Raises
    ------
    ValueError
        A value cannot be read, or the row does not say what is moved where.
    """
    values = {name: value for name, value in row.values.items() if not _is_empty(value)}
    settings = {name: _setting(name, values[name]) for name in SETTING_COLUMNS if name in values}
    EditSettings().updated(settings, "command line")
    made = EditRow(
        picture=values.get("picture"),
        handles=_several(values.get("handle")),
        selects=[_two_numbers(one, "select", "120,80") for one in _several(values.get("select"))],
        targets=_several(values.get("target")),
        moves=[_two_numbers(one, "move", "40,-15") for one in _several(values.get("move"))],
        scales=[_number(one, "scale") for one in _several(values.get("scale"))],
        turns=[_number(one, "rotate") for one in _several(values.get("rotate"))],
        points=[_pins(one) for one in _several(values.get("points"))],
        carries=[str(one).lower() for one in _several(values.get("carry"))],
        actions=[str(one).lower() for one in _several(values.get("action"))],
        regions=values.get("regions"),
        protect=values.get("protect"),
        settings=settings,
    )
    _require_sense(made)
    return made


def _require_sense(row: EditRow) -> None:
    drawn = bool(row.handles or row.selects or row.targets or row.moves or row.points or row.actions)
    if row.regions is not None:
        if drawn:
            raise ValueError(
                "saved regions bring their own handles and targets: leave the other columns empty"
            )
        return
    if row.picture is None:
        raise ValueError("no picture is named")
    if not row.handles and not row.selects and not row.points:
        raise ValueError("no handle is named: give a mask in handle, a place in select, or points")
    if row.actions and all(action == "remove" for action in row.actions):
        return
    moved = bool(row.moves or row.scales or row.turns)
    if [bool(row.targets), moved, bool(row.points)].count(True) != 1:
        raise ValueError(
            "say where the handle goes by exactly one of: a target; move, scale and rotate; points"
        )


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or value != value


def _several(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, str):
        parts = [part.strip() for part in value.split(SEPARATOR)]
        if "" in parts:
            raise ValueError(
                f"nothing stands before or after a {SEPARATOR!r} in {value!r}: give each handle's value"
            )
        return parts
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _setting(name: str, value: Any) -> Any:
    parse = _PARSED.get(BY_NAME[name].kind)
    if parse is None or not isinstance(value, (str, float)):
        return value
    try:
        return parse(value)
    except ValueError:
        raise ValueError(f"{name} must be {BY_NAME[name].allowed}, got {value!r}") from None


def _whole(value: str | float) -> int:
    """A whole number; 1.0 is one too: so tables have it where a cell of its column is empty."""
    if isinstance(value, str) and value.strip().lstrip("+-").isdigit():
        return int(value)
    if not float(value).is_integer():
        raise ValueError
    return int(float(value))


_PARSED: Mapping[str, Callable[[Any], Any]] = {"integer": _whole, "number": float}


def _number(value: Any, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a number, got {value!r}") from None


def _two_numbers(value: Any, name: str, example: str) -> tuple[float, float]:
    try:
        parts = value.replace(",", " ").split() if isinstance(value, str) else list(value)
        first, second = (float(part) for part in parts)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be two numbers, such as {example}, got {value!r}") from None
    return first, second


def _pins(value: Any) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    pins = value.split() if isinstance(value, str) else value
    found = []
    for pin in pins:
        ends = pin.split(":") if isinstance(pin, str) else list(pin)
        if len(ends) != 2:
            raise ValueError(f"points must be X,Y:X,Y with spaces between them, got {value!r}")
        start, goal = (_two_numbers(end, "points", "60,90:125,70") for end in ends)
        found.append((start, goal))
    return found


def require_known_columns(columns: list[str], place: str) -> None:
    """Raise ``ValueError`` for a column that is spelled nearly like one that means something."""
    known = [*COLUMNS, *SETTING_COLUMNS]
    for column in columns:
        near = [] if column in known else difflib.get_close_matches(column, known, n=1, cutoff=NEAR)
        if near:
            raise ValueError(f"{place} has a column {column!r}. Did you mean {near[0]!r}?")
