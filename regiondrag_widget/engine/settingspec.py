"""What the table of settings says about one setting, and the checks that follow from it."""

from __future__ import annotations

import difflib
import numbers
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from regiondrag_widget.text import require_text, shown

__all__ = ["BROWSER_INTEGER", "Choice", "Face", "Kind", "Scope", "SettingSpec", "setting", "unknown_name"]

Kind = Literal["text", "integer", "number", "choice", "flag", "layers"]
Face = Literal["python", "widget", "command line"]
Scope = Literal["model", "picture", "edit", "display"]

EVERYWHERE: tuple[Face, ...] = ("python", "widget", "command line")
BROWSER_INTEGER = 2**53 - 1  # the largest whole number that a browser holds exactly


@dataclass(frozen=True)
class Choice:
    """A value that a setting may have, and the drawer's words for it."""

    value: str | bool | None
    label: str


@dataclass(frozen=True)
class SettingSpec:
    """One setting, as the table has it.

    Attributes
    ----------
    name : str
        The keyword in Python; ``--name`` on the command line.
    kind : str
        "text", "integer", "number", "choice", "flag" (on or off), or "layers" (which attention layers).
    default : object
        The value if nobody says otherwise.
    help : str
        One short sentence for users, without its full stop: the drawer's words.
    more : str
        What the command line and docstrings add to it.
    label : str
        The control's name in the drawer.
    choices : tuple of Choice
        The values to choose from. A choice without any is one of the kernel's list of models.
    min, max : float or None
        The range, both ends included; of a text, ``max`` is the greatest length.
    above_min : bool
        ``min`` itself is not allowed.
    step : float or None
        How far apart the values are that the drawer offers.
    faces : tuple of str
        Where users meet it: "python", "widget" (the drawer), "command line".
    scope : str
        What has to be prepared anew when it changes: "model", "picture", "edit", or nothing ("display").
    of_model : bool
        None stands for the model's own value, which its profile has.
    """

    name: str
    kind: Kind
    default: Any
    help: str
    more: str = ""
    label: str = ""
    choices: tuple[Choice, ...] = ()
    min: float | None = None
    max: float | None = None
    above_min: bool = False
    step: float | None = None
    faces: tuple[Face, ...] = EVERYWHERE
    scope: Scope = "edit"
    of_model: bool = False

    @property
    def values(self) -> tuple[str | bool | None, ...]:
        """The values to choose from."""
        return tuple(choice.value for choice in self.choices)

    @property
    def allowed(self) -> str:
        """What may be given, in words: "a number from 0 to 1"."""
        if self.kind in ("integer", "number"):
            return self._range()
        if self.kind == "choice" and self.choices:
            return f"one of {', '.join(map(repr, self.values))}"
        words = {"flag": "True or False", "layers": "True, False, a function, 'gathered' or 'live'"}
        return words.get(self.kind, "a text")

    @property
    def explanation(self) -> str:
        """The help and what is added to it."""
        return f"{self.help}; {self.more}" if self.more else self.help

    def checked(self, value: Any) -> Any:
        """The value as the settings keep it.

        Raises
        ------
        ValueError
            For a value that is out of range or none of the choices.
        TypeError
            For one of another type.
        """
        if value is None and self.of_model:
            return None
        if self.kind == "text":
            return self._text(value)
        if self.kind in ("integer", "number"):
            return self._number(value)
        if self.kind == "choice":
            return self._choice(value) if self.choices else self._text(value)
        if self.kind == "flag":
            if not isinstance(value, bool):
                raise TypeError(f"{self.name} must be True or False, got {value!r}")
            return value
        return self._layers(value)

    def checked_for_browser(self, value: Any) -> Any:
        """As `checked`, and refuses whole numbers that a browser would round."""
        value = self.checked(value)
        if self.kind == "integer" and value is not None and value > BROWSER_INTEGER:
            raise ValueError(
                f"{self.name} must be a whole number up to {BROWSER_INTEGER}, got {shown(value)}"
            )
        return value

    def documentation(self) -> list[str]:
        """Its entry in a docstring: the name with what may be given, and below it the help, indented."""
        default = "the model's own" if self.of_model else repr(self.default)
        help = textwrap.wrap(self.explanation + ".", 96)
        return [f"{self.name} : {self.allowed}; default {default}", *(f"    {line}" for line in help)]

    def _text(self, value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError(f"{self.name} must be a text, got {type(value).__name__}")
        if self.max is not None and len(value) > self.max:
            raise ValueError(f"{self.name} has {len(value)} characters: at most {self.max:.0f} are allowed")
        require_text(self.name, value)
        if self.kind == "choice" and not value.strip():
            raise ValueError(f"{self.name} is empty: give a name such as {self.default!r}, or a folder")
        return value

    def _choice(self, value: Any) -> Any:
        switch = not any(isinstance(v, str) for v in self.values)  # a switch with a third position
        if any(value is v if switch else isinstance(value, str) and value == v for v in self.values):
            return value
        error = TypeError if switch else ValueError
        raise error(f"{self.name} must be one of {', '.join(map(str, self.values))}, got {value!r}")

    def _layers(self, value: Any) -> Any:
        if isinstance(value, bool) or callable(value) or (isinstance(value, str) and value in self.values):
            return value
        raise TypeError(
            f"{self.name} must be True, False or a function of a layer's name, or "
            f"{' or '.join(map(repr, self.values))}, got {value!r}"
        )

    def _number(self, value: Any) -> int | float:
        wanted = numbers.Integral if self.kind == "integer" else numbers.Real
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, wanted):
            raise TypeError(f"{self.name} must be {self._range()}, got {shown(value)}")
        try:
            plain = int(value) if self.kind == "integer" else float(value)  # type: ignore[call-overload]
        except OverflowError:  # a whole number beyond the range of floats
            raise ValueError(f"{self.name} must be {self._range()}, got {shown(value)}") from None
        above = self.min is None or (plain > self.min if self.above_min else plain >= self.min)
        if not above or not (self.max is None or plain <= self.max):  # also for a nan
            raise ValueError(f"{self.name} must be {self._range()}, got {shown(value)}")
        return plain

    def _range(self) -> str:
        kind = "a whole number" if self.kind == "integer" else "a number"
        if self.max is None or self.max > BROWSER_INTEGER:
            return f"{kind} from {self.min:g}"
        low = f"above {self.min:g} and up to" if self.above_min else f"from {self.min:g} to"
        return f"{kind} {low} {self.max:g}"

    def named(self, name: str) -> SettingSpec:
        """The same under a name, with a label if it has none."""
        return replace(self, name=name, label=self.label or _capital(name.replace("_", " ")))


def setting(kind: Kind, default: Any, help: str, **rest: Any) -> Any:
    """A field of `EditSettings`, and with it a row of the table; ``rest`` as `SettingSpec` has it."""
    choices = rest.pop("choices", ())
    pairs = choices.items() if isinstance(choices, dict) else ((value, str(value)) for value in choices)
    listed = tuple(Choice(value, label) for value, label in pairs)
    spec = SettingSpec("", kind, default, help, choices=listed, **rest)
    return field(default=default, metadata={"spec": spec})


def unknown_name(name: str, known: Iterable[str]) -> str:
    """The end of an error about an unknown name: ". Did you mean 'steps'?", or nothing."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f". Did you mean {near[0]!r}?" if near else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
