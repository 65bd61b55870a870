"""What a handle will carry, on the canvas and in the list of pairs, before any run."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from regiondrag_widget.imaging.carried import carried_in
from regiondrag_widget.regions import encode_mask
from tests.browser.mock_host.page import Widget

pytestmark = pytest.mark.browser
Open = Callable[..., Widget]
Keep = Callable[[Widget, str], None]
YELLOW = (255, 214, 10)  # of the line round what is carried


@pytest.fixture
def duck(repository: Path) -> Image.Image:
    with Image.open(repository / "regiondrag_widget" / "assets" / "rubber-duck.jpg") as image:
        return image.convert("RGB")


@pytest.fixture
def widget(open_widget: Open, repository: Path, duck: Image.Image) -> Widget:
    photo = base64.b64encode((repository / "regiondrag_widget" / "assets" / "rubber-duck.jpg").read_bytes())
    return open_widget(photo=photo.decode(), width=duck.width, height=duck.height)


def answer(widget: Widget, duck: Image.Image, carry: str = "object") -> str:
    """Send what the kernel would: the verdict on the handle as it is drawn now."""
    handle = widget.mask("handle")
    found = carried_in(duck, handle, carry)
    masks = [found.mask] if found.larger is None else [found.mask, found.larger]
    content = {
        "v": 1,
        "type": "carried",
        "pair": widget.pairs()[0]["id"],
        "rev": widget.page.evaluate("host.model.get('_regions_rev')"),
        "verdict": found.verdict,
        "words": found.words,
        "larger": found.larger is not None,
    }
    widget.page.evaluate(
        "([content, masks]) => host.model.receive(content, masks.map((m) => Uint8Array.from(m)))",
        [content, [list(encode_mask(mask)) for mask in masks]],
    )
    widget.page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    return found.verdict


def yellow(widget: Widget) -> int:
    """Pixels of the canvas that have the line's colour."""
    shot = Image.open(io.BytesIO(widget.canvas.screenshot())).convert("RGB")
    return int((np.abs(np.asarray(shot, int) - YELLOW).max(-1) < 12).sum())


def test_the_object_is_outlined_in_the_handle_and_where_it_goes(
    widget: Widget, artefact: Keep, duck: Image.Image
) -> None:
    width, height = duck.size
    before = yellow(widget)
    widget.click("Ellipse")
    widget.drag((0.18 * width, 0.14 * height), (0.86 * width, 0.82 * height))
    widget.page.mouse.move(0, 0)
    assert answer(widget, duck) == "object"
    here = yellow(widget)
    assert here > before + 150
    artefact(widget, "carried-1-handle")
    widget.click("Move region")
    widget.drag((0.45 * width, 0.5 * height), (0.58 * width, 0.4 * height))
    widget.page.mouse.move(0, 0)
    assert yellow(widget) > here + 50
    artefact(widget, "carried-2-both")
    widget.press("a")
    assert widget.pairs()[0]["carry"] == "painted"
    expect(widget.status).to_have_text("Carrying all that is painted")
    expect(widget.root.get_by_role("button", name="As painted, pair 1")).to_be_visible()
    assert answer(widget, duck, "painted") == "painted"
    assert yellow(widget) < here
    artefact(widget, "carried-3-painted")
    widget.root.get_by_role("button", name="As painted, pair 1").click()
    assert widget.pairs()[0]["carry"] == "object"
    widget.press("Control+z", "Control+z")  # one step for each switch
    assert widget.pairs()[0]["carry"] is None


def test_a_handle_grows_to_an_object_that_goes_on_beyond_it(
    widget: Widget, artefact: Keep, duck: Image.Image
) -> None:
    width, height = duck.size
    widget.click("Ellipse")
    widget.drag((0.24 * width, 0.2 * height), (0.62 * width, 0.86 * height))
    widget.page.mouse.move(0, 0)
    verdict = answer(widget, duck)
    artefact(widget, "carried-4-beyond")
    assert verdict == "beyond"
    expect(widget.status).to_have_text("The object goes on beyond the handle")
    small = widget.mask("handle")
    widget.root.get_by_role("button", name="Grow the handle to it").click()
    grown = widget.mask("handle")
    assert grown.sum() > small.sum()
    assert not (small & ~grown).any()
    widget.press("Control+z")
    assert np.array_equal(widget.mask("handle"), small)
