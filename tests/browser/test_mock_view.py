"""Zoom, pan, touch and density: the picture stays under the pointer, masks stay at its own resolution."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.browser.mock_host.page import Widget, iou

pytestmark = pytest.mark.browser
Open = Callable[..., Widget]


def scale(widget: Widget) -> float:
    widget.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return float(widget.canvas.get_attribute("data-scale") or 0)


def test_control_wheel_zooms_at_the_pointer(open_widget: Open) -> None:
    widget = open_widget()
    before, at = scale(widget), widget.screen((100, 80))
    widget.page.mouse.move(*at)
    widget.page.keyboard.down("Control")
    widget.page.mouse.wheel(0, -240)
    widget.page.keyboard.up("Control")
    assert scale(widget) > 1.2 * before
    assert widget.screen((100, 80)) == pytest.approx(at, abs=0.6)


def test_wheel_scrolls_the_page_until_the_canvas_has_the_focus(open_widget: Open) -> None:
    widget = open_widget(context={"viewport": {"width": 1000, "height": 300}})
    widget.page.mouse.move(*widget.screen((160, 60)))
    widget.page.mouse.wheel(0, 40)
    widget.page.wait_for_function("window.scrollY > 0")
    widget.canvas.focus()
    top, y = widget.page.evaluate("window.scrollY"), float(widget.canvas.get_attribute("data-y") or 0)
    widget.page.mouse.wheel(0, 40)
    scale(widget)
    assert float(widget.canvas.get_attribute("data-y") or 0) == pytest.approx(y - 40, abs=1)
    assert widget.page.evaluate("window.scrollY") == top


def test_fit_and_hundred_percent(open_widget: Open) -> None:
    widget = open_widget()
    fitted = scale(widget)
    widget.press("1")
    assert scale(widget) == 1
    widget.press("+")
    assert scale(widget) == pytest.approx(1.25)
    widget.press("0")
    assert scale(widget) == fitted
    assert fitted > 1


def test_space_and_middle_button_pan(open_widget: Open) -> None:
    widget = open_widget()
    before = widget.screen((100, 100))
    widget.canvas.focus()
    widget.page.keyboard.down(" ")
    widget.drag((100, 100), (130, 120))
    widget.page.keyboard.up(" ")
    scale(widget)
    once = widget.screen((100, 100))
    assert once[0] > before[0] + 20
    widget.drag((100, 100), (80, 90), button="middle")
    scale(widget)
    assert widget.screen((100, 100))[0] < once[0] - 15
    assert widget.pairs() == [], "panning draws nothing"


def test_drawing_zoomed_in_hits_the_same_pixels(open_widget: Open) -> None:
    widget = open_widget()
    widget.click("Rectangle")
    widget.canvas.focus()
    widget.page.mouse.move(*widget.screen((100, 80)))
    widget.page.keyboard.down("Control")
    for _ in range(8):
        widget.page.mouse.wheel(0, -120)
    widget.page.keyboard.up("Control")
    assert scale(widget) > 4
    widget.drag((95, 76), (105, 84))
    expected = np.zeros((240, 320), dtype=bool)
    expected[76:85, 95:106] = True
    assert np.array_equal(widget.mask("handle"), expected)


@pytest.mark.parametrize("density", [1, 2])
def test_canvas_has_a_pixel_for_every_device_pixel(open_widget: Open, density: int) -> None:
    widget = open_widget(context={"device_scale_factor": density})
    sizes = widget.canvas.evaluate("c => [c.width / c.clientWidth, c.height / c.clientHeight]")
    assert sizes == pytest.approx([density, density], abs=0.01)
    widget.click("Ellipse")
    widget.drag((50, 50), (150, 130))
    y, x = np.mgrid[0:240, 0:320]
    assert iou(widget.mask("handle"), ((x - 100) / 50) ** 2 + ((y - 90) / 40) ** 2 <= 1) > 0.97


def test_a_resized_cell_keeps_the_picture_fitted(open_widget: Open) -> None:
    widget = open_widget()
    wide = scale(widget)
    widget.page.evaluate("host.views[0].el.style.width = '420px'")
    widget.page.wait_for_function(
        "before => document.querySelector('.rd-input').dataset.scale != before", arg=str(wide)
    )
    box = widget.canvas.bounding_box()
    assert box is not None
    left, right = widget.screen((0, 0))[0], widget.screen((319, 0))[0]
    assert box["x"] < left < right < box["x"] + box["width"]


def test_one_finger_draws_two_pan_and_zoom(open_widget: Open) -> None:
    widget = open_widget(context={"has_touch": True})
    widget.click("Brush")
    cdp = widget.page.context.new_cdp_session(widget.page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        cdp.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]}
        )

    start, end = widget.screen((60, 60)), widget.screen((120, 60))
    touch("touchStart", start)
    touch("touchMove", end)
    touch("touchEnd")
    drawn = widget.mask("handle")
    assert drawn[60, 90]

    before = scale(widget)
    a, b = widget.screen((130, 120)), widget.screen((190, 120))
    touch("touchStart", a, b)
    touch("touchMove", (a[0] - 60, a[1]), (b[0] + 60, b[1]))
    touch("touchEnd")
    assert scale(widget) > 1.5 * before
    assert np.array_equal(widget.mask("handle"), drawn), "pinching draws nothing"
