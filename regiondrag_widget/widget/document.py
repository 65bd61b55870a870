"""What one widget edits and shows: picture, regions, settings, results and state, under one lock.

A `Document` knows neither traits nor messages. Its methods change it or raise; after every change its
listeners are told what has changed, with the lock held. The widget mirrors it in its traits, the runs and the
drafts follow it. Messages may arrive on one thread while the inference thread reports on another, so whoever
reads several things that belong together takes the ``lock``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.locks import OrderedLock, Rank
from regiondrag_widget.regions.densemap import DenseMap
from regiondrag_widget.regions.mask import as_mask
from regiondrag_widget.widget.carried_answer import CarriedAnswers, CarriedRequest
from regiondrag_widget.widget.changes import NOTHING, Change, DocumentListener, Listeners
from regiondrag_widget.widget.edit_job import EditRequest
from regiondrag_widget.widget.editor_cache import known_own_settings
from regiondrag_widget.widget.encode import ShownPicture
from regiondrag_widget.widget.failures import Failure
from regiondrag_widget.widget.history import History, HistoryEntry
from regiondrag_widget.widget.pair_list import PairList, checked
from regiondrag_widget.widget.regions_state import PROTECT, Mask, PairEntry, Regions, read_mask
from regiondrag_widget.widget.route_answer import RouteRequest
from regiondrag_widget.widget.run_state import RunState, idle_state
from regiondrag_widget.widget.validation import DrawnState

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What a widget edits at one moment.

    Attributes
    ----------
    image, picture_key
        The picture, and a key equal for equal pictures.
    first_rev
        The number of the regions that this picture began with: older ones were drawn on another picture.
    settings
        Valid by construction.
    maps
        The dense maps that there are, as in `Regions`.
    """

    image: Image.Image
    picture_key: str
    first_rev: int
    settings: EditSettings
    maps: Mapping[str, DenseMap]


@dataclass(frozen=True, eq=False)
class ShownResult:
    """The result on show, and its PNG."""

    entry: HistoryEntry
    png: bytes


