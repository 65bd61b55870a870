"""How a handle's surroundings reach into it, and how they go on into what it leaves."""

from __future__ import annotations

import numpy as np
import pytest

from regiondrag_widget.imaging.palette import onto_palette, palette_of
from regiondrag_widget.imaging.pattern import pattern_sources, periods
from regiondrag_widget.imaging.plain import plain_fill
from regiondrag_widget.imaging.reach import firmness, reach_of_surroundings
from regiondrag_widget.imaging.spreading import spread
from regiondrag_widget.imaging.surroundings import surroundings_of

SIDE = 120


def disc(x: float, y: float, radius: float, side: int = SIDE) -> np.ndarray:
    yy, xx = np.mgrid[:side, :side]
    return (xx - x) ** 2 + (yy - y) ** 2 <= radius**2


def a_thing(noise: float = 3.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture of a disc on a plain ground, the disc, a handle around it."""
    rgb = np.full((SIDE, SIDE, 3), (90, 120, 150)) + np.random.default_rng(0).normal(
        0, noise, (SIDE, SIDE, 3)
    )
    thing = disc(60, 60, 25)
    rgb[thing] += 30
    return rgb.clip(0, 255).astype(np.uint8), thing, disc(60, 60, 40)


def test_the_surroundings_reach_to_the_objects_edge_and_no_further():
    rgb, _, handle = a_thing()
    reach = reach_of_surroundings(rgb, handle, np.zeros_like(handle))
    assert reach[~handle].min() == 1
    assert reach[handle & ~disc(60, 60, 30)].min() > 0.7
    assert reach[disc(60, 60, 20)].max() < 0.15


def test_without_an_edge_they_reach_everywhere():
    rgb, thing, handle = a_thing()
    rgb[thing] = np.roll(rgb, 60, 0)[thing]
    assert reach_of_surroundings(rgb, handle, np.zeros_like(handle))[handle].min() > 0.5


def test_a_true_outline_is_firm_and_one_through_grain_is_not():
    rgb, thing, handle = a_thing()
    assert firmness(rgb, handle, thing) > 4
    assert firmness(rgb, handle, disc(60, 60, 15)) < 2
    assert firmness(rgb, handle, handle) == float("inf")


def test_colours_at_home_in_the_handle_are_told_from_those_around():
    rgb, thing, handle = a_thing()
    found = surroundings_of(rgb, handle)
    assert found.outlying[thing].mean() > 0.99
    assert found.outlying[~handle].mean() < 0.05
    assert found.own[thing].mean() > 0.9


def test_a_handle_of_everything_has_no_surroundings():
    rgb, _, _ = a_thing()
    assert surroundings_of(rgb, np.ones((SIDE, SIDE), bool)) is None


def test_a_harmonic_fill_continues_a_slope():
    slope = np.repeat((np.arange(60.0)[:, None] * 2 + np.arange(60.0))[..., None], 3, -1).astype(np.float32)
    gap = disc(30, 30, 15, 60)
    holed = np.where(gap[..., None], 0, slope).astype(np.float32)
    assert np.abs(spread(holed, ~gap, gap) - slope).max() < 0.01


def test_plain_surroundings_are_continued_and_others_refused():
    rgb, thing, handle = a_thing()
    given = rgb.astype(np.float32)
    everything = slice(0, SIDE), slice(0, SIDE)
    filled = plain_fill(given, disc(60, 60, 29), np.zeros_like(handle), everything)
    assert np.abs(filled[thing] - (90, 120, 150)).mean() < 3
    rough = np.random.default_rng(1).integers(0, 256, given.shape).astype(np.float32)
    assert plain_fill(rough, handle, np.zeros_like(handle), everything) is None


@pytest.mark.parametrize(("scale", "period"), [(1, 12), (3, 36)])
def test_checks_are_found_by_their_period(scale: int, period: int):
    yy, xx = np.mgrid[: 150 * scale, : 150 * scale]
    checks = np.repeat(((yy // period + xx // period) % 2 * 180.0)[..., None], 3, -1).astype(np.float32)
    hole = disc(70 * scale, 80 * scale, 25 * scale, 150 * scale)
    rows, columns = pattern_sources(checks, hole, np.zeros_like(hole))
    assert not hole[rows, columns].any()
    assert np.array_equal(checks[rows, columns][hole], checks[hole])


def test_noise_and_slopes_have_no_period():
    rng = np.random.default_rng(0)
    known = np.ones((100, 100), bool)
    assert periods(rng.normal(128, 30, (100, 100, 3)).astype(np.float32), known) == []
    slope = np.repeat((np.arange(100.0)[:, None] * 2 + np.zeros(100))[..., None], 3, -1).astype(np.float32)
    assert periods(slope, known) == []


def test_a_palette_is_that_of_a_drawing():
    colours = np.array([(0, 0, 0), (255, 0, 0), (0, 0, 255)], np.uint8)
    drawing = colours[np.random.default_rng(0).integers(0, 3, (40, 40))]
    assert {tuple(c) for c in palette_of(drawing)} == {tuple(c) for c in colours.astype(float)}
    assert palette_of(a_thing()[0]) is None
    near = np.array([[10, 5, 0], [200, 30, 30]], np.float32)
    assert np.array_equal(onto_palette(near, palette_of(drawing)), [(0, 0, 0), (255, 0, 0)])
