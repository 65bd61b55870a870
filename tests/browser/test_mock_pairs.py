"""The list of pairs, copy and paste, and the keyboard's way round."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.mock_host.page import Widget

pytestmark = pytest.mark.browser
Open = Callable[..., Widget]


@pytest.fixture
def two(open_widget: Open) -> Widget:
    """Two pairs of small rectangles; the second is active."""
    widget = open_widget()
    widget.click("Rectangle")
    widget.drag((20, 20), (50, 50))
    widget.click("New pair")
    widget.drag((200, 100), (240, 140))
    return widget


def names(widget: Widget) -> list[str]:
    return [pair["name"] for pair in widget.pairs()]


def test_each_pair_has_its_own_shade_and_number(two: Widget) -> None:
    assert [pair["color"] for pair in two.pairs()] == [0, 1]
    assert two.mask("handle", 0)[30, 30]
    assert two.mask("handle", 1)[120, 220]
    assert two.root.locator(".rd-badge-number").all_inner_texts() == ["1", "2"]


def test_select_rename_hide_lock_reorder_delete(two: Widget) -> None:
    two.click("Pair 1")
    assert two.page.evaluate("host.model.get('_selected')") == 0
    name = two.root.get_by_label("Name of pair 1")
    name.fill("cup")
    name.press("Enter")
    assert names(two) == ["cup", ""]
    two.click("Hide cup", "Lock cup")
    assert [(p["visible"], p["locked"]) for p in two.pairs()] == [(False, True), (True, False)]
    two.click("Move down cup")
    assert names(two) == ["", "cup"]
    expect(two.button("Delete pair")).to_be_disabled()
    two.click("Unlock cup", "Delete pair")
    assert names(two) == [""]


@pytest.mark.parametrize(("button", "word"), [("Lock Pair 2", "locked"), ("Hide Pair 2", "hidden")])
def test_a_locked_or_hidden_pair_is_not_painted_on(two: Widget, button: str, word: str) -> None:
    two.click(button, "Brush")
    before = two.mask("handle", 1)
    two.drag((100, 100), (140, 100))
    assert np.array_equal(two.mask("handle", 1), before)
    expect(two.status).to_have_text(f"Pair 2 is {word}")


def test_tab_goes_through_the_pairs(two: Widget) -> None:
    two.press("Tab")
    assert two.page.evaluate("host.model.get('_selected')") == 0
    two.press("Shift+Tab")
    assert two.page.evaluate("host.model.get('_selected')") == 1


def test_copy_paste_and_duplicate(two: Widget) -> None:
    two.press("Control+c", "Control+v")
    two.page.wait_for_function("host.model.get('_pairs').length === 3")
    assert np.array_equal(two.mask("handle", 2), np.roll(two.mask("handle", 1), (16, 16), axis=(0, 1)))
    two.page.wait_for_timeout(150)
    assert len(two.pairs()) == 3, "a paste is one paste, by key and event together"
    two.press("Control+d")
    assert len(two.pairs()) == 4


def test_delete_and_undo(two: Widget) -> None:
    two.press("Delete")
    assert len(two.pairs()) == 1
    two.press("Control+z")
    assert len(two.pairs()) == 2


def test_new_pair_does_not_pile_up_empty_ones(two: Widget) -> None:
    two.press("n", "n", "n")
    assert len(two.pairs()) == 3


def test_help_lists_the_keys_and_closes(two: Widget) -> None:
    two.press("?")
    sheet = two.root.get_by_role("dialog", name="Keys and gestures")
    expect(sheet).to_be_visible()
    expect(sheet).to_contain_text("Nudge 1 px; Shift 10 px")
    two.page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    assert two.page.evaluate("document.activeElement.getAttribute('aria-label')") == "Region canvas"


def test_no_key_leaves_the_canvas_and_escape_gives_them_back(two: Widget) -> None:
    two.page.evaluate(
        "window.stolen = []; document.addEventListener('keydown', e => window.stolen.push(e.key))"
    )
    two.press("a", "b", "d", "d", "Enter", "j")
    assert two.page.evaluate("window.stolen") == []
    assert two.root.get_attribute("data-lm-suppress-shortcuts") == "true"
    two.page.keyboard.press("Escape")  # takes away the pointer that Enter has shown
    two.page.keyboard.press("Escape")
    assert two.page.evaluate("document.activeElement === document.body")
    two.page.keyboard.press("a")
    assert two.page.evaluate("window.stolen") == ["a"]


def test_every_control_has_a_name(two: Widget) -> None:
    unnamed = two.root.evaluate(
        """root => [...root.querySelectorAll("button, input, select, textarea, [role]")]
            .filter(n => !n.getAttribute("aria-label") && !n.textContent.trim())
            .filter(n => !n.closest("label")?.textContent)
            .map(n => n.outerHTML)"""
    )
    assert [html for html in unnamed if 'role="status"' not in html and 'role="alert"' not in html] == []


def test_the_names_that_tests_rely_on(two: Widget) -> None:
    drawing = ["Lasso", "Magnetic lasso", "Polygon", "Rectangle", "Ellipse"]
    tools = ["Brush", "Eraser", "Select", "Magic wand", *drawing, "Move region", "Bend with pins"]
    layers = ["Handle", "Target", "Protect"]
    buttons = ["Run", "Stop", "Undo", "Redo", "New pair", "Delete pair", "Help"]
    results = ["Accept", "Discard", "Compare"]
    for name in results:
        expect(two.button(name)).to_be_disabled()
    for name in [*tools, *layers, *buttons, *results]:
        expect(two.root.get_by_role("button", name=name, exact=name in tools)).to_have_count(1)
    for name in [*tools, *layers]:
        assert two.button(name).get_attribute("aria-pressed") in ("true", "false")
    expect(two.canvas).to_be_visible()
    expect(two.status).to_have_count(1)


def test_the_whole_edit_works_by_keyboard(open_widget: Open) -> None:
    """A handle from Python, dragged by arrows, run by a key: no pointer is needed for a correction."""
    widget = open_widget()
    widget.click("Rectangle")
    widget.drag((20, 20), (50, 50))
    widget.press("v", *["Shift+ArrowRight"] * 8, "Control+Enter")
    widget.page.wait_for_function("host.sent('run').length === 1")
    assert widget.sent("run")[0]["pairs"][0]["matrix"][2] == 80


def test_the_keyboard_stays_when_a_control_goes_off(two: Widget) -> None:
    """Deleting the last pair switches its button off; the next key must not reach the notebook."""
    focused = "document.activeElement.getAttribute('aria-label')"
    two.click("Delete pair", "Delete pair")
    two.page.wait_for_function(f"{focused} === 'Region canvas'")
    two.click("Settings")
    two.root.get_by_label("Prompt", exact=True).focus()
    two.page.keyboard.press("Escape")
    two.page.wait_for_function(f"{focused} === 'Region canvas'")


def test_every_focusable_control_keeps_notebook_shortcuts_out(two: Widget) -> None:
    bare = two.root.evaluate(
        """root => [...root.querySelectorAll("button, input, select, textarea, [tabindex]")]
            .filter(n => n.getAttribute("data-lm-suppress-shortcuts") !== "true").map(n => n.outerHTML)"""
    )
    assert bare == []
