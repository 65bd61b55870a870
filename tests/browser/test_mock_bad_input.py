"""Clicks where nothing good can come of them: outside, on a hidden pair, in a run, in a tiny picture."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.mock_host.clicks import middle, selected, undone
from tests.browser.mock_host.page import Point, Widget, iou

pytest_plugins = ["tests.browser.select_fixtures"]
pytestmark = pytest.mark.browser
Open = Callable[..., Widget]


def at(duck: Any) -> Point:
    return middle(duck.handle)


def answered(widget: Widget, act: Callable[[], None]) -> None:
    """Does something that asks the kernel, and waits for its answer."""
    heard = "m => { host.heard ||= m.type === 'selected' && m.how !== 'object' && m.how !== 'piece' }"
    widget.page.evaluate(f"host.heard = false; host.model.on('msg:custom', {heard})")
    act()
    widget.page.wait_for_function("host.heard")


def test_a_click_outside_the_picture_is_refused_in_words(open_duck: Open) -> None:
    widget = open_duck()
    for tool in ("Select", "Magic wand"):
        widget.click(tool)
        widget.tap((-30, 40))
        expect(widget.status).to_have_text("That is outside the picture: click inside it")
    for tool in ("Magnetic lasso", "Bend with pins", "Rectangle", "Polygon"):
        widget.click(tool)
        widget.tap((-30, 40))
        widget.press("Escape")
    assert widget.pairs() == []


@pytest.mark.parametrize(("button", "word"), [("Lock Pair 1", "locked"), ("Hide Pair 1", "hidden")])
def test_a_protected_or_hidden_pair_is_not_selected_on(
    open_duck: Open, duck: Any, button: str, word: str
) -> None:
    widget = open_duck()
    widget.tap(at(duck))
    selected(widget)
    before = widget.mask("handle")
    widget.click(button)
    for tool in ("Select", "Magic wand", "Magnetic lasso"):
        widget.click(tool)
        widget.page.keyboard.down("Shift")
        widget.tap((20, 20))
        widget.page.keyboard.up("Shift")
        expect(widget.status).to_have_text(f"Pair 1 is {word}")
    assert np.array_equal(widget.mask("handle"), before)
    assert len(widget.pairs()) == 1


def test_the_protected_area_is_selected_like_a_handle_and_leaves_pairs_alone(
    open_duck: Open, duck: Any
) -> None:
    widget = open_duck()
    widget.click("Protect", "Select")
    answered(widget, lambda: widget.tap(at(duck)))
    widget.page.wait_for_function("host.model.get('_masks').protect !== undefined")
    assert iou(widget.mask("protect"), duck.handle) > 0.6
    assert widget.pairs() == []


def test_a_click_during_a_run_changes_nothing_of_it(open_duck: Open, duck: Any) -> None:
    widget = open_duck(hold=2)
    widget.tap(at(duck))
    selected(widget)
    widget.drag(at(duck), (at(duck)[0] - 40, at(duck)[1]))
    before = widget.mask("handle")
    widget.click("Run")
    expect(widget.status).to_contain_text("Step 2 of 4")
    for tool in ("Select", "Magic wand", "Bend with pins"):
        widget.click(tool)
        widget.tap((20, 20))
        widget.tap(at(duck))
    assert np.array_equal(widget.mask("handle"), before)
    expect(widget.status).to_contain_text("Step 2 of 4")
    widget.page.evaluate("host.kernel.go()")
    expect(widget.status).to_contain_text("Result")
    assert len(widget.sent("run")) == 1


def test_a_thing_is_clicked_and_dragged_in_48_megapixels(open_photo: Open, duck: Any) -> None:
    photo = cv2.resize(np.asarray(duck.image)[..., ::-1], (8000, 6000), interpolation=cv2.INTER_LINEAR)
    data = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 70])[1].tobytes()
    height, width = duck.handle.shape
    scale = 8000 / width, 6000 / height
    widget = open_photo(data)
    x, y = at(duck)[0] * scale[0], at(duck)[1] * scale[1]
    widget.tap((x, y))
    selected(widget)
    handle = widget.mask("handle")
    assert handle.shape == (6000, 8000)
    small = cv2.resize(handle.astype(np.uint8), (width, height), interpolation=cv2.INTER_AREA) > 0
    assert iou(small, duck.handle) > 0.6
    widget.drag((x, y), (x + 600, y + 100))
    dx, dy = widget.pairs()[0]["matrix"][2], widget.pairs()[0]["matrix"][5]
    one = 1 / float(widget.canvas.get_attribute("data-scale") or 1)  # picture pixels of a pixel of the screen
    assert abs(dx - 600) <= one
    assert abs(dy - 100) <= one
    for _ in range(2):
        undone(widget)
    assert widget.pairs() == []


def test_a_picture_of_one_pixel(open_photo: Open) -> None:
    """The kernel takes none below 64 pixels a side; the tools would not fail on one."""
    file = io.BytesIO()
    Image.new("RGB", (1, 1), (200, 30, 30)).save(file, "JPEG")
    widget = open_photo(file.getvalue())
    for tool in ("Select", "Magic wand", "Brush"):
        widget.click(tool)
        widget.tap((0, 0))
        selected(widget)
        assert widget.mask("handle").tolist() == [[True]]
        undone(widget)
        selected(widget, 0)
    widget.click("Select")
    widget.tap((0, 0))
    selected(widget)
    answered(widget, lambda: widget.click("Invert"))
    expect(widget.status).to_have_text("Nothing would be left")
    widget.click("Remove", "Run")
    expect(widget.status).to_contain_text("Result")


def test_pins_on_top_of_each_other(open_duck: Open, duck: Any) -> None:
    """A click on a pin takes hold of it; one that is pulled over another stops before it."""
    widget = open_duck()
    widget.tap(at(duck))
    selected(widget)
    widget.click("Bend with pins")
    x, y = at(duck)
    for _ in range(3):
        widget.tap((x, y))
    for place in [(x, y + 60), (x + 60, y)]:
        widget.tap(place)
    assert len(widget.pairs()[0]["pins"]) == 3
    widget.drag((x + 60, y), (x, y))
    pulled = widget.pairs()[0]["pins"][2]
    assert x < pulled[2] < x + 60
    widget.drag((pulled[2], pulled[3]), (x - 60, y))
    assert widget.pairs()[0]["pins"][2][2] > x
    assert len(widget.pairs()[0]["pins"]) == 3


def test_a_selection_of_nothing_and_of_everything(open_duck: Open, duck: Any) -> None:
    widget = open_duck()
    height, width = duck.handle.shape
    for name in ("Grow", "Shrink", "Smooth", "Fill holes", "Invert"):
        expect(widget.button(name)).to_be_disabled()
    widget.click("Rectangle")
    widget.drag((-9, -9), (width + 9, height + 9))
    everything = widget.mask("handle")
    assert everything.all()
    for name in ("Grow", "Shrink", "Smooth", "Fill holes"):
        answered(widget, lambda name=name: widget.click(name))
        expect(widget.status).to_have_text("That changes nothing")
    answered(widget, lambda: widget.click("Invert"))
    expect(widget.status).to_have_text("Nothing would be left")
    assert widget.mask("handle").all()
    widget.click("Clear", "Select")
    widget.page.keyboard.down("Alt")
    answered(widget, lambda: widget.tap(at(duck)))
    widget.page.keyboard.up("Alt")
    expect(widget.status).to_have_text("Nothing is selected")
    undone(widget)
    assert widget.mask("handle").all()
    widget.click("Remove", "Run")
    expect(widget.status).to_contain_text("Result")


def test_a_box_and_a_stroke_around_nothing(open_duck: Open) -> None:
    widget = open_duck()
    widget.click("Box")
    answered(widget, lambda: widget.drag((-30, 10), (-10, 30)))
    assert widget.pairs() == []
    widget.click("Pieces")
    answered(widget, lambda: widget.drag((-30, 10), (-10, 30)))
    assert widget.pairs() == []
