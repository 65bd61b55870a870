"""A widget's work in a file: the picture, what is drawn, the settings, and the results with what made them.

It is a save of regions (`regions.archive`) with more in its index, so `load_regions` and the command line
read it too.
"""

from __future__ import annotations

import io
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from regiondrag_widget.engine.result import EditResult
from regiondrag_widget.engine.settings import EditSettings
from regiondrag_widget.imaging.metadata import save_options
from regiondrag_widget.regions.archive import described
from regiondrag_widget.regions.archive_parts import (
    INDEX,
    PartReader,
    PartWriter,
    check_described,
    parsed_index,
)
from regiondrag_widget.regions.container import open_reader
from regiondrag_widget.regions.limits import MAX_INDEX_BYTES, MAX_SESSION_PIXELS
from regiondrag_widget.regions.pairs import RegionPairs
from regiondrag_widget.text import is_finite_number, printable
from regiondrag_widget.widget.document import Document
from regiondrag_widget.widget.edit_job import EditRequest
from regiondrag_widget.widget.encode import ShownPicture, encode_png, encode_thumb
from regiondrag_widget.widget.history import LIMIT, HistoryEntry
from regiondrag_widget.widget.pair_list import checked
from regiondrag_widget.widget.regions_state import Mask, Regions
from regiondrag_widget.widget.settingsdict import known

OF_THE_MACHINE = ("live",)  # settings that say nothing of the work


@dataclass(frozen=True, eq=False)
class Session:
    """What a file says of a widget's work.

    Attributes
    ----------
    picture
        The picture.
    pairs, protect
        What is drawn; ``protect`` is (H, W) bool, set where nothing may change, or None.
    settings
        Those that were set; others stay as they are.
    results
        Earlier results, oldest first.
    shown
        The key of the result on show, or None.
    """

    picture: ShownPicture
    pairs: RegionPairs
    protect: Mask | None
    settings: Mapping[str, Any]
    results: tuple[HistoryEntry, ...]
    shown: str | None


def save_session(path: Path, document: Document) -> None:
    """Write a widget's work to a folder or a .zip, whole or not at all.

    Of the results, the newest that fit the limits are written, with a warning when some do not.

    Raises
    ------
    ValueError, OSError
        As `regions.archive.save_regions`.
    """
    with document.lock:  # everything here is immutable: it is written once the lock is free
        image, pairs, protect = document.picture.image, document.pairs.drawn(), document.protect()
        settings, results, shown = document.settings, document.history.entries(), document.shown
        name = document.picture.name
    writer = PartWriter()
    writer.picture("image", image, _png)
    writer.index |= described(writer, image, pairs, protect)
    writer.index["name"] = name
    writer.index["settings"] = _set(settings)
    fitting = _fitting(results, image.width * image.height)
    if len(fitting) < len(results):
        warnings.warn(
            f"only the newest {len(fitting)} of {len(results)} results are saved: "
            f"a session holds {MAX_SESSION_PIXELS // 10**6} megapixels",
            stacklevel=3,
        )
    writer.index["results"] = [_described_result(writer, n, entry) for n, entry in enumerate(fitting)]
    if shown is not None and shown.entry in fitting:
        writer.index["shown"] = fitting.index(shown.entry)
    writer.write(path)


def load_session(path: Path) -> Session:
    """Read what `save_session` or `regions.archive.save_regions` wrote.

    Raises
    ------
    ValueError
        As `regions.archive.load_regions`; a setting or a result that cannot be used is named.
    """
    with open_reader(path) as read:
        index = parsed_index(read(INDEX, MAX_INDEX_BYTES))
        results = index.get("results", [])
        if not isinstance(results, list) or len(results) > LIMIT:
            raise ValueError(f"{INDEX} needs a list of at most {LIMIT} results")
        for entry in results:
            if not isinstance(entry, dict):
                raise ValueError(f"{INDEX} has a result that is none: save the session again")
            check_described(entry)
        sizes = [index["size"], *(entry["size"] for entry in results for _ in range(2))]
        if len(results) and sum(width * height for width, height in sizes) > 2 * MAX_SESSION_PIXELS:
            raise ValueError(
                f"{INDEX} announces more than {MAX_SESSION_PIXELS // 10**6} megapixels of results: "
                "it was not written by w.save"
            )
        name = index.get("name")
        loader = _Loader(PartReader(read), printable(name) if isinstance(name, str) else path.stem)
        picture = loader.picture(index["image"], index["size"])
        pairs, protect = loader.regions(index)
        loaded = tuple(loader.result(entry) for entry in results)
    shown = index.get("shown")
    on_show = loaded[shown].key if type(shown) is int and 0 <= shown < len(loaded) else None
    return Session(picture, pairs, protect, _checked(index.get("settings", {})), loaded, on_show)


