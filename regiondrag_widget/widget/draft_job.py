"""One draft, as it is made on the inference thread: an edit in few steps, shown while the pointer moves.

`make_draft` knows neither the widget nor its queue: it returns the picture, or None when it was told to stop.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.imaging.colour import shown as in_srgb
from regiondrag_widget.regions.pair import RegionPair
from regiondrag_widget.widget.editor import Editor
from regiondrag_widget.widget.editor_cache import EditorCache, editor_key
from regiondrag_widget.widget.encode import encode_jpeg
from regiondrag_widget.widget.incoming import Draft
from regiondrag_widget.widget.regions_state import Regions
from regiondrag_widget.widget.sent_regions import Maps, drawn_pairs, require_masks, sent_regions

CALLS = 2  # network calls of a draft
MAX_AGE = 1.0  # seconds after which a request is too old to be answered by a picture


@dataclass(frozen=True, eq=False)
class DraftRequest:
    """What the browser asked for and when: immutable, made on the thread that the message came in.

    Attributes
    ----------
    seq
        The request's number, rising for the life of a page.
    message
        As it came: its masks are decoded on the inference thread, only if the draft's turn comes.
    image, picture_key
        As of an `EditRequest`.
    maps
        The dense maps that there are, as in `Regions`.
    arrived
        Seconds of the clock that `make_draft` gets.
    """

    seq: int
    message: Draft
    image: Image.Image
    picture_key: Hashable
    settings: EditSettings
    arrived: float
    maps: Maps = field(default_factory=dict)

    @property
    def needs(self) -> Hashable:
        """Equal for requests that work on the same prepared picture."""
        return editor_key(self.picture_key, self.settings)


@dataclass(frozen=True, eq=False)
class DraftPicture:
    """The JPEG of a draft, the part of the picture it covers, and the seconds it took without preparation."""

    data: bytes
    width: int
    height: int
    box: tuple[int, int, int, int]
    seconds: float


@dataclass(frozen=True)
class Watch:
    """The callbacks of `make_draft`.

    Attributes
    ----------
    clock
        Seconds that never run backwards.
    should_stop, should_stop_preparing
        Asked between steps, and now and then while the picture is prepared.
    prepared
        Called once the picture is prepared.
    """

    clock: Callable[[], float]
    should_stop: Callable[[], bool]
    should_stop_preparing: Callable[[], bool]
    prepared: Callable[[], None]


class NothingDrawn(Exception):
    """No pair of the request is complete."""


def make_draft(request: DraftRequest, editors: EditorCache, watch: Watch) -> DraftPicture | None:
    """Decode, prepare what is not yet prepared, draft, encode; None when it was told to stop.

    Raises
    ------
    NothingDrawn
        No pair is complete.
    ValueError
        The regions cannot be used.

    What the engine raises passes through.
    """
    shape = request.image.height, request.image.width
    regions = sent_regions(request.message, Regions(maps=request.maps))
    require_masks(regions, shape)
    pairs, protect = drawn_pairs(regions, shape), regions.protect(shape)
    if not pairs:
        raise NothingDrawn
    if watch.should_stop_preparing():
        return None
    editor = editors.get(request.picture_key, request.image, request.settings)
    how = {**request.settings.of_the_edit(), "editable": None if protect is None else ~protect}
    if not editor.prepare(pairs, watch.should_stop_preparing, **how):
        return None
    watch.prepared()
    if watch.should_stop():
        return None
    return draft_once(editor, pairs, how, watch, request.image.info.get("icc_profile"))


def draft_once(
    editor: Editor,
    pairs: Sequence[RegionPair],
    how: Mapping[str, Any],
    watch: Watch,
    profile: bytes | None = None,
) -> DraftPicture | None:
    """A draft of a picture that is prepared and has the colour ``profile``, timed; None if it was stopped."""
    began = watch.clock()
    steps = editor.draft(pairs, calls=CALLS, **how)
    with closing(steps):  # a generator that is closed puts the network back as it was
        for _ in steps:
            if watch.should_stop():
                return None
    drafted = editor.drafted
    if drafted is None:
        raise RuntimeError("the engine's draft ended without a picture")
    image = in_srgb(Image.fromarray(drafted.rgb), profile)
    data = encode_jpeg(image, quality=85)
    x0, y0, x1, y1 = map(int, drafted.box)
    return DraftPicture(data, image.width, image.height, (x0, y0, x1, y1), watch.clock() - began)
