"""Dragging what was just drawn, copying, removing, typed numbers, undoing an Accept, small windows."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from regiondrag_widget.regions.limits import MIN_SIDE
from tests.browser.mock_host.page import Widget

pytestmark = pytest.mark.browser
Open = Callable[..., Widget]
Keep = Callable[[Widget, str], None]
LOW, NARROW = {"width": 1400, "height": 480}, {"width": 460, "height": 800}


def matrix(widget: Widget, pair: int = 0) -> list[float]:
    found: list[float] = widget.pairs()[pair]["matrix"]
    return found


@pytest.mark.parametrize("tool", ["Rectangle", "Ellipse", "Brush"])
def test_what_was_just_drawn_is_dragged_from_inside_with_the_same_tool(open_widget: Open, tool: str) -> None:
    widget = open_widget()
    widget.click(tool)
    widget.drag((60, 60), (140, 140), steps=2)
    middle = (100, 100)
    drawn = widget.mask("handle")
    widget.drag(middle, (160, 120))
    assert matrix(widget)[2::3][:2] == [60, 20]
    assert np.array_equal(widget.mask("handle"), drawn)
    widget.drag((160, 120), (150, 120))
    assert matrix(widget)[2::3][:2] == [50, 20]


def test_alt_makes_a_copy(open_widget: Open) -> None:
    widget = open_widget()
    widget.click("Rectangle")
    widget.drag((40, 40), (80, 80))
    widget.click("Move region")
    widget.page.keyboard.down("Alt")
    widget.drag((60, 60), (160, 60))
    widget.page.keyboard.up("Alt")
    assert [pair["action"] for pair in widget.pairs()] == ["copy"]
    expect(widget.button("Copy")).to_have_attribute("aria-pressed", "true")


def test_a_removal_needs_no_target(open_widget: Open, artefact: Keep) -> None:
    widget = open_widget()
    widget.click("Rectangle")
    widget.drag((70, 100), (125, 165))
    widget.click("Remove")
    expect(widget.root.get_by_text("will be removed")).to_be_visible()
    artefact(widget, "hands-remove")
    widget.click("Run")
    (run,) = widget.sent("run")
    assert [(p["action"], p["target"]) for p in run["pairs"]] == [("remove", None)]


def test_typed_numbers_move_scale_and_turn(open_widget: Open) -> None:
    widget = open_widget()
    widget.click("Rectangle")
    widget.drag((40, 40), (80, 80))
    for label, value in (
        ("Movement to the right in pixels", "100"),
        ("Movement down in pixels", "30"),
        ("Turn in degrees, counter-clockwise", "90"),
        ("Size in percent", "50"),
    ):
        field = widget.root.get_by_label(label)
        field.fill(value)
        field.press("Enter")
    assert np.allclose(np.reshape(matrix(widget), (3, 3))[:2, :2], [[0, 0.5], [-0.5, 0]], atol=1e-6)
    ys, xs = np.nonzero(widget.mask("target"))
    assert abs(xs.mean() - 160) < 1
    assert abs(ys.mean() - 90) < 1


def accept_a_move(widget: Widget) -> None:
    """Draws, drags, runs and accepts."""
    widget.click("Rectangle")
    widget.drag((40, 40), (80, 80))
    widget.drag((60, 60), (160, 60))
    widget.click("Run")
    expect(widget.canvas).to_have_attribute("data-showing", "result")
    widget.click("Accept")
    expect(widget.root.get_by_text("No pairs yet")).to_be_visible()


def test_an_accept_is_undone_and_made_again(open_widget: Open) -> None:
    widget = open_widget()
    accept_a_move(widget)
    widget.press("Control+z")
    expect(widget.root.get_by_role("button", name="Pair 1", exact=True)).to_be_visible()
    assert len(widget.pairs()) == 1
    widget.press("Control+Shift+Z")
    expect(widget.root.get_by_text("No pairs yet")).to_be_visible()
    widget.press("Control+z")
    expect(widget.root.get_by_role("button", name="Pair 1", exact=True)).to_be_visible()
    widget.press("Control+z", "Control+z")
    assert widget.pairs() == []
    expect(widget.button("Undo")).to_be_disabled()


def test_an_earlier_result_of_another_picture_is_undone(open_widget: Open) -> None:
    widget = open_widget()
    original = widget.page.evaluate("host.model.get('_image').byteLength")
    accept_a_move(widget)
    widget.drag((20, 20), (60, 60))
    accepted, drawn = widget.page.evaluate("host.model.get('_image').byteLength"), widget.mask("handle")
    assert accepted != original
    widget.root.locator(".rd-thumb").first.click()
    widget.page.wait_for_function("n => host.model.get('_image').byteLength === n", arg=original)
    widget.press("Control+z")
    widget.page.wait_for_function("n => host.model.get('_image').byteLength === n", arg=accepted)
    expect(widget.root).to_have_attribute("aria-busy", "false")
    assert np.array_equal(widget.mask("handle"), drawn)
    widget.press("Control+z", "Control+z")
    expect(widget.root.get_by_role("button", name="Pair 1", exact=True)).to_be_visible()
    assert widget.page.evaluate("host.model.get('_image').byteLength") == original


def test_the_result_view_lets_one_drag_on(open_widget: Open) -> None:
    widget = open_widget()
    widget.click("Rectangle")
    widget.drag((40, 40), (80, 80))
    widget.click("Move region")
    widget.drag((60, 60), (160, 60))
    widget.click("Run")
    expect(widget.canvas).to_have_attribute("data-showing", "result")
    widget.drag((160, 60), (160, 100))
    expect(widget.canvas).to_have_attribute("data-showing", "regions")
    assert matrix(widget)[2::3][:2] == [100, 40]


def test_grips_stay_reachable_at_the_edge(open_widget: Open, artefact: Keep) -> None:
    widget = open_widget()
    widget.click("Rectangle")
    widget.drag((100, 60), (160, 120))
    widget.click("Move region")
    widget.drag((130, 90), (130, 10))
    widget.page.mouse.move(0, 0)
    artefact(widget, "hands-edge")
    box = widget.canvas.bounding_box()
    assert box is not None
    scale = float(widget.canvas.get_attribute("data-scale") or "1")
    x, y = widget.screen((130, 40.5))  # the middle of the lower edge: the knob stands below it
    before = matrix(widget)
    widget.page.mouse.move(x, y + 26)
    widget.page.mouse.down()
    widget.page.mouse.move(x - 60 * scale, y + 26)
    widget.page.mouse.up()
    assert abs(matrix(widget)[1]) > 0.2
    assert before[1] == 0


@pytest.mark.parametrize(("name", "viewport"), [("low", LOW), ("narrow", NARROW)])
def test_run_progress_and_picture_are_in_sight_together(
    open_widget: Open, artefact: Keep, name: str, viewport: dict[str, int]
) -> None:
    widget = open_widget(
        cell=min(900, viewport["width"] - 40), context={"viewport": viewport}, width=1200, height=800, hold=2
    )
    widget.click("Rectangle")
    widget.drag((300, 300), (500, 500))
    widget.drag((400, 400), (800, 400))
    widget.page.evaluate("window.scrollTo(0, 0)")
    widget.click("Run")
    expect(widget.root.get_by_role("progressbar")).to_be_visible()
    widget.page.screenshot(path=str(Path(__file__).parent / "artefacts" / f"hands-{name}.png"))
    for part in (widget.button("Run"), widget.root.get_by_role("progressbar"), widget.canvas):
        box = part.bounding_box()
        assert box is not None
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= viewport["height"]
    assert widget.page.evaluate("window.scrollY") == 0


def test_the_status_has_a_line_of_its_own_in_a_very_narrow_cell(open_widget: Open) -> None:
    widget = open_widget(cell=272, hold=2)
    widget.click("Rectangle")
    widget.drag((40, 40), (80, 80))
    widget.drag((60, 60), (160, 60))
    widget.click("Run")
    expect(widget.status).to_contain_text("Step 2 of 4")
    words, run = widget.status.bounding_box(), widget.button("Run").bounding_box()
    assert words is not None
    assert run is not None
    assert words["y"] > run["y"] + run["height"]
    for tool in ("Brush", "Bend with pins"):
        assert widget.button(tool).evaluate(
            "b => { const r = b.getBoundingClientRect(), c = b.closest('.rd-root').getBoundingClientRect();"
            " return r.left >= c.left && r.right <= c.right }"
        ), tool


def test_fullscreen_gives_the_picture_the_screen(open_widget: Open, artefact: Keep) -> None:
    widget = open_widget()
    before = widget.canvas.bounding_box()
    widget.click("Fullscreen")
    expect(widget.button("Fullscreen")).to_have_attribute("aria-pressed", "true")
    widget.page.wait_for_function(
        "h => document.querySelector('.rd-input').clientHeight > h + 50",
        arg=before["height"] if before else 0,
    )
    artefact(widget, "hands-fullscreen")
    for part in (widget.button("Run"), widget.button("Undo")):
        box = part.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 900
    widget.press("z")
    expect(widget.button("Fullscreen")).to_have_attribute("aria-pressed", "false")


def test_the_grip_changes_the_height_by_hand_and_by_key(open_widget: Open) -> None:
    widget = open_widget()
    grip = widget.root.get_by_role("separator", name="Height of the drawing area")
    height = widget.canvas.evaluate("c => c.clientHeight")
    box = grip.bounding_box()
    assert box is not None
    widget.page.mouse.move(box["x"] + 50, box["y"] + 4)
    widget.page.mouse.down()
    widget.page.mouse.move(box["x"] + 50, box["y"] + 104)
    widget.page.mouse.up()
    assert abs(widget.canvas.evaluate("c => c.clientHeight") - height - 100) <= 2
    grip.press("ArrowUp")
    assert abs(widget.canvas.evaluate("c => c.clientHeight") - height - 76) <= 2
    grip.press("Home")
    widget.page.wait_for_function("h => document.querySelector('.rd-input').clientHeight === h", arg=height)


def test_a_file_that_is_no_picture_is_refused_before_anything_is_asked(open_widget: Open) -> None:
    widget = open_widget()
    widget.click("Rectangle")
    widget.drag((40, 40), (80, 80))
    text: Any = {"name": "no.jpg", "mimeType": "image/jpeg", "buffer": b"this is text"}
    widget.root.get_by_label("Picture file").set_input_files(text)
    expect(widget.root.get_by_role("alert")).to_contain_text("This file is not a picture.")
    expect(widget.root.get_by_role("alertdialog")).to_have_count(0)
    tiny = io.BytesIO()
    Image.new("RGB", (1, 1)).save(tiny, "PNG")
    dot: Any = {"name": "dot.png", "mimeType": "image/png", "buffer": tiny.getvalue()}
    widget.root.get_by_label("Picture file").set_input_files(dot)
    alert = widget.root.get_by_role("alert")
    expect(alert).to_contain_text("This picture is too small: 1 x 1 px.")
    expect(alert).to_contain_text(f"{MIN_SIDE} px a side or more")
    expect(widget.root.get_by_role("alertdialog")).to_have_count(0)
    assert widget.sent("load") == []
