"""Earlier results of one widget, each with the regions and settings it was made with."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from PIL import Image

from regiondrag_widget.widget.drawn import Regions

LIMIT = 20  # results kept; each holds two pictures and its previews


@dataclass(frozen=True, eq=False)
class HistoryEntry:
    """One finished run: its `EditResult`, the picture it started from, and what was asked."""

    key: str
    run: int
    result: Any
    before: Image.Image
    before_name: str
    picture_rev: int
    regions: Regions
    settings: dict[str, Any]  # as they were
    asked: dict[str, Any]  # the same, with None where the model decided
    seconds: float
    thumb: bytes

    def summary(self) -> dict[str, Any]:
        """The entry of the ``_history`` trait."""
        seed = self.settings.get("seed")
        return {
            "id": self.key,
            "seed": seed,
            "seconds": round(self.seconds, 3),
            "settings": self.settings,
            "label": f"Run {self.run}, seed {seed}",
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
        """The entry called ``key``; ``KeyError`` with words when it is gone."""
        try:
            return self._entries[key]
        except KeyError:
            raise KeyError(f"there is no result {key!r} any more: the last {LIMIT} are kept") from None

    def __len__(self) -> int:
        return len(self._entries)

    def results(self) -> list[Any]:
        return [entry.result for entry in self._entries.values()]

    def summaries(self) -> list[dict[str, Any]]:
        return [entry.summary() for entry in self._entries.values()]

    def thumbs(self) -> dict[str, bytes]:
        return {key: entry.thumb for key, entry in self._entries.items()}
