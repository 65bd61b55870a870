"""Keyword arguments that do not exist are refused by name, with the nearest one that does."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

from regiondrag_widget.engine.settingspec import unknown_name

__all__ = ["check_keywords", "names_near_misses"]

P = ParamSpec("P")
T = TypeVar("T")


def names_near_misses(function: Callable[P, T]) -> Callable[P, T]:
    """The same function, whose TypeError for an unknown keyword says which keyword is meant."""
    known = [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]

    @functools.wraps(function)
    def checked(*args: P.args, **keywords: P.kwargs) -> T:
        check_keywords(function.__name__, keywords, known)
        return function(*args, **keywords)

    return checked


def check_keywords(function: str, given: Iterable[str], known: Iterable[str]) -> None:
    """TypeError for the first of the ``given`` names that is not ``known``."""
    known = [name for name in known if name not in ("self", "cls", "settings")]
    for name in given:
        if name not in known:
            near = unknown_name(name, known) or f": it knows {', '.join(known)}"
            raise TypeError(f"{function}() has no argument {name!r}{near}")
