"""Edits that follow the pointer: drafts, the warm-up that makes them quick, and what is told of both."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from PIL import Image

from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.regions.pair import RegionPair
from regiondrag_widget.widget import protocol
from regiondrag_widget.widget.drafting import DraftRequest
from regiondrag_widget.widget.drafts import Drafts
from regiondrag_widget.widget.editor import Report, editor_key, shared_editors
from regiondrag_widget.widget.failures import Failure
from regiondrag_widget.widget.host import Outbox
from regiondrag_widget.widget.readout import Readout, as_dict
from regiondrag_widget.widget.sessions import is_local
from regiondrag_widget.widget.settingsdict import known
from regiondrag_widget.widget.warming import WarmUp, WarmUpRequest
from regiondrag_widget.widget.worker import InferenceWorker

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What a widget edits at one moment.

    Attributes
    ----------
    image, picture_key
        The picture, and a key equal for equal pictures.
    first_rev
        The number of the regions that this picture began with: what is older was drawn on another one.
    settings
        Valid by construction.
    """

    image: Image.Image
    picture_key: Hashable
    first_rev: int
    settings: EditSettings


class LiveHost(Protocol):
    """What `Live` needs of the widget."""

    @property
    def lock(self) -> threading.RLock: ...
    @property
    def busy(self) -> bool:
        """Whether a run is under way."""

    def snapshot(self) -> Snapshot: ...
    def drawn_pairs(self) -> Sequence[RegionPair]:
        """The complete pairs."""

    def send_message(self, message: protocol.Outgoing) -> None: ...
    def show_failure(self, failure: Failure) -> None: ...
    def show_measured(self, measured: dict[str, Any]) -> None: ...


class Live:
    """All of one widget that happens while nobody has pressed Run."""

    def __init__(
        self,
        host: LiveHost,
        worker: InferenceWorker,
        outbox: Outbox,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._host = host
        self._outbox = outbox
        self._clock = clock
        self._shown = False
        self._readout = Readout(self._report, self._measured, clock)
        self._warm = WarmUp(host, worker, self._timed, self._unprepared, clock)
        self._drafts = Drafts(
            host,
            worker,
            outbox,
            busy=lambda: host.busy,
            took=self._took,
            paused=self._readout.paused,
            shrunk=self._readout.shrunk,
            clock=clock,
        )

    # -- what the browser says -------------------------------------------------------------------------------

    def draft(self, message: protocol.Draft) -> None:
        """Draft what the message asks for, unless a newer one comes."""
        with self._host.lock:
            now = self._host.snapshot()
            if message.rev < now.first_rev:
                return self._drafts.outdated(message.seq)  # drawn on the picture before this one
            try:
                settings = now.settings.updated(known(message.params))
            except (ValueError, TypeError) as error:
                return self._drafts.refuse(message.seq, str(error))
            request = DraftRequest(message.seq, message, now.image, now.picture_key, settings, self._clock())
        self._drafts.request(request)
        return None

    def refuse(self, seq: int, message: str) -> None:
        """A draft's message is malformed."""
        self._drafts.refuse(seq, message)

    def rest(self, seq: int) -> None:
        """The drag ended without a run."""
        with self._host.lock:
            self._drafts.rest(seq)
            self._readout.update(settled=True)

    def greet(self) -> None:
        """A page came, or came back."""
        with self._host.lock:
            self._readout.greet()

    def show(self, visible: bool) -> None:
        """Some view is on the screen: whoever looks at a picture may edit it next."""
        with self._host.lock:
            self._shown = self._shown or visible
            if visible:
                self._prepare()

    def switch_stats(self, on: bool) -> None:
        """The read-out is opened or closed."""
        with self._host.lock:
            self._readout.switch(on)

    # -- what happens to the widget --------------------------------------------------------------------------

    @property
    def preparing(self) -> bool:
        """Whether the picture is being prepared."""
        return self._warm.running

    def run_begins(self) -> None:
        """A run makes all drafts void, and whatever made them pause may be cured."""
        with self._host.lock:
            self._drafts.void("stale")
            self._drafts.resume()

    def run_ended(self) -> None:
        """Memory may have changed; and where drafts were too slow for live, they may not be any more."""
        with self._host.lock:
            self._readout.update(settled=True)
            if self._shown and self._readout.latency.doubtful and not self._drafts.paused:
                self._warm.repeat()

    def picture_changed(self) -> None:
        """What was drafted and prepared is of another picture."""
        with self._host.lock:
            self._drafts.void("stale")
            self._drafts.resume()
            self._readout.forget(model=False)
            self._warm.cancel()
            self._prepare()

    def settings_changed(self, old: EditSettings, new: EditSettings) -> None:
        """Drafts with other settings are stale."""
        if new == old:
            return
        with self._host.lock:
            self._drafts.resume()
            if replace(new, live=old.live) == old:
                if new.live is False:
                    self._drafts.void("stopped")
                return
            self._drafts.void("stale")
            if editor_key(None, new) != editor_key(None, old):
                self._warm.cancel()
                self._readout.unprepared("")
            if new.model != old.model:
                self._readout.forget(model=True)
            self._prepare()

    def drawn(self) -> None:
        """The first pair is complete: the user is about to press Run, whatever that must download."""
        with self._host.lock:
            if not self._host.busy:
                self._warm_up(drawn=True)

    def close(self) -> None:
        """The widget is gone."""
        with self._host.lock:
            self._shown = False
            self._drafts.void("stopped")
            self._warm.cancel()

    # -- helpers ---------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Once a picture is looked at, unless that would download a model."""
        model = self._host.snapshot().settings.model
        if self._shown and (is_local(model) or shared_editors().loaded(model)):
            self._warm_up(drawn=False)

    def _warm_up(self, *, drawn: bool) -> None:
        now = self._host.snapshot()
        request = WarmUpRequest(now.image, now.picture_key, now.settings)
        if self._warm.is_due(request.needs, drawn=drawn):
            pairs = tuple(self._host.drawn_pairs())[:1]
            if pairs or not drawn:
                self._warm.begin(replace(request, pairs=pairs))

    def _report(self) -> Report | None:
        now = self._host.snapshot()
        try:
            return shared_editors().report(now.picture_key, now.settings)
        except Exception:  # a read-out must not spoil what it reads
            log.debug("the engine gives no report", exc_info=True)
            return None

    def _measured(self, measured: protocol.Measured) -> None:
        self._host.show_measured(as_dict(measured))
        self._host.send_message(measured)

    def _timed(self, needs: Hashable, seconds: float) -> None:
        def note() -> None:
            now = self._host.snapshot()
            if needs == editor_key(now.picture_key, now.settings):  # not of a model that was chosen before
                self._readout.unprepared("")
                self._readout.latency.begin(seconds)

        self._later(note)

    def _unprepared(self, needs: Hashable, failure: Failure) -> None:
        def note() -> None:
            now = self._host.snapshot()
            if needs == editor_key(now.picture_key, now.settings):
                self._readout.unprepared(failure.message)

        self._later(note)

    def _took(self, seconds: float) -> None:
        self._later(lambda: self._readout.latency.add(seconds))

    def _later(self, note: Callable[[], None]) -> None:
        def deliver() -> None:
            with self._host.lock:
                note()
                self._readout.update()

        self._outbox.post(deliver)
