"""Select and drag: the ghost is moved, scaled, turned and flipped; the target and its matrix follow."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.browser.mock_host.page import Widget, iou

pytestmark = pytest.mark.browser
Open = Callable[..., Widget]


@pytest.fixture
def dragged(open_widget: Open) -> Widget:
    """A rectangle handle (60..100, 60..100), dragged 100 px to the right; the Move tool in hand."""
    widget = open_widget()
    widget.click("Rectangle")
    widget.drag((60, 60), (100, 100))
    widget.press("v")
    widget.drag((80, 80), (180, 80))
    return widget


def target_from_matrix(widget: Widget) -> np.ndarray:
    """Target pixels by the contract: the nearest handle pixel under the inverse matrix is set."""
    handle = widget.mask("handle")
    back = np.linalg.inv(np.array(widget.pairs()[0]["matrix"]).reshape(3, 3))
    y, x = np.mgrid[0 : handle.shape[0], 0 : handle.shape[1]]
    sx, sy, w = np.einsum("ij,jhw->ihw", back, np.stack([x, y, np.ones_like(x)]).astype(float))
    ix, iy = np.floor(sx / w + 0.5).astype(int), np.floor(sy / w + 0.5).astype(int)
    inside = (ix >= 0) & (iy >= 0) & (ix < handle.shape[1]) & (iy < handle.shape[0])
    return np.asarray(
        inside & handle[np.clip(iy, 0, handle.shape[0] - 1), np.clip(ix, 0, handle.shape[1] - 1)]
    )


def matrix(widget: Widget) -> np.ndarray:
    return np.array(widget.pairs()[0]["matrix"]).reshape(3, 3)


def test_a_drag_is_whole_pixels(dragged: Widget) -> None:
    assert matrix(dragged).tolist() == [[1, 0, 100], [0, 1, 0], [0, 0, 1]]
    assert np.array_equal(dragged.mask("target"), target_from_matrix(dragged))


def test_a_corner_scales(dragged: Widget) -> None:
    dragged.drag((200.5, 100.5), (220.5, 120.5))
    assert np.allclose(np.diag(matrix(dragged))[:2], 61 / 41, atol=0.05)
    assert iou(dragged.mask("target"), target_from_matrix(dragged)) == 1


def test_shift_keeps_the_shape(dragged: Widget) -> None:
    dragged.page.keyboard.down("Shift")
    dragged.drag((200.5, 100.5), (240.5, 105.5))
    dragged.page.keyboard.up("Shift")
    m = matrix(dragged)
    assert m[0, 0] == pytest.approx(m[1, 1])
    assert m[0, 0] > 1.2


def test_the_knob_turns_and_shift_snaps(dragged: Widget) -> None:
    knob = (180, 59.5 - 26 / float(dragged.canvas.get_attribute("data-scale") or 1))
    dragged.page.keyboard.down("Shift")
    dragged.drag(knob, (210, 82))
    dragged.page.keyboard.up("Shift")
    angle = np.degrees(np.arctan2(matrix(dragged)[1, 0], matrix(dragged)[0, 0]))
    assert angle == pytest.approx(90, abs=1e-6)
    assert np.array_equal(dragged.mask("target"), target_from_matrix(dragged))


def test_flips_by_key_and_button(dragged: Widget) -> None:
    dragged.press("f")
    assert matrix(dragged)[0, 0] == -1
    dragged.click("Flip across", "Flip upside down")
    assert matrix(dragged)[0, 0] == 1
    assert matrix(dragged)[1, 1] == -1


def test_arrows_nudge_by_one_and_ten(dragged: Widget) -> None:
    dragged.press("ArrowRight", "Shift+ArrowDown", "ArrowUp")
    assert matrix(dragged)[:2, 2].tolist() == [101, 9]
    dragged.press("Control+z", "Control+z", "Control+z")
    assert matrix(dragged)[:2, 2].tolist() == [100, 0]


def test_shift_keeps_a_drag_straight(dragged: Widget) -> None:
    dragged.page.keyboard.down("Shift")
    dragged.drag((180, 80), (220, 88))
    dragged.page.keyboard.up("Shift")
    assert matrix(dragged)[:2, 2].tolist() == [140, 0]


def test_escape_cancels_a_drag_under_way(dragged: Widget) -> None:
    page = dragged.page
    page.mouse.move(*dragged.screen((180, 80)))
    page.mouse.down()
    page.mouse.move(*dragged.screen((220, 160)), steps=4)
    page.keyboard.press("Escape")
    page.mouse.up()
    assert matrix(dragged)[:2, 2].tolist() == [100, 0]


def test_painting_the_handle_takes_the_target_along(dragged: Widget) -> None:
    dragged.click("Handle")
    dragged.tap((80, 110))
    assert np.array_equal(dragged.mask("target"), np.roll(dragged.mask("handle"), 100, axis=1))


def test_the_browser_shows_the_drag_itself(dragged: Widget) -> None:
    """At the target the overlay shows the handle's own colours, and over the handle the hatch."""
    assert dragged.root.locator(".rd-label").inner_text() == "Preview"
    pixels = dragged.canvas.evaluate(
        """(canvas, points) => {
            const g = canvas.getContext("2d")
            const k = canvas.width / canvas.clientWidth
            const {scale, x, y} = canvas.dataset
            return points.map(([px, py]) => [...g.getImageData(
                (+x + (px + 0.5) * scale) * k, (+y + (py + 0.5) * scale) * k, 1, 1).data])
        }""",
        [[170, 92], [70, 92]],
    )
    assert pixels[0][3] > 200, "the carried pixels are opaque"
    assert pixels[1][3] > 100, "the vacated place is hatched"
    dragged.press("w")
    assert dragged.root.locator(".rd-label").is_hidden()
