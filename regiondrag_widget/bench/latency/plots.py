"""The plot of speed: medians side by side, and growth with the picture's size and the number of pairs.

`bench/truth/plots.py` is its twin for quality.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from regiondrag_widget.bench.latency.growth import PAIRS_GROUP, SIZE_GROUP
from regiondrag_widget.bench.latency.report import WAYS, Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["latency_plot"]

COLOURS = {"cold": "tab:orange", "warm": "tab:blue", "draft": "tab:green"}
OTHERS = "tab:grey"


def latency_plot(measured: Measured, path: Path) -> bool:
    """Draw the plot; return False when matplotlib is not installed or there is nothing to draw."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    edits = [r for r in measured.of_group("edits") if r.median is not None]
    groups = [group for group in (SIZE_GROUP, PAIRS_GROUP) if measured.of_group(group)]
    if not edits and not groups:
        return False
    figure = Figure(figsize=(5 + 3.5 * len(groups), 4), layout="constrained")
    panels = figure.subplots(1, 1 + len(groups), squeeze=False, width_ratios=[1.5, *[1] * len(groups)])[0]
    _bars(panels[0], measured)
    for axes, group in zip(panels[1:], groups, strict=True):
        _lines(axes, measured, group)
    about = measured.about
    figure.suptitle(
        f"{about.get('model')}, {about.get('size')} px, {about.get('device')}, {about.get('dtype')}"
    )
    figure.savefig(path, dpi=120)
    return True


def _bars(axes: Axes, measured: Measured) -> None:
    edits = [r for r in measured.of_group("edits") if r.median is not None and r.p95 is not None][::-1]
    for y, result in enumerate(edits):
        assert result.median is not None
        assert result.p95 is not None
        colour = next((COLOURS[way] for way in WAYS if result.row.name.startswith(way)), OTHERS)
        axes.barh(y, result.median, color=colour, height=0.7)
        axes.plot([result.median, result.p95], [y, y], color="black", linewidth=1)
        seconds = result.median
        label = f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
        axes.annotate(
            label, (result.p95, y), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8
        )
    axes.set_yticks(range(len(edits)), [r.row.name for r in edits], fontsize=8)
    axes.set_xscale("log")
    axes.margins(x=0.25)
    axes.set_xlabel("seconds: median, line to p95")
    axes.grid(alpha=0.3, axis="x")


def _lines(axes: Axes, measured: Measured, group: str) -> None:
    for way in WAYS:
        points = [
            (r.row.x, r.median, r.p95)
            for r in measured.of_group(group)
            if r.row.what == way and r.median is not None
        ]
        if not points:
            continue
        x, medians, p95 = zip(*points, strict=True)
        axes.plot(x, medians, ".-", color=COLOURS[way], label=way)
        axes.fill_between(x, medians, p95, color=COLOURS[way], alpha=0.2, linewidth=0)
    axes.set_xlabel("pixels a side" if group == SIZE_GROUP else "pairs sharing the same area")
    axes.set_ylabel("seconds")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
