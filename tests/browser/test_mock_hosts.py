"""What hosts do differently: buffers, late views, missing bytes, silence; and that nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.mock_host.page import Widget

pytestmark = pytest.mark.browser
Open = Callable[..., Widget]
NOBODY = {"kernel": False}


def draw_pair(widget: Widget) -> None:
    widget.click("Rectangle")
    widget.drag((60, 100), (110, 150))
    widget.press("v")
    widget.drag((85, 125), (205, 85))


@pytest.mark.parametrize("kind", ["dataview", "uint8", "offset", "arraybuffer", "numbers"])
def test_every_kind_of_buffer_works(open_widget: Open, kind: str) -> None:
    widget = open_widget(buffers=kind)
    draw_pair(widget)
    widget.click("Run")
    expect(widget.canvas).to_have_attribute("data-showing", "result")
    assert widget.page.evaluate("host.kernel.acks.length") > 0


def test_a_view_that_comes_late_shows_all(mock_page: Callable[..., Page]) -> None:
    page = mock_page()
    page.evaluate("host.open()")
    page.wait_for_timeout(300)
    status = {"v": 1, "type": "status", "state": "running", "step": 3, "total": 9, "eta": 1, "run": 1}
    page.evaluate("status => host.model.receive(status)", status)
    page.evaluate("host.show(900)")
    widget = Widget(page)
    expect(widget.canvas).to_have_attribute("data-showing", "regions")
    expect(widget.status).to_have_text("Step 3 of 9, 1 s left")


def test_missing_picture_bytes_are_asked_for(mock_page: Callable[..., Page]) -> None:
    page = mock_page()
    page.evaluate("host.open({state: {_image: null}}).then(() => host.show(900))")
    widget = Widget(page)
    expect(widget.canvas).to_have_attribute("data-showing", "nothing")
    assert widget.sent("need")[0]["what"] == "image"
    widget.page.evaluate(
        "host.model.receive({v: 1, type: 'blob', what: 'image', mime: 'image/png'}, [host.picture])"
    )
    expect(widget.canvas).to_have_attribute("data-showing", "regions")


def test_a_picture_that_does_not_decode_is_told(open_widget: Open) -> None:
    widget = open_widget()
    widget.page.evaluate(
        "host.model.update({_image: new DataView(new Uint8Array([1,2,3]).buffer),"
        " _image_info: {...host.model.get('_image_info'), rev: 2}})"
    )
    expect(widget.root.get_by_role("alert")).to_contain_text("does not decode")
    widget.press("b")
    widget.drag((60, 60), (90, 60))
    assert widget.mask("handle").any(), "the picture before stays, and stays usable"


def test_two_views_stay_in_step(open_widget: Open) -> None:
    first = open_widget(cell=480)
    first.page.evaluate("host.show(480)")
    second = Widget(first.page, 1)
    expect(second.canvas).to_have_attribute("data-showing", "regions")
    draw_pair(first)
    expect(second.root.locator(".rd-pair")).to_have_count(1)
    second.click("Undo", "Undo")
    expect(first.root.locator(".rd-pair")).to_have_count(0)
    assert first.pairs() == []
    second.click("Redo", "Redo", "Run")
    for view in (first, second):
        expect(view.canvas).to_have_attribute("data-showing", "result")
    acks = first.page.evaluate("host.kernel.acks.map(a => a[1])")
    assert len(acks) == len(set(acks)), "one acknowledgement a frame, whatever the number of views"


def test_regions_from_python_appear(open_widget: Open) -> None:
    source = open_widget()
    source.click("Ellipse")
    source.drag((60, 60), (120, 120))
    masks = source.page.evaluate("host.masks()")
    pairs = source.pairs()
    widget = open_widget()
    widget.page.evaluate(
        """([pairs, masks]) => host.model.update({
            _pairs: pairs.map(p => ({...p, name: "<img src=x onerror=alert(1)>"})),
            _masks: Object.fromEntries(Object.entries(masks).map(
                ([key, bytes]) => [key, new DataView(Uint8Array.from(bytes).buffer)])),
            _regions_rev: 7, _selected: 0})""",
        [pairs, masks],
    )
    name = widget.root.get_by_label("Name of pair 1")
    expect(name).to_have_value("<img src=x onerror=alert(1)>")
    assert widget.root.locator(".rd-side img").count() == 0, "names are text, never markup"
    widget.press("v")
    widget.drag((90, 90), (190, 90))
    assert np.array_equal(widget.mask("target"), np.roll(widget.mask("handle"), 100, axis=1))


def test_without_a_kernel_everything_shows_read_only(open_widget: Open) -> None:
    widget = open_widget(kernel=False)
    badge = widget.root.locator(".rd-connection")
    expect(badge).to_have_text("No kernel: read only", timeout=8_000)
    expect(widget.status).to_have_text("No kernel: read only")
    widget.drag((60, 60), (120, 60))
    assert widget.pairs() == []
    expect(widget.button("Brush")).to_be_disabled()
    widget.press("1")
    expect(widget.canvas).to_have_attribute("data-scale", "1")


def test_a_kernel_that_dies_is_told_and_the_drawing_stays(open_widget: Open) -> None:
    widget = open_widget()
    widget.page.wait_for_function("host.sent('hello').length > 0")
    widget.page.wait_for_timeout(100)
    draw_pair(widget)
    widget.page.evaluate("host.model.widget_manager = {kernel: {status: 'dead'}}")
    expect(widget.status).to_have_text("Kernel gone: run the cell again")
    expect(widget.button("Run")).to_be_disabled()
    expect(widget.root.locator(".rd-pair")).to_have_count(1)
    widget.page.evaluate("host.model.widget_manager = {kernel: {status: 'idle'}}")
    widget.page.evaluate("host.model.receive({v: 1, type: 'pong'})")
    expect(widget.button("Run")).to_be_enabled()


@pytest.mark.parametrize(
    "message",
    [
        "null",
        "'text'",
        "{v: 9, type: 'status'}",
        "{v: 1}",
        "{v: 1, type: 'dance'}",
        "{v: 1, type: 'preview', run: 'x'}",
        "{v: 1, type: 'status', state: 7, step: 'x'}",
        "{v: 1, type: 'blob', what: 'image'}",
    ],
)
def test_malformed_messages_do_no_harm(open_widget: Open, message: str) -> None:
    widget = open_widget()
    widget.click("Brush")
    widget.page.evaluate(f"host.model.receive({message}, [new Uint8Array(3)])")
    widget.drag((60, 60), (120, 60))
    assert widget.mask("handle").any()


def test_views_opened_and_closed_fifty_times_leave_nothing(open_widget: Open) -> None:
    widget = open_widget()
    page = widget.page
    page.evaluate(
        """() => {
            window.count = 0
            const add = EventTarget.prototype.addEventListener
            for (const target of [window, document]) {
                target.addEventListener = function (type, listener, options) {
                    window.count++
                    options?.signal?.addEventListener("abort", () => window.count--)
                    return add.call(this, type, listener, options)
                }
            }
        }"""
    )
    page.evaluate("host.show(500)")
    page.evaluate("host.hide()")
    listeners = page.evaluate("[host.model.listenerCount, window.count]")
    page.evaluate("async () => { for (let i = 0; i < 50; i++) { await host.show(500); host.hide() } }")
    assert page.evaluate("[host.model.listenerCount, window.count]") == listeners
    assert page.evaluate("window.count") == 0
    assert page.locator(".rd-root").count() == 1
    page.evaluate("host.hide(); host.close()")
    assert page.evaluate("host.model.listenerCount") == 0


COUNT_ADDRESSES_AND_BITMAPS = """() => {
    window.live = { addresses: 0, bitmaps: 0 }
    const { createObjectURL, revokeObjectURL } = URL
    URL.createObjectURL = (blob) => (window.live.addresses++, createObjectURL(blob))
    URL.revokeObjectURL = (url) => (window.live.addresses--, revokeObjectURL(url))
    const decode = createImageBitmap
    window.createImageBitmap = async (blob) => {
        const bitmap = await decode(blob)
        window.live.bitmaps++
        const close = bitmap.close
        bitmap.close = () => (window.live.bitmaps--, close.call(bitmap))
        return bitmap
    }
}"""
RUN_OFTEN = """async (times) => {
    const canvas = document.querySelector(".rd-input")
    const frame = () => new Promise(requestAnimationFrame)
    for (let i = 0; i < times; i++) {
        // The kernel keeps a few results; here one, so that the strip has the same length throughout.
        host.kernel.results = []
        host.model.update({ _history: [], _thumbs: {} })
        document.activeElement.blur()
        canvas.focus()
        canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", ctrlKey: true, bubbles: true }))
        while (canvas.dataset.showing === "result") await frame()
        while (canvas.dataset.showing !== "result") await frame()
    }
    host.model.sent = []
}"""


def test_two_hundred_runs_leave_nothing_behind(open_widget: Open) -> None:
    """Listeners and nodes as the browser counts them, detached ones too; addresses; decoded pictures."""
    widget = open_widget(steps=2, cell=420, width=64, height=48)
    page = widget.page
    page.evaluate(COUNT_ADDRESSES_AND_BITMAPS)
    widget.click("Rectangle")
    widget.drag((12, 20), (22, 30))
    widget.press("v")
    widget.drag((17, 25), (41, 17))
    browser = page.context.new_cdp_session(page)
    browser.send("Performance.enable")

    def count() -> dict[str, int]:
        for _ in range(2):
            browser.send("HeapProfiler.collectGarbage")
            page.wait_for_timeout(100)
        metrics = {m["name"]: int(m["value"]) for m in browser.send("Performance.getMetrics")["metrics"]}
        live: dict[str, int] = page.evaluate("live")
        listeners = page.evaluate("host.model.listenerCount")
        elements = page.evaluate("document.querySelectorAll('*').length")
        browser_counts = {name: metrics[name] for name in ("Nodes", "JSEventListeners")}
        return {**live, **browser_counts, "model": listeners, "elements": elements}

    page.evaluate(RUN_OFTEN, 20)
    before = count()
    page.evaluate(RUN_OFTEN, 180)
    after = count()
    grown = {name: (before[name], after[name]) for name in before if after[name] > before[name]}
    assert grown == {}


def test_visibility_is_told_once(open_widget: Open) -> None:
    widget = open_widget()
    widget.page.wait_for_function("host.sent('visible').length > 0")
    widget.page.evaluate("host.hide()")
    assert [m["visible"] for m in widget.sent("visible")] == [True, False]


def test_in_vs_code_a_hidden_field_takes_the_keys(open_widget: Open) -> None:
    """VS Code leaves single letters to the notebook unless a text field of the output has the focus."""
    widget = open_widget()
    widget.page.evaluate("document.body.style.setProperty('--vscode-editor-background', '#1e1e1e')")
    widget.page.mouse.click(*widget.screen((300, 20)))
    assert widget.page.evaluate("document.activeElement.tagName") == "TEXTAREA"
    widget.page.keyboard.press("r")
    widget.drag((60, 60), (120, 100))
    widget.page.keyboard.press("Control+d")
    assert [pair["color"] for pair in widget.pairs()] == [0, 1]
    assert widget.page.evaluate("document.activeElement.value") == ""
