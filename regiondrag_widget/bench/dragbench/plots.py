"""Distance against time: a point for each method."""

from __future__ import annotations

from pathlib import Path

from regiondrag_widget.bench.dragbench.contenders import ABLATIONS
from regiondrag_widget.bench.dragbench.figures import MEASURES
from regiondrag_widget.bench.dragbench.tally import Tally
from regiondrag_widget.bench.truth.plots import label_points

__all__ = ["distance_plot"]

LEAST_SECONDS = 0.01


def distance_plot(tally: Tally, path: Path) -> bool:
    """Draw mean distance against seconds for an edit, a panel for each distance; lower left is better.

    False, and no file, when matplotlib is not installed or no distance was measured.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    names = [name for name in ("md_rd_sample", "md_px") if name in tally.measures]
    if not names:
        return False
    figure = Figure(figsize=(6 * len(names), 4.5), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        labels = []
        for method in tally.methods:
            mean, seconds = tally.mean(method, name), tally.seconds(method)
            if mean is None or seconds is None or method in ABLATIONS:
                continue
            point = (max(seconds, LEAST_SECONDS), mean * MEASURES[name].scale)
            axes.plot(*point, "o", color="tab:blue" if method == "ours" else "tab:grey", zorder=3)
            labels.append((method, point))
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("seconds for an edit (at least 0.01)")
        axes.set_ylabel(f"{MEASURES[name].title} (features of {tally.about.get('features')})")
        axes.grid(alpha=0.3)
        axes.margins(x=0.15, y=0.1)
        figure.draw_without_rendering()  # positions on the page are known only after this
        label_points(axes, labels)
    figure.savefig(path, dpi=110)
    return True
