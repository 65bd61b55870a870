"""``widget.settings``: a dict whose changes are checked and reach the browser."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from regiondrag_widget.engine.settings import EditSettings, names

__all__ = ["LiveSettings", "known"]


def known(params: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the browser's parameters that are settings; a newer page may send more."""
    return {name: value for name, value in params.items() if name in names("widget")}


class LiveSettings(dict[str, Any]):
    """The value of ``widget.settings``: a dict whose changes are checked and reach the browser.

    ``w.settings["seed"] = 3`` and ``w.settings.update(steps=8, start=0.6)`` both work; names cannot be
    removed. A setting that nobody has set follows the model: it reads as the model's own value, or as None
    while the model is not known yet. Assigning None lets a setting follow the model again.

    Parameters
    ----------
    asked : EditSettings
        What was set, with None where the model decides; the browser gets these.
    own : mapping
        The model's own values, as far as they are known.
    assign : callable
        Changes the widget's settings, and returns them as they are then.
    """

    def __init__(
        self,
        asked: EditSettings,
        own: Mapping[str, Any],
        assign: Callable[[Mapping[str, Any]], LiveSettings],
    ) -> None:
        super().__init__(asked.with_own(own).as_dict())
        self.asked = asked.as_dict()
        self._assign = assign

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def update(self, *args: Any, **changes: Any) -> None:
        """Change several settings at once: one check, one notification."""
        now = self._assign(dict(*args, **changes))
        super().update(now)
        self.asked = now.asked

    def __ior__(self, other: Any) -> LiveSettings:  # type: ignore[misc,override]
        self.update(other)
        return self

    def __eq__(self, other: object) -> bool:
        """Also whether the same are set: a value that was set stays when the model changes."""
        alike = isinstance(other, dict) and super().__eq__(other)
        return alike and (not isinstance(other, LiveSettings) or self.asked == other.asked)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None

    def _fixed(self, *_: Any, **__: Any) -> Any:
        raise TypeError("settings cannot be removed: set another value, or w.settings = {...}")

    __delitem__ = pop = popitem = clear = setdefault = _fixed
