"""Quality against time: a point for each method, PSNR and FLIP side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regiondrag_widget.bench.truth.run import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEVELS_GROUP = "levels"
INSTANT = 1e-3
"""Seconds below which a method is drawn as a level line instead of a point: its time does not matter."""
_PANELS = (
    ("psnr", "PSNR over the touched region, dB"),
    ("flip", "FLIP over the touched region (0 is equal; the axis points down)"),
)
_SPOTS = ((6, 0), (6, 9), (6, -9), (-6, 0), (-6, 9), (-6, -9), (0, 12), (0, -12), (6, 18), (6, -18), (-6, 18),
          (-6, -18), (6, 27), (6, -27))  # fmt: skip


def quality_plot(report: Report, path: Path) -> bool:
    """Draw quality against seconds for an edit; False when matplotlib is not installed.

    One point for each method of the main table, and a line through our edit with other numbers of levels
    (measured on fewer scenes: the line shows the differences there). Up and left is better in both panels.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(12, 5), layout="constrained")
    panels = figure.subplots(1, 2)
    for axes, (measure, title) in zip(panels, _PANELS, strict=True):
        labels = _draw(axes, report, measure)
        axes.set_xscale("log")
        axes.set_xlabel("seconds for an edit")
        axes.set_ylabel(title)
        axes.grid(alpha=0.3)
        axes.margins(x=0.15, y=0.08)
        if measure == "flip":
            axes.invert_yaxis()
        figure.draw_without_rendering()  # positions on the page are known only after this
        label_points(axes, labels)
    figure.savefig(path, dpi=120)
    return True


def _draw(axes: Axes, report: Report, measure: str) -> list[tuple[str, tuple[float, float]]]:
    """Points and lines; returns what is to be labelled where."""
    labels = []
    for method in report.methods:
        point = _point(report, method.name, measure)
        if point is None or method.group not in ("baseline", "ours"):
            continue
        if point[0] < INSTANT:
            axes.axhline(point[1], color="tab:grey", linestyle=":", linewidth=1)
            axes.annotate(method.name, (0.01, point[1]), xycoords=("axes fraction", "data"), xytext=(0, 3),
                          textcoords="offset points", fontsize=7, color="dimgrey")  # fmt: skip
            continue
        axes.plot(*point, "o", color="tab:blue" if method.group == "ours" else "tab:grey", zorder=3)
        labels.append((method.name, point))
    levels = _levels(report, measure)
    if levels:
        line = sorted([*(point for _, point in levels), *(p for name, p in labels if name == _ours(report))])
        axes.plot(*zip(*line, strict=True), ".-", color="tab:cyan", label="ours by its number of levels")
        axes.legend(fontsize=7, loc="lower left")
    return labels + levels


def _levels(report: Report, measure: str) -> list[tuple[str, tuple[float, float]]]:
    """Our edit with other numbers of levels: from our point, by what they differ on the scenes they have."""
    ours = _ours(report)
    origin = None if ours is None else _point(report, ours, measure)
    points = []
    for method in report.methods:
        if ours is None or origin is None or not method.group.startswith(LEVELS_GROUP):
            continue
        both = report.common([ours, method.name])
        mine, other = _point(both, ours, measure), _point(both, method.name, measure)
        if mine is not None and other is not None and mine[0] > 0:
            moved = (origin[0] * other[0] / mine[0], origin[1] + other[1] - mine[1])
            points.append((method.name.split()[0], moved))
    return points


def _ours(report: Report) -> str | None:
    return next((method.name for method in report.methods if method.group == "ours"), None)


def label_points(axes: Axes, labels: Sequence[tuple[str, tuple[float, float]]]) -> None:
    """Write each name beside its point, at the first spot where it covers no other name and no point."""
    frame = axes.get_window_extent()
    marks = [tuple(axes.transData.transform(point)) for _, point in labels]
    taken: list[Any] = []
    for name, point in sorted(labels, key=lambda label: -label[1][1]):
        text = axes.annotate(name, point, (0, 0), textcoords="offset points", fontsize=7, va="center")
        for spot in _SPOTS:
            text.set_position(spot)
            text.set_horizontalalignment("left" if spot[0] > 0 else "right" if spot[0] < 0 else "center")
            box = text.get_window_extent()
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
            if (
                inside
                and not any(box.overlaps(other) for other in taken)
                and not any(box.contains(*mark) for mark in marks)
            ):
                break
        taken.append(text.get_window_extent())


def _point(report: Report, name: str, measure: str) -> tuple[float, float] | None:
    quality, seconds = report.mean(name, measure), report.mean(name, "seconds")
    return None if quality is None or seconds is None else (seconds, quality)
