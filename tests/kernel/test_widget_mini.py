"""Live edits with the bundled model: shown, dragged and released, without a browser or a fake engine."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import regiondrag_widget as rd
from tests.kernel.fake_browser import FakeBrowser, until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shown():
    """A widget on a smooth picture whose first draft has been timed, and its browser."""
    y, x = np.mgrid[0:128, 0:128]
    rgb = np.stack([x, y, (x + y) // 2], -1).astype(np.uint8)
    w = rd.RegionDragWidget(rgb)
    browser = FakeBrowser(w)
    browser.show()
    browser.until("measured", seconds=120)
    yield w, browser
    w.close()


@pytest.fixture
def disc():
    y, x = np.mgrid[0:128, 0:128]
    return (x - 40) ** 2 + (y - 60) ** 2 < 18**2


def drag_until_drawn(browser, first, disc, dx):
    """Ask until a draft comes in time: a machine with other work may take longer than a draft is worth."""
    for seq in range(first, first + 50):
        browser.drag(seq, disc, dx)
        if browser.answered(seq, seconds=60) == "drafted":
            ((content, (jpeg,)),) = [(c, b) for c, b in browser.messages if c.get("seq") == seq]
            return content, np.asarray(Image.open(io.BytesIO(jpeg))).astype(int)
    raise AssertionError("no draft came in time")


def test_the_first_draft_is_measured_with_its_device_and_memory(shown):
    w, _ = shown
    assert w.measured["draft_ms"] > 0
    assert w.measured["device"]
    assert w.measured["dtype"] in ("float32", "bfloat16", "float16")
    assert 0 < w.measured["memory"] <= w.measured["budget"]


def test_a_draft_covers_the_drag_and_keeps_the_picture_around_it(shown, disc):
    w, browser = shown
    content, draft = drag_until_drawn(browser, 100, disc, 40)
    x0, y0, x1, y1 = content["box"]
    assert 0 <= x0 <= 22
    assert 98 <= x1 <= 128
    assert 0 <= y0 < y1 <= 128
    assert draft.shape[:2] == (y1 - y0, x1 - x0)
    target = np.roll(disc, 40, 1)
    aside = ~(disc | target)[y0:y1, x0:x1]
    original = np.asarray(w.image.convert("RGB")).astype(int)[y0:y1, x0:x1]
    assert np.abs(draft - original)[aside].mean() < 6  # what the JPEG loses
    assert np.abs(draft - original)[target[y0:y1, x0:x1]].mean() > 10  # the disc has arrived
    assert w.result is None


def test_the_release_runs_the_full_edit_from_what_the_drafts_have_prepared(shown, disc):
    w, browser = shown
    drag_until_drawn(browser, 200, disc, 40)
    browser.run(1, disc, np.roll(disc, 40, 1), seed=0)
    browser.until("done", run=1, seconds=120)
    assert w.result is not None
    assert "inversion" not in w.result.timings
    assert np.array_equal(np.asarray(w.result.before.convert("RGB")), np.asarray(w.image.convert("RGB")))


def test_a_draft_of_another_seed_prepares_anew_and_can_be_voided_meanwhile(shown, disc):
    w, browser = shown
    browser.drag(300, disc, 20, params={"seed": 5})
    browser.send({"type": "drag_ended", "seq": 300})
    assert browser.answered(300) == "stopped"
    until(lambda: not w._runs._worker.busy, 60)
    assert w.last_error is None
