"""Live editing against a kernel that drafts: in and out of order, late, badly; the screen, in pixels."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.mock_host.drags import answer, asked, base, begin, go, is_color, overlay, showing
from tests.browser.mock_host.page import Widget

pytest_plugins = ["tests.browser.live_fixtures"]
pytestmark = pytest.mark.browser


def test_a_draft_replaces_the_own_preview_and_is_called_so(live: Callable[..., Widget]) -> None:
    widget = live()
    begin(widget, (150, 125))
    expect(widget.root.locator(".rd-label")).to_have_text("Preview")
    asked(widget, 1)
    answer(widget, 0, "magenta")
    showing(widget, "draft")
    expect(widget.root.locator(".rd-label")).to_have_text("Draft")
    for place in ((70, 110), (140, 125)):
        assert is_color(base(widget, place), "magenta"), "the whole crop"
    assert overlay(widget, (158, 133))[3] == 0, "no warp lies over it"
    for side in (150 - 25, 150 + 25):
        assert overlay(widget, (side, 116))[3], "the outline is where the pointer is"
    assert not is_color(base(widget, (30, 30)), "magenta")


def test_one_request_flies_and_the_next_is_for_the_newest_place(live: Callable[..., Widget]) -> None:
    widget = live()
    begin(widget, (120, 125), (140, 125), (160, 125), (180, 125))
    widget.page.wait_for_timeout(200)
    asked(widget, 1)
    answer(widget, 0, "magenta")
    asked(widget, 2)
    moves = [request["pairs"][0]["matrix"][2] for request in widget.sent("draft")]
    assert moves == [35, 95]


def test_what_arrives_out_of_order_or_twice_never_goes_back(live: Callable[..., Widget]) -> None:
    widget = live()
    begin(widget, (120, 125), (140, 125))
    asked(widget, 1)
    answer(widget, 0, "magenta")
    asked(widget, 2)
    answer(widget, 1, "green")
    widget.page.wait_for_function(
        "document.querySelector('.rd-input').dataset.draft === String(host.kernel.drafts.asked[1].seq)"
    )
    answer(widget, 0, "blue")
    answer(widget, 1, "blue")
    widget.page.wait_for_timeout(200)
    assert is_color(base(widget, (150, 125)), "green")


def test_a_late_answer_is_not_shown_and_the_way_is_free_again(live: Callable[..., Widget]) -> None:
    widget = live()
    begin(widget, (120, 125), (140, 125))
    asked(widget, 1)
    widget.page.wait_for_timeout(1_100)
    answer(widget, 0, "magenta")
    asked(widget, 2)
    showing(widget, "regions")
    assert not is_color(base(widget, (70, 110)), "magenta")
    # the second is never answered: two seconds later the newest place is asked for all the same
    go(widget, (150, 125), (160, 125))
    asked(widget, 3)


def test_a_stalled_kernel_gives_the_screen_back_to_the_browser(live: Callable[..., Widget]) -> None:
    widget = live()
    begin(widget, (200, 125))
    asked(widget, 1)
    answer(widget, 0, "magenta")
    showing(widget, "draft")
    go(widget, (210, 125))
    expect(widget.root.locator(".rd-label")).to_have_text("Preview")
    assert not is_color(base(widget, (200, 125)), "magenta"), "the object is the browser's own again"
    widget.page.wait_for_function("document.querySelector('.rd-input').dataset.draft === ''")
    assert not is_color(overlay(widget, (85, 125)), "magenta"), "nothing older than a second"


def test_a_slow_kernel_fills_the_vacated_place_under_the_own_preview(live: Callable[..., Widget]) -> None:
    widget = live()
    begin(widget, (200, 125))
    asked(widget, 1)
    widget.page.wait_for_timeout(450)
    answer(widget, 0, "magenta")
    showing(widget, "draft")
    go(widget, (220, 125))
    showing(widget, "regions")
    end = time.monotonic() + 5  # the overlay is drawn in a frame of its own
    while not is_color(overlay(widget, (70, 110)), "magenta") and time.monotonic() < end:
        widget.page.wait_for_timeout(20)
    assert is_color(overlay(widget, (70, 110)), "magenta"), "filled where the handle was"
    assert not is_color(overlay(widget, (200, 125)), "magenta"), "and nowhere else"
    assert not is_color(base(widget, (200, 125)), "magenta")


def test_errors_are_said_and_the_drag_goes_on(live: Callable[..., Widget]) -> None:
    widget = live()
    begin(widget, (120, 125))
    asked(widget, 1)
    widget.page.evaluate("host.kernel.drafts.refuse(0, 'memory', 'out of memory: the cache was halved')")
    expect(widget.status).to_contain_text("the cache was halved")
    widget.page.wait_for_timeout(600)
    go(widget, (140, 125))
    asked(widget, 2)
    answer(widget, 1, "green")
    showing(widget, "draft")


def test_release_runs_and_the_result_replaces_the_draft(live: Callable[..., Widget]) -> None:
    widget = live(hold=1)
    begin(widget, (150, 125))
    asked(widget, 1)
    answer(widget, 0, "magenta")
    showing(widget, "draft")
    widget.page.mouse.up()
    showing(widget, "step")
    widget.page.evaluate("host.kernel.go()")
    showing(widget, "result")
    assert len(widget.sent("run")) == 1
    assert widget.sent("drag_ended") == []
    assert widget.mask("target").any()


def test_escape_rests_and_restores(live: Callable[..., Widget]) -> None:
    widget = live()
    begin(widget, (150, 125), (160, 125))
    asked(widget, 1)
    answer(widget, 0, "magenta")
    asked(widget, 2)
    showing(widget, "draft")
    widget.page.keyboard.press("Escape")
    showing(widget, "regions")
    answer(widget, 1, "green")
    widget.page.wait_for_timeout(200)
    showing(widget, "regions")
    seqs = [request["seq"] for request in widget.sent("draft")]
    assert [ended["seq"] for ended in widget.sent("drag_ended")] == [seqs[-1]]
    widget.page.mouse.up()
    assert widget.sent("run") == []
    assert not widget.mask("target").any()


def test_a_result_is_taken_hold_of_again_and_escape_brings_it_back(live: Callable[..., Widget]) -> None:
    widget = live(drafts=10)
    begin(widget, (150, 125))
    widget.page.mouse.up()
    showing(widget, "result")
    widget.page.mouse.move(*widget.screen((150, 125)))
    assert widget.canvas.evaluate("c => c.style.cursor") == "move"
    widget.page.mouse.down()
    go(widget, (170, 125))
    showing(widget, "draft")
    widget.page.keyboard.press("Escape")
    showing(widget, "result")
    widget.page.mouse.up()
    begin_again = [(150, 125), (190, 125)]
    widget.drag(*begin_again)
    widget.page.wait_for_function("host.sent('run').length === 2")
    showing(widget, "result")


def test_arrow_keys_are_drafted_and_run_when_they_rest(live: Callable[..., Widget]) -> None:
    widget = live(drafts=10)
    begin(widget, (150, 125))
    widget.page.mouse.up()
    showing(widget, "result")
    before = len(widget.sent("draft"))
    widget.press("ArrowRight", "ArrowRight", "Shift+ArrowDown")
    showing(widget, "result")
    assert len(widget.sent("draft")) > before
    assert len(widget.sent("run")) == 2
    assert widget.sent("run")[1]["pairs"][0]["matrix"][2] == 67


def test_off_nothing_is_drafted_and_nothing_runs(live: Callable[..., Widget]) -> None:
    widget = live(drafts=10, measured=False)
    expect(widget.button("Live")).to_have_attribute("aria-pressed", "false")
    begin(widget, (150, 125), (160, 125))
    widget.page.mouse.up()
    widget.page.wait_for_timeout(600)
    assert widget.sent("draft") == widget.sent("run") == []
    showing(widget, "regions")


def test_the_toggle_says_what_is_measured_and_a_click_is_for_good(live: Callable[..., Widget]) -> None:
    widget = live()
    button = widget.button("Live")
    expect(button).to_have_attribute("aria-pressed", "true")
    assert "42 ms" in (button.get_attribute("title") or "")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    widget.page.evaluate("host.kernel.drafts.measure()")
    expect(button).to_have_attribute("aria-pressed", "false")
    assert widget.page.evaluate("host.model.get('settings').live") is False
    widget.click("Settings")
    choice = widget.root.get_by_role("combobox", name="Live")
    assert choice.input_value() == "Off"
    choice.select_option("Automatic")
    widget.page.wait_for_function("host.model.get('settings').live === null")
    expect(button).to_have_attribute("aria-pressed", "true")


def test_without_a_kernel_the_toggle_is_off_and_says_why(open_widget: Callable[..., Widget]) -> None:
    widget = open_widget(kernel=False)
    button = widget.button("Live")
    expect(button).to_be_disabled(timeout=10_000)
    assert button.get_attribute("title") == "No kernel: read only"


def test_the_read_out_moves_nothing(live: Callable[..., Widget]) -> None:
    widget = live(drafts=10)
    boxes = """() => [...document.querySelectorAll('.rd-root *')].map(
        e => JSON.stringify(e.getBoundingClientRect()))"""
    shown = widget.root.get_by_role("group", name="Measurements")
    expect(shown).to_be_hidden()
    widget.page.wait_for_timeout(100)
    before = widget.page.evaluate(boxes)
    widget.click("Measurements")
    expect(shown).to_contain_text("42 ms a draft · cpu · float32")
    expect(shown).to_contain_text("120 MB of 900 MB")
    after = widget.page.evaluate(boxes)
    moved = [a for a, b in zip(before, after, strict=True) if a != b]
    assert len(moved) == 1, "the read-out alone"
    begin(widget, (150, 125), (160, 125))
    expect(shown).to_contain_text("ms to screen")
    widget.page.mouse.up()
    widget.click("Measurements")
    assert [stats["on"] for stats in widget.sent("stats")] == [True, False]


def test_marks_tell_the_way_from_pointer_to_screen(live: Callable[..., Widget]) -> None:
    widget = live(drafts=30)
    begin(widget, *((100 + 4 * i, 125) for i in range(20)))
    showing(widget, "draft")
    widget.page.wait_for_function("performance.getEntriesByName('regiondrag.draft').length > 1")
    durations: list[float] = widget.page.evaluate(
        "performance.getEntriesByName('regiondrag.draft').map(e => e.duration)"
    )
    assert all(30 <= d < 1_000 for d in durations), "from the pointer's event, over the kernel, to the frame"
    previews: int = widget.page.evaluate("performance.getEntriesByName('regiondrag.preview').length")
    assert previews >= 10
