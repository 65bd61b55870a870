"""In Notebook 7: each tool that selects or changes a pair does so in the kernel too, and is undone there."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.jupyter_host import SETUP, SHOW

pytest_plugins = ["tests.browser.jupyter_fixtures"]
pytestmark = pytest.mark.browser


def test_each_tool_works_and_is_undone_in_notebook(notebook, keep) -> None:
    page, kernel = notebook("notebook", [SETUP, SHOW.replace("steps=8", "live=False")])
    page.run("FakeEngine")
    page.run("RegionDragWidget")
    widget = page.widget()
    drawn = kernel.mask("rd.examples.load().handle")
    ys, xs = np.nonzero(drawn)
    x, y = float(np.median(xs)), float(np.median(ys))
    count = "int(sum(p.handle.any() for p in w.pairs))"
    size = "int(sum(p.handle.sum() for p in w.pairs))"

    def until(expression: str, wanted: object, what: str) -> None:
        page.until(lambda: kernel.ask(expression) == wanted, what, 20)

    def box() -> None:
        widget.click("Box")
        widget.drag((float(xs.min()), float(ys.min())), (float(xs.max()), float(ys.max())))
        widget.click("Pieces")

    def outline() -> None:
        for point in [(x - 60, y - 40), (x + 60, y - 40), (x, y + 60)]:
            widget.page.mouse.move(*widget.screen(point), steps=3)
            widget.tap(point)
        widget.press("Enter")

    for tool, gesture in {
        "Magic wand": lambda: widget.tap((x, y)),
        "Magnetic lasso": outline,
        "Select": box,
    }.items():
        widget.click(tool)
        gesture()
        until(count, 1, f"{tool} has selected")
        keep(widget, f"notebook-{tool.lower().replace(' ', '-')}")
        widget.press("Control+z")
        until(count, 0, f"{tool} is undone")

    widget.tap((x, y))
    until(count, 1, "a click has selected")
    first = kernel.ask(size)
    for button in ("Grow", "Invert"):
        widget.click(button)
        page.until(lambda: kernel.ask(size) != first, f"{button} has changed it", 20)
        widget.press("Control+z")
        until(size, first, f"{button} is undone")

    for button, action in (("Copy", "copy"), ("Remove", "remove")):
        widget.click(button)
        until("w.pairs[0].action", action, f"{button} is chosen")
        widget.press("Control+z")
        until("w.pairs[0].action", "move", f"{button} is undone")

    widget.drag((x, y), (x + 60, y + 20))
    until("w.pairs[0].matrix is not None", True, "it is moved")
    widget.click("Bend with pins")
    for point in [(x + 60, y - 20), (x + 60, y + 60)]:
        widget.tap(point)
    widget.drag((x + 60, y + 20), (x + 70, y + 20))
    until("len(w.pairs[0].deformation or ())", 3, "it is bent")
    keep(widget, "notebook-bent")
    for left in (2, 1, 0):
        widget.press("Control+z")
        until("len(w.pairs[0].deformation or ())", left, "a pin is undone")
    widget.press("Control+z")
    until("w.pairs[0].matrix is None", True, "the move is undone")
    widget.press("Control+z")
    until(count, 0, "all is undone")
    expect(widget.button("Undo")).to_be_disabled()
