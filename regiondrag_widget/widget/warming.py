"""Preparing a picture before anybody asks: the moment it is shown, and when its first pair is drawn.

A warm-up loads the model, inverts the picture and times a draft. It goes on only while the inference thread
has nothing better to do, and never downloads weights because a picture is merely looked at. What fails in it
is a note in the read-out, no error: the run that needs it tells the whole.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.regions.pair import RegionPair
from regiondrag_widget.widget.drafting import Watch, draft_once
from regiondrag_widget.widget.editor import EditorCache, editor_key, shared_editors
from regiondrag_widget.widget.failures import Failure, describe, let_go
from regiondrag_widget.widget.worker import InferenceWorker, Job, Urgency

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class WarmUpRequest:
    """What to prepare: the picture for the drawn ``pairs``, or, with none, for whatever may be drawn."""

    image: Image.Image
    picture_key: Hashable
    settings: EditSettings
    pairs: Sequence[RegionPair] = ()

    @property
    def needs(self) -> Hashable:
        """Equal for requests that work on the same prepared picture."""
        return editor_key(self.picture_key, self.settings)


class WarmUp:
    """The warm-up of one widget; a newer one replaces it.

    Parameters
    ----------
    owner
        The widget.
    measured
        Told, on the inference thread, the seconds of a timed draft, and of what (see `editor_key`).
    failed
        Told, on the inference thread, of what (likewise) the preparation failed, and why.
    """

    def __init__(
        self,
        owner: object,
        worker: InferenceWorker,
        measured: Callable[[Hashable, float], None],
        failed: Callable[[Hashable, Failure], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._owner = ("warm", id(owner))
        self._worker = worker
        self._measured, self._failed = measured, failed
        self._clock = clock
        self._lock = threading.Lock()
        self._job: Job | None = None
        self._begun: tuple[Hashable, bool] | None = None  # what was tried, whatever came of it
        self._covered: Hashable = None
        self._last: WarmUpRequest | None = None  # the last that came to its end

    @property
    def running(self) -> bool:
        """Whether it waits or is under way."""
        return self._job is not None and not self._job.finished

    def is_due(self, needs: Hashable, *, drawn: bool) -> bool:
        """Whether these needs are still to be prepared: once for the picture, once for what is drawn."""
        return self._covered != needs and self._begun not in ((needs, drawn), (needs, True))

    def begin(self, request: WarmUpRequest) -> None:
        """Prepare in the background, from now on or when the inference thread has nothing better to do."""
        with self._lock:
            self._begun = (request.needs, bool(request.pairs))
            self._submit(request)

    def repeat(self) -> None:
        """Time a draft anew: what slowed the last one down may be over."""
        with self._lock:
            if self._last is not None and not self.running:
                self._submit(self._last)

    def cancel(self) -> None:
        """Its picture, or the whole widget, is gone."""
        with self._lock:
            self._job = self._begun = self._covered = self._last = None
            self._worker.cancel(self._owner)

    def _submit(self, request: WarmUpRequest) -> None:
        editors = shared_editors()
        self._job = Job(
            self._owner,
            lambda job: self._work(request, editors, job),
            urgency=Urgency.BACKGROUND,
            needs=request.needs,
        )
        self._worker.submit(self._job)

    def _work(self, request: WarmUpRequest, editors: EditorCache, job: Job) -> None:
        try:
            with editors.surviving(request.needs):
                done = self._warm(request, editors, job)
        except Exception as error:
            log.debug("preparing ahead of the run failed: %s", error)
            self._failed(request.needs, describe(error))
            let_go(error)
            return
        with self._lock:
            if not done and self._job is job:
                self._submit(request)  # something more urgent came in between: go on when that is over

    def _warm(self, request: WarmUpRequest, editors: EditorCache, job: Job) -> bool:
        """False when it gave way to something more urgent."""
        editor = editors.get(request.picture_key, request.image, request.settings)
        if not request.pairs and not editor.one_view:
            job.needs = None  # the middle of a large picture: what is drawn may need another part
        watch = Watch(
            self._clock,
            should_stop=lambda: self._worker.should_stop(job),
            should_stop_preparing=lambda: self._worker.should_stop(job, preparing=True),
            prepared=lambda: None,
        )
        shape = request.image.height, request.image.width
        first, second = two_drags(shape, request.pairs)
        how = {**request.settings.of_the_edit(), "editable": None}
        if not editor.prepare([first], watch.should_stop_preparing, **how):
            return False
        seconds = None
        for pair in (first, second):  # the first also pays what every process pays once
            if watch.should_stop() or (draft := draft_once(editor, [pair], how, watch)) is None:
                return False
            seconds = draft.seconds
        if seconds is not None:
            self._measured(request.needs, seconds)
        self._last = request
        if request.pairs or editor.one_view:
            self._covered = request.needs
        return True


def two_drags(shape: tuple[int, int], pairs: Sequence[RegionPair] = ()) -> tuple[RegionPair, RegionPair]:
    """Two pairs like what a pointer gives one after the other: the first of ``pairs``, or a disc in the
    middle of an (H, W) picture, and the same a little farther on.
    """
    height, width = shape
    if pairs:
        first = pairs[0]
    else:
        radius = max(4, min(height, width, 512) // 10)
        y, x = np.ogrid[:height, :width]
        first = RegionPair.move((x - width // 2) ** 2 + (y - height // 2) ** 2 <= radius**2, radius, 0)
    (y0, x0), (y1, x1) = (np.argwhere(mask).mean(0) for mask in (first.handle, first.target))
    step = 4 if x1 < width / 2 else -4
    return first, RegionPair.move(first.handle, x1 - x0 + step, y1 - y0)
