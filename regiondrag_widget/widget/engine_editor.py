"""The edit engine as the widget's `editor.Editor`. Imports torch at the first edit, not before."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from PIL import Image

from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.models.profile import BUNDLED_PROFILES
from regiondrag_widget.regions.pair import RegionPair
from regiondrag_widget.widget.editor import Drafted, Editor, Report, Step
from regiondrag_widget.widget.user_pipelines import is_user_pipeline, living_pipeline, user_pipeline

if TYPE_CHECKING:
    from regiondrag_widget.engine.session import ImageSession

_WHERE_KEPT = {
    "host": "keys and values are kept in the computer's own memory",
    "recompute": "keys and values are computed again each time: they do not fit",
}


def own_settings(model: str) -> Mapping[str, Any]:
    """The model's own values of settings, where they are known without loading it; else nothing."""
    made = living_pipeline(model)
    if made is not None:
        return dict(getattr(made, "edit_defaults", {}))
    bundled = BUNDLED_PROFILES.get(model)
    return {} if bundled is None else bundled.defaults


def is_local(model: str) -> bool:
    """Whether loading ``model`` surely downloads nothing."""
    return model in BUNDLED_PROFILES or is_user_pipeline(model) or os.path.isdir(model)


def engine_editor(image: Image.Image, settings: EditSettings) -> Editor:
    """The real `EditorFactory`: an `ImageSession` of the edit engine. Imports torch.

    Raises
    ------
    ValueError
        The settings name a user's pipeline that is gone.
    """
    from regiondrag_widget.api import load_pipeline
    from regiondrag_widget.engine.session import ImageSession

    made = user_pipeline(settings.model)
    return SessionEditor(
        ImageSession(
            load_pipeline(settings.model if made is None else made),
            image,
            prompt=settings.prompt,
            steps=settings.steps,
            start=settings.start,
            seed=settings.seed,
            guidance_scale=settings.guidance_scale,
            negative_prompt=settings.negative_prompt,
        )
    )


class SessionEditor:
    """An `ImageSession` as the widget's `Editor`; see there for what the methods do."""

    def __init__(self, session: ImageSession) -> None:
        self._session = session

    @property
    def progress(self) -> Callable[[str], None] | None:
        """The session's own."""
        return self._session.progress

    @progress.setter
    def progress(self, progress: Callable[[str], None] | None) -> None:
        self._session.progress = progress

    def edit(self, pairs: Sequence[RegionPair], **settings: Any) -> Generator[Step, None, None]:
        """The session's own."""
        return self._session.edit(pairs, **settings)

    def draft(self, pairs: Sequence[RegionPair], **settings: Any) -> Generator[Step, None, None]:
        """The session's own."""
        return self._session.draft(pairs, **settings)

    def prepare(self, pairs: Sequence[RegionPair], cancelled: Callable[[], bool], **settings: Any) -> bool:
        """The session's own; False where it was cancelled."""
        from regiondrag_widget.engine.inversion import Cancelled

        try:
            self._session.prepare(pairs, cancelled=cancelled, **settings)
        except Cancelled:
            return False
        return True

    @property
    def result(self) -> Any:
        """The `EditResult` of the last edit that ran to its end."""
        return self._session.result

    @property
    def drafted(self) -> Drafted | None:
        """What the last draft that ran to its end gave."""
        return self._session.drafted

    @property
    def one_window(self) -> bool:
        """Whether the picture is no larger than the model works at."""
        return max(self._session.picture.shape) <= self._session.model.profile.side

    def report(self) -> Report:
        """Device, type, and bytes of what the session keeps."""
        backbone, kept = self._session.model.backbone, self._session.cache_report()
        words = backbone.acceleration if backbone.replays else ""
        return Report(
            device=str(backbone.device),
            dtype=str(backbone.dtype).removeprefix("torch."),
            memory=kept.used,
            budget=kept.budget,
            own_settings=self._session.model.edit_defaults,
            note="; ".join(filter(None, (words, _WHERE_KEPT.get(kept.keys_values)))),
        )

    def shrink(self) -> None:
        """Halve the session's cache."""
        self._session.shrink_cache()
