"""The selection tools on a photograph, with the kernel's own answers: clicks, strokes, box, wand, lasso."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.mock_host.clicks import middle, selected, undone
from tests.browser.mock_host.page import Widget, iou

pytest_plugins = ["tests.browser.select_fixtures"]
pytestmark = pytest.mark.browser
Keep = Callable[[Widget, str], None]


def test_a_click_takes_the_thing_and_a_drag_moves_it(
    open_duck: Callable[..., Widget], duck: Any, artefact: Keep
) -> None:
    widget = open_duck()
    expect(widget.button("Select")).to_have_attribute("aria-pressed", "true")
    at = middle(duck.handle)
    widget.page.mouse.move(*widget.screen(at))
    widget.page.wait_for_function("host.sent('select').some(m => m.how === 'piece')")
    widget.page.wait_for_function("host.sent('select').some(m => m.how === 'object')")
    widget.page.wait_for_timeout(300)
    artefact(widget, "select-1-hover")
    widget.tap(at)
    selected(widget)
    handle = widget.mask("handle")
    assert iou(handle, duck.handle) > 0.6
    artefact(widget, "select-2-click")
    # The second gesture of a whole edit: no other tool is taken in hand.
    widget.drag(at, (at[0] - 60, at[1] + 10))
    assert widget.pairs()[0]["matrix"][2::3][:2] == [-60, 10]
    expect(widget.button("Select")).to_have_attribute("aria-pressed", "true")
    widget.page.mouse.move(0, 0)
    artefact(widget, "select-3-drag")
    assert np.array_equal(widget.mask("handle"), handle)


def test_shift_adds_and_alt_takes_away_each_as_one_undo_step(
    open_duck: Callable[..., Widget], duck: Any
) -> None:
    widget = open_duck()
    widget.click("Select")
    at = middle(duck.handle)
    widget.tap(at)
    selected(widget)
    first = widget.mask("handle")
    for key, corner in (("Shift", (20.0, 20.0)), ("Alt", (20.0, 20.0))):
        before = widget.mask("handle")
        rev = widget.page.evaluate("host.model.get('_regions_rev')")
        widget.page.keyboard.down(key)
        widget.tap(corner)
        widget.page.keyboard.up(key)
        widget.page.wait_for_function("rev => host.model.get('_regions_rev') > rev", arg=rev)
        assert not np.array_equal(widget.mask("handle"), before)
    assert len(widget.pairs()) == 1
    undone(widget)
    undone(widget)
    assert np.array_equal(widget.mask("handle"), first)
    undone(widget)
    assert widget.pairs() == []


def test_a_stroke_and_a_box(open_duck: Callable[..., Widget], duck: Any, artefact: Keep) -> None:
    widget = open_duck()
    widget.click("Select")
    ys, xs = np.nonzero(duck.handle)
    y = float(np.median(ys))
    row = xs[ys == int(y)]
    widget.drag((float(row.min()) + 15, y), (float(row.max()) - 15, y))
    selected(widget)
    stroke = widget.mask("handle")
    assert stroke[int(y), int(row.min()) + 20 : int(row.max()) - 20].mean() > 0.95
    undone(widget)
    widget.click("Box")
    widget.page.mouse.move(*widget.screen((float(xs.min()), float(ys.min()))))
    widget.page.mouse.down()
    widget.page.mouse.move(*widget.screen((float(xs.max()), float(ys.max()))), steps=5)
    artefact(widget, "select-4-box")
    widget.page.mouse.up()
    selected(widget)
    assert iou(widget.mask("handle"), duck.handle) > 0.6


def test_something_new_beside_a_placed_thing_becomes_a_pair_of_its_own(
    open_duck: Callable[..., Widget], duck: Any
) -> None:
    widget = open_duck()
    widget.click("Select")
    at = middle(duck.handle)
    widget.tap(at)
    selected(widget)
    widget.drag(at, (at[0] - 40, at[1]))
    widget.tap((15, 15))
    selected(widget, 2)


def test_the_wand_takes_a_colour(open_duck: Callable[..., Widget], duck: Any, artefact: Keep) -> None:
    widget = open_duck()
    widget.click("Magic wand")
    tolerance = widget.root.get_by_label("Tolerance of the wand")
    tolerance.fill("60")
    at = middle(duck.handle)
    widget.tap(at)
    selected(widget)
    wide = widget.mask("handle")
    assert wide[int(at[1]), int(at[0])]
    artefact(widget, "select-5-wand")
    undone(widget)
    tolerance.fill("5")
    widget.tap(at)
    selected(widget)
    assert widget.mask("handle").sum() < wide.sum()
    asked = widget.sent("select")[-1]
    assert (asked["how"], asked["amount"], asked["contiguous"]) == ("wand", 5, True)
    connected = int(widget.mask("handle").sum())
    undone(widget)
    widget.root.get_by_label("Connected").uncheck()
    widget.tap(at)
    selected(widget)
    assert widget.sent("select")[-1]["contiguous"] is False
    assert widget.mask("handle").sum() > connected


def test_the_magnetic_lasso_snaps_takes_back_and_closes(
    open_duck: Callable[..., Widget], duck: Any, artefact: Keep
) -> None:
    widget = open_duck()
    widget.click("Magnetic lasso")
    ys, xs = np.nonzero(duck.handle)
    x, y = middle(duck.handle)
    corners = [
        (x, float(ys[xs == int(x)].min())),
        (float(xs[ys == int(y)].max()), y),
        (x, float(ys[xs == int(x)].max())),
        (float(xs[ys == int(y)].min()), y),
    ]
    for n, corner in enumerate(corners):
        widget.page.mouse.move(*widget.screen(corner), steps=4)
        if n == 3:
            widget.page.wait_for_timeout(400)
            artefact(widget, "select-6-magnetic")
        widget.tap(corner)
    widget.tap((5, 5))
    widget.press("Backspace")
    widget.page.mouse.dblclick(*widget.screen(corners[3]))
    selected(widget)
    artefact(widget, "select-7-magnetic-closed")
    assert iou(widget.mask("handle"), duck.handle) > 0.8


def test_a_selection_is_adjusted_by_buttons(open_duck: Callable[..., Widget], duck: Any) -> None:
    widget = open_duck()
    widget.click("Ellipse")
    x, y = middle(duck.handle)
    widget.drag((x - 40, y - 30), (x + 40, y + 30))
    whole = int(widget.mask("handle").sum())
    widget.click("Rectangle")
    widget.page.keyboard.down("Alt")
    widget.drag((x - 10, y - 10), (x + 10, y + 10))
    widget.page.keyboard.up("Alt")
    sizes = [int(widget.mask("handle").sum())]
    assert sizes[0] < whole
    for name in ("Grow", "Shrink", "Invert", "Invert", "Fill holes", "Smooth"):
        rev = widget.page.evaluate("host.model.get('_regions_rev')")
        widget.click(name)
        widget.page.wait_for_function("rev => host.model.get('_regions_rev') > rev", arg=rev)
        sizes.append(int(widget.mask("handle").sum()))
    assert sizes[1] > sizes[0]
    assert abs(sizes[2] - sizes[0]) < 0.05 * sizes[0]
    assert sizes[3] == widget.mask("handle").size - sizes[2]
    assert sizes[4] == sizes[2]
    assert abs(sizes[5] - whole) < 0.02 * whole
    for size in reversed(sizes[:-1]):
        undone(widget)
        assert int(widget.mask("handle").sum()) == size


@pytest.mark.parametrize("live", [True, False])
def test_an_edit_takes_two_gestures_with_live_and_three_without(
    open_duck: Callable[..., Widget], duck: Any, live: bool
) -> None:
    widget = open_duck()
    widget.page.wait_for_function("host.sent('hello').length > 0")
    widget.page.evaluate("live => host.kernel.drafts.measure({live})", live)
    at = middle(duck.handle)
    widget.tap(at)
    selected(widget)
    widget.drag(at, (at[0] - 60, at[1] + 10))
    if not live:
        widget.click("Run")
    expect(widget.canvas).to_have_attribute("data-showing", "result")
    expect(widget.status).to_contain_text("Result")
    assert len(widget.sent("run")) == 1


def test_the_tools_in_a_narrow_cell(open_duck: Callable[..., Widget], duck: Any, artefact: Keep) -> None:
    widget = open_duck(cell=420, context={"viewport": {"width": 460, "height": 1000}})
    widget.click("Select")
    widget.tap(middle(duck.handle))
    selected(widget)
    artefact(widget, "select-8-narrow")
    for name in ("Select", "Magic wand", "Magnetic lasso", "Move region", "Run"):
        box = widget.button(name).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 460
