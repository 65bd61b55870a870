"""Pins and perspective: a region is bent and tilted by hand, and the canvas shows the map of the edit."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

import regiondrag_widget as rd
from regiondrag_widget.regions.lattice import lattice_of
from tests.browser.mock_host.drags import overlay
from tests.browser.mock_host.page import Point, Widget, iou

pytestmark = pytest.mark.browser
Open = Callable[..., Widget]
Keep = Callable[[Widget, str], None]


@pytest.fixture
def duck(repository: Path) -> Image.Image:
    with Image.open(repository / "regiondrag_widget" / "assets" / "rubber-duck.jpg") as image:
        return image.convert("RGB")


@pytest.fixture
def widget(open_widget: Open, repository: Path, duck: Image.Image) -> Widget:
    """The duck's photograph, an ellipse around the duck."""
    photo = base64.b64encode((repository / "regiondrag_widget" / "assets" / "rubber-duck.jpg").read_bytes())
    widget = open_widget(photo=photo.decode(), width=duck.width, height=duck.height)
    widget.click("Ellipse")
    widget.drag(at(duck, 0.18, 0.14), at(duck, 0.86, 0.82))
    return widget


def at(picture: Image.Image, x: float, y: float) -> Point:
    """A pixel by its place as a share of the picture."""
    return round(x * picture.width), round(y * picture.height)


def pins(widget: Widget) -> np.ndarray:
    """(n, 4) x, y, to x, to y."""
    return np.array(widget.pairs()[0]["pins"] or np.zeros((0, 4)))


def bent(widget: Widget) -> rd.RegionPair:
    """The pair as the kernel understands what the page has sent."""
    entry, rows = widget.pairs()[0], pins(widget)
    matrix = np.array(entry["matrix"]).reshape(3, 3)
    return rd.RegionPair.bend(widget.mask("handle"), rows[:, :2], rows[:, 2:], matrix=matrix)


