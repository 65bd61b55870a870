"""Keyword arguments that do not exist are refused by name, with the nearest one that does."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

from regiondrag_widget.engine.settingspec import unknown_name

__all__ = ["check_keywords", "names_near_misses"]

# what diffusers' pipelines take and an edit does not, or by another name
EXPLAINED = {
    "num_inference_steps": "say steps=, the levels of the whole noise schedule",
    "strength": "say start=, the fraction of the noise schedule that the edit begins at",
    "num_images_per_prompt": "it makes one picture: call the pipeline, or edit a session once for each seed",
    "ip_adapter_image": "say it to the pipeline's call, or to an ImageSession",
    "control_image": "an edit has no ControlNet: a map shows the picture as it is, and an edit makes another",
    "controlnet": "an edit has no ControlNet: a map shows the picture as it is, and an edit makes another",
    "torch_dtype": "parts are used in the format they have; pipeline.to(torch_dtype) casts them before",
}
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
            near = f": {EXPLAINED[name]}" if name in EXPLAINED else near
            raise TypeError(f"{function}() has no argument {name!r}{near}")
