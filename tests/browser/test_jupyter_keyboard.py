"""In JupyterLab, narrow: keys alone from the picture to an accepted result; each tool draws and is undone."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.jupyter_host import SETUP, SHOW

pytest_plugins = ["tests.browser.jupyter_fixtures"]
pytestmark = pytest.mark.browser
NARROW = {"width": 850, "height": 900}  # leaves about 420 pixels to a cell's output


def test_keys_alone_lead_to_an_accepted_result_and_every_tool_is_undone(notebook, keep) -> None:
    page, kernel = notebook("lab", [SETUP, SHOW])
    page.page.set_viewport_size(NARROW)
    page.run("FakeEngine")
    page.run("RegionDragWidget")
    widget = page.widget()
    assert 320 < widget.root.evaluate("root => root.clientWidth") < 480
    drawn = kernel.mask("rd.examples.load().handle")
    y, x = (float(np.median(axis)) for axis in np.nonzero(drawn))
    count = "int(sum(p.handle.any() for p in w.pairs))"

    for tool, gesture in {
        "s": lambda: widget.tap((x, y)),
        "u": lambda: widget.tap((x, y)),
        "b": lambda: widget.drag((x - 30, y), (x + 30, y)),
        "l": lambda: widget.drag((x - 30, y), (x + 30, y), (x, y + 40)),
        "g": lambda: outline(widget, (x - 60, y - 40), (x + 60, y - 40), (x, y + 60)),
        "p": lambda: outline(widget, (x - 60, y - 40), (x + 60, y - 40), (x, y + 60)),
        "r": lambda: widget.drag((x - 30, y - 30), (x + 30, y + 30)),
        "o": lambda: widget.drag((x - 30, y - 30), (x + 30, y + 30)),
    }.items():
        widget.press(tool)
        gesture()
        page.until(lambda: kernel.ask(count) == 1, f"{tool} has drawn", 20)
        widget.press("Control+z")
        page.until(lambda: kernel.ask(count) == 0, f"{tool} is undone", 20)

    keys = page.page.keyboard
    widget.press("s", "Enter")
    expect(widget.status).to_contain_text("Pointer at")
    at = [int(n) for n in widget.status.inner_text().removeprefix("Pointer at ").split(", ")]
    for there, now, names in ((x, at[0], ("Left", "Right")), (y, at[1], ("Up", "Down"))):
        for _ in range(round(abs(there - now) / 10 / step(widget))):
            keys.press(f"Shift+Arrow{names[there > now]}")
    keys.press("Enter")
    page.until(lambda: kernel.ask(count) == 1, "the thing is selected", 20)
    keep(widget, "lab-keys-1-selected")
    keys.press("Enter")
    for _ in range(4):
        keys.press("Shift+ArrowRight")
    keys.press("Enter")
    page.until(lambda: kernel.ask("w.pairs[0].matrix is not None"), "it is moved", 20)
    keys.press("Escape")
    keys.press("Control+Enter")
    expect(widget.canvas).to_have_attribute("data-showing", "result", timeout=60_000)
    keep(widget, "lab-keys-2-result")
    widget.button("Accept").focus()
    keys.press("Enter")
    page.until(lambda: kernel.ask("len(w.pairs)") == 0, "the result is the picture", 20)
    widget.press("Control+z")
    page.until(lambda: kernel.ask("len(w.pairs)") == 1, "the Accept is undone", 20)
    keys.press("z")
    expect(widget.button("Fullscreen")).to_have_attribute("aria-pressed", "true")
    keep(widget, "lab-keys-3-fullscreen")
    keys.press("z")
    expect(widget.button("Fullscreen")).to_have_attribute("aria-pressed", "false")


def outline(widget, *points) -> None:
    """Presses at some points and closes the outline."""
    for point in points:
        widget.page.mouse.move(*widget.screen(point), steps=3)
        widget.tap(point)
    widget.press("Enter")


def step(widget) -> int:
    """Picture pixels that an arrow moves the pointer by."""
    scale = float(widget.canvas.get_attribute("data-scale") or 1)
    return max(1, round(1 / scale))
