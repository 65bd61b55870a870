"""A picture by file picker, drop or paste; and the question before drawings are thrown away."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.mock_host.page import Widget

pytestmark = pytest.mark.browser
Open = Callable[..., Widget]


@pytest.fixture
def png() -> dict[str, Any]:
    data = io.BytesIO()
    Image.new("RGB", (200, 100), (40, 90, 160)).save(data, "PNG")
    return {"name": "blue.png", "mimeType": "image/png", "buffer": data.getvalue()}


def transfer(widget: Widget, event: str, file: dict[str, Any]) -> None:
    """Fires a drop or a paste that carries one file."""
    widget.page.evaluate(
        """([event, name, type, bytes]) => {
            const data = new DataTransfer()
            data.items.add(new File([Uint8Array.from(bytes)], name, {type}))
            const options = {bubbles: true, cancelable: true}
            const target = document.querySelector(".rd-input")
            target.dispatchEvent(event === "paste"
                ? new ClipboardEvent("paste", {...options, clipboardData: data})
                : new DragEvent(event, {...options, dataTransfer: data}))
        }""",
        [event, file["name"], file["mimeType"], list(file["buffer"])],
    )


def loaded(widget: Widget) -> None:
    widget.page.wait_for_function("host.model.get('_image_info').width === 200")


def test_by_file_picker(open_widget: Open, png: dict[str, Any]) -> None:
    widget = open_widget()
    with widget.page.expect_file_chooser() as chooser:
        widget.click("Open picture")
    chooser.value.set_files([png])
    loaded(widget)
    assert widget.sent("load") == [{"v": 1, "type": "load", "name": "blue.png", "mime": "image/png"}]


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_by_drop_and_paste(open_widget: Open, png: dict[str, Any], event: str) -> None:
    widget = open_widget()
    transfer(widget, event, png)
    loaded(widget)


def test_drawings_are_not_thrown_away_unasked(open_widget: Open, png: dict[str, Any]) -> None:
    widget = open_widget()
    widget.click("Brush")
    widget.drag((60, 60), (120, 60))
    transfer(widget, "drop", {**png, "name": "<b>x</b>.png"})
    dialog = widget.root.get_by_role("alertdialog", name="Replace the picture?")
    expect(dialog).to_contain_text("<b>x</b>.png")
    widget.click("Keep drawing")
    assert widget.sent("load") == []
    assert widget.mask("handle").any()
    transfer(widget, "drop", png)
    widget.click("Replace the picture")
    loaded(widget)
    expect(widget.root.locator(".rd-pair")).to_have_count(0)


def test_what_is_no_picture_is_refused_in_words(open_widget: Open) -> None:
    widget = open_widget()
    transfer(widget, "drop", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"hello"})
    expect(widget.root.get_by_role("alert")).to_contain_text("not a picture")
    assert widget.sent("load") == []


def test_an_empty_widget_says_how_to_begin(open_widget: Open, png: dict[str, Any]) -> None:
    widget = open_widget(picture=False)
    expect(widget.root.locator(".rd-hint")).to_contain_text("drop a file, or paste one")
    expect(widget.button("Brush")).to_be_disabled()
    widget.page.evaluate("host.model.update({_image_info: {...host.model.get('_image_info'), rev: 0}})")
    transfer(widget, "drop", png)
    loaded(widget)
    expect(widget.canvas).to_have_attribute("data-showing", "regions")
