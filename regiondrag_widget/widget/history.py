"""Earlier results of one widget, each with the regions and settings it was made with."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from regiondrag_widget.widget.edit_job import EditRequest
from regiondrag_widget.widget.encode import ShownPicture

LIMIT = 20  # results kept; each holds two pictures and its previews


@dataclass(frozen=True, eq=False)
class HistoryEntry:
    """One finished run.

    Attributes
    ----------
    request
        What was asked.
    result
        The `EditResult`.
    before
        The picture it started from.
    seconds
        How long it took.
    settings
        The settings it was made with; `EditRequest.settings` has None where the model decided.
    thumb
        A small JPEG of the result.
    png
        The result as a PNG file: nothing is encoded when it is brought back.
    name
        Its name where the run's number is no name: it comes from a file.
    """

    request: EditRequest
    result: Any
    before: ShownPicture
    seconds: float
    settings: dict[str, Any]
    thumb: bytes
    png: bytes
    name: str = ""

    @property
    def key(self) -> str:
        """Its name in the history."""
        return self.name or f"r{self.request.run}"

    def summary(self) -> dict[str, Any]:
        """The entry of the ``_history`` trait."""
        seed = self.request.settings.seed
        return {
            "id": self.key,
            "seed": seed,
            "seconds": round(self.seconds, 3),
            "settings": self.settings,
            "label": f"Run {self.request.run}, seed {seed}",
        }

    def shown(self) -> dict[str, Any]:
        """The ``_result_info`` trait while this result is on show."""
        return {
            "id": self.key,
            "run": self.request.run,
            "seed": self.request.settings.seed,
            "seconds": round(self.seconds, 3),
            "width": self.result.image.width,
            "height": self.result.image.height,
            "settings": self.settings,
        }


class History:
    """The last `LIMIT` entries, oldest first."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, HistoryEntry] = OrderedDict()

    def add(self, entry: HistoryEntry) -> None:
        """Append; the oldest goes when there are too many."""
        self._entries[entry.key] = entry
        while len(self._entries) > LIMIT:
            self._entries.popitem(last=False)

    def get(self, key: str) -> HistoryEntry:
        """The entry called ``key``; ``KeyError`` in words when it is gone."""
        try:
            return self._entries[key]
        except KeyError:
            raise KeyError(f"there is no result {key!r} any more: the last {LIMIT} are kept") from None

    def __len__(self) -> int:
        return len(self._entries)

    def entries(self) -> list[HistoryEntry]:
        """All of them."""
        return list(self._entries.values())

    def results(self) -> list[Any]:
        """Their `EditResult` objects."""
        return [entry.result for entry in self._entries.values()]

    def summaries(self) -> list[dict[str, Any]]:
        """The ``_history`` trait."""
        return [entry.summary() for entry in self._entries.values()]

    def thumbs(self) -> dict[str, bytes]:
        """Their small pictures by key."""
        return {key: entry.thumb for key, entry in self._entries.items()}