class Document:
    """What one widget edits and shows.

    Parameters
    ----------
    picture
        The picture to begin with.
    settings
        The settings to begin with.
    measured
        What is known so far of how fast drafts are here.

    Attributes
    ----------
    lock
        Guards everything here. Reentrant; see `locks` for what may be taken while it is held.
    picture, picture_rev
        The picture, and a number that rises with every new one.
    regions, regions_rev, selected
        What is drawn, a number that rises with every change, and the index of the selected pair or -1.
    pairs
        The live list of decoded pairs.
    carried
        Works out what handles carry.
    settings, own
        The edit's settings, with None where the model decides, and the model's own values.
    history, shown
        Earlier results, and the result on show or None.
    state
        What the newest run is doing.
    failure
        The last failure, until the next run begins.
    measured
        How fast drafts are here.
    closed
        Whether the widget is gone.
    """

    def __init__(self, picture: ShownPicture, settings: EditSettings, measured: Mapping[str, Any]) -> None:
        self.lock = OrderedLock(Rank.DOCUMENT, reentrant=True)
        self.picture, self.picture_rev = picture, 1
        self.regions, self.regions_rev, self.selected = Regions(), 0, -1
        self.pairs = PairList(self._read_regions, self.change_regions, self.carried_mask)
        self.carried = CarriedAnswers()
        self.settings, self.own = self._fitting(settings)
        self.history = History()
        self.shown: ShownResult | None = None
        self.state: RunState = idle_state("ready", "Ready", 0)
        self.failure: Failure | None = None
        self.measured = dict(measured)
        self.closed = False
        self._key: str | None = None  # of the picture, once it was asked for
        self._first_rev = 0
        self._listeners = Listeners()

    def follow(self, listener: DocumentListener) -> None:
        """Tell ``listener`` of every change, after those that follow already."""
        self._listeners.add(listener)

    def require_open(self) -> None:
        """``RuntimeError`` once the widget is closed."""
        if self.closed:
            raise RuntimeError("this widget is closed: make a new one with rd.RegionDragWidget(image)")

    # -- reading ---------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the picture."""
        return self.picture.image.height, self.picture.image.width

    @property
    def busy(self) -> bool:
        """Whether a run is waiting or under way."""
        return self.state["state"] in ("loading", "running", "stopping")

    @property
    def known_key(self) -> str | None:
        """The picture's key if anybody has asked for it yet, else None."""
        return self._key

    def picture_key(self) -> str:
        """Equal for pictures with equal pixels and equal metadata."""
        with self.lock:
            if self._key is None:
                self._key = self.picture.key
            return self._key

    def snapshot(self) -> Snapshot:
        """The picture and the settings as they are now."""
        with self.lock:
            return Snapshot(
                self.picture.image, self.picture_key(), self._first_rev, self.settings, self.regions.maps
            )

    def protect(self) -> Mask | None:
        """(H, W) bool, set where nothing may change; None where everything may."""
        with self.lock:
            return self.regions.protect(self.shape)

    def shown_key(self) -> str:
        """The key of the result on show; ``ValueError`` when there is none."""
        shown = self.shown
        if shown is None:
            raise ValueError("there is no result on show: run an edit first")
        return shown.entry.key

    def carried_requests(self) -> dict[str, CarriedRequest]:
        """What to work out of every pair that has a handle, by the pair's key."""
        with self.lock:
            found = {entry.key: self._carried_request(entry) for entry in self.regions.entries}
            return {key: request for key, request in found.items() if request is not None}

    def route_requests(self) -> dict[str, RouteRequest]:
        """What to work out of every pair whose map the page does not know, by the pair's key."""
        with self.lock:
            method = self.settings.method
            found = {
                entry.key: RouteRequest.of(self.regions, entry, self.shape, method)
                for entry in self.regions.entries
            }
            return {key: request for key, request in found.items() if request is not None}

    def carried_mask(self, key: str) -> Mask:
        """(H, W) bool, what a pair carries on this picture.

        Raises
        ------
        KeyError
            There is no such pair.
        ValueError
            Its handle is empty.
        """
        with self.lock:
            request = self._carried_request(self.regions.entry(key))
            image = self.picture.image
        if request is None:
            raise ValueError("handle is empty: draw what is to be moved")
        return read_mask(self.carried.get(request, image).mask, (image.height, image.width))

    def _carried_request(self, entry: PairEntry) -> CarriedRequest | None:
        assert self.lock.held()
        return CarriedRequest.of(self.regions, entry, self.picture_rev, self.settings.matte)

    def request(self, run: int, changes: Mapping[str, Any]) -> EditRequest:
        """What is drawn now as the request of run ``run``.

        Parameters
        ----------
        run
            Its number.
        changes
            Settings that apply to this run only.

        Raises
        ------
        ValueError
            Nothing complete is drawn, or a setting is wrong.
        """
        with self.lock:
            return EditRequest(
                run=run,
                image=self.picture.image,
                picture_key=self.picture_key(),
                settings=self.settings.updated(changes),
                regions=self.regions,
                pairs=self.pairs.complete(),
            )

    # -- picture and regions ---------------------------------------------------------------------------------

    def set_picture(self, picture: ShownPicture) -> None:
        """Edit another picture: the drawing is cleared and the result taken off the screen."""
        with self.lock:
            self.require_open()
            self._changed(self._put_picture(picture))

    def change_regions(self, change: Callable[[Regions], Regions]) -> None:
        """Replace the regions by ``change(regions)``."""
        with self.lock:
            self.require_open()
            self._changed(self._put_regions(change(self.regions)))

    def set_pairs(self, pairs: Any) -> None:
        """Replace all pairs; ``TypeError`` or ``ValueError`` when one is none or of another size."""
        with self.lock:
            new = [checked(pair, self.shape) for pair in pairs]

            def replaced(regions: Regions) -> Regions:
                regions = regions.removed(slice(None))
                for index, pair in enumerate(new):
                    regions = regions.inserted(index, pair)
                return regions

            self.change_regions(replaced)

    def set_protect(self, mask: Any) -> None:
        """Protect where ``mask`` is set, or nothing with None; ``ValueError`` for a mask of another size."""
        with self.lock:
            if mask is not None:
                mask = as_mask(mask, "protect")
                if mask.shape != self.shape:
                    raise ValueError(
                        f"protect has shape {mask.shape} and the picture {self.shape}: they must be equal"
                    )
            self.change_regions(lambda regions: regions.protected(mask))

    def take_drawn(self, drawn: DrawnState) -> None:
        """Take over what was drawn in the browser."""
        with self.lock:
            self.require_open()
            entries = self.regions.entries if drawn.entries is None else drawn.entries
            masks = self.regions.masks if drawn.masks is None else drawn.masks
            what = Change.REGIONS | (NOTHING if _same_protect(self.regions.masks, masks) else Change.PROTECT)
            self.regions = Regions(tuple(entries), dict(masks), self.regions.maps)
            if drawn.rev is not None:
                self.regions_rev = drawn.rev
            if drawn.selected is not None:
                self.selected = drawn.selected
            if drawn.entries is not None or drawn.masks is not None:
                self._changed(what | Change.DRAWN)

    def skip_revision(self, rev: int) -> None:
        """Number the regions higher than ``rev``, so that a page takes back what is here."""
        with self.lock:
            self.regions_rev = max(self.regions_rev, rev) + 1

    def _read_regions(self) -> tuple[Regions, tuple[int, int]]:
        with self.lock:
            return self.regions, self.shape

    def _put_picture(self, picture: ShownPicture) -> Change:
        assert self.lock.held()
        self.picture, self._key = picture, None
        self.carried.clear()
        self.picture_rev += 1
        self.shown = None
        what = self._put_regions(Regions())
        self.regions = Regions()
        self._first_rev = self.regions_rev
        return what | Change.PICTURE | Change.RESULT

    def _put_regions(self, regions: Regions) -> Change:
        assert self.lock.held()
        same = _same_protect(self.regions.masks, regions.masks)
        self.regions = replace(regions, maps={**self.regions.maps, **regions.maps})  # the page may undo
        self.regions_rev += 1
        count = len(regions.entries)
        self.selected = min(max(self.selected, 0), count - 1)
        return Change.REGIONS | (NOTHING if same else Change.PROTECT)

    # -- settings --------------------------------------------------------------------------------------------

    def change_settings(self, changes: Mapping[str, Any]) -> None:
        """Change some settings; ``ValueError`` or ``TypeError`` when one is wrong, and none is changed."""
        with self.lock:
            self.settings, self.own = self._fitting(self.updated_settings(changes))
            self._changed(Change.SETTINGS)

    def updated_settings(self, changes: Any) -> EditSettings:
        """The settings as they would be; raises as `change_settings`."""
        if not isinstance(changes, Mapping):
            raise TypeError(
                f"settings must be a dict, not {type(changes).__name__}: w.settings = {{'seed': 3}}"
            )
        return self._fitting(self.settings.updated(changes))[0]

    def _fitting(self, settings: EditSettings) -> tuple[EditSettings, Mapping[str, Any]]:
        """The settings and their model's own values; ``ValueError`` where these do not go together."""
        own = known_own_settings(settings.model)
        settings.with_own(own)
        return settings, own

    def _follow_model(self) -> Change:
        """Take the model's own values once they are known, or when they have changed."""
        own = known_own_settings(self.settings.model)
        if own == self.own:
            return NOTHING
        try:
            self.settings.with_own(own)
        except ValueError as error:  # a stop that was set lies above the model's own start: the run says so
            log.debug("the settings do not fit the model: %s", error)
            return NOTHING
        self.own = own
        return Change.SETTINGS

    # -- results ---------------------------------------------------------------------------------------------

    def add_result(self, request: EditRequest, result: Any, seconds: float, png: bytes, thumb: bytes) -> str:
        """Remember a run's result and put it on show; its key in the history."""
        with self.lock:
            own = known_own_settings(request.settings.model)
            settings = request.settings.with_own(own).as_dict()
            entry = HistoryEntry(request, result, self.picture, seconds, settings, thumb, png)
            self.history.add(entry)
            self.shown = ShownResult(entry, png)
            self._changed(Change.RESULT | Change.HISTORY)
            return entry.key

    def add_loaded(self, entries: Sequence[HistoryEntry], shown: str | None) -> None:
        """Remember results of a file, and put one of them on show, or none."""
        with self.lock:
            self.require_open()
            for entry in entries:
                self.history.add(entry)
            known = {entry.key: entry for entry in entries}
            self.shown = None if shown is None else ShownResult(known[shown], known[shown].png)
            self._changed(Change.RESULT | Change.HISTORY)

    def accept(self, key: str) -> None:
        """Make a result the picture; ``KeyError`` in words when it is gone."""
        image = self.history.get(key).result.image
        self.put_accepted(ShownPicture.of(image, self.picture.name))

    def put_accepted(self, picture: ShownPicture) -> None:
        """Edit a result from now on: the drawing is cleared, for its content has moved."""
        with self.lock:
            self.require_open()
            self._changed(self._put_picture(picture) | Change.ACCEPTED)

    def discard(self, key: str) -> None:
        """Take a result off the screen; nothing happens if it is off already."""
        with self.lock:
            if self.shown is not None and self.shown.entry.key == key:
                self.shown = None
                self._changed(Change.RESULT | Change.DISCARDED)

    def restore(self, key: str) -> None:
        """Bring a result back with the picture, the regions and the settings it was made of.

        Raises
        ------
        KeyError
            It is gone.
        """
        with self.lock:
            self.require_open()
            entry = self.history.get(key)
            # whether drafts follow the pointer, and what selects, depends on the machine, not on the result
            here = {"live": self.settings.live, "selector": self.settings.selector}
            asked = {**entry.request.settings.as_dict(), **here}
            settings, own = self._fitting(self.settings.updated(asked))
            what = Change.RESTORED | Change.RESULT | Change.SETTINGS
            if entry.before.image is not self.picture.image:
                what |= self._put_picture(entry.before)
            what |= self._put_regions(entry.request.regions)
            self.shown = ShownResult(entry, entry.png)
            self.settings, self.own = settings, own
            self._changed(what)

    # -- what is shown ---------------------------------------------------------------------------------------

    def show_state(self, state: RunState) -> None:
        """Show what the newest run is doing."""
        with self.lock:
            self.state = state
            self._changed(Change.STATE | self._follow_model())

    def show_failure(self, failure: Failure | None) -> None:
        """Keep a failure's traceback, or forget it; everything else stays."""
        with self.lock:
            self.failure = failure
            self._changed(Change.FAILURE)

    def show_measured(self, measured: Mapping[str, Any]) -> None:
        """Show how fast drafts are here."""
        with self.lock:
            self.measured = dict(measured)
            self._changed(Change.MEASURED | self._follow_model())

    # -- helpers ---------------------------------------------------------------------------------------------

    def _changed(self, what: Change) -> None:
        assert self.lock.held()
        self._listeners.tell(what)


def _same_protect(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> bool:
    return one.get(PROTECT, b"") == other.get(PROTECT, b"")
