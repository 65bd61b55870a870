"""The widget's state: its traits, and the changes to them that the public methods, the browser and the runs
share.

Every change happens under ``lock``: messages may arrive on one thread while the inference thread reports on
another.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import anywidget
import numpy as np
import traitlets
from numpy.typing import NDArray
from PIL import Image

from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.regions.mask import as_mask
from regiondrag_widget.regions.pair import RegionPair, RegionPairs
from regiondrag_widget.widget import protocol
from regiondrag_widget.widget.admit import admit_masks, admit_pairs
from regiondrag_widget.widget.bundle import bundled
from regiondrag_widget.widget.conversation import Conversation
from regiondrag_widget.widget.drawn import PROTECT, PairList, Regions, checked
from regiondrag_widget.widget.editing import EditRequest
from regiondrag_widget.widget.editor import shared_editors
from regiondrag_widget.widget.failures import Failure
from regiondrag_widget.widget.host import Outbox, needs_pump
from regiondrag_widget.widget.live import Live, Snapshot
from regiondrag_widget.widget.pictures import content_key, encode_for_display, picture_name, to_image
from regiondrag_widget.widget.readout import UNMEASURED, as_dict
from regiondrag_widget.widget.runs import EditRuns, idle_state
from regiondrag_widget.widget.sessions import own_settings
from regiondrag_widget.widget.settingsdict import LiveSettings
from regiondrag_widget.widget.staging import Staging
from regiondrag_widget.widget.traits import LockedDict, Routed
from regiondrag_widget.widget.worker import shared_worker

log = logging.getLogger(__name__)

_REGIONS = ("_pairs", "_masks", "_regions_rev")
_FROM_BROWSER = (*_REGIONS, "_selected", "settings")
_FROM_KERNEL = (
    "_protocol", "_image", "_image_info", "_models", "_defaults", "_state", "_result", "_result_info",
    "_history", "_thumbs", "_height", "_esm", "_css",
)  # fmt: skip


class WidgetCore(anywidget.AnyWidget):
    """Traits and shared state of `RegionDragWidget`; not for use on its own."""

    _esm = bundled("widget.js")
    _css = bundled("widget.css")

    # what users observe
    image = Routed(
        "_get_image", "_set_picture", "The picture that is edited; assigning another clears the drawing."
    )
    pairs = Routed("_get_pairs", "_set_pairs", "What is drawn: a live list of RegionPair.")
    protect = Routed("_get_protect", "_set_protect", "(H, W) bool, set where nothing may change; or None.")
    result = traitlets.Any(None, read_only=True, help="The EditResult on show, or None.")
    history: Any = traitlets.List(read_only=True, help="The last results, oldest first.")
    state = traitlets.Unicode(
        "ready", read_only=True, help="ready, loading, running, stopping, done or error."
    )
    last_error = traitlets.Any(
        None, read_only=True, help="The traceback of the last failure as text, or None."
    )
    measured: Any = traitlets.Dict(
        as_dict(UNMEASURED), read_only=True, help="How fast drafts are here, and what they run on."
    )
    settings = LockedDict("_checked_settings", help="The edit's settings, checked.").tag(
        sync=True, to_json=lambda value, _widget: value.asked
    )

    # what the browser sees; protocol.py has the messages
    _protocol = traitlets.Int(protocol.VERSION).tag(sync=True)
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

    def __init__(self, image: Image.Image, name: str, settings: EditSettings, **traits: Any) -> None:
        self.lock = threading.RLock()
        self._closed = False
        self._image_rev = 0
        self._first_rev = 0  # the number of the regions that this picture began with
        self._picture = image
        self._key: str | None = None
        self._edit_settings = settings
        self._staging = Staging(self)
        self._pair_list = PairList(self._read_regions, self._change_regions)
        worker = shared_worker()
        self._outbox = Outbox(pump=needs_pump(), on_inference_thread=worker.is_current_thread)
        self._live = Live(self, worker, self._outbox)
        self._runs = EditRuns(self, worker, self._outbox, preparing=lambda: self._live.preparing)
        self._conversation = Conversation(self)
        super().__init__(
            settings=settings.as_dict(),
            _models=list(dict.fromkeys(["mini", settings.model])),
            _state=idle_state("ready", "Ready", 0),
            **self._picture_traits(image, name),
            **traits,
        )
        self.on_msg(self._conversation.receive)

    # -- what runs, drafts and conversation need -------------------------------------------------------------

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the picture."""
        return self._picture.size

    @property
    def busy(self) -> bool:
        """Whether a run is under way."""
        return self._runs.busy

    def snapshot(self) -> Snapshot:
        """The picture and the settings as they are now."""
        with self.lock:
            return Snapshot(self._picture, self._picture_key(), self._first_rev, self._edit_settings)

    def drawn_pairs(self) -> RegionPairs:
        """The complete pairs."""
        return self._pair_list.drawn()

    def send_message(self, message: protocol.Outgoing) -> None:
        """Send one message to the browser."""
        self._conversation.send(message)

    def show_state(self, state: dict[str, Any]) -> None:
        """Show what a run is doing."""
        with _observers_may_fail(), self.lock:
            self._follow_model()
            self._state = state
            self.set_trait("state", state["state"])
            if not self._runs.busy:
                self._live.run_ended()

    def show_failure(self, failure: Failure) -> None:
        """Keep the traceback; the picture, the drawing and earlier results stay."""
        with _observers_may_fail(), self.lock:
            self.set_trait("last_error", failure.traceback)

    def show_measured(self, measured: dict[str, Any]) -> None:
        """Show how fast drafts are here."""
        with _observers_may_fail(), self.lock:
            self._follow_model()
            self.set_trait("measured", measured)

    def show_result(self, request: EditRequest, result: Any, seconds: float, png: bytes, thumb: bytes) -> str:
        """Show a result and remember it; its key in the history."""
        with _observers_may_fail(), self.lock:
            self._staging.add(request, result, seconds, png, thumb)
        return self._staging.key_of(request)

    # -- the picture -----------------------------------------------------------------------------------------

    def _get_image(self) -> Image.Image:
        return self._picture.copy()  # ours stays as it is, whatever is drawn on theirs

    def _set_picture(self, source: Any, name: str | None = None) -> None:
        image = to_image(source)
        traits = self._picture_traits(image, name or picture_name(source))
        with self.lock:
            self._require_open()
            old = self._picture
            self._runs.abandon()
            self._picture, self._key = image, None
            with self.hold_sync():
                for trait, value in traits.items():
                    setattr(self, trait, value)
                self._staging.put(None)
                self._put_regions(Regions())
            self._first_rev = self._regions_rev
            self._live.picture_changed()
            self._tell("image", image, old)
            self._tell("pairs", self._pair_list)

    def _picture_traits(self, image: Image.Image, name: str) -> dict[str, Any]:
        data, mime = encode_for_display(image)
        self._image_rev += 1
        info = {"width": image.width, "height": image.height, "mime": mime, "rev": self._image_rev}
        return {"_image": data, "_image_info": {**info, "name": name, "alpha": image.mode == "RGBA"}}

    def _picture_key(self) -> str:
        if self._key is None:
            self._key = content_key(self._picture)
        return self._key

    def _shape(self) -> tuple[int, int]:
        return self._picture.height, self._picture.width

    # -- regions ---------------------------------------------------------------------------------------------

    def _get_pairs(self) -> PairList:
        return self._pair_list

    def _set_pairs(self, pairs: Iterable[RegionPair]) -> None:
        new = [checked(pair, self._shape()) for pair in pairs]

        def change(regions: Regions) -> Regions:
            regions = regions.removed(slice(None))
            for index, pair in enumerate(new):
                regions = regions.inserted(index, pair)
            return regions

        self._change_regions(change)

    def _get_protect(self) -> NDArray[np.bool_] | None:
        with self.lock:
            mask = self._regions().mask(PROTECT, self._shape())
        return mask if mask.any() else None

    def _set_protect(self, mask: Any) -> None:
        if mask is not None:
            mask = as_mask(mask, "protect")
            if mask.shape != self._shape():
                raise ValueError(
                    f"protect has shape {mask.shape} and the picture {self._shape()}: they must be equal"
                )
        self._change_regions(lambda regions: regions.protected(mask))
        self._tell("protect", mask)

    def _regions(self) -> Regions:
        return Regions(tuple(self._pairs), self._masks)

    def _read_regions(self) -> tuple[Regions, tuple[int, int]]:
        with self.lock:
            return self._regions(), self._shape()

    def _change_regions(self, change: Callable[[Regions], Regions]) -> None:
        with self.lock:
            self._require_open()
            changed = change(self._regions())
            with self.hold_sync():
                self._put_regions(changed)
            self._tell("pairs", self._pair_list)

    def _put_regions(self, regions: Regions) -> None:
        self._pairs, self._masks = list(regions.entries), dict(regions.masks)
        self._regions_rev += 1
        self._selected = min(self._selected, len(self._pairs) - 1) if self._pairs else -1
        if self._pairs and self._selected < 0:
            self._selected = 0

    # -- running ---------------------------------------------------------------------------------------------

    def _begin(self, request: EditRequest) -> None:
        with self.lock:
            self._require_open()
            self.set_trait("last_error", None)
            self._runs.start(request)
            self._live.run_begins()
        if self._outbox.pump:
            self._runs.pump()

    def _request(self, run: int, settings: Mapping[str, Any]) -> EditRequest:
        """What is drawn now as a request; ``ValueError`` when nothing complete is drawn."""
        return EditRequest(
            run=run,
            image=self._picture,
            picture_key=self._picture_key(),
            pairs=self._pair_list.complete(),
            protect=self._get_protect(),
            settings=self._edit_settings.updated(settings),
            regions=self._regions(),
        )

    def _require_open(self) -> None:
        if self._closed:
            raise RuntimeError("this widget is closed: make a new one with rd.RegionDragWidget(image)")

    # -- settings and other state from the browser -----------------------------------------------------------

    def _checked_settings(self, value: Any) -> LiveSettings:
        if not isinstance(value, Mapping):
            raise TypeError(
                f"settings must be a dict, not {type(value).__name__}: w.settings = {{'seed': 3}}"
            )
        changes = value.asked if isinstance(value, LiveSettings) else value
        before, after = self._edit_settings, self._edit_settings.updated(changes)
        own = self._own_settings(after.model)
        shown = LiveSettings(after, own, self._assign_settings)
        self._edit_settings = after
        self._defaults = EditSettings(model=after.model).with_own(own).as_dict()
        self._live.settings_changed(before, after)
        return shown

    def _assign_settings(self, changes: Mapping[str, Any]) -> LiveSettings:
        with self.lock:
            self.settings = dict(changes)
            return self.settings  # type: ignore[return-value]

    def _own_settings(self, model: str) -> Mapping[str, Any]:
        """The model's own values of settings; none while it was never loaded."""
        return own_settings(model) or shared_editors().own_settings(model)

    def _follow_model(self) -> None:
        """Show the model's own values once they are known, or when they have changed."""
        own = self._own_settings(self._edit_settings.model)
        try:
            if self._edit_settings.with_own(own).as_dict() != dict(self.settings):
                self.settings = {}
        except ValueError as error:  # a stop that was set lies above the model's own start: the run says so
            log.debug("the settings do not fit the model: %s", error)

    def set_state(self, sync_data: Mapping[str, Any]) -> None:
        """Take over what the browser changed; ipywidgets calls it on whichever thread the message came in."""
        if self._closed:
            return
        with self.lock:
            state = {name: value for name, value in sync_data.items() if name not in _FROM_KERNEL}
            try:
                for name in ("_regions_rev", "_selected"):
                    if not isinstance(state.get(name, 0), int):
                        raise ValueError(f"{name} must be a whole number")
                if "_pairs" in state:
                    state["_pairs"] = admit_pairs(state["_pairs"])
                if "_masks" in state:
                    state["_masks"] = admit_masks(state["_masks"], self._shape(), self._masks)
                if "settings" in state:
                    state["settings"] = self._checked_settings(state["settings"]).asked
            except (ValueError, TypeError) as error:
                log.warning("state refused: %s", error)
                self.send_message(
                    protocol.Error(None, "bad-input", str(error), "The last change was not taken over.")
                )
                self._send_back(state)
                return
            super().set_state(state)
            if "_pairs" in state or "_masks" in state:
                self._tell("pairs", self._pair_list)
                self._live.drawn()
            if "_masks" in state:
                self._tell("protect", self._get_protect())

    def _send_back(self, refused: Mapping[str, Any]) -> None:
        """Let the page take back what the kernel has: regions whole, under a number higher than its own."""
        names = {name for name in refused if name in _FROM_BROWSER}
        with self.hold_sync():
            if names & set(_REGIONS):
                theirs = refused.get("_regions_rev")
                self._regions_rev = max(self._regions_rev, theirs if isinstance(theirs, int) else 0) + 1
                names.update(_REGIONS)
            self.send_state(sorted(names))

    def _tell(self, name: str, new: Any, old: Any = None) -> None:
        """Notify those who observe a trait that is routed past traitlets."""
        self.notify_change(traitlets.Bunch(name=name, old=old, new=new, owner=self, type="change"))

    def close(self) -> None:
        """Stop what runs and take the widget off the page. Closing twice does no harm."""
        if getattr(self, "_closed", True):
            return  # also when __init__ refused its arguments
        with self.lock:
            self._runs.abandon()
            self._live.close()
            self._closed = True
            if self._key is not None:
                shared_editors().forget(self._key)
            super().close()


@contextmanager
def _observers_may_fail() -> Iterator[None]:
    """An observer of the user's that raises on the inference thread must not take the edit down with it."""
    try:
        yield
    except Exception:
        log.error("an observer of the widget failed:\n%s", traceback.format_exc())
