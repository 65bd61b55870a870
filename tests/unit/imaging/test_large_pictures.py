"""What a large picture costs, and that its large handles are still cut, filled and moved exactly."""

from __future__ import annotations

import time
import tracemalloc

import cv2
import numpy as np
import pytest

from regiondrag_widget.imaging.background import empty
from regiondrag_widget.imaging.composite import compose
from regiondrag_widget.imaging.cutout import cut_out
from regiondrag_widget.imaging.fill import mixed_fill
from regiondrag_widget.imaging.grain import with_grain
from regiondrag_widget.imaging.nearness import depth, signed_depth, within
from regiondrag_widget.imaging.window import choose_window
from regiondrag_widget.regions import RegionPair, RegionPairs

pytestmark = pytest.mark.looks_anew

SIDE = (3000, 4000)


def photograph(shape: tuple[int, int]) -> np.ndarray:
    """Blotches of many sizes with some noise, (H, W, 3) uint8."""
    rng = np.random.default_rng(0)
    rgb = np.zeros((*shape, 3), np.float32)
    for cells, height in ((4, 60), (16, 40), (64, 25)):
        small = rng.standard_normal((cells, cells, 3)).astype(np.float32) * height
        rgb += cv2.resize(small, shape[::-1], interpolation=cv2.INTER_CUBIC)
    noise = np.tile(rng.standard_normal((500, 500, 3)) * 4, (shape[0] // 500, shape[1] // 500, 1))
    return (rgb + 128 + noise).clip(0, 255).astype(np.uint8)


def disc(shape: tuple[int, int], radius: float) -> np.ndarray:
    """A round handle in the middle."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (y - shape[0] / 2) ** 2 + (x - shape[1] * 0.45) ** 2 < radius**2


@pytest.fixture(scope="module")
def large() -> tuple[np.ndarray, np.ndarray]:
    """A picture of 12 megapixels and a handle of 2200 pixels in it."""
    return photograph(SIDE), disc(SIDE, 1100)


def test_a_large_handle_of_a_large_picture_is_carried_in_seconds_and_exactly(large):
    rgb, handle = large
    start = time.process_time()
    cutouts = [cut_out(rgb, handle, "painted")]
    background = empty(rgb, [handle], cutouts)
    pair = RegionPair.move(handle, 300, 40)
    made = compose(RegionPairs([pair]), background, cutouts).over(rgb)
    assert time.process_time() - start < 20  # seconds of all cores together
    opaque = _opaque(cutouts[0], handle.shape)
    moved = made[40:, 300:][opaque[:-40, :-300]]
    assert np.array_equal(moved, rgb[opaque].astype(np.float32))
    untouched = ~handle & ~pair.target
    assert np.array_equal(made[untouched], rgb[untouched].astype(np.float32))


def _opaque(cutout, shape: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    x0, y0, x1, y1 = cutout.box
    mask[y0:y1, x0:x1] = cutout.opacity == 1
    return mask


def test_a_small_hole_of_a_large_picture_costs_little_memory(large):
    rgb, hole = large[0], disc(SIDE, 100)
    tracemalloc.start()
    try:
        fill = mixed_fill(rgb, hole)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert fill.rgb.shape[:2] == (201, 201)
    assert peak < 2 * rgb.nbytes  # masks of the picture, 12 MB each


@pytest.mark.parametrize("distance", [30.0, 80.0, 150.0])
def test_distances_in_a_large_mask_are_off_by_less_than_a_fifth_at_the_rim(distance: float):
    mask = disc((1500, 1700), 400)
    exact = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    near = within(mask, distance)
    assert near[exact <= 0.8 * distance].all()
    assert not near[exact > 1.2 * distance].any()
    signed = signed_depth(mask, distance)
    full = depth(mask) - depth(~mask)
    shown = np.abs(full) <= distance
    assert np.abs(signed - full)[shown].max() < 0.2 * distance


def test_distances_in_a_small_mask_are_exact():
    mask = disc((400, 600), 150)
    exact = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    assert np.array_equal(within(mask, 80), exact <= 80)


def test_a_large_hole_gets_as_much_grain_as_a_small_one():
    levels = []
    for side in (1000, 1500):
        rgb = np.full((side, side, 3), 128, np.float32)
        hole = disc((side, side), side / 3)
        noise = np.random.default_rng(1).standard_normal(rgb.shape).astype(np.float32) * 5
        rgb = np.where(hole[..., None], rgb, rgb + noise)
        grained = with_grain(rgb, hole, ~hole, np.random.default_rng(2))
        inner = disc((side, side), side / 4)
        levels.append(float(grained[inner].std()))
        assert np.array_equal(grained[~hole], rgb[~hole])
    assert levels[0] > 3
    assert levels[1] == pytest.approx(levels[0], rel=0.1)


def test_a_small_edit_of_a_large_picture_holds_and_composes_the_edit_alone(large):
    rgb, handle = large[0], disc(SIDE, 100)
    cutouts = [cut_out(rgb, handle)]
    pair = RegionPair.move(handle, 150, 30)
    background = empty(rgb, [handle], cutouts)
    untouched = ~pair.handle & ~pair.target  # unpacks the masks, which take 12 MB each
    tracemalloc.start()
    try:
        made = compose(RegionPairs([pair]), background, cutouts)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    x0, y0, x1, y1 = made.box
    assert (x1 - x0) * (y1 - y0) < 4 * 200 * 230
    assert background.nbytes + made.nbytes < 60 * (x1 - x0) * (y1 - y0)  # bytes a pixel of the box
    assert peak < 0.2 * rgb.nbytes  # of the picture's bytes; its float copy would take 4 times them
    assert np.array_equal(made.over(rgb)[untouched], rgb[untouched])


@pytest.mark.parametrize("box", [(0, 0, 900, 700), (1210, 1003, 2751, 2118), (3990, 2990, 4000, 3000)])
def test_a_part_of_a_large_picture_shrinks_as_it_does_with_the_whole(large, box):
    rgb = large[0]
    window = choose_window(SIDE, (500, 400, 3500, 2600), side=512, min_side=64, multiple=8)
    rgb = rgb[window.slices]
    x0, y0, x1, y1 = box = tuple(np.minimum(box, rgb.shape[1::-1] * 2))
    part = 255 - rgb[y0:y1, x0:x1].astype(np.float32)
    before = window.to_working(rgb)
    changed = rgb.copy()
    changed[y0:y1, x0:x1] = part
    wanted = window.to_working(changed)
    made = window.part_to_working(part, box, rgb, before)
    assert np.abs(made - wanted).max() < 6  # grey levels: the part's edge is told to a pixel
    assert np.abs(made - wanted).mean() < 0.5
    assert np.abs(before - wanted).max() > 40
