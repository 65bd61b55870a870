"""Pins in real JupyterLab: what the hand bends, the kernel bends alike, from a run to Python and back."""

from __future__ import annotations

import numpy as np
import pytest

from tests.browser.jupyter_host import SETUP, SHOW, draw_ellipse_and_drag
from tests.browser.mock_host.page import iou

pytest_plugins = ["tests.browser.jupyter_fixtures"]
pytestmark = pytest.mark.browser


def test_a_region_is_bent_by_hand_and_run(notebook, keep) -> None:
    page, kernel = notebook("lab", [SETUP, SHOW])
    page.run("FakeEngine")
    page.run("RegionDragWidget")
    widget = page.widget()
    draw_ellipse_and_drag(widget)
    widget.click("Bend with pins")
    for point in [(240, 250), (290, 250)]:
        widget.tap(point)
    widget.drag((335, 250), (350, 225))
    page.until(lambda: kernel.ask("len(w.pairs[0].deformation or ())") == 3, "the pins have arrived", 20)
    ends = np.array(kernel.ask("w.pairs[0].deformation.to_points.tolist()"))
    assert np.allclose(ends, [(240, 250), (290, 250), (350, 225)], atol=1)
    drawn = kernel.mask("w.pairs[0].target")
    made = kernel.mask(
        "rd.RegionPair.bend(w.pairs[0].handle, w.pairs[0].deformation.from_points,"
        " w.pairs[0].deformation.to_points, matrix=w.pairs[0].deformation.matrix).target"
    )
    assert iou(drawn, made) > 0.99
    keep(widget, "lab-pins-bent")
    widget.press("Control+z")
    page.until(lambda: kernel.ask("len(w.pairs[0].deformation or ())") == 2, "undo arrives too", 20)

    kernel.ask("w.pairs.__setitem__(0, rd.RegionPair.bend(w.pairs[0].handle, [[180, 190]], [[150, 150]]))")
    page.page.wait_for_timeout(500)  # the page takes it over
    widget.tap((150, 150))
    widget.press("ArrowRight")
    page.until(
        lambda: kernel.ask("w.pairs[0].deformation.to_points.tolist()") == [[151, 150]],
        "a pin put in Python is moved by key",
        20,
    )
    keep(widget, "lab-pins-python")
