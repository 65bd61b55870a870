"""Trait types whose reading and writing the widget does itself, under its lock.

traitlets is not thread-safe: while one thread holds notifications back, another's change can be lost or
merged. So every write goes through the widget's lock, and these types see to it that ``w.settings = ...``
does too.
"""

from __future__ import annotations

from typing import Any

import traitlets


class Routed(traitlets.TraitType):
    """A trait that is read by ``obj.<getter>()`` and written by ``obj.<setter>(value)``; observable as any
    other.
    """

    def __init__(self, getter: str, setter: str, help: str) -> None:
        super().__init__(default_value=None, allow_none=True, help=help)
        self._getter = getter
        self._setter = setter

    def get(self, obj: Any, cls: Any = None) -> Any:
        return getattr(obj, self._getter)()

    def set(self, obj: Any, value: Any) -> None:
        getattr(obj, self._setter)(value)


class LockedDict(traitlets.Dict):
    """A synced dict whose new value first passes ``obj.<checker>(value)``, all under ``obj.lock``."""

    def __init__(self, checker: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._checker = checker

    def set(self, obj: Any, value: Any) -> None:
        with obj.lock:
            super().set(obj, getattr(obj, self._checker)(value))
