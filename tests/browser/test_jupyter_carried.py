"""What a handle will carry, in real JupyterLab: shown before a run, switched by the page and from Python."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.jupyter_host import SETUP, SHOW
from tests.browser.mock_host.page import iou

pytest_plugins = ["tests.browser.jupyter_fixtures"]
pytestmark = pytest.mark.browser
YELLOW = (255, 214, 10)  # of the line round what is carried


def test_what_is_carried_is_shown_and_switched_from_both_sides(notebook, keep) -> None:
    page, kernel = notebook("lab", [SETUP, SHOW])
    page.run("FakeEngine")
    page.run("RegionDragWidget")
    widget = page.widget()
    drawn = kernel.mask("rd.examples.load().handle")
    rows, columns = np.nonzero(drawn.any(1))[0], np.nonzero(drawn.any(0))[0]
    middle = np.array([columns.mean(), rows.mean()])
    radius = 0.62 * np.array([np.ptp(columns), np.ptp(rows)])
    widget.click("Ellipse")
    before = yellow(widget)
    widget.drag(tuple(middle - radius), tuple(middle + radius))
    widget.page.mouse.move(0, 0)
    page.until(lambda: yellow(widget) > before + 100, "the object is outlined", 20)
    keep(widget, "lab-carried-object")
    carried = kernel.mask("w.pairs[0].carried")
    assert iou(carried, drawn) > 0.8
    assert carried.sum() < kernel.ask("int(w.pairs[0].handle.sum())")

    widget.press("a")
    page.until(lambda: kernel.ask("w.pairs[0].carry") == "painted", "the kernel has heard of it", 20)
    expect(widget.root.get_by_role("button", name="As painted, pair 1")).to_be_visible()
    page.until(lambda: yellow(widget) < before + 50, "the line is gone", 20)
    assert kernel.ask("bool((w.pairs[0].carried == w.pairs[0].handle).all())")
    keep(widget, "lab-carried-painted")

    kernel.ask("setattr(w.pairs[0], 'carry', 'object')")
    expect(widget.root.get_by_role("button", name="Object, pair 1")).to_be_visible()
    page.until(lambda: yellow(widget) > before + 100, "the object is outlined again", 20)


def yellow(widget) -> int:
    """Pixels of the canvas that have the line's colour."""
    shot = Image.open(io.BytesIO(widget.canvas.screenshot())).convert("RGB")
    return int((np.abs(np.asarray(shot, int) - YELLOW).max(-1) < 12).sum())
