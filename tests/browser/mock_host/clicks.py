"""Where to click, and what comes of it."""

from __future__ import annotations

import numpy as np

from tests.browser.mock_host.page import Point, Widget


def middle(mask: np.ndarray) -> Point:
    """A point well inside a mask."""
    ys, xs = np.nonzero(mask)
    return float(np.median(xs)), float(np.median(ys))


def selected(widget: Widget, count: int = 1) -> None:
    """Waits until so many pairs are saved."""
    widget.page.wait_for_function("n => host.model.get('_pairs').length === n", arg=count)


def undone(widget: Widget) -> None:
    widget.press("Control+z")
