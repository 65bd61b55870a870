"""What comes before a run: what handles carry, drafts that follow the pointer, the warm-up, the read-out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable
from dataclasses import replace

from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.widget.carrying import Carrying
from regiondrag_widget.widget.changes import Change
from regiondrag_widget.widget.document import Document
from regiondrag_widget.widget.draft_job import DraftRequest
from regiondrag_widget.widget.draft_queue import DraftQueue
from regiondrag_widget.widget.editor import Report
from regiondrag_widget.widget.editor_cache import editor_key, shared_editors
from regiondrag_widget.widget.engine_editor import is_local
from regiondrag_widget.widget.failures import Failure
from regiondrag_widget.widget.host import Outbox
from regiondrag_widget.widget.incoming import Draft
from regiondrag_widget.widget.outgoing import Measured, Outgoing
from regiondrag_widget.widget.readout import Readout
from regiondrag_widget.widget.settingsdict import known
from regiondrag_widget.widget.user_pipelines import drop, use
from regiondrag_widget.widget.warmup import WarmUp, WarmUpRequest
from regiondrag_widget.widget.worker import InferenceWorker, shared_helper

log = logging.getLogger(__name__)


class Live:
    """What one widget does while nobody has pressed Run.

    Parameters
    ----------
    document
        What is edited. `Live` is one of its listeners.
    worker
        Does the work.
    outbox
        Delivers what comes of it.
    send
        Sends one message to the browser.
    clock
        Seconds that never run backwards; injected by tests.
    """

    def __init__(
        self,
        document: Document,
        worker: InferenceWorker,
        outbox: Outbox,
        send: Callable[[Outgoing], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._document = document
        self._outbox = outbox
        self._send = send
        self._clock = clock
        self._settings = document.settings  # as they were before the latest change
        self._shown = False
        self._readout = Readout(self._report, self._measured, clock)
        self._warm = WarmUp(document.lock, worker, self._timed, self._unprepared, clock)
        helper = shared_helper()
        rest = helper, outbox, send
        self._told = (
            Carrying(document, document.carried_requests, document.carried.get, *rest),
            Carrying(document, document.route_requests, lambda request, _: request.answer(), *rest),
        )
        self._drafts = DraftQueue(
            document,
            worker,
            outbox,
            send,
            took=self._took,
            paused=self._readout.paused,
            shrunk=self._readout.shrunk,
            clock=clock,
        )
        use(self._settings.model)

    # -- what the browser says -------------------------------------------------------------------------------

    def draft(self, message: Draft) -> None:
        """Draft what the message asks for, unless a newer one comes."""
        with self._document.lock:
            now = self._document.snapshot()
            if message.rev < now.first_rev:
                return self._drafts.outdated(message.seq)  # drawn on the picture before this one
            try:
                settings = now.settings.updated(known(message.params))
            except (ValueError, TypeError) as error:
                return self._drafts.refuse(message.seq, str(error))
            request = DraftRequest(
                message.seq, message, now.image, now.picture_key, settings, self._clock(), now.maps
            )
        self._drafts.request(request)
        return None

    def refuse(self, seq: int, message: str) -> None:
        """Answer a draft whose message cannot be used."""
        self._drafts.refuse(seq, message)

    def drag_ended(self, seq: int) -> None:
        """The drag ended without a run."""
        with self._document.lock:
            self._drafts.drag_ended(seq)
            self._readout.update(settled=True)

    def greet(self) -> None:
        """A page came, or came back: tell it what was measured and what the handles carry."""
        with self._document.lock:
            self._readout.greet()
            for told in self._told:
                told.greet()

    def show(self, visible: bool) -> None:
        """Some view is on the screen, or none; a picture that is looked at is prepared for an edit."""
        with self._document.lock:
            self._shown = self._shown or visible
            if visible:
                self._prepare()

    def switch_stats(self, on: bool) -> None:
        """The read-out is opened or closed."""
        with self._document.lock:
            self._readout.switch(on)

    # -- what happens to the widget --------------------------------------------------------------------------

    @property
    def preparing(self) -> bool:
        """Whether the picture is being prepared."""
        return self._warm.running

    def run_begins(self) -> None:
        """A run makes all drafts useless, and what made them pause may be over."""
        with self._document.lock:
            self._drafts.void("stale")
            self._drafts.resume()

    def changed(self, what: Change) -> None:
        """Follow the document."""
        for told in self._told:
            told.changed(what)
        if Change.PICTURE in what:
            self._picture_changed()
        if Change.SETTINGS in what:
            old, self._settings = self._settings, self._document.settings
            self._settings_changed(old, self._settings)
        if Change.DRAWN in what and not self._document.busy:
            self._warm_up(drawn=True)  # the user is about to press Run, whatever that has to download
        if Change.STATE in what and not self._document.busy:
            self._run_ended()

    def close(self) -> None:
        """The widget is gone."""
        with self._document.lock:
            self._shown = False
            self._drafts.void("stopped")
            self._warm.cancel()
            for told in self._told:
                told.close()
            self._leave(self._settings.model)

    def _run_ended(self) -> None:
        """Memory may have changed; and where drafts were too slow for live, they may not be any more."""
        self._readout.update(settled=True)
        if self._shown and self._readout.speed.doubtful and not self._drafts.paused:
            self._warm.repeat()

    def _picture_changed(self) -> None:
        """What was drafted and prepared is of another picture."""
        self._drafts.void("stale")
        self._drafts.resume()
        self._readout.forget(model=False)
        self._warm.cancel()
        self._prepare()

    def _settings_changed(self, old: EditSettings, new: EditSettings) -> None:
        """Drafts with other settings are stale."""
        if new == old:
            return
        self._drafts.resume()
        if replace(new, live=old.live, selector=old.selector) == old:
            if new.live is False:
                self._drafts.void("stopped")
            return
        self._drafts.void("stale")
        if editor_key(None, new) != editor_key(None, old):
            self._warm.cancel()
            self._readout.unprepared("")
        if new.model != old.model:
            use(new.model)
            self._leave(old.model)
            self._readout.forget(model=True)
        self._prepare()

    # -- helpers ---------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Prepare a picture that is looked at, unless that would download a model."""
        model = self._document.snapshot().settings.model
        if self._shown and (is_local(model) or shared_editors().loaded(model)):
            self._warm_up(drawn=False)

    def _warm_up(self, *, drawn: bool) -> None:
        now = self._document.snapshot()
        request = WarmUpRequest(now.image, now.picture_key, now.settings)
        if self._warm.is_due(request.needs, drawn=drawn):
            pairs = self._document.pairs.first_drawn()
            if pairs or not drawn:
                self._warm.begin(replace(request, pairs=pairs))

    def _report(self) -> Report | None:
        now = self._document.snapshot()
        try:
            return shared_editors().report(now.picture_key, now.settings)
        except Exception:  # the read-out is no reason for anything to fail
            log.debug("the engine gives no report", exc_info=True)
            return None

    def _leave(self, model: str) -> None:
        """The widget uses ``model`` no longer; a user's pipeline is let go with the last widget."""
        if drop(model):
            shared_editors().forget_model(model)

    def _measured(self, measured: Measured) -> None:
        self._document.show_measured(measured.as_dict())
        self._send(measured)

    def _timed(self, needs: Hashable, seconds: float) -> None:
        def note() -> None:
            now = self._document.snapshot()
            if needs == editor_key(now.picture_key, now.settings):  # not those of an earlier model
                self._readout.unprepared("")
                self._readout.speed.begin(seconds)

        self._later(note)

    def _unprepared(self, needs: Hashable, failure: Failure) -> None:
        def note() -> None:
            now = self._document.snapshot()
            if needs == editor_key(now.picture_key, now.settings):
                self._readout.unprepared(failure.message)

        self._later(note)

    def _took(self, seconds: float) -> None:
        self._later(lambda: self._readout.speed.add(seconds))

    def _later(self, note: Callable[[], None]) -> None:
        def deliver() -> None:
            with self._document.lock:
                note()
                self._readout.update()

        self._outbox.post(deliver)
