"""A document as traits: what users observe, and what the browser sees.

Only this file and `widget` know traits and comms. The document is the truth; the synced traits follow it,
under its lock, and what the browser writes into them is checked before it gets there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import anywidget
import numpy as np
import numpy.typing as npt
import traitlets
from PIL import Image

from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.widget.arrivals import Arrivals
from regiondrag_widget.widget.changes import Change
from regiondrag_widget.widget.document import Document
from regiondrag_widget.widget.editor_cache import shared_editors
from regiondrag_widget.widget.encode import ShownPicture
from regiondrag_widget.widget.front_end import bundled
from regiondrag_widget.widget.handlers import Handlers
from regiondrag_widget.widget.host import Outbox, needs_pump
from regiondrag_widget.widget.live import Live
from regiondrag_widget.widget.notices import Notices
from regiondrag_widget.widget.outgoing import Error, Outgoing, Status
from regiondrag_widget.widget.pair_list import PairList
from regiondrag_widget.widget.protocol import MAX_INTEGER, VERSION, Buffer
from regiondrag_widget.widget.readout import UNMEASURED
from regiondrag_widget.widget.routed import Routed
from regiondrag_widget.widget.runs import EditRuns
from regiondrag_widget.widget.selecting import Selecting
from regiondrag_widget.widget.settingsdict import LiveSettings
from regiondrag_widget.widget.validation import read_drawn
from regiondrag_widget.widget.worker import shared_helper, shared_selector, shared_worker

if TYPE_CHECKING:  # torch comes with results
    from typing_extensions import Never

    from regiondrag_widget.engine.result import EditResult
    from regiondrag_widget.regions import RegionPair

log = logging.getLogger(__name__)

_REGIONS = ("_pairs", "_masks", "_regions_rev")
_FROM_BROWSER = (*_REGIONS, "_selected", "settings")
_FROM_KERNEL = (
    "_protocol", "_image", "_image_info", "_models", "_defaults", "_state", "_result", "_result_info",
    "_history", "_thumbs", "_height", "_esm", "_css",
)  # fmt: skip
_SENT_AGAIN = {
    "image": ("_image", "_image_info"),
    "result": ("_result", "_result_info"),
    "thumbs": ("_history", "_thumbs"),
    "masks": _REGIONS,
}
_ALWAYS_NEW = ("pairs", "history")  # lists that change in place


class DocumentMirror(anywidget.AnyWidget):
    """Traits of `RegionDragWidget`; not for use on its own."""

    _esm = bundled("widget.js")
    _css = bundled("widget.css")

    # what users observe
    image: Routed[Image.Image, Any] = Routed(
        lambda w: w._document.picture.image.copy(),  # ours stays as it is, whatever is drawn on theirs
        lambda w, source: w._document.set_picture(ShownPicture.of(source).said()),
        "The picture that is edited; assigning another clears the drawing.",
    )
    pairs: Routed[PairList, Iterable[RegionPair]] = Routed(
        lambda w: w._document.pairs,
        lambda w, pairs: w._document.set_pairs(pairs),
        "What is drawn: a live list of RegionPair.",
    )
    protect: Routed[npt.NDArray[np.bool_] | None, Any] = Routed(
        lambda w: w._document.protect(),
        lambda w, mask: w._document.set_protect(mask),
        "(H, W) bool, set where nothing may change; or None.",
    )
    result: Routed[EditResult | None, Never] = Routed(
        lambda w: w._shown_result(), None, "The EditResult on show, or None."
    )
    history: Routed[list[EditResult], Never] = Routed(
        lambda w: w._document.history.results(), None, "The last results, oldest first."
    )
    state: Routed[str, Never] = Routed(
        lambda w: w._document.state["state"], None, "ready, loading, running, stopping, done or error."
    )
    last_error: Routed[str | None, Never] = Routed(
        lambda w: w._last_traceback(), None, "The traceback of the last failure as text, or None."
    )
    measured: Routed[Mapping[str, Any], Never] = Routed(
        lambda w: w._document.measured, None, "How fast drafts are here, and what they run on."
    )
    settings: Routed[LiveSettings, Mapping[str, Any]] = Routed(
        lambda w: w._settings,
        lambda w, changes: w._set_settings(changes),
        "The edit's settings, checked.",
    ).tag(sync=True, to_json=lambda value, _widget: value.asked)

    # what the browser sees; `outgoing` has what is said beside them
    _protocol = traitlets.Int(VERSION).tag(sync=True)
    _image = traitlets.Bytes().tag(sync=True)
    _image_info = traitlets.Dict().tag(sync=True)
    _pairs: Any = traitlets.List().tag(sync=True)
    _masks = traitlets.Dict().tag(sync=True, echo_update=False)
    _regions_rev = traitlets.Int(0).tag(sync=True)
    _models: Any = traitlets.List().tag(sync=True)
    _defaults = traitlets.Dict().tag(sync=True)
    _state = traitlets.Dict().tag(sync=True)
    _result = traitlets.Bytes().tag(sync=True)
    _result_info = traitlets.Dict().tag(sync=True)
    _history: Any = traitlets.List().tag(sync=True)
    _thumbs = traitlets.Dict().tag(sync=True)
    _height = traitlets.Int(None, allow_none=True).tag(sync=True)
    _selected = traitlets.Int(-1).tag(sync=True)

    def __init__(self, picture: ShownPicture, settings: EditSettings, **traits: Any) -> None:
        document = self._document = Document(picture, settings, UNMEASURED.as_dict())
        self._settings = self._settings_as_dict()
        self._told: dict[str, Any] = {}  # what observers were told last
        worker, helper, selector = shared_worker(), shared_helper(), shared_selector()
        self._outbox = Outbox(
            pump=needs_pump(),
            on_background_thread=lambda: any(w.is_current_thread() for w in (worker, helper, selector)),
        )
        self._notices = Notices(
            lambda change: traitlets.HasTraits.notify_change(self, change),
            worker.is_current_thread,
            lambda: not helper.is_current_thread() and not (self._outbox.pump and worker.is_current_thread()),
        )
        document.lock.after_release = self._notices.deliver
        self._live = Live(document, worker, self._outbox, self.send_message)
        self._runs = EditRuns(document, worker, self._outbox, self.send_message, self._live)
        arrivals = Arrivals(document, helper, self._outbox, self.send_message)
        self._selecting = Selecting(document, selector, self._outbox, self.send_message)
        self._handlers = Handlers(document, self._runs, self._live, arrivals, self._selecting, self)
        super().__init__(
            _defaults=self._model_defaults(),
            _models=list(dict.fromkeys(["mini", settings.model])),
            _state=dict(document.state),
            _image=picture.data,
            _image_info=self._picture_info(),
            **traits,
        )
        self._told = {"image": picture.image, "settings": dict(self._settings)}
        self._told |= {"state": self.state, "measured": self.measured}
        for listener in (self._runs, self, self._live, self._selecting):
            document.follow(listener)
        self.on_msg(self._receive)

    # -- from the document -----------------------------------------------------------------------------------

    def changed(self, what: Change) -> None:
        """Set the traits that the browser sees, in one update, and queue the notices to observers."""
        document = self._document
        if Change.SETTINGS in what:
            self._settings = self._settings_as_dict()
        with self.hold_sync():
            if Change.PICTURE in what:
                self._image, self._image_info = document.picture.data, self._picture_info()
            if Change.RESULT in what:
                shown = document.shown
                self._result = b"" if shown is None else shown.png
                self._result_info = {} if shown is None else shown.entry.shown()
            if Change.REGIONS in what:
                self._pairs = [entry.as_json() for entry in document.regions.entries]
                self._masks = dict(document.regions.masks)
                self._regions_rev, self._selected = document.regions_rev, document.selected
            if Change.HISTORY in what:
                self._history, self._thumbs = document.history.summaries(), document.history.thumbs()
            if Change.STATE in what:
                self._state = dict(document.state)
            if Change.SETTINGS in what:
                self._defaults = self._model_defaults()
                self._send_if_new("settings")
        if Change.STATE in what:
            self.send_message(Status(**document.state))
        self._announce(what)

    def _announce(self, what: Change) -> None:
        document = self._document
        if Change.PICTURE in what:
            self._tell("image", document.picture.image, raises=True)
        if Change.REGIONS in what:
            self._tell("pairs", document.pairs, raises=True)
        if Change.PROTECT in what:
            self._tell("protect", document.protect(), raises=True)
        if Change.SETTINGS in what:
            self._tell("settings", dict(self._settings), raises=True)
        if Change.RESULT in what:
            self._tell("result", self._shown_result())
        if Change.HISTORY in what:
            self._tell("history", document.history.results())
        if Change.STATE in what:
            self._tell("state", document.state["state"])
        if Change.FAILURE in what:
            self._tell("last_error", self._last_traceback())
        if Change.MEASURED in what:
            self._tell("measured", document.measured)

    def _tell(self, name: str, new: Any, *, raises: bool = False) -> None:
        old = self._told.get(name)
        plain = isinstance(new, (str, dict))
        if name not in _ALWAYS_NEW and (new is old or (plain and new == old)):
            return
        self._told[name] = new
        change = traitlets.Bunch(name=name, old=old, new=new, owner=self, type="change")
        self._notices.add(change, raises=raises)

    def _picture_info(self) -> dict[str, Any]:
        picture = self._document.picture
        return {
            "width": picture.image.width,
            "height": picture.image.height,
            "mime": picture.mime,
            "rev": self._document.picture_rev,
            "name": picture.name,
            "alpha": picture.image.mode == "RGBA",
        }

    def _settings_as_dict(self) -> LiveSettings:
        return LiveSettings(self._document.settings, self._document.own, self._assign_settings)

    def _model_defaults(self) -> dict[str, Any]:
        document = self._document
        return EditSettings(model=document.settings.model).with_own(document.own).as_dict()

    def _set_settings(self, changes: Any) -> None:
        self._document.change_settings(changes.asked if isinstance(changes, LiveSettings) else changes)

    def _assign_settings(self, changes: Mapping[str, Any]) -> LiveSettings:
        with self._document.lock:
            self._document.change_settings(dict(changes))
            return self._settings

    def _shown_result(self) -> Any:
        shown = self._document.shown
        return None if shown is None else shown.entry.result

    def _last_traceback(self) -> str | None:
        failure = self._document.failure
        return None if failure is None else failure.traceback

    # -- to the browser --------------------------------------------------------------------------------------

    def notify_change(self, change: Any) -> None:
        """Send what the browser is to see; observers are told once the document's lock is free."""
        if not self._document.lock.held():
            super().notify_change(change)
            return
        if change["name"] in self.keys:
            self._send_if_new(change["name"])
        self._notices.add(change)

    def _send_if_new(self, name: str) -> None:
        if self.comm is not None and self._should_send_property(name, getattr(self, name)):
            self.send_state(name)

    def send_state(self, key: Any = None) -> None:
        """Send some traits. A page that cannot be reached does not undo the change that it is told of."""
        try:
            super().send_state(key)
        except Exception:
            log.exception("the page could not be told of a change")

    def send_message(self, message: Outgoing) -> None:
        """Send one message; nothing happens once the widget is closed."""
        with self._document.lock:
            if self.comm is not None:
                self.send(message.content(), message.buffers() or None)

    def send_again(self, what: str) -> None:
        """Send the traits of the "image", the "result", the "thumbs" or the "masks" again."""
        with self._document.lock:
            self.send_state(list(_SENT_AGAIN[what]))

    # -- from the browser ------------------------------------------------------------------------------------

    def _receive(self, _widget: object, content: Any, buffers: Sequence[Buffer] | None) -> None:
        if self.comm is None:
            return  # the widget is closed: there is nobody to answer
        self._outbox.drain()  # what waited for a thread that may send
        self._handlers.receive(content, buffers)

    def set_state(self, sync_data: Mapping[str, Any]) -> None:
        """Take over what the browser changed; ipywidgets calls it on whichever thread the message came in."""
        document = self._document
        if document.closed:
            return
        with document.lock:
            state = {name: value for name, value in sync_data.items() if name not in _FROM_KERNEL}
            try:
                drawn = read_drawn(state, document.shape, document.regions.masks)
                checked = {**state, **drawn.as_traits()}
                if "settings" in state:
                    checked["settings"] = document.updated_settings(state["settings"]).as_dict()
                super().set_state(checked)
            except (ValueError, TypeError, traitlets.TraitError) as error:
                log.warning("state refused: %s", error)
                self.send_message(Error(None, "bad-input", str(error), "The last change was not taken over."))
                self._send_back(state)
                return
            document.take_drawn(drawn)

    def _send_back(self, refused: Mapping[str, Any]) -> None:
        """Let the page take back what the kernel has: regions whole, under a number higher than its own."""
        names = {name for name in refused if name in _FROM_BROWSER}
        with self.hold_sync():
            if names & set(_REGIONS):
                theirs = refused.get("_regions_rev")
                usable = isinstance(theirs, int) and 0 <= theirs < MAX_INTEGER
                self._document.skip_revision(theirs if usable else 0)  # type: ignore[arg-type]
                self._regions_rev = self._document.regions_rev
                names.update(_REGIONS)
            self.send_state(sorted(names))

    # -- the end ---------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop what runs and take the widget off the page. Closing twice does no harm."""
        document = getattr(self, "_document", None)
        if document is None or document.closed:
            return  # also when __init__ refused its arguments
        with document.lock:
            self._runs.abandon()
            self._live.close()
            self._selecting.close()
            document.closed = True
            if document.known_key is not None:
                shared_editors().forget(document.known_key)
            super().close()
