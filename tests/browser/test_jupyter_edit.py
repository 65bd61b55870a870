"""The widget in real JupyterLab 4 and Notebook 7: draw, drag, run, watch, compare, stop, reload."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.jupyter_host import SETUP, SHOW, WATCH, draw_ellipse_and_drag, drawn_ellipse
from tests.browser.mock_host.page import iou

pytest_plugins = ["tests.browser.jupyter_fixtures"]
pytestmark = pytest.mark.browser


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_draw_drag_run_watch_and_compare(app, notebook, keep) -> None:
    page, kernel = notebook(app, [SETUP, SHOW])
    page.run("FakeEngine")
    page.run("RegionDragWidget")
    kernel.ask("setattr(engine, 'seconds', 0.6)")  # a slow browser, too, paints three of the eight
    widget = page.widget()
    keep(widget, f"{app}-1-open")

    draw_ellipse_and_drag(widget)
    keep(widget, f"{app}-2-drawn")
    handle, target = kernel.mask("w.pairs[0].handle"), kernel.mask("w.pairs[0].target")
    ellipse = drawn_ellipse(handle.shape)
    assert iou(handle, ellipse) > 0.97
    assert iou(target, np.roll(ellipse, (60, 110), axis=(0, 1))) > 0.97
    assert kernel.ask("w.pairs[0].matrix.tolist()") == [[1, 0, 110], [0, 1, 60], [0, 0, 1]]

    page.page.evaluate(WATCH)
    widget.click("Run")
    expect(widget.status).to_contain_text(re.compile(r"Step [2-8] of 8"), timeout=120_000)
    keep(widget, f"{app}-3-running")
    expect(widget.canvas).to_have_attribute("data-showing", "result", timeout=120_000)
    assert page.page.evaluate("window.seen.size") >= 3
    keep(widget, f"{app}-4-result")

    result = kernel.mask("(np.asarray(w.result.image) != np.asarray(w.image)).any(-1)")
    assert 0.5 < result.sum() / target.sum() <= 1.0
    assert not (result & ~target).any()

    widget.click("Compare")
    divider = widget.root.get_by_role("slider", name="Divider between original and result")
    expect(divider).to_be_visible()
    keep(widget, f"{app}-5-compare")
    divider.focus()
    page.page.keyboard.press("End")
    expect(divider).to_have_attribute("aria-valuenow", "100")
    page.page.keyboard.press("ArrowLeft")
    expect(divider).to_have_attribute("aria-valuenow", "98")


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_an_edit_stops_half_way_and_other_cells_run_meanwhile(app, notebook, keep) -> None:
    page, kernel = notebook(app, [SETUP, SHOW.replace("steps=8", "steps=100"), "print('still', 'free')"])
    page.run("FakeEngine")
    page.run("RegionDragWidget")
    kernel.ask("setattr(engine, 'seconds', 0.6)")  # a minute in all: it ends by Stop, however slow the page
    widget = page.widget()
    draw_ellipse_and_drag(widget)
    widget.click("Run")
    expect(widget.status).to_contain_text(re.compile(r"Step \d+ of 100"), timeout=60_000)
    cell = page.run("still", seconds=5)
    expect(cell.locator(".jp-OutputArea-output")).to_contain_text("still free")
    assert kernel.ask("w.state") == "running"
    widget.canvas.scroll_into_view_if_needed()
    steps = kernel.ask("[engine.go.clear(), engine.stepping._value][1]")
    widget.click("Stop")
    page.until(lambda: kernel.ask("w.state") != "running", "the kernel has heard of it", 60)
    kernel.ask("engine.go.set()")
    expect(widget.status).to_contain_text("Stopped")
    assert kernel.ask("[w.state, w.result is None, len(w.pairs)]") == ["ready", True, 1]
    assert kernel.ask("engine.stepping._value") <= steps + 2  # the step under way, and the one held
    keep(widget, f"{app}-stopped")


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_a_reloaded_page_has_picture_regions_and_result_again(app, notebook, keep) -> None:
    page, kernel = notebook(app, [SETUP, SHOW.replace("steps=8", "steps=2")])
    page.run("FakeEngine")
    page.run("RegionDragWidget")
    widget = page.widget()
    draw_ellipse_and_drag(widget)
    widget.click("Run")
    expect(widget.canvas).to_have_attribute("data-showing", "result")
    page.save()
    page.page.goto("about:blank")
    page.open()
    widget = page.widget()
    expect(widget.canvas).to_have_attribute("data-showing", "result")
    keep(widget, f"{app}-reloaded")
    widget.click("Discard")
    expect(widget.canvas).to_have_attribute("data-showing", "regions")
    page.until(lambda: kernel.ask("w.result is None"), "the kernel has heard of it", 20)
    assert kernel.ask("[len(w.pairs), len(w.history)]") == [1, 1]
    widget.click("Run")
    expect(widget.canvas).to_have_attribute("data-showing", "result")
    assert kernel.ask("len(w.history)") == 2
