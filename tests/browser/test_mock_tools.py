"""Every drawing tool, by mouse, pen and keyboard: what is drawn is what the kernel gets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.browser.mock_host.page import Widget, iou

pytestmark = pytest.mark.browser
Open = Callable[..., Widget]
SHAPE = (240, 320)
Y, X = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]


def inside(points: list[tuple[float, float]]) -> np.ndarray:
    """The even-odd inside of a simple polygon, pixel centre by pixel centre."""
    result = np.zeros(SHAPE, dtype=bool)
    for (ax, ay), (bx, by) in zip(points, points[1:] + points[:1], strict=True):
        if ay != by:
            crosses = (ay > Y) != (by > Y)
            result ^= crosses & ((bx - ax) * (Y - ay) / (by - ay) + ax > X)
    return result


def test_rectangle(open_widget: Open) -> None:
    widget = open_widget()
    widget.click("Rectangle")
    widget.drag((40, 50), (120, 110))
    assert np.array_equal(widget.mask("handle"), (X >= 40) & (X <= 120) & (Y >= 50) & (Y <= 110))


def test_ellipse(open_widget: Open) -> None:
    widget = open_widget()
    widget.click("Ellipse")
    widget.drag((40, 50), (120, 110))
    expected = ((X - 80) / 40) ** 2 + ((Y - 80) / 30) ** 2 <= 1
    assert iou(widget.mask("handle"), expected) > 0.98


def test_lasso(open_widget: Open) -> None:
    widget = open_widget()
    widget.click("Lasso")
    corners = [(40, 40), (150, 60), (120, 160), (50, 120)]
    widget.drag(*corners, corners[0], steps=12)
    assert iou(widget.mask("handle"), inside(corners)) > 0.98


def test_polygon_closes_on_double_click_and_moves_a_vertex(open_widget: Open) -> None:
    widget = open_widget()
    widget.click("Polygon")
    corners = [(40.0, 40.0), (160.0, 50.0), (150.0, 150.0)]
    for corner in corners:
        widget.tap(corner)
    widget.page.mouse.dblclick(*widget.screen((50, 140)))
    assert iou(widget.mask("handle"), inside([*corners, (50, 140)])) > 0.98
    widget.drag((150, 150), (190, 190))
    assert iou(widget.mask("handle"), inside([(40, 40), (160, 50), (190, 190), (50, 140)])) > 0.98
    widget.press("Control+z")
    assert iou(widget.mask("handle"), inside([*corners, (50, 140)])) > 0.98


def test_polygon_keys(open_widget: Open) -> None:
    widget = open_widget()
    widget.press("p")
    corners = [(40.0, 40.0), (160.0, 50.0), (150.0, 150.0)]
    for corner in [*corners, (300.0, 200.0)]:
        widget.tap(corner)
    widget.press("Backspace", "Enter")
    assert iou(widget.mask("handle"), inside(corners)) > 0.98
    widget.tap((20, 200))
    widget.press("Escape")
    assert iou(widget.mask("handle"), inside(corners)) > 0.98


def test_eraser_and_right_button_rub_out(open_widget: Open) -> None:
    widget = open_widget()
    widget.click("Rectangle")
    widget.drag((40, 40), (200, 120))
    full = widget.mask("handle")
    widget.click("Eraser")
    widget.drag((80, 80), (81, 80))
    once = widget.mask("handle")
    assert full[80, 80]
    assert not once[80, 80]
    widget.press("b")
    widget.drag((150, 80), (151, 80), button="right")
    assert not widget.mask("handle")[80, 150]
    widget.press("x")
    assert widget.button("Eraser").get_attribute("aria-pressed") == "true"


def test_target_and_protect_are_painted_on_their_own(open_widget: Open) -> None:
    widget = open_widget()
    widget.click("Rectangle")
    widget.drag((20, 20), (60, 60))
    widget.click("Target")
    widget.drag((120, 20), (180, 80))
    widget.click("Protect")
    widget.drag((220, 100), (300, 220))
    assert widget.mask("handle").sum() == 41 * 41
    assert widget.mask("target").sum() == 61 * 61
    assert widget.mask("protect").sum() == 81 * 121
    assert widget.pairs()[0]["matrix"] is None


def test_brush_size_by_keys_slider_and_wheel(open_widget: Open) -> None:
    widget = open_widget()
    widget.click("Brush")
    widget.press("]")
    widget.page.mouse.move(*widget.screen((160, 120)))
    widget.tap((60, 60))
    larger = widget.mask("handle").sum()
    assert abs(larger - np.pi * 17.5**2) < 60
    widget.press("Control+z", "{")
    widget.tap((60, 60))
    assert widget.mask("handle").sum() < larger / 3
    slider = widget.root.get_by_role("slider", name="Brush size")
    slider.fill("80")
    assert "147 px" in widget.root.locator(".rd-sized").inner_text()


def test_a_gesture_is_one_patch(open_widget: Open) -> None:
    widget = open_widget()
    widget.click("Brush")
    widget.drag((60, 60), (100, 60), (100, 100), steps=15)
    patches = widget.page.evaluate("host.model.patches.map(p => Object.keys(p).sort())")
    assert patches == [["_masks", "_pairs", "_regions_rev", "_selected"]]


def test_fifty_gestures_can_be_undone(open_widget: Open) -> None:
    widget = open_widget()
    widget.click("Brush")
    widget.press("[", "[", "[", "[", "[", "[", "[", "[")
    for i in range(52):
        widget.tap((10 + 5 * i, 30 + 3 * (i % 7)))
    for _ in range(50):
        widget.press("Control+z")
    before = widget.mask("handle").sum()
    for _ in range(50):
        widget.press("Control+Shift+z")
    assert before < widget.mask("handle").sum() / 10


def test_pen_pressure_widens_the_stroke(open_widget: Open) -> None:
    widget = open_widget()
    widget.click("Brush")
    cdp = widget.page.context.new_cdp_session(widget.page)

    def pen(kind: str, point: tuple[float, float], force: float) -> None:
        x, y = widget.screen(point)
        button = {"button": "left", "buttons": 1, "clickCount": 1}
        event = {"type": kind, "x": x, "y": y, "pointerType": "pen", "force": force, **button}
        cdp.send("Input.dispatchMouseEvent", event)

    def stroke(y: int, force: float) -> None:
        pen("mousePressed", (80, y), force)
        pen("mouseMoved", (160, y), force)
        pen("mouseReleased", (160, y), 0)

    stroke(60, 0.1)
    stroke(160, 0.9)
    mask = widget.mask("handle")
    thin, thick = mask[:110, 120].sum(), mask[110:, 120].sum()
    assert 0 < thin < 0.6 * thick


def test_large_pictures_keep_their_own_resolution(open_widget: Open) -> None:
    widget = open_widget(width=2000, height=1500)
    widget.click("Rectangle")
    widget.drag((500, 400), (1500, 1000))
    mask = widget.mask("handle")
    assert mask.shape == (1500, 2000)
    expected = np.zeros_like(mask)
    expected[400:1001, 500:1501] = True
    assert iou(mask, expected) > 0.97
