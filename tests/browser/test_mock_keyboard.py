"""Everything by keys alone: shapes, selecting, moving, and running."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.mock_host.page import Widget

pytestmark = pytest.mark.browser
Open = Callable[..., Widget]


def times(key: str, count: int) -> list[str]:
    return [key] * count


def test_from_a_shape_to_a_result_without_a_mouse(open_widget: Open) -> None:
    widget = open_widget()
    widget.press("r", "Enter")
    expect(widget.status).to_have_text("Pointer at 160, 120")
    widget.press("Enter", *times("Shift+ArrowRight", 4), *times("Shift+ArrowDown", 3), "Enter")
    handle = widget.mask("handle")
    assert int(handle.sum()) == 41 * 31
    assert handle[120, 160]
    widget.press(*times("ArrowLeft", 5), *times("ArrowUp", 5))  # back inside what was drawn
    widget.press("Enter", *times("Shift+ArrowLeft", 6), "Enter")
    assert widget.pairs()[0]["matrix"][2] == -60
    assert np.array_equal(widget.mask("handle"), handle)
    widget.press("Escape", "Control+Enter")
    expect(widget.canvas).to_have_attribute("data-showing", "result")


def test_escape_calls_off_what_is_pressed_and_then_hides_the_pointer(open_widget: Open) -> None:
    widget = open_widget()
    widget.press("r", "Enter", "Enter", *times("Shift+ArrowRight", 3), "Escape")
    assert widget.pairs() == []
    widget.press("ArrowRight")
    expect(widget.status).to_have_text("Pointer at 191, 120")
    widget.press("Escape", "Enter")
    expect(widget.status).to_have_text("Pointer at 160, 120")


def test_a_polygon_is_closed_by_two_presses_at_one_place(open_widget: Open) -> None:
    widget = open_widget()
    widget.press("p", "Enter", "Enter", *times("Shift+ArrowRight", 4), "Enter")
    widget.press(*times("Shift+ArrowDown", 4), "Enter", "Enter")
    assert 700 < int(widget.mask("handle").sum()) < 900


def test_things_are_selected_added_and_taken_away(open_widget: Open) -> None:
    widget = open_widget()
    widget.press("s", "Enter", "Enter")
    widget.page.wait_for_function("host.model.get('_pairs').length === 1")
    assert widget.mask("handle")[120, 160]
    widget.press(*times("Shift+ArrowRight", 5), "Shift+Enter")
    widget.page.wait_for_function("host.model.get('_regions_rev') === 2")
    assert widget.mask("handle")[120, 210]
    widget.press("Alt+Enter")
    widget.page.wait_for_function("host.model.get('_regions_rev') === 3")
    mask = widget.mask("handle")
    assert mask[120, 160]
    assert not mask[120, 210]


def test_the_action_and_the_numbers_are_reached_by_tab(open_widget: Open) -> None:
    widget = open_widget()
    widget.press("r", "Enter", "Enter", *times("Shift+ArrowRight", 4), *times("Shift+ArrowDown", 3), "Enter")
    widget.press("Shift+D")
    assert widget.pairs()[0]["action"] == "copy"
    widget.press("Shift+Delete")
    assert widget.pairs()[0]["action"] == "remove"
    widget.button("Move").focus()
    widget.page.keyboard.press("Enter")
    assert widget.pairs()[0]["action"] == "move"
    widget.page.keyboard.press("Tab")
    widget.page.keyboard.press("Tab")
    widget.page.keyboard.press("Tab")
    widget.page.keyboard.type("25")
    widget.page.keyboard.press("Enter")
    assert widget.pairs()[0]["matrix"][2] == 25
