"""Drags in the mock host while its kernel drafts: the hand that holds the button, the eye on the canvas."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.mock_host.page import Point, Widget

COLORS = {"magenta": (255, 0, 200), "green": (0, 200, 60), "blue": (20, 60, 255)}
HANDLE, GRAB = ((60, 100), (110, 150)), (85, 125)


def begin(widget: Widget, *points: Point) -> None:
    """Takes hold of the handle and goes to each point; the button stays down."""
    widget.page.mouse.move(*widget.screen(GRAB))
    widget.page.mouse.down()
    go(widget, *points)


def go(widget: Widget, *points: Point) -> None:
    for point in points:
        widget.page.mouse.move(*widget.screen(point))


def asked(widget: Widget, count: int) -> None:
    widget.page.wait_for_function("n => host.kernel.drafts.asked.length === n", arg=count)


def answer(widget: Widget, index: int, color: str) -> None:
    widget.page.evaluate(
        "([i, rgb]) => host.kernel.drafts.answer(i, `rgb(${rgb})`)",
        [index, ",".join(map(str, COLORS[color]))],
    )


def base(widget: Widget, at: Point) -> tuple[int, ...]:
    """The lower canvas at a picture pixel."""
    return _pixel(widget, 0, at)


def overlay(widget: Widget, at: Point) -> tuple[int, ...]:
    """The upper canvas at a picture pixel, with its opacity."""
    return _pixel(widget, 1, at)


def _pixel(widget: Widget, layer: int, at: Point) -> tuple[int, ...]:
    pixel: list[int] = (
        widget.root.locator(".rd-layer")
        .nth(layer)
        .evaluate(
            """(c, [x, y]) => {
            const {x: left, y: top, scale} = document.querySelector('.rd-input').dataset
            const at = (offset, v) => (Number(offset) + (v + 0.5) * scale) * devicePixelRatio
            return [...c.getContext('2d').getImageData(at(left, x), at(top, y), 1, 1).data]
        }""",
            at,
        )
    )
    return tuple(pixel)


def is_color(pixel: tuple[int, ...], color: str) -> bool:
    return all(abs(a - b) < 12 for a, b in zip(pixel, COLORS[color], strict=False))


def showing(widget: Widget, what: str) -> None:
    expect(widget.canvas).to_have_attribute("data-showing", what)
