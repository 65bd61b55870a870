"""The widget's end of the wire: reads what the browser sends, acts, answers.

Handlers enqueue and return, whatever thread calls them: it is the main thread on some kernels and a
subshell's on others. Whatever is wrong with a message becomes an `Error` reply; nothing raises into the
kernel.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from regiondrag_widget import __version__
from regiondrag_widget.widget import protocol
from regiondrag_widget.widget.editing import EditRequest
from regiondrag_widget.widget.failures import describe
from regiondrag_widget.widget.parsing import parse
from regiondrag_widget.widget.pictures import encode_png
from regiondrag_widget.widget.requests import complete_pairs, protect_mask, sent_regions
from regiondrag_widget.widget.settingsdict import known
from regiondrag_widget.widget.uploads import Uploads

if TYPE_CHECKING:
    from regiondrag_widget.widget.widget import RegionDragWidget

log = logging.getLogger(__name__)
M = TypeVar("M")


class Conversation:
    """Messages of one widget. ``receive`` is registered with `ipywidgets.Widget.on_msg`."""

    def __init__(self, widget: RegionDragWidget) -> None:
        self._widget = widget
        self._uploads = Uploads()
        self._handlers: dict[type, Callable[[Any], None]] = {
            protocol.Hello: self._hello,
            protocol.Run: self._run,
            protocol.Draft: widget._live.draft,
            protocol.Rest: lambda m: widget._live.rest(m.seq),
            protocol.Stop: lambda m: widget._runs.stop(m.run),
            protocol.Ack: lambda m: widget._runs.acknowledge(m.run, m.seq),
            protocol.Need: self._need,
            protocol.Accept: lambda m: widget._staging.accept(m.result),
            protocol.Discard: lambda m: widget._staging.discard(m.result),
            protocol.Restore: lambda m: widget._staging.restore(m.result),
            protocol.Load: self._load,
            protocol.Visible: self._visible,
            protocol.Ping: lambda m: self.send(protocol.Pong()),
            protocol.Stats: lambda m: widget._live.switch_stats(m.on),
        }

    def send(self, message: protocol.Outgoing) -> None:
        """Send one message; nothing happens once the widget is closed."""
        with self._widget.lock:
            if self._widget.comm is not None:
                self._widget.send(message.content(), message.buffers() or None)

    def receive(self, _widget: object, content: Any, buffers: Sequence[protocol.Buffer] | None) -> None:
        """Act on one message of the browser."""
        if self._widget.comm is None:
            return  # a message for a closed widget: nobody is left to answer to
        self._widget._outbox.drain()  # what waited for a thread that may send
        try:
            message = parse(content, buffers)
        except protocol.ProtocolError as error:
            log.warning("message refused: %s", error)
            if error.seq is not None:
                self._widget._live.refuse(error.seq, str(error))
                return
            self.send(
                protocol.Error(error.run, error.code, str(error), "Reload the page, then run the cell again.")
            )
            return
        run = getattr(message, "run", None)
        try:
            self._handlers[type(message)](message)
        except protocol.ProtocolError as error:
            self.send(protocol.Error(run, error.code, str(error)))
        except (ValueError, TypeError, KeyError) as error:
            words = str(error.args[0]) if error.args else type(error).__name__
            self.send(protocol.Error(run, "bad-input", words, _REMEDIES.get(type(message), "")))
        except Exception as error:
            failure = describe(error)
            self._widget.show_failure(failure)
            code: protocol.ErrorCode = "memory" if failure.code == "memory" else "kernel"
            self.send(protocol.Error(run, code, failure.message, failure.remedy))

    # -- handlers --------------------------------------------------------------------------------------------

    def _hello(self, message: protocol.Hello) -> None:
        widget = self._widget
        if message.image_rev != widget._image_info.get("rev"):
            widget.send_state(["_image", "_image_info"])
        if message.result_key != widget._result_info.get("id"):
            widget.send_state(["_result", "_result_info"])
        self.send(protocol.Ready(__version__, widget._runs.busy, widget._runs.run))
        self.send(protocol.Status(**widget._runs.state))
        widget._live.greet()

    def _visible(self, message: protocol.Visible) -> None:
        self._widget._runs.show(message.visible)
        self._widget._live.show(message.visible)

    def _run(self, message: protocol.Run) -> None:
        widget = self._widget
        with widget.lock:
            if message.run <= widget._runs.run:
                raise protocol.ProtocolError(
                    f"run {message.run} comes after run {widget._runs.run}: press Run again", run=message.run
                )
            try:
                request = self._request(message)
            except (ValueError, TypeError) as error:
                widget._runs.refuse(message.run, str(error))
                raise
        widget._begin(request)

    def _request(self, message: protocol.Run) -> EditRequest:
        """What a run message asks for, decoded and checked; errors name the pair."""
        widget = self._widget
        shape = widget._shape()
        return EditRequest(
            run=message.run,
            image=widget._picture,
            picture_key=widget._picture_key(),
            pairs=complete_pairs(message, shape),
            protect=protect_mask(message, shape),
            settings=widget._edit_settings.updated(known(message.params)),
            regions=sent_regions(message, widget._pairs),
        )

    def _need(self, message: protocol.Need) -> None:
        widget = self._widget
        if message.what == "image":
            widget.send_state(["_image", "_image_info"])
        elif message.what == "thumbs":
            widget.send_state(["_history", "_thumbs"])
        elif message.what == "masks":
            widget.send_state(["_pairs", "_masks", "_regions_rev"])
        elif message.result is None or message.result == widget._result_info.get("id"):
            widget.send_state(["_result", "_result_info"])
        else:
            png = encode_png(widget._staging.get(message.result).result.image)
            self.send(protocol.Blob("result", "image/png", png, message.result))

    def _load(self, message: protocol.Load) -> None:
        whole = self._uploads.add(message)
        if whole is not None:
            self._widget._set_picture(whole, name=message.name)


_REMEDIES: dict[type, str] = {
    protocol.Run: "Change the regions or the settings, then run again.",
    protocol.Load: "Choose another file: PNG, JPEG and WebP pictures work.",
    protocol.Restore: "Choose another result.",
    protocol.Accept: "Run an edit first.",
    protocol.Discard: "Run an edit first.",
}
