"""Screenshots of the main states, to be looked at: light and dark, wide and narrow, two densities."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.mock_host.page import Widget

pytestmark = pytest.mark.browser
Open = Callable[..., Widget]
Keep = Callable[[Widget, str], None]
LOOKS = [("light", 900, 1), ("dark", 900, 2), ("light", 420, 2), ("dark", 420, 1)]


@pytest.fixture
def photo(repository: Path) -> dict[str, Any]:
    """A bundled photograph, as the mock host wants it."""
    path = repository / "regiondrag_widget" / "assets" / "rubber-duck.jpg"
    with Image.open(path) as image:
        width, height = image.size
    return {"photo": base64.b64encode(path.read_bytes()).decode(), "width": width, "height": height}


@pytest.mark.parametrize(("theme", "cell", "density"), LOOKS)
def test_main_states(
    open_widget: Open, artefact: Keep, photo: dict[str, Any], theme: str, cell: int, density: int
) -> None:
    size = {"width": cell + 100, "height": 1200}
    widget = open_widget(
        cell=cell, context={"device_scale_factor": density, "viewport": size}, hold=2, **photo
    )
    widget.page.evaluate("name => host.theme(name)", theme)
    width, height = photo["width"], photo["height"]

    def at(x: float, y: float) -> tuple[float, float]:
        return x * width, y * height

    def keep(state: str) -> None:
        artefact(widget, f"{theme}-{cell}-{state}")

    keep("1-empty")
    widget.click("Ellipse")
    widget.drag(at(0.3, 0.35), at(0.6, 0.75))
    widget.page.mouse.move(0, 0)
    keep("2-handle")
    widget.click("Move region")
    widget.drag(at(0.45, 0.55), at(0.75, 0.5))
    keep("3-dragged")
    widget.click("New pair", "Rectangle")
    widget.drag(at(0.1, 0.1), at(0.22, 0.2))
    widget.click("Target")
    widget.drag(at(0.1, 0.7), at(0.2, 0.9))
    widget.click("Protect", "Polygon")
    for point in [at(0.8, 0.1), at(0.95, 0.1), at(0.9, 0.3)]:
        widget.tap(point)
    widget.press("Enter")
    keep("4-two-pairs")
    widget.click("Settings")
    keep("5-settings")
    widget.click("Settings", "Help")
    keep("6-help")
    widget.page.keyboard.press("Escape")
    widget.click("Run")
    expect(widget.status).to_contain_text("Step 2 of 4")
    widget.page.wait_for_function("document.querySelector('.rd-input').dataset.showing === 'step'")
    keep("7-running")
    widget.page.evaluate("host.kernel.go()")
    expect(widget.status).to_contain_text("Result")
    keep("8-result")
    widget.click("Compare")
    keep("9-compare")
    widget.click("Side by side")
    keep("a-side-by-side")
    widget.click("Regions")
    widget.page.evaluate(
        "host.model.receive({v: 1, type: 'error', run: null, code: 'memory', "
        "message: 'The edit needs more memory than there is.', remedy: 'Try a smaller picture.'})"
    )
    expect(widget.root.get_by_role("alert")).to_contain_text("more memory")
    keep("b-error")
    box = widget.root.bounding_box()
    assert box is not None
    assert box["width"] == cell, "nothing makes the widget wider than its cell"
    overflow = widget.root.evaluate("r => r.scrollWidth - r.clientWidth")
    assert overflow <= 0, "nothing is cut off at the side"
