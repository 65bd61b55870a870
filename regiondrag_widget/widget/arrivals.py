"""New pictures on the page's request: an upload or an accepted result, read and encoded on the helper thread.

A few bytes of a picture file may unpack to hundreds of megabytes, so no message waits for it.
"""

from __future__ import annotations

from collections.abc import Callable

from regiondrag_widget.widget.document import Document
from regiondrag_widget.widget.encode import ShownPicture
from regiondrag_widget.widget.failures import describe, let_go
from regiondrag_widget.widget.host import POLL, Outbox
from regiondrag_widget.widget.outgoing import Error, Outgoing
from regiondrag_widget.widget.run_state import idle_state
from regiondrag_widget.widget.worker import InferenceWorker, Job


class Arrivals:
    """The pictures that one widget's page brings; of several only the newest counts.

    Parameters
    ----------
    document
        Where they are put.
    worker
        Reads them.
    outbox
        Delivers them.
    send
        Sends one message to the browser.
    """

    def __init__(
        self,
        document: Document,
        worker: InferenceWorker,
        outbox: Outbox,
        send: Callable[[Outgoing], None],
    ) -> None:
        self._document, self._worker, self._outbox, self._send = document, worker, outbox, send
        self._owner = ("arrivals", id(document))
        self._job: Job | None = None

    def load(self, data: bytes, name: str) -> None:
        """Read an uploaded file and put it in place of the picture."""
        self._begin(
            lambda: ShownPicture.of(data, name),
            self._document.set_picture,
            f"Opening {name or 'the picture'}",
            "Ready",
            "Choose another file: PNG, JPEG and WebP pictures work.",
        )

    def accept(self, key: str) -> None:
        """Make a result the picture; ``KeyError`` in words when it is gone."""
        entry = self._document.history.get(key)
        name = self._document.picture.name
        self._begin(
            lambda: ShownPicture.of(entry.result.image, name),
            self._document.put_accepted,
            "Taking the result over",
            "",
            "Run an edit first.",
        )

    def pump(self) -> None:
        """Where no other thread can, deliver the picture on this one."""
        if not self._outbox.pump:
            return
        while (job := self._job) is not None and not job.finished:
            self._outbox.drain()
            self._worker.revive()
            job.wait(POLL)
        self._outbox.drain()

    def _begin(
        self,
        read: Callable[[], ShownPicture],
        put: Callable[[ShownPicture], None],
        words: str,
        done: str,
        remedy: str,
    ) -> None:
        """Read and put a picture; the page is told ``words`` meanwhile and, unless empty, ``done`` after."""
        document = self._document
        with document.lock:
            rev = document.picture_rev

        def work(job: Job) -> None:
            try:
                picture = read()
            except BaseException as error:  # whatever it is, the page waits for an answer
                failed(error)
            else:
                self._outbox.post(lambda: placed(job, picture))

        def placed(job: Job, picture: ShownPicture) -> None:
            with document.lock:
                if document.closed or job.cancelled or document.picture_rev != rev:
                    return  # another picture has been chosen since
                put(picture)
                if done:
                    self._say(picture.note or done)

        def failed(error: BaseException) -> None:
            failure = describe(error)
            let_go(error)
            self._outbox.post(lambda: told(failure.code, failure.message))

        def told(code: str, message: str) -> None:
            with document.lock:
                self._say("Ready")
                self._send(Error(None, code, message, remedy))  # type: ignore[arg-type]

        job = Job(self._owner, work, crashed=failed)
        with document.lock:
            document.require_open()
            self._job = job
            self._say(words)
            self._worker.submit(job)

    def _say(self, words: str) -> None:
        """Tell the page what is going on, unless a run has more to tell."""
        document = self._document
        if not document.busy:
            document.show_state(idle_state("ready", words, document.state["run"]))
