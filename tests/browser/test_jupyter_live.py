"""Live editing in JupyterLab with the bundled model: its drafts under the pointer, the full edit after."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

pytest_plugins = ["tests.browser.jupyter_fixtures"]
pytestmark = pytest.mark.browser

# chosen, not automatic: a busy machine may be too slow for the default, and that is not what is tested here
SHOW = """
import os
os.environ["OMP_NUM_THREADS"] = "1"  # on busy cores several threads wait for each other many times over
import numpy as np
import regiondrag_widget as rd
picture = rd.examples.load().image.resize((256, 256))
w = rd.RegionDragWidget(picture, live=True)
w
"""


def test_the_models_drafts_follow_the_pointer_and_the_edit_follows_the_drag(notebook, keep) -> None:
    page, kernel = notebook("lab", [SHOW])
    page.run("RegionDragWidget", seconds=90)
    widget = page.widget()
    mouse = page.page.mouse
    widget.click("Ellipse")
    widget.drag((60, 80), (120, 150))
    widget.click("Move region", "Measurements")
    expect(widget.button("Live")).to_have_attribute("aria-pressed", "true")
    page.until(lambda: kernel.ask("w.measured['draft_ms']"), "the kernel has made a draft of its own", 90)

    mouse.move(*widget.screen((90, 115)))
    mouse.down()
    count = "performance.getEntriesByName('regiondrag.draft').length"
    lap = 0

    def painted() -> bool:
        nonlocal lap
        lap += 1
        mouse.move(*widget.screen((130 + 30 * np.cos(lap / 4), 125 + 15 * np.sin(lap / 4))))
        return bool(page.page.evaluate(count) >= 3)

    page.until(painted, "three of the model's drafts were painted while the pointer moved", 60)
    mouse.move(*widget.screen((150, 125)))
    expect(widget.canvas).to_have_attribute("data-showing", "draft")
    keep(widget, "live-1-draft")
    assert kernel.ask("len(w.history)") == 0
    mouse.up()
    expect(widget.canvas).to_have_attribute("data-showing", "result", timeout=60_000)
    keep(widget, "live-2-result")
    assert kernel.ask("len(w.history)") == 1
    assert kernel.ask("w.pairs[0].matrix.tolist()") == [[1, 0, 60], [0, 1, 10], [0, 0, 1]]
    changed = kernel.mask("(np.asarray(w.result.image) != np.asarray(w.image)).any(-1)")
    # what is carried is the object in the ellipse: the sky around it stays as it was
    assert changed[kernel.mask("np.roll(w.pairs[0].carried, (10, 60), (0, 1))")].mean() > 0.5
