"""What the user may set for an edit, checked at the door."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

MAX_SEED = 2**53 - 1  # what a browser's number holds exactly
MAX_STEPS = 500
MAX_PROMPT = 2000


@dataclass(frozen=True)
class EditSettings:
    """The settings of one edit, valid by construction (``ValueError`` or ``TypeError`` names the culprit).

    Attributes
    ----------
    prompt
        What the picture shows; may be empty.
    seed
        0 to 2**53 - 1.
    steps
        Levels of the whole noise schedule, 1 to 500; an edit visits about ``steps * start`` of them.
    start, stop
        Fractions of the noise schedule, 0 clean and 1 pure noise: the edit begins at ``start`` and content
        is pasted while the level is at or above ``stop``. ``0 < start <= 1`` and ``0 <= stop <= start``.
    vacated
        What becomes of the place the handle left: "fill", "noise", or "keep" (a copy instead of a move).
    model
        A model's name or folder.
    matte
        "auto" tells the object from the background drawn along with it, "none" takes the handle as drawn.
    live
        Whether drafts of the edit follow the pointer while a region is dragged, and the edit its release:
        True, False, or None, where they do if a draft takes under 250 ms (see `RegionDragWidget.measured`).
    """

    prompt: str = ""
    seed: int = 0
    steps: int = 15
    start: float = 0.2
    stop: float = 0.0
    vacated: Literal["fill", "noise", "keep"] = "fill"
    model: str = "mini"
    matte: Literal["auto", "none"] = "auto"
    live: bool | None = None

    def __post_init__(self) -> None:
        _text("prompt", self.prompt, MAX_PROMPT)
        _whole("seed", self.seed, 0, MAX_SEED)
        _whole("steps", self.steps, 1, MAX_STEPS)
        _fraction("start", self.start)
        _fraction("stop", self.stop)
        if self.start == 0:
            raise ValueError("start is 0: nothing would change; choose a value above 0, for example 0.5")
        if self.stop > self.start:
            raise ValueError(f"stop ({self.stop:g}) is above start ({self.start:g}): it must not be")
        _one_of("vacated", self.vacated, ("fill", "noise", "keep"))
        _one_of("matte", self.matte, ("auto", "none"))
        _text("model", self.model, 1000)
        if not self.model.strip():
            raise ValueError("model is empty: give a name such as 'mini', or a folder")
        if self.live is not None and not isinstance(self.live, bool):
            raise TypeError(f"live must be True, False or None (automatic), not {self.live!r}")

    @classmethod
    def of_model(cls, model: str) -> EditSettings:
        """What an edit with ``model`` begins with: the engine's own defaults, told without importing it."""
        return cls() if model == "mini" else cls(model=model, steps=20, start=0.5, stop=0.2)

    def updated(self, changes: Mapping[str, Any]) -> EditSettings:
        """These settings with ``changes`` applied; unknown names raise ``ValueError``."""
        unknown = sorted(str(name) for name in changes if name not in NAMES)
        if unknown:
            raise ValueError(f"unknown setting {unknown[0]!r}: choose from {', '.join(NAMES)}")
        floats = {name: float(changes[name]) for name in ("start", "stop") if _is_number(changes.get(name))}
        return replace(self, **{**changes, **floats})

    def of_the_edit(self) -> dict[str, Any]:
        """What each edit of a prepared picture is told anew; the rest is the preparation's."""
        return {"stop": self.stop, "vacated": self.vacated, "matte": self.matte}

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON-able values."""
        return asdict(self)


NAMES = tuple(f.name for f in fields(EditSettings))


def known(params: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the browser's parameters that are settings; a newer page may send more."""
    return {name: value for name, value in params.items() if name in NAMES}


class LiveSettings(dict[str, Any]):
    """The value of ``widget.settings``: a dict whose changes are checked and reach the browser.

    ``w.settings["seed"] = 3`` and ``w.settings.update(steps=8, start=0.6)`` both work; names cannot be
    removed.
    """

    def __init__(self, values: EditSettings, assign: Callable[[Mapping[str, Any]], None]) -> None:
        super().__init__(values.as_dict())
        self._assign = assign

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def update(self, *args: Any, **changes: Any) -> None:
        """Change several settings at once: one check, one notification."""
        merged = dict(*args, **changes)
        self._assign(merged)
        super().update(merged)

    def __ior__(self, other: Any) -> LiveSettings:  # type: ignore[misc,override]
        self.update(other)
        return self

    def _fixed(self, *_: Any, **__: Any) -> Any:
        raise TypeError("settings cannot be removed: set another value, or w.settings = {...}")

    __delitem__ = pop = popitem = clear = setdefault = _fixed


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(name: str, value: object, longest: int) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, not {type(value).__name__}")
    if len(value) > longest:
        raise ValueError(f"{name} has {len(value)} characters: at most {longest} are allowed")


def _whole(name: str, value: object, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if not least <= value <= most:
        raise ValueError(f"{name} is {value}: it must be between {least} and {most}")


def _fraction(name: str, value: Any) -> None:
    if not _is_number(value):
        raise TypeError(f"{name} must be a number, not {value!r}")
    if not (math.isfinite(value) and 0 <= value <= 1):
        raise ValueError(f"{name} is {value}: it must be between 0 and 1")


def _one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is {value!r}: choose from {', '.join(map(repr, choices))}")