def _fitting(results: list[HistoryEntry], taken: int) -> list[HistoryEntry]:
    """The newest results whose pictures fit into one session."""
    fitting: list[HistoryEntry] = []
    for entry in reversed(results):
        taken += 2 * entry.before.image.width * entry.before.image.height
        if taken > MAX_SESSION_PIXELS:
            break
        fitting.insert(0, entry)
    return fitting


def _described_result(writer: PartWriter, number: int, entry: HistoryEntry) -> dict[str, Any]:
    result, request = entry.result, entry.request
    image, before = result.image, entry.before.image
    pairs, protect = request.decoded()
    found: dict[str, Any] = {
        "run": request.run,
        "size": [before.width, before.height],
        "image": writer.picture(f"result_{number}", image, _png),
        "before": writer.picture(f"before_{number}", before, _png),
        "name": entry.before.name,
        "pairs": writer.pairs(pairs, f"result_{number}_"),
        "asked": _set(request.settings),
        "settings": dict(result.settings),
        "made_with": entry.settings,
        "seed": result.seed,
        "seconds": entry.seconds,
        "timings": dict(result.timings),
        "notes": list(result.notes),
    }
    if protect is not None:
        found["protect"] = writer.mask(f"result_{number}_protect", protect)
    return found


class _Loader:
    """Reads the parts of one session; pictures that are named twice are one."""

    def __init__(self, parts: PartReader, name: str) -> None:
        self._parts, self._name = parts, name
        self._pictures: dict[str, ShownPicture] = {}

    def picture(self, file: object, size: list[int], name: object = None) -> ShownPicture:
        known = self._pictures.get(file) if isinstance(file, str) else None
        if known is not None and [*known.image.size] == size:
            return known
        image = self._parts.picture(file, size)
        found = ShownPicture.of(image, name if isinstance(name, str) else self._name)
        return self._pictures.setdefault(str(file), found)

    def regions(self, entry: dict[str, Any]) -> tuple[RegionPairs, Mask | None]:
        pairs = self._parts.pairs(entry["pairs"], entry["size"])
        for pair in pairs:
            checked(pair, pair.shape)
        named = entry.get("protect")
        return pairs, None if named is None else self._parts.mask(named, entry["size"]).full

    def result(self, entry: dict[str, Any]) -> HistoryEntry:
        size = entry["size"]
        before = self.picture(entry.get("before"), size, entry.get("name"))
        image = ShownPicture.of(self._parts.picture(entry["image"], size)).image
        pairs, protect = self.regions(entry)
        regions = Regions()
        for number, pair in enumerate(pairs):
            regions = regions.inserted(number, pair)
        regions = regions.protected(protect)
        settings = EditSettings().updated(_checked(entry.get("asked", {})))
        request = EditRequest(
            run=_whole(entry.get("run")) or 0,
            image=before.image,
            picture_key=before.key,
            settings=settings,
            regions=regions,
            pairs=pairs,
        )
        result = EditResult(
            image=image,
            before=before.image,
            settings=_object(entry.get("settings")),
            timings={stage: _number(value) for stage, value in _object(entry.get("timings")).items()},
            seed=_whole(entry.get("seed")),
            pairs=pairs,
            notes=_words(entry.get("notes")),
        )
        return HistoryEntry(
            request,
            result,
            before,
            _number(entry.get("seconds")),
            {**settings.as_dict(), **known(_object(entry.get("made_with")))},
            encode_thumb(image),
            encode_png(image),
            f"s{uuid.uuid4().hex[:8]}",
        )


def _set(settings: EditSettings) -> dict[str, Any]:
    """The settings that say something of the work, as JSON has them."""
    return {name: value for name, value in settings.as_dict().items() if name not in OF_THE_MACHINE}


def _checked(settings: object) -> dict[str, Any]:
    """Settings of a file; ``ValueError`` where one is wrong. A newer version may have saved more."""
    given = {key: value for key, value in known(_object(settings)).items() if key not in OF_THE_MACHINE}
    try:
        EditSettings().updated(given)
    except (ValueError, TypeError) as error:
        raise ValueError(f"the settings in {INDEX} cannot be used: {error}") from error
    return given


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and type(value) is int and 0 <= value < 2**53 else None


def _number(value: Any) -> float:
    return float(value) if is_finite_number(value) else 0.0


def _words(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else []
    return tuple(printable(item) for item in items if isinstance(item, str))


def _png(image: Image.Image) -> bytes:
    """A PNG file with everything that the picture's own file said."""
    options = save_options(image.info, "PNG", "")
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=4, **options)
    return buffer.getvalue()
