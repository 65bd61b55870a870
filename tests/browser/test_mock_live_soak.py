"""Long dragging against a kernel that drafts at random delays."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.mock_host.drags import begin, go
from tests.browser.mock_host.page import Widget

pytest_plugins = ["tests.browser.live_fixtures"]
pytestmark = pytest.mark.browser


def test_twenty_seconds_of_dragging_leave_nothing_behind(live: Callable[..., Widget]) -> None:
    """Answers at random delays, some never shown: pictures are closed, listeners and nodes do not grow."""
    widget = live(drafts=[5, 700])
    page = widget.page
    page.evaluate(
        """() => {
            window.alive = 0
            const decode = createImageBitmap
            window.createImageBitmap = async (...given) => {
                const image = await decode(...given)
                const close = image.close.bind(image)
                window.alive++
                image.close = () => { window.alive--; close() }
                return image
            }
            window.newest = 0
            window.backwards = 0
            const canvas = document.querySelector('.rd-input')
            const look = () => {
                const seq = Number(canvas.dataset.draft)
                if (seq && seq < window.newest) window.backwards++
                window.newest = Math.max(window.newest, seq)
                if (!window.over) requestAnimationFrame(look)
            }
            look()
        }"""
    )
    devtools = page.context.new_cdp_session(page)

    def counts() -> dict[str, int]:
        page.request_gc()
        counters: dict[str, int] = devtools.send("Memory.getDOMCounters")
        return {"nodes": counters["nodes"], "listeners": counters["jsEventListeners"]}

    begin(widget)
    xs = [*range(110, 250, 7), *range(250, 110, -7)]
    end = page.evaluate("performance.now()") + 20_000
    before, lap = None, 0
    while page.evaluate("performance.now()") < end:
        go(widget, *((x, 110 + lap % 30) for x in xs))
        lap += 1
        if lap == 2:
            before = counts()
    assert before is not None
    after = counts()
    assert after["nodes"] <= before["nodes"] + 5
    assert after["listeners"] <= before["listeners"]
    assert page.evaluate("host.model.listenerCount") < 40
    assert page.evaluate("alive") <= 2, "the one on show, and one that decodes"
    assert page.evaluate("backwards") == 0
    painted: list[float] = page.evaluate(
        "performance.getEntriesByName('regiondrag.draft').map(e => e.duration)"
    )
    assert len(painted) > 10
    assert max(painted) < 1_500, "those of more than a second are dropped before they are drawn"
    page.keyboard.press("Escape")
    page.mouse.up()
    page.wait_for_timeout(1_500)
    assert page.evaluate("alive") == 0
    page.evaluate("window.over = true")
