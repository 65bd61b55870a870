"""The pipelines that users made themselves, under the names by which the settings know them.

A `Model` counts as one too. They are held weakly: a pipeline lives as long as the user or a widget that uses
it holds it. A name is never given to a second pipeline, so a saved setting means the pipeline that it was
made with, or none.
"""

from __future__ import annotations

import os
import weakref
from typing import Any

from regiondrag_widget.locks import OrderedLock, Rank
from regiondrag_widget.models.profile import BUNDLED_PROFILES

_lock = OrderedLock(Rank.REGISTRY)
_made: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
_used: dict[str, list[Any]] = {}  # a pipeline by its name, once for every widget that uses it
_given: set[str] = set()  # all names ever given to a pipeline
_reserved: set[str] = set()  # those of them by which no other model was chosen since


def model_name(model: Any) -> str:
    """The name under which the settings know a model.

    Parameters
    ----------
    model
        A name, a folder, or a pipeline or `Model` that the user has made. The caller has to hold it.

    Raises
    ------
    TypeError
        It is none of these.
    """
    if isinstance(model, (str, os.PathLike)):
        name = os.fspath(model)
        with _lock:
            if name not in _made:
                _reserved.discard(name)  # asked for by name, so that model is wanted
        return name
    if not callable(getattr(model, "network", None)):
        raise TypeError(
            f"model must be a name, a folder, a RegionDragPipeline or a Model, not {type(model).__name__}: "
            "rd.RegionDragPipeline.from_pipe(pipeline) makes one"
        )
    with _lock:
        for name, known in _made.items():
            if known is model:
                return name
        base = name = str(getattr(model, "name", "custom"))
        number = 1
        while name in BUNDLED_PROFILES or name in _given:
            number += 1
            name = f"{base} ({number})"
        _made[name] = model
        _given.add(name)
        _reserved.add(name)
        return name


def user_pipeline(name: str) -> Any | None:
    """The user's pipeline called ``name``; None where that is the name of another model.

    Raises
    ------
    ValueError
        There was one, and nothing holds it any more.
    """
    with _lock:
        pipeline = _made.get(name)
        if pipeline is None and name in _reserved:
            raise ValueError(
                f"the pipeline {name!r} is gone, because nothing held it any more: make it again and pass it "
                "as RegionDragWidget(model=pipeline), or choose another model"
            )
        return pipeline


def living_pipeline(name: str) -> Any | None:
    """The user's pipeline called ``name``; None where there is none, or none any more."""
    with _lock:
        return _made.get(name)


def is_user_pipeline(name: str) -> bool:
    """Whether ``name`` is that of a user's pipeline, or of one that is gone."""
    with _lock:
        return name in _reserved


def use(name: str) -> None:
    """A widget uses the model called ``name``: if it is a user's pipeline, it is held from now on."""
    with _lock:
        pipeline = _made.get(name)
        if pipeline is not None:
            _used.setdefault(name, []).append(pipeline)


def drop(name: str) -> bool:
    """A widget uses it no longer; whether it is a user's pipeline that no widget uses now."""
    with _lock:
        holders = _used.get(name)
        if not holders:
            return False
        holders.pop()
        if holders:
            return False
        del _used[name]
        return True
