"""Preparing a picture before anybody asks: the moment it is shown, and when its first pair is drawn.

A warm-up loads the model, inverts the picture and times a draft. It goes on only while the inference thread
has nothing more urgent to do, and never downloads weights only because a picture is looked at. A failure is a
note in the read-out and not an error: the run that needs the preparation shows the whole.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.locks import OrderedLock
from regiondrag_widget.regions.pair import RegionPair
from regiondrag_widget.widget.draft_job import Watch, draft_once
from regiondrag_widget.widget.editor_cache import EditorCache, editor_key, shared_editors
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
    """The warm-up of one widget; a newer one replaces it. All but its work is done with the lock held.

    Parameters
    ----------
    lock
        The document's.
    worker
        Does the work.
    measured
        Called on the inference thread with what was prepared (see `editor_key`) and the seconds of a timed
        draft of it.
    failed
        Called on the inference thread with what could not be prepared (likewise), and why.
    clock
        Seconds that never run backwards; injected by tests.
    """

    def __init__(
        self,
        lock: OrderedLock,
        worker: InferenceWorker,
        measured: Callable[[Hashable, float], None],
        failed: Callable[[Hashable, Failure], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lock = lock
        self._owner = ("warm", id(lock))
        self._worker = worker
        self._measured, self._failed = measured, failed
        self._clock = clock
        self._job: Job | None = None
        self._begun: tuple[Hashable, bool] | None = None  # what was tried, whatever came of it
        self._covered: Hashable = None
        self._last: WarmUpRequest | None = None  # the last that came to its end

    @property
    def running(self) -> bool:
        """Whether a warm-up waits or is under way."""
        return self._job is not None and not self._job.finished

    def is_due(self, needs: Hashable, *, drawn: bool) -> bool:
        """Whether this is still to be prepared, once for the picture and once for what is drawn.

        Parameters
        ----------
        needs
            See `WarmUpRequest.needs`.
        drawn
            Whether a pair is drawn.
        """
        assert self._lock.held()
        return self._covered != needs and self._begun not in ((needs, drawn), (needs, True))

    def begin(self, request: WarmUpRequest) -> None:
        """Prepare in the background, as soon as the inference thread has nothing more urgent to do."""
        self._begun = (request.needs, bool(request.pairs))
        self._submit(request)

    def repeat(self) -> None:
        """Time a draft again: what slowed the last one down may be over."""
        if self._last is not None and not self.running:
            self._submit(self._last)

    def cancel(self) -> None:
        """Stop and forget: the picture, or the whole widget, is gone."""
        assert self._lock.held()
        self._job = self._begun = self._covered = self._last = None
        self._worker.cancel(self._owner)

    def _submit(self, request: WarmUpRequest) -> None:
        assert self._lock.held()
        editors = shared_editors()
        self._job = Job(
            self._owner,
            lambda job: self._work(request, editors, job),
            crashed=lambda error: self._crashed(request, error),
            urgency=Urgency.BACKGROUND,
            needs=request.needs,
        )
        self._worker.submit(self._job)

    def _work(self, request: WarmUpRequest, editors: EditorCache, job: Job) -> None:
        try:
            with editors.surviving(request.needs):
                done = self._warm(request, editors, job)
        except BaseException as error:
            self._crashed(request, error)
            return
        with self._lock:
            if not done and self._job is job:
                self._submit(request)  # a more urgent job came in between: go on when that is over

    def _crashed(self, request: WarmUpRequest, error: BaseException) -> None:
        failure = describe(error)
        log.debug("preparing ahead of the run failed: %s", failure.message)
        let_go(error)
        self._failed(request.needs, failure)

    def _warm(self, request: WarmUpRequest, editors: EditorCache, job: Job) -> bool:
        """Prepare and time a draft; False when it made way for a more urgent job."""
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
        with self._lock:
            if self._job is job:
                self._last = request
                if request.pairs or editor.one_view:
                    self._covered = request.needs
        return True


def two_drags(shape: tuple[int, int], pairs: Sequence[RegionPair] = ()) -> tuple[RegionPair, RegionPair]:
    """Return two pairs such as a pointer gives one after the other.

    They are the first of ``pairs``, or a disc in the middle of an (H, W) picture, and the same a little
    farther on.
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
