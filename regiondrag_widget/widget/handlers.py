"""What the browser's messages do: each becomes a call on the document, the runs or the drafts.

Handlers enqueue work and return, whatever thread calls them: it is the main thread on some kernels and a
subshell's on others. Whatever is wrong with a message becomes an `Error` reply, or for a draft an `Undrafted`
one; nothing raises into the kernel.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from regiondrag_widget import __version__
from regiondrag_widget.widget.arrivals import Arrivals
from regiondrag_widget.widget.document import Document
from regiondrag_widget.widget.edit_job import EditRequest
from regiondrag_widget.widget.failures import describe
from regiondrag_widget.widget.incoming import (
    Accept,
    Ack,
    Discard,
    Draft,
    DragEnded,
    Hello,
    Incoming,
    Load,
    Need,
    Ping,
    Restore,
    Run,
    Select,
    Stats,
    Stop,
    Visible,
)
from regiondrag_widget.widget.live import Live
from regiondrag_widget.widget.outgoing import Blob, Error, Outgoing, Pong, Ready, Status
from regiondrag_widget.widget.protocol import Buffer, ErrorCode, ProtocolError
from regiondrag_widget.widget.runs import EditRuns
from regiondrag_widget.widget.selecting import Selecting
from regiondrag_widget.widget.sent_regions import require_drawn, require_masks, sent_regions
from regiondrag_widget.widget.settingsdict import known
from regiondrag_widget.widget.upload import Uploads
from regiondrag_widget.widget.validation import read_message

log = logging.getLogger(__name__)


class Page(Protocol):
    """The browser's side of a widget."""

    def send_message(self, message: Outgoing) -> None:
        """Send one message."""

    def send_again(self, what: str) -> None:
        """Send the traits of the "image", the "result", the "thumbs" or the "masks" again."""


class Handlers:
    """The messages of one widget.

    Parameters
    ----------
    document, runs, live
        What the messages act on.
    selecting
        Answers the selection tools.
    arrivals
        Reads the pictures that the page brings.
    page
        Where the answers go.
    """

    def __init__(
        self,
        document: Document,
        runs: EditRuns,
        live: Live,
        arrivals: Arrivals,
        selecting: Selecting,
        page: Page,
    ) -> None:
        self._document = document
        self._runs = runs
        self._live = live
        self._selecting = selecting
        self._arrivals = arrivals
        self._page = page
        self._uploads = Uploads()
        self._handlers: dict[type, Callable[[Any], None]] = {
            Hello: self._hello,
            Run: self._run,
            Draft: live.draft,
            DragEnded: lambda m: live.drag_ended(m.seq),
            Stop: lambda m: runs.stop(m.run),
            Ack: lambda m: runs.acknowledge(m.run, m.seq),
            Need: self._need,
            Accept: self._accept,
            Discard: lambda m: document.discard(m.result),
            Restore: lambda m: document.restore(m.result),
            Load: self._load,
            Visible: self._visible,
            Ping: lambda m: page.send_message(Pong()),
            Select: selecting.select,
            Stats: lambda m: live.switch_stats(m.on),
        }

    def receive(self, content: Any, buffers: Sequence[Buffer] | None) -> None:
        """Act on one message of the browser.

        Parameters
        ----------
        content
            The JSON part, as it came.
        buffers
            The binary parts.
        """
        try:
            message = read_message(content, buffers)
        except ProtocolError as error:
            log.warning("message refused: %s", error)
            if error.seq is not None:
                self._live.refuse(error.seq, str(error))
            else:
                remedy = "Reload the page, then run the cell again."
                self._page.send_message(Error(error.run, error.code, str(error), remedy))
            return
        try:
            self._handlers[type(message)](message)
        except ProtocolError as error:
            self._refuse(message, error.code, str(error))
        except (ValueError, TypeError, KeyError) as error:
            words = str(error.args[0]) if error.args else type(error).__name__
            self._refuse(message, "bad-input", words, _REMEDIES.get(type(message), ""))
        except Exception as error:
            failure = describe(error)
            self._document.show_failure(failure)
            code: ErrorCode = "memory" if failure.code == "memory" else "kernel"
            self._refuse(message, code, failure.message, failure.remedy)

    def _refuse(self, message: Incoming, code: ErrorCode, words: str, remedy: str = "") -> None:
        if isinstance(message, Draft):  # a draft has one answer, and the page waits for it
            self._live.refuse(message.seq, words)
        elif isinstance(message, Select):
            self._selecting.refuse(message, words)
        else:
            self._page.send_message(Error(getattr(message, "run", None), code, words, remedy))

    # -- handlers --------------------------------------------------------------------------------------------

    def _hello(self, message: Hello) -> None:
        document = self._document
        with document.lock:
            shown = document.shown
            if message.image_rev != document.picture_rev:
                self._page.send_again("image")
            if message.result_key != (None if shown is None else shown.entry.key):
                self._page.send_again("result")
            self._page.send_message(Ready(__version__, document.busy, self._runs.run))
            self._page.send_message(Status(**document.state))
            self._live.greet()

    def _visible(self, message: Visible) -> None:
        self._runs.show(message.visible)
        self._live.show(message.visible)

    def _run(self, message: Run) -> None:
        with self._document.lock:
            if message.run <= self._runs.run:
                raise ProtocolError(
                    f"run {message.run} comes after run {self._runs.run}: press Run again", run=message.run
                )
            try:
                request = self._request(message)
            except (ValueError, TypeError) as error:
                self._runs.refuse(message.run, str(error))
                raise
            self._runs.start(request)
        self._runs.pump()

    def _request(self, message: Run) -> EditRequest:
        """What a run message asks for. Its masks are decoded on the inference thread."""
        document = self._document
        regions = sent_regions(message, document.regions)
        require_masks(regions, document.shape)
        require_drawn(regions)
        return EditRequest(
            run=message.run,
            image=document.picture.image,
            picture_key=document.picture_key(),
            settings=document.settings.updated(known(message.params)),
            regions=regions,
        )

    def _need(self, message: Need) -> None:
        if message.what != "result" or message.result is None:
            self._page.send_again(message.what)
            return
        with self._document.lock:
            shown = self._document.shown
            if shown is not None and message.result == shown.entry.key:
                self._page.send_again("result")
                return
            png = self._document.history.get(message.result).png
        self._page.send_message(Blob("result", "image/png", png, message.result))

    def _load(self, message: Load) -> None:
        whole = self._uploads.add(message)
        if whole is not None:
            self._arrivals.load(whole, message.name)
            self._arrivals.pump()

    def _accept(self, message: Accept) -> None:
        self._arrivals.accept(message.result)
        self._arrivals.pump()


_REMEDIES: dict[type, str] = {
    Run: "Change the regions or the settings, then run again.",
    Load: "Choose another file.",
    Restore: "Choose another result.",
    Accept: "Run an edit first.",
    Discard: "Run an edit first.",
}
