"""What the widget asks of an edit engine.

The widget knows the engine only through `Editor` and `EditorFactory`, so tests put a small deterministic
editor in its place. The real engine's adapter is in `engine_editor`; `editor_cache` keeps a few editors.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.regions.pair import RegionPair


class Step(Protocol):
    """One denoising step: ``index`` counts from 1 to ``total``."""

    @property
    def index(self) -> int:
        """Its number, from 1."""

    @property
    def total(self) -> int:
        """How many there are."""

    def preview(self, max_size: int = ...) -> NDArray[np.uint8]:
        """(h, w, 3) uint8, at most ``max_size`` on the long side."""


class Editor(Protocol):
    """One picture made ready for editing: all that does not depend on the regions (`ImageSession`)."""

    progress: Callable[[str], None] | None
    """Is told in words what is done before an edit's first step."""

    def edit(
        self,
        pairs: Sequence[RegionPair],
        *,
        editable: NDArray[np.bool_] | None,
        **settings: Any,
    ) -> Generator[Step, None, None]:
        """The reverse pass, one `Step` a level; closing the generator cancels.

        ``settings`` are those of `EditSettings.of_the_edit`, here and in `prepare` and `draft`.
        """

    def prepare(
        self,
        pairs: Sequence[RegionPair],
        cancelled: Callable[[], bool],
        *,
        editable: NDArray[np.bool_] | None,
        **settings: Any,
    ) -> bool:
        """Compute in advance what an `edit` of these handles needs, above all the inversion.

        Returns False when ``cancelled``, which is asked now and then, ended it.
        """

    def draft(
        self,
        pairs: Sequence[RegionPair],
        *,
        calls: int,
        editable: NDArray[np.bool_] | None,
        **settings: Any,
    ) -> Generator[Step, None, None]:
        """An edit in ``calls`` steps, a look at what `edit` would give; closing the generator cancels."""

    @property
    def result(self) -> Any:
        """The `EditResult` of the last edit that ran to its end."""

    @property
    def drafted(self) -> Drafted | None:
        """What the last draft that ran to its end gave."""

    @property
    def one_window(self) -> bool:
        """Whether all edits of the picture share one preparation: it is no larger than the model works at."""

    def report(self) -> Report:
        """What the editor runs on and what it keeps."""

    def shrink(self) -> None:
        """Keep half as much from now on, after memory ran out."""


class Drafted(Protocol):
    """A draft's picture: ``rgb`` (h, w, 3) uint8 of the ``box`` x0, y0, x1, y1 in picture pixels."""

    @property
    def rgb(self) -> NDArray[np.uint8]:
        """(h, w, 3) uint8."""

    @property
    def box(self) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 in picture pixels."""


@dataclass(frozen=True)
class Report:
    """What an editor runs on and keeps.

    Attributes
    ----------
    device, dtype
        As torch names them.
    memory, budget
        Bytes that are kept, and that may be kept.
    note
        More for the read-out, in words.
    own_settings
        The model's own values of settings.
    """

    device: str = ""
    dtype: str = ""
    memory: int = 0
    budget: int = 0
    note: str = ""
    own_settings: Mapping[str, Any] = field(default_factory=dict)


class EditorFactory(Protocol):
    """Makes an `Editor`: loads the model, inverts the picture. Slow; called on the inference thread."""

    def __call__(self, image: Image.Image, settings: EditSettings) -> Editor:
        """Return an editor of this picture."""
