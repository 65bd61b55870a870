"""What the widget says is true at every moment: hints, the list of pairs, what Run waits for, the status."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.mock_host.page import Widget

pytestmark = pytest.mark.browser
Open = Callable[..., Widget]


def test_hints_and_reasons_follow_what_is_drawn(open_widget: Open) -> None:
    widget = open_widget()
    hint, run, place = (
        widget.root.locator(".rd-hint"),
        widget.button("Run"),
        widget.root.locator(".rd-names .rd-hint-small"),
    )
    expect(hint).to_have_text("Click what should move")
    widget.click("Brush")
    expect(hint).to_have_text("Paint over what should move")
    expect(run).to_have_attribute("title", "Mark what should move, then drag it to its place")
    widget.click("Target")
    widget.drag((200, 100), (230, 100))
    expect(hint).to_have_text("Choose Handle and paint what should move there")
    expect(place).to_have_text("not drawn")
    widget.click("Undo", "Handle")
    widget.drag((60, 100), (90, 100))
    expect(hint).to_have_text("Drag the red region to its place")
    expect(run).to_have_attribute("title", "Drag what is marked to its place")
    expect(place).to_have_text("no place yet")

    widget.click("Move region")
    widget.page.mouse.move(*widget.screen((75, 100)))
    widget.page.mouse.down()
    widget.page.mouse.move(*widget.screen((150, 110)), steps=3)
    expect(place).to_have_count(0)
    widget.page.mouse.up()
    expect(hint).to_have_text("Press Run, or Ctrl+Enter")
    expect(run).to_have_attribute("title", "Run the edit (Ctrl+Enter)")
    widget.click("Remove")
    expect(place).to_have_text("will be removed")
    widget.click("Copy")
    expect(place).to_have_text("a copy; the original stays")


def test_a_refusal_goes_once_it_is_no_longer_true(open_widget: Open) -> None:
    widget = open_widget()
    widget.click("Rectangle")
    widget.drag((40, 40), (100, 100))
    widget.click("Clear", "Move region")
    widget.tap((70, 70))
    expect(widget.status).to_have_text("Paint what should move first")
    widget.press("Control+z")
    expect(widget.status).to_have_text("Ready", timeout=1_000)
    widget.tap((200, 200))
    expect(widget.status).to_have_text("Nothing to drag here: press on a region")
    widget.drag((70, 70), (120, 80))
    expect(widget.status).to_have_text("Ready", timeout=1_000)


def test_the_status_says_what_is_so_through_runs_undo_and_the_kernels_end(open_widget: Open) -> None:
    widget = open_widget(hold=2)
    widget.click("Rectangle")
    widget.drag((40, 40), (100, 100))
    widget.drag((70, 70), (140, 80))
    widget.click("Run")
    expect(widget.root.locator(".rd-label")).to_have_text("Step 2 of 4")
    expect(widget.status).to_contain_text("Step 2 of 4")
    widget.page.evaluate("host.kernel.go()")
    expect(widget.status).to_have_text("Result: seed 0, 1.3 s")
    widget.press("Control+z")
    expect(widget.status).to_have_text("Ready")  # what is drawn now has not been run
    widget.press("Control+Shift+z")
    widget.click("Result")
    expect(widget.status).to_have_text("Result: seed 0, 1.3 s")

    widget.click("Regions", "Run")
    expect(widget.status).to_contain_text("Step 2 of 4")  # or a later step would speak over what comes now
    widget.page.evaluate(
        "host.model.receive({v: 1, type: 'status', state: 'loading', step: 0, total: 0, eta: null, run: 2,"
        " message: 'Waiting for its turn: another edit goes first'})"
    )
    expect(widget.status).to_have_text("Waiting for its turn: another edit goes first")
    widget.page.evaluate("host.model.widget_manager = {kernel: {status: 'dead'}}")
    expect(widget.status).to_have_text("Kernel gone: run the cell again")
    expect(widget.root.get_by_role("progressbar")).to_be_hidden()
    expect(widget.button("Stop")).to_be_disabled()


def test_a_slider_that_nobody_has_set_stands_at_its_beginning(open_widget: Open) -> None:
    widget = open_widget()
    widget.click("Settings")
    guidance = widget.root.get_by_label("Guidance", exact=True)
    expect(guidance).to_have_value("0")
    field = widget.root.locator(".rd-field", has=widget.page.get_by_label("Guidance", exact=True))
    expect(field).to_contain_text("automatic")
    guidance.fill("7.5")
    widget.page.wait_for_function("host.model.get('settings').guidance_scale === 7.5")
    widget.click("Reset")
    expect(guidance).to_have_value("0")
