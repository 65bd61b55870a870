"""The result on show and those before it: accepted, discarded, restored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from regiondrag_widget.widget.editing import EditRequest
from regiondrag_widget.widget.history import History, HistoryEntry
from regiondrag_widget.widget.pictures import encode_png

if TYPE_CHECKING:
    from regiondrag_widget.widget.core import WidgetCore


class Staging:
    """Results of one widget. Every change to its traits is made under its lock."""

    def __init__(self, widget: WidgetCore) -> None:
        self._widget = widget
        self._results = History()

    @staticmethod
    def key_of(request: EditRequest) -> str:
        """The name of a run's result in the history."""
        return f"r{request.run}"

    def get(self, key: str) -> HistoryEntry:
        """An earlier result; ``KeyError`` when it is gone."""
        return self._results.get(key)

    def add(self, request: EditRequest, result: Any, seconds: float, png: bytes, thumb: bytes) -> None:
        """Remember a run's result, and put it on show."""
        widget = self._widget
        entry = HistoryEntry(
            key=self.key_of(request),
            run=request.run,
            result=result,
            before=request.image,
            before_name=widget._image_info["name"],
            picture_rev=widget._image_info["rev"],
            regions=request.regions,
            settings=request.settings.with_own(widget._own_settings(request.settings.model)).as_dict(),
            asked=request.settings.as_dict(),
            seconds=seconds,
            thumb=thumb,
        )
        with widget.lock:
            self._results.add(entry)
            with widget.hold_sync():
                widget._history, widget._thumbs = self._results.summaries(), self._results.thumbs()
                self.put(entry, png)
            widget.set_trait("history", self._results.results())

    def put(self, entry: HistoryEntry | None, png: bytes | None = None) -> None:
        """Put a result on show, or take it off with None."""
        widget = self._widget
        if entry is None:
            widget._result, widget._result_info = b"", {}
            widget.set_trait("result", None)
            return
        image = entry.result.image
        widget._result = encode_png(image) if png is None else png
        widget._result_info = {
            "id": entry.key,
            "run": entry.run,
            "seed": entry.settings["seed"],
            "seconds": round(entry.seconds, 3),
            "width": image.width,
            "height": image.height,
            "settings": entry.settings,
        }
        widget.set_trait("result", entry.result)

    def current(self) -> str:
        """The name of the result on show; ``ValueError`` when there is none."""
        key = self._widget._result_info.get("id")
        if key is None:
            raise ValueError("there is no result on show: run an edit first")
        return str(key)

    def accept(self, key: str) -> None:
        """Make a result the picture."""
        widget = self._widget
        with widget.lock:
            entry = self._results.get(key)
            widget._set_picture(entry.result.image, name=widget._image_info["name"])
            widget._runs.settle("ready", "Result accepted")

    def discard(self, key: str) -> None:
        """Take a result off the screen."""
        widget = self._widget
        with widget.lock:
            if key != widget._result_info.get("id"):
                return  # it is off the screen already
            with widget.hold_sync():
                self.put(None)
            widget._runs.settle("ready", "Result discarded")

    def restore(self, key: str) -> None:
        """Bring a result back with the picture, the regions and the settings it was made of."""
        widget = self._widget
        with widget.lock:
            entry = self._results.get(key)
            widget._runs.abandon()
            if entry.picture_rev != widget._image_info["rev"] and entry.before is not widget._picture:
                widget._set_picture(entry.before, name=entry.before_name)
            with widget.hold_sync():
                widget._put_regions(entry.regions)
                self.put(entry)
                # whether drafts follow the pointer is a matter of the machine, not of the result
                widget.settings = {**entry.asked, "live": widget._edit_settings.live}
            widget._tell("pairs", widget._pair_list)
            widget._runs.settle("done", "Earlier result")
