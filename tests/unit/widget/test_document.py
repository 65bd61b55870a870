"""A document without a widget: it changes or raises, and tells its listeners."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image

from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.regions import RegionPair
from regiondrag_widget.widget.changes import Change
from regiondrag_widget.widget.document import Document
from regiondrag_widget.widget.encode import ShownPicture
from regiondrag_widget.widget.regions_state import PairEntry, Regions
from regiondrag_widget.widget.validation import DrawnState, read_drawn


class Listener:
    """Notes what it is told, and whether the lock was held."""

    def __init__(self, document):
        self._document = document
        self.heard = []
        self.held = []
        document.follow(self)

    def changed(self, what):
        self.heard.append(what)
        self.held.append(self._document.lock.held())


class Result:
    def __init__(self, image):
        self.image = image


@pytest.fixture
def document(rgb):
    return Document(ShownPicture.of(rgb), EditSettings(), {})


@pytest.fixture
def listener(document):
    return Listener(document)


@pytest.fixture
def pair():
    handle = np.zeros((96, 128), bool)
    handle[20:50, 20:50] = True
    return RegionPair.move(handle, 40, 0)


def finished(document, run=1):
    """One run that came to its end."""
    request = document.request(run, {})
    image = Image.fromarray(255 - np.asarray(document.picture.image))
    return document.add_result(request, Result(image), 0.5, b"png", b"thumb")


def test_a_document_needs_neither_traits_nor_comms():
    needed = {
        name
        for name in sys.modules["regiondrag_widget.widget.document"].__dict__.values()
        if getattr(name, "__name__", "") in ("traitlets", "ipywidgets", "anywidget", "comm")
    }
    assert needed == set()


def test_every_change_is_told_once_with_the_lock_held(document, listener, pair, rgb):
    document.pairs.append(pair)
    document.set_protect(pair.target)
    document.change_settings({"seed": 3})
    key = finished(document)
    document.discard(key)
    document.restore(key)
    document.accept(key)
    document.set_picture(ShownPicture.of(rgb))
    assert listener.heard == [
        Change.REGIONS,
        Change.REGIONS | Change.PROTECT,
        Change.SETTINGS,
        Change.RESULT | Change.HISTORY,
        Change.RESULT | Change.DISCARDED,
        Change.RESULT | Change.REGIONS | Change.SETTINGS | Change.RESTORED,
        Change.PICTURE | Change.REGIONS | Change.PROTECT | Change.RESULT | Change.ACCEPTED,
        Change.PICTURE | Change.REGIONS | Change.RESULT,
    ]
    assert all(listener.held)


def test_what_a_listener_changes_is_told_to_all_once_they_have_heard_of_the_first_change(document):
    order = []

    class First:
        def changed(self, what):
            order.append(("first", what))
            if Change.PICTURE in what:
                document.change_settings({"seed": 5})

    class Second:
        def changed(self, what):
            order.append(("second", what))

    document.follow(First())
    document.follow(Second())
    document.set_picture(document.picture)
    picture = Change.PICTURE | Change.REGIONS | Change.RESULT
    assert order == [
        ("first", picture),
        ("second", picture),
        ("first", Change.SETTINGS),
        ("second", Change.SETTINGS),
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.change_settings({"seed": -1}),
        lambda d: d.change_settings(3),
        lambda d: d.set_protect(np.ones((3, 3), bool)),
        lambda d: d.set_pairs([3]),
        lambda d: d.accept("r9"),
        lambda d: d.restore("r9"),
        lambda d: d.shown_key(),
        lambda d: d.request(1, {}),
        lambda d: d.pairs.__delitem__(4),
    ],
)
def test_what_is_refused_changes_and_tells_nothing(document, listener, change):
    before = document.regions, document.settings, document.picture
    with pytest.raises((ValueError, TypeError, KeyError, IndexError)):
        change(document)
    assert (document.regions, document.settings, document.picture) == before
    assert listener.heard == []
    assert not document.lock.held()


def test_a_request_is_what_is_drawn_with_the_changed_settings(document, pair):
    document.pairs.append(pair)
    document.set_protect(pair.target)
    request = document.request(7, {"seed": 9})
    assert (request.run, request.settings.seed, document.settings.seed) == (7, 9, 0)
    pairs, protect = request.decoded()
    assert list(pairs) == [pair]
    assert np.array_equal(protect, pair.target)
    assert request.regions is document.regions


def test_what_was_drawn_in_the_browser_is_taken_over_whole(document, listener, pair):
    document.pairs.append(pair)
    entry, masks = document.regions.entries[0], dict(document.regions.masks)
    document.change_regions(lambda regions: Regions())
    document.take_drawn(DrawnState((entry,), masks, rev=40, selected=0))
    assert list(document.pairs) == [pair]
    assert (document.regions_rev, document.selected) == (40, 0)
    assert listener.heard[-1] == Change.REGIONS | Change.DRAWN


def test_the_selection_stays_within_the_pairs(document, pair):
    document.pairs.extend([pair, pair])
    document.take_drawn(DrawnState(selected=1))
    assert document.selected == 1
    del document.pairs[0]
    assert document.selected == 0
    document.pairs.clear()
    assert document.selected == -1


def test_an_entry_is_written_as_it_is_read():
    from regiondrag_widget.widget.validation import read_drawn

    entry = PairEntry("a", "duck", (1.0, 0.0, 5.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), 3, False, True, 4, True)
    assert read_drawn({"_pairs": [entry.as_json()]}, (96, 128), {}).entries == (entry,)


def test_a_snapshot_tells_pictures_apart_by_their_pixels(document, rgb):
    first = document.snapshot()
    document.set_picture(ShownPicture.of(255 - rgb))
    other = document.snapshot()
    document.set_picture(ShownPicture.of(rgb))
    assert document.snapshot().picture_key == first.picture_key != other.picture_key
    assert first.first_rev < other.first_rev == document.snapshot().first_rev - 1


def test_a_closed_document_refuses_changes(document, pair):
    document.closed = True
    for change in (
        lambda: document.pairs.append(pair),
        lambda: document.set_picture(document.picture),
        lambda: document.set_protect(None),
    ):
        with pytest.raises(RuntimeError, match="closed"):
            change()


def test_what_a_pair_carries_is_a_change_of_the_regions(document, listener, pair):
    document.set_pairs([pair])
    key = document.regions.entries[0].key
    before = document.regions_rev
    document.pairs[0].carry = "painted"
    assert listener.heard[-1] == Change.REGIONS
    assert (document.regions_rev, document.regions.entries[0].carry) == (before + 1, "painted")
    chosen = np.array(pair.handle) & (np.arange(128) < 30)
    document.pairs[0].carry = chosen
    assert set(document.regions.masks) == {f"h:{key}", f"t:{key}", f"c:{key}"}
    assert np.array_equal(document.request(1, {}).pairs[0].carry, chosen)
    document.pairs[0].carry = "object"
    assert set(document.regions.masks) == {f"h:{key}", f"t:{key}"}
    document.pairs[0].carry = chosen
    del document.pairs[0]
    assert document.regions.masks == {}


def test_a_request_and_its_pairs_do_not_belong_to_the_drawing(document, pair):
    document.set_pairs([pair])
    assert type(document.request(1, {}).pairs[0]) is RegionPair


@pytest.mark.parametrize("carry", ["object", "painted", "mask", None])
def test_an_entry_keeps_what_it_carries(carry):
    entry = PairEntry("a", rev=1, carry=carry)
    drawn = read_drawn({"_pairs": [entry.as_json()]}, (96, 128), {})
    assert drawn.entries == (entry,)


def test_an_entry_that_carries_something_unknown_is_refused():
    entry = {**PairEntry("a").as_json(), "carry": "shadow"}
    with pytest.raises(ValueError, match="carry must be"):
        read_drawn({"_pairs": [entry]}, (96, 128), {})
