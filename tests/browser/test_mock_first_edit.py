"""The whole way once: draw a handle, drag it, run, watch the steps, see the result."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.mock_host.page import Widget, iou

pytestmark = pytest.mark.browser
Open = Callable[..., Widget]
Keep = Callable[[Widget, str], None]


def disc(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> np.ndarray:
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 <= radius**2


def test_draw_drag_run_and_result(open_widget: Open, artefact: Keep) -> None:
    widget = open_widget(hold=2)
    artefact(widget, "empty")

    widget.click("Brush")
    widget.drag((90, 130), (105, 130))
    handle = widget.mask("handle")
    stroke = np.zeros((240, 320), dtype=bool)
    for x in np.arange(90, 105.1, 0.5):
        stroke |= disc((240, 320), (x, 130), 16)
    assert iou(handle, stroke) > 0.97
    artefact(widget, "handle")

    widget.click("Move region")
    widget.drag((97, 130), (217, 90))
    pair = widget.pairs()[0]
    assert pair["matrix"] == [1, 0, 120, 0, 1, -40, 0, 0, 1]
    assert pair["hasTarget"] is True
    assert np.array_equal(widget.mask("target"), np.roll(handle, (-40, 120), axis=(0, 1)))
    artefact(widget, "dragged")

    widget.click("Run")
    expect(widget.status).to_contain_text("Step 2 of 4")
    widget.page.wait_for_function("host.kernel.acks.length > 0")
    artefact(widget, "running")
    widget.page.evaluate("host.kernel.go()")
    expect(widget.status).to_contain_text("Result")
    expect(widget.canvas).to_have_attribute("data-showing", "result")  # drawn with the next frame
    artefact(widget, "result")
    acks = widget.page.evaluate("host.kernel.acks")
    assert all(run == 1 for run, _ in acks)
    assert [seq for _, seq in acks] == sorted({seq for _, seq in acks})


def test_a_run_carries_its_own_masks(open_widget: Open) -> None:
    widget = open_widget()
    widget.click("Brush")
    widget.drag((90, 130), (105, 130))
    widget.click("Move region")
    widget.drag((97, 130), (217, 90))
    widget.click("Run")
    run = widget.sent("run")[0]
    assert run["pairs"][0]["handle"] == 0
    assert run["pairs"][0]["target"] == 1
    assert run["params"]["steps"] is None, "nobody has set it: the model decides"
    sizes = widget.page.evaluate(
        "host.model.sent.find(m => m.content.type === 'run').buffers.map(b => b.byteLength)"
    )
    assert len(sizes) == 2
    assert min(sizes) > 28


def test_undo_takes_back_a_whole_gesture(open_widget: Open) -> None:
    widget = open_widget()
    widget.click("Brush")
    widget.drag((60, 60), (90, 60))
    first = widget.mask("handle")
    widget.drag((60, 120), (90, 120), (90, 150))
    widget.click("Undo")
    assert np.array_equal(widget.mask("handle"), first)
    widget.click("Redo")
    assert widget.mask("handle").sum() > first.sum()
