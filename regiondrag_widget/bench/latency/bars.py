"""The bars for speed: what was required, what was measured, and whether it holds.

Each bar is for one kind of device and one network. `bench/truth/bars.py` is its twin for quality.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from regiondrag_widget.bench.latency.growth import PAIRS_GROUP
from regiondrag_widget.bench.latency.rounds import Result
from regiondrag_widget.bench.latency.rows import (
    COLD,
    DRAFT,
    POINT_DRAG,
    POINT_TRAINING,
    RELEASED,
    SAME_LEVELS,
    WARM,
)

__all__ = ["Bar", "bars"]

PAIRS_MAY_ADD = 1.25
"""Eight pairs may take this many times as long as one: the masks are read pair by pair."""


@dataclass(frozen=True)
class Bar:
    """One requirement; ``holds`` is None where it was not measured."""

    what: str
    asked: str
    found: str
    holds: bool | None

    def as_json(self) -> dict[str, Any]:
        """Return the bar as plain data."""
        return asdict(self)


def bars(
    results: Sequence[Result],
    pointer: Mapping[str, Any] | None,
    *,
    model: str,
    size: int,
    device: str,
) -> list[Bar]:
    """Return the bars for this network, size and kind of device ("cpu", "cuda"); [] where no bar was set."""
    medians = {r.row.name: r.median for r in results if r.median is not None}
    draft = DRAFT.format(2)
    training = [POINT_DRAG, POINT_TRAINING]

    def under(what: str, name: str, seconds: float) -> Bar:
        found = medians.get(name)
        shown = "not measured" if found is None else f"{found * 1000:.0f} ms"
        return Bar(
            what, f"at most {seconds * 1000:.0f} ms", shown, None if found is None else found <= seconds
        )

    def times(what: str, slow: Sequence[str], fast: str, least: float) -> Bar:
        if not {*slow, fast} <= set(medians):
            return Bar(what, f"at least {least:g}x", "not measured", None)
        ratio = sum(medians[name] for name in slow) / medians[fast]
        return Bar(what, f"at least {least:g}x", f"{ratio:.1f}x", ratio >= least)

    dragging = [
        times("warm edit against a point drag on a trained picture", [POINT_DRAG], WARM, 100),
        times("warm edit against a point drag, the picture's training included", training, WARM, 100),
        times("draft of two calls against a point drag on a trained picture", [POINT_DRAG], draft, 100),
    ]
    if device == "cpu" and model.startswith("mini") and size == 256:
        same = WARM + SAME_LEVELS
        return [
            times("warm edit against the released schedule", [RELEASED], WARM, 2),
            times("the same with as many levels as released", [RELEASED], same, 2),
            under("draft of two calls", draft, 0.2),
            _marks("pointer to the kernel's draft on screen, median", pointer, "draft", 350),
            _marks("script time of the browser's own preview, median", pointer, "preview", 16),
            *dragging,
            _pairs(results),
        ]
    if device == "cuda" and model.startswith("sd15") and size == 512:
        return [
            under("warm edit", WARM, 0.12),
            times("warm edit against the released schedule", [RELEASED], WARM, 8),
            under("draft of two calls", draft, 0.03),
            under("cold edit", COLD, 0.3),
            *dragging,
            _pairs(results),
        ]
    if device == "cuda" and model.startswith("sdxl") and size == 1024:
        return [under("warm edit", WARM, 0.6), _pairs(results)]
    return []


def _marks(what: str, pointer: Mapping[str, Any] | None, kind: str, milliseconds: float) -> Bar:
    asked = f"at most {milliseconds:g} ms"
    spans = (pointer or {}).get(kind)
    if not spans:
        return Bar(what, asked, (pointer or {}).get("problem") or "not measured", None)
    return Bar(what, asked, f"{spans['median']:.1f} ms", bool(spans["median"] <= milliseconds))


def _pairs(results: Sequence[Result]) -> Bar:
    what = "warm edit of 8 pairs against 1 pair of the same area"
    asked = f"at most {PAIRS_MAY_ADD:g}x"
    found = {
        r.row.x: r.median for r in results if r.row.group == PAIRS_GROUP and r.row.name.startswith("warm")
    }
    one, eight = found.get(1), found.get(8)
    if not one or not eight:
        return Bar(what, asked, "not measured", None)
    return Bar(what, asked, f"{eight / one:.2f}x", eight / one <= PAIRS_MAY_ADD)
