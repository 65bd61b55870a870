"""The edit engine as the widget's `editor.Editor`, and the names under which the settings know its models.

Imports torch at the first edit, not before.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.models.profile import MINI_PROFILE
from regiondrag_widget.regions.pair import RegionPair

if TYPE_CHECKING:
    from regiondrag_widget.engine.session import ImageSession
    from regiondrag_widget.widget.editor import Drafted, Editor, Report, Step

_WHERE_KEPT = {
    "host": "keys and values lie in the computer's own memory",
    "recompute": "keys and values are computed anew each time: they do not fit",
}

_given: dict[str, Any] = {}  # pipelines that users made themselves, by the name shown in the settings


def model_name(model: Any) -> str:
    """The name under which the settings know a model: a name, a folder, or a pipeline the user has made.

    A pipeline is kept here, not on a widget, for as long as the process lives.
    """
    if isinstance(model, (str, os.PathLike)):
        return os.fspath(model)
    if not callable(getattr(model, "network", None)):
        raise TypeError(
            f"model must be a name, a folder or a RegionDragPipeline, not {type(model).__name__}: "
            "rd.RegionDragPipeline.from_pipe(pipeline) makes one"
        )
    base = name = str(getattr(model, "name", "custom"))
    number = 1
    while name == "mini" or _given.get(name, model) is not model:
        number += 1
        name = f"{base} ({number})"
    _given[name] = model
    return name


def own_settings(model: str) -> Mapping[str, Any]:
    """The model's own values of settings, where they are known without loading it; else nothing."""
    if model in _given:
        return dict(getattr(_given[model], "edit_defaults", {}))
    return MINI_PROFILE.defaults if model == "mini" else {}


def is_local(model: str) -> bool:
    """Whether loading ``model`` surely downloads nothing."""
    return model == "mini" or model in _given or os.path.isdir(model)


def engine_editor(image: Image.Image, settings: EditSettings) -> Editor:
    """The real `EditorFactory`: an `ImageSession` of the edit engine. Imports torch."""
    from regiondrag_widget.api import load_pipeline
    from regiondrag_widget.engine.session import ImageSession

    given = _given.get(settings.model)
    return SessionEditor(
        ImageSession(
            load_pipeline(settings.model if given is None else given),
            image,
            prompt=settings.prompt,
            steps=settings.steps,
            start=settings.start,
            seed=settings.seed,
        )
    )


class SessionEditor:
    """An `ImageSession` as the widget's `Editor`."""

    def __init__(self, session: ImageSession) -> None:
        self._session = session

    def edit(self, pairs: Sequence[RegionPair], **settings: Any) -> Generator[Step, None, None]:
        return self._session.edit(pairs, **settings)

    def draft(self, pairs: Sequence[RegionPair], **settings: Any) -> Generator[Step, None, None]:
        return self._session.draft(pairs, **settings)

    def prepare(self, pairs: Sequence[RegionPair], cancelled: Callable[[], bool], **settings: Any) -> bool:
        from regiondrag_widget.engine.inversion import Cancelled

        try:
            self._session.prepare(pairs, cancelled=cancelled, **settings)
        except Cancelled:
            return False
        return True

    @property
    def result(self) -> Any:
        return self._session.result

    @property
    def drafted(self) -> Drafted | None:
        return self._session.drafted

    @property
    def one_view(self) -> bool:
        return max(self._session.picture.shape) <= self._session.model.profile.side

    def report(self) -> Report:
        from regiondrag_widget.widget.editor import Report

        backbone, kept = self._session.model.backbone, self._session.cache_report()
        words = backbone.acceleration if backbone.replays else ""
        return Report(
            device=str(backbone.device),
            dtype=str(backbone.dtype).removeprefix("torch."),
            memory=kept.used,
            budget=kept.budget,
            own_settings=self._session.pipe.edit_defaults,
            note="; ".join(filter(None, (words, _WHERE_KEPT.get(kept.keys_values)))),
        )

    def shrink(self) -> None:
        self._session.shrink_cache()
