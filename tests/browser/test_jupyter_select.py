"""Two gestures in JupyterLab and Notebook: click the thing, drag it. And a low window, with Run in sight."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.jupyter_host import SETUP, SHOW

pytest_plugins = ["tests.browser.jupyter_fixtures"]
pytestmark = pytest.mark.browser


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_a_thing_is_clicked_dragged_and_run(notebook, keep, app: str) -> None:
    page, kernel = notebook(app, [SETUP, SHOW])
    page.run("FakeEngine")
    page.run("RegionDragWidget")
    widget = page.widget()
    drawn = kernel.mask("rd.examples.load().handle")
    y, x = (float(np.median(axis)) for axis in np.nonzero(drawn))
    widget.tap((x, y))
    page.until(lambda: kernel.ask("len(w.pairs)") == 1, "the thing is selected", 20)
    keep(widget, f"{app}-select-1-clicked")
    handle = kernel.mask("w.pairs[0].handle")
    assert handle[round(y), round(x)]
    assert (handle & drawn).sum() > 0.8 * handle.sum()
    widget.drag((x, y), (x + 60, y + 20))
    page.until(lambda: kernel.ask("w.pairs[0].matrix is not None"), "it is dragged", 20)
    assert kernel.ask("w.pairs[0].matrix.tolist()") == [[1, 0, 60], [0, 1, 20], [0, 0, 1]]
    widget.click("Remove")
    page.until(lambda: kernel.ask("w.pairs[0].action") == "remove", "it is to be removed", 20)
    widget.click("Copy")
    page.until(lambda: kernel.ask("w.pairs[0].action") == "copy", "it is copied", 20)
    widget.click("Run")
    expect(widget.canvas).to_have_attribute("data-showing", "result", timeout=60_000)
    widget.click("Accept")
    page.until(lambda: kernel.ask("len(w.pairs)") == 0, "the result is the picture", 20)
    widget.press("Control+z")
    page.until(lambda: kernel.ask("[len(w.pairs), w.result is not None]") == [1, True], "it is back", 20)
    keep(widget, f"{app}-select-2-undone")


def test_run_stays_in_sight_in_a_low_window(notebook, keep) -> None:
    page, kernel = notebook("lab", [SETUP, SHOW])
    page.page.set_viewport_size({"width": 1400, "height": 480})
    page.run("FakeEngine")
    page.run("RegionDragWidget")
    widget = page.widget()
    widget.canvas.scroll_into_view_if_needed()
    widget.root.evaluate("root => root.scrollIntoView({ block: 'start' })")
    keep(widget, "lab-low")
    box = widget.button("Run").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 480
    assert kernel.ask("len(w.pairs)") == 0