def off(widget: Widget, picture: Image.Image, pair: rd.RegionPair) -> np.ndarray:
    """How far the colours on the canvas are from those that the pair's map brings to its target."""
    widget.page.mouse.move(0, 0)
    widget.page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    found, pixels = rd.pixel_map(pair).source_xy, np.asarray(picture, float)
    smooth = np.asarray(picture.resize((picture.width // 4, picture.height // 4)).resize(picture.size), float)
    calm = np.abs(pixels - smooth).max(axis=2) < 12  # where a pixel more or less makes no difference
    y, x = np.nonzero(pair.target)
    source = np.floor(found[y, x] + 0.5).astype(int)
    inner = calm[source[:, 1], source[:, 0]] & pair.handle[source[:, 1], source[:, 0]]
    chosen = np.random.default_rng(0).permutation(np.flatnonzero(inner))[:60]
    distances = []
    for i in chosen:
        seen = overlay(widget, (int(x[i]), int(y[i])))
        if seen[3] > 250:
            distances.append(np.abs(np.array(seen[:3]) - pixels[source[i, 1], source[i, 0]]).max())
    assert len(distances) > 30, "the carried pixels are drawn"
    return np.array(distances)


def agree(widget: Widget, picture: Image.Image, pair: rd.RegionPair) -> bool:
    """Whether the canvas shows the pair's map; a few of the pixels lie under the regions' lines."""
    return bool(np.mean(off(widget, picture, pair) < 12) > 0.85)


def test_a_region_is_bent_by_pins(widget: Widget, artefact: Keep, duck: Image.Image) -> None:
    widget.click("Bend with pins")
    for place in [(0.3, 0.65), (0.5, 0.7), (0.75, 0.62)]:
        widget.tap(at(duck, *place))
    assert len(pins(widget)) == 3
    assert np.array_equal(widget.mask("target"), widget.mask("handle"))
    artefact(widget, "pins-1-put")
    widget.drag(at(duck, 0.45, 0.3), at(duck, 0.62, 0.22))
    rows = pins(widget)
    assert np.allclose(rows[3], [*at(duck, 0.45, 0.3), *at(duck, 0.62, 0.22)], atol=1)
    assert np.allclose(rows[:3, :2], rows[:3, 2:]), "the others hold"
    pair = bent(widget)
    assert iou(widget.mask("target"), pair.target) > 0.99
    artefact(widget, "pins-2-pulled")
    assert agree(widget, duck, pair)
    widget.press("Control+z")
    assert len(pins(widget)) == 3
    widget.press("Control+Shift+z")
    assert np.allclose(pins(widget), rows)


def test_a_pin_stops_before_the_region_folds(widget: Widget, artefact: Keep, duck: Image.Image) -> None:
    widget.click("Bend with pins")
    for place in [(0.3, 0.6), (0.5, 0.6)]:
        widget.tap(at(duck, *place))
    widget.drag(at(duck, 0.75, 0.6), at(duck, 0.5, 0.6), at(duck, 0.2, 0.6))
    artefact(widget, "pins-3-stopped")
    x, _, to_x, _ = pins(widget)[2]
    assert 0.5 * duck.width < to_x < x
    assert bent(widget).target.any(), "the kernel takes it too"


def test_pins_are_removed_by_key_and_alt_and_go_along(widget: Widget, duck: Image.Image) -> None:
    widget.click("Bend with pins")
    for place in [(0.3, 0.6), (0.5, 0.6), (0.7, 0.6)]:
        widget.tap(at(duck, *place))
    widget.press("Delete")
    assert len(pins(widget)) == 2
    widget.page.keyboard.down("Alt")
    widget.tap(at(duck, 0.3, 0.6))
    widget.page.keyboard.up("Alt")
    assert len(pins(widget)) == 1
    widget.press("Delete")
    expect(widget.status).to_have_text("Click the pin to remove first")
    assert len(widget.pairs()) == 1
    widget.press("Control+z", "Control+z")
    assert len(pins(widget)) == 3
    widget.click("Move region")
    before = pins(widget)
    widget.drag(at(duck, 0.5, 0.5), at(duck, 0.55, 0.45))
    moved = pins(widget)
    shift = np.array(at(duck, 0.55, 0.45)) - at(duck, 0.5, 0.5)
    assert np.allclose(moved[:, :2], before[:, :2])
    assert np.allclose(moved[:, 2:] - before[:, 2:], shift, atol=1.01)


def test_ctrl_and_a_corner_tilt_the_region(widget: Widget, artefact: Keep, duck: Image.Image) -> None:
    widget.click("Move region")
    widget.drag(at(duck, 0.5, 0.5), at(duck, 0.52, 0.52))
    x1, y0 = at(duck, 0.88, 0.16)
    widget.page.keyboard.down("Control")
    widget.drag((x1 + 0.5, y0 - 0.5), at(duck, 0.72, 0.3))
    widget.page.keyboard.up("Control")
    matrix = np.array(widget.pairs()[0]["matrix"]).reshape(3, 3)
    assert np.abs(matrix[2, :2]).max() > 1e-5
    pair = rd.RegionPair(widget.mask("handle"), matrix=matrix)
    assert iou(widget.mask("target"), pair.target) > 0.99
    artefact(widget, "pins-4-perspective")
    assert agree(widget, duck, pair)


def test_a_painted_target_is_drawn_by_the_kernels_map(
    widget: Widget, artefact: Keep, duck: Image.Image
) -> None:
    """A map that bends, which the page alone would not know: it is told a lattice of it."""
    widget.click("Target", "Ellipse")
    widget.drag(at(duck, 0.05, 0.3), at(duck, 0.95, 0.7))
    y, x = np.mgrid[: duck.height, : duck.width]
    pair = rd.RegionPair.warp(
        widget.mask("handle"),
        np.stack([x - 30 + 0.15 * y, y + 20 * np.sin(x / 90)], axis=-1),
        target=widget.mask("target"),
    )
    found = lattice_of(pair)
    rows, columns, _ = found.source.shape
    content = {
        "v": 1,
        "type": "mapped",
        "pair": widget.pairs()[0]["id"],
        "rev": widget.page.evaluate("host.model.get('_regions_rev')"),
        "edges": list(found.edges),
        "columns": columns - 1,
        "rows": rows - 1,
    }
    widget.page.evaluate(
        "([content, bytes]) => host.model.receive(content, [Uint8Array.from(bytes)])",
        [content, list(found.source.astype("<f4").tobytes())],
    )
    artefact(widget, "pins-5-painted")
    assert agree(widget, duck, pair)
