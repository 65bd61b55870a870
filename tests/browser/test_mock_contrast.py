"""What is written in the widget can be told from its ground, in the themes of JupyterLab and VS Code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.mock_host.drags import overlay
from tests.browser.mock_host.page import Widget

pytestmark = pytest.mark.browser
THEMES = ("light", "dark", "vscode-light", "vscode-dark")

END_TRANSITIONS = "document.getAnimations().forEach(a => a instanceof CSSTransition && a.finish())"
WEAK = Path(__file__).with_name("contrast.js").read_text("utf-8")


@pytest.fixture
def weak(open_widget: Callable[..., Widget]) -> Callable[[Widget, str, int], list[str]]:
    """What is too weak in a state of the widget, in each theme; at least so many things are looked at."""

    def look(widget: Widget, state: str, least: int) -> list[str]:
        found = []
        widget.page.mouse.move(0, 0)
        for theme in THEMES:
            widget.page.evaluate("name => host.theme(name)", theme)
            widget.page.evaluate(END_TRANSITIONS)
            seen: dict[str, Any] = widget.page.evaluate(WEAK)
            assert seen["checked"] >= least, f"{state}: {seen['checked']}"
            found += [f"{theme}, {state}: {words}" for words in seen["found"]]
        return found

    return look


def test_contrast_is_level_aa_in_four_themes(
    open_widget: Callable[..., Widget], weak: Callable[[Widget, str, int], list[str]]
) -> None:
    widget = open_widget(hold=2)
    found = weak(widget, "empty", 30)
    for tool in ("Select", "Magic wand"):
        widget.click(tool)
        found += weak(widget, tool, 30)
    widget.click("Ellipse")
    widget.drag((60, 60), (140, 140))
    widget.click("Move region")
    widget.drag((100, 100), (200, 120))
    widget.click("New pair", "Rectangle")
    widget.drag((20, 20), (60, 60))
    found += weak(widget, "drawn", 40)
    for control in ("Remove", "Target", "Protect", "Hide Pair 2", "Measurements"):
        widget.button(control).focus()
        widget.page.keyboard.press("Enter")
        found += weak(widget, control, 40)
    widget.click("Handle", "Show Pair 2", "Move", "Measurements", "Settings")
    widget.root.get_by_label("Prompt", exact=True).focus()
    widget.page.keyboard.press("Tab")
    found += weak(widget, "settings", 50)
    widget.click("Settings", "Help")
    found += weak(widget, "help", 50)
    widget.page.keyboard.press("Escape")
    widget.click("Run")
    expect(widget.status).to_contain_text("Step 2 of 4")
    found += weak(widget, "running", 30)
    widget.page.evaluate("host.kernel.go()")
    expect(widget.status).to_contain_text("Result")
    found += weak(widget, "result", 40)
    widget.click("Side by side")
    found += weak(widget, "side by side", 40)
    widget.click("Regions")
    widget.page.evaluate(
        "host.model.receive({v: 1, type: 'error', run: null, code: 'memory', "
        "message: 'The edit needs more memory than there is.', remedy: 'Try a smaller picture.'})"
    )
    expect(widget.root.get_by_role("alert")).to_contain_text("more memory")
    found += weak(widget, "error", 40)
    assert not found, "\n" + "\n".join(found)


def test_the_numbers_on_the_canvas_can_be_read(open_widget: Callable[..., Widget]) -> None:
    """White on a dark disc; the shades of some pairs would be too light."""
    widget = open_widget()
    for n in range(6):
        widget.click("New pair", "Rectangle")
        widget.drag((30 + 40 * n, 60), (50 + 40 * n, 80))
    widget.page.mouse.move(0, 0)
    widget.page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    scale = float(widget.canvas.get_attribute("data-scale") or 1)
    for n, pair in enumerate(widget.pairs()):
        assert pair["color"] == n
        *rgb, opacity = overlay(widget, (40 + 40 * n, 70 - 6 / scale))  # above the number, on its disc
        linear = [(c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4) for c in rgb]
        light = float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
        assert opacity == 255
        assert 1.05 / (light + 0.05) > 4.5, (n, rgb)


def test_what_is_too_weak_is_found(
    open_widget: Callable[..., Widget], weak: Callable[[Widget, str, int], list[str]]
) -> None:
    widget = open_widget()
    widget.button("Settings").focus()
    widget.page.keyboard.press("Enter")
    assert not weak(widget, "as it is", 40)
    for rule, kind in {
        ".rd-status { color: #808488 }": "text rd-status",
        ".rd-root .rd-icon { color: rgb(128 132 136 / 0.5) }": "icon rd-icon",
        ".rd-root textarea { border-color: rgb(128 132 136 / 0.5) !important }": "outline ",
        ".rd-root button:focus-visible { outline-color: rgb(128 132 136 / 0.5) !important }": "focus rd-b",
    }.items():
        style = widget.page.add_style_tag(content=rule)
        found = weak(widget, "planted", 40)
        for theme in THEMES:
            assert any(f"{theme}, planted: {kind}" in words for words in found), (rule, theme, found)
        style.evaluate("node => node.remove()")
