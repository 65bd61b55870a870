"""The widget in a saved notebook that nobody runs: a picture instead of nothing."""

from __future__ import annotations

import base64
import io
from unittest import mock

import nbformat
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from nbconvert.exporters.html import HTMLExporter
from PIL import Image

import regiondrag_widget as rd
from regiondrag_widget.regions import RegionPairs
from regiondrag_widget.widget.host import IPYWIDGETS_7
from regiondrag_widget.widget.still import MAX_SIDE, still

WIDGET = "application/vnd.jupyter.widget-view+json"


def shown(w):
    """What IPython makes of a cell whose last line is the widget: data and metadata."""
    data, metadata = DisplayFormatter().format(w)
    if not IPYWIDGETS_7:
        return data, metadata
    assert (data, metadata) == ({}, {})  # it has displayed itself
    with mock.patch("IPython.display.display") as display:
        w._ipython_display_()
    (data,), options = display.call_args
    assert options.pop("raw")
    return data, options["metadata"]


def picture(w):
    return Image.open(io.BytesIO(base64.b64decode(shown(w)[0]["image/png"])))


def test_the_live_view_comes_before_the_picture(w):
    data, _ = shown(w)
    assert data[WIDGET]["model_id"] == w.model_id
    assert list(data).index(WIDGET) < list(data).index("image/png")


def test_with_nothing_drawn_it_is_the_picture(w, rgb):
    difference = np.asarray(picture(w)).astype(int) - rgb
    assert picture(w).size == (128, 96)
    assert abs(difference).mean() < 1


def test_what_is_drawn_is_outlined(w, handle, target):
    plain = np.asarray(picture(w)).astype(int)
    w.add_pair(handle, target)
    change = abs(np.asarray(picture(w)).astype(int) - plain).max(-1) > 30
    assert change[25, 25:35].all()  # the handle's upper edge
    assert not change[:20].any()


def test_half_a_pair_does_not_hide_the_rest(w, browser, handle):
    browser.draw("p1", handle, None)
    assert picture(w).size == (128, 96)


def test_the_result_stands_beside_it(w, handle, target):
    w.add_pair(handle, target)
    result = w.run(wait=True)
    both = np.asarray(picture(w)).astype(int)
    assert both.shape[1] == 2 * 128 + 8
    assert abs(both[:, 136:] - np.asarray(result.image)).mean() < 1


@pytest.mark.parametrize("size", [(3000, 200), (200, 3000), (1700, 1600), (6400, 64)])
@pytest.mark.parametrize("with_result", [False, True])
def test_a_large_picture_is_made_small(size, with_result):
    image = Image.new("RGB", size, "gray")
    out = still(image, RegionPairs(), image if with_result else None)
    assert max(out.size) <= MAX_SIDE
    assert max(out.size) > MAX_SIDE - 20


def test_in_a_large_picture_the_regions_stay_in_their_place():
    y, x = np.mgrid[0:1600, 0:2400]
    handle = (x - 600) ** 2 + (y - 800) ** 2 < 200**2
    pairs = RegionPairs([rd.RegionPair(handle, matrix=[[1, 0, 1000], [0, 1, 0], [0, 0, 1]])])
    image = Image.new("RGB", (2400, 1600), "black")
    drawn = np.asarray(still(image, pairs)).max(-1) > 100
    scale = MAX_SIDE / 2400
    rows, columns = np.nonzero(drawn)
    assert columns.min() == pytest.approx(400 * scale, abs=4)
    assert columns.max() == pytest.approx(1800 * scale, abs=4)
    assert (rows.min(), rows.max()) == (pytest.approx(600 * scale, abs=4), pytest.approx(1000 * scale, abs=4))


def test_a_picture_that_fails_does_not_take_the_widget_along(w, monkeypatch):
    monkeypatch.setattr("regiondrag_widget.widget.still.still", lambda *_: 1 / 0)
    data, _ = shown(w)
    assert WIDGET in data
    assert "image/png" not in data


def test_a_closed_widget_shows_nothing_and_raises_nothing(w):
    w.close()
    assert w._repr_mimebundle_ is None or w._repr_mimebundle_() is None
    assert WIDGET not in DisplayFormatter().format(w)[0]


def test_an_export_without_widget_state_shows_the_picture(w):
    data, metadata = shown(w)
    output = nbformat.v4.new_output("execute_result", data=data, metadata=metadata, execution_count=1)
    cell = nbformat.v4.new_code_cell("w", outputs=[output], execution_count=1)
    html, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    assert data["image/png"] in html.replace("\n", "")
