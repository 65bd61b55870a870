"""What is moved whole meets its new surroundings, and the object in it stays as it was."""

from __future__ import annotations

import numpy as np

from regiondrag_widget.imaging.background import empty
from regiondrag_widget.imaging.composite import compose
from regiondrag_widget.imaging.cutout import cut_out
from regiondrag_widget.imaging.membrane import rim_correction
from regiondrag_widget.regions import RegionPair, RegionPairs

SIZE = 160


def _wall() -> np.ndarray:
    """A wall that grows lighter to the right, 60 to 180, with a little grain."""
    ramp = np.linspace(60, 180, SIZE)[None, :, None]
    grain = np.random.default_rng(0).normal(0, 0.6, (SIZE, SIZE, 1))
    return np.clip(np.broadcast_to(ramp, (SIZE, SIZE, 3)) + grain, 0, 255).round().astype(np.uint8)


def _disc(x: float, y: float, radius: float) -> np.ndarray:
    ys, xs = np.mgrid[:SIZE, :SIZE]
    return (xs - x) ** 2 + (ys - y) ** 2 <= radius**2


def _moved(picture: np.ndarray, pair: RegionPair) -> np.ndarray:
    cutout = cut_out(picture, pair.handle, "painted")
    background = empty(picture, [pair.handle], [cutout])
    return (
        compose(RegionPairs([pair]), background, [cutout]).over(picture).round().clip(0, 255).astype(np.uint8)
    )


def test_a_pale_disc_does_not_show_and_the_object_in_it_is_untouched():
    picture = _wall()
    picture[70:90, 32:52] = (200, 30, 30)
    pair = RegionPair.move(_disc(42, 80, 30), 60, 0)
    after = _moved(picture, pair)
    rim = pair.target & ~_disc(102, 80, 26)
    assert np.abs(after.astype(int) - picture)[rim].max() <= 16  # 45 without the correction
    assert np.abs(after.astype(int) - picture)[rim].mean() <= 6
    np.testing.assert_array_equal(after[72:88, 94:110], picture[72:88, 34:50])


def test_a_part_drawn_along_its_own_edge_arrives_as_it_is():
    picture = _wall()
    part = _disc(42, 80, 20)
    picture[_disc(42, 80, 21)] = (200, 30, 30)
    picture[_disc(42, 80, 10)] = (30, 30, 200)
    pair = RegionPair.move(part, 60, 0)
    after = _moved(picture, pair)
    inner = _disc(102, 80, 16)
    np.testing.assert_array_equal(after[inner], picture[np.roll(inner, -60, 1)])


def test_what_has_no_edge_inside_is_not_corrected():
    wall = _wall().astype(np.float32)
    target = _disc(80, 80, 40)
    assert rim_correction(wall, target, target, wall + 20) is None


def test_nothing_is_asked_where_the_content_does_not_reach_the_handle():
    wall = _wall().astype(np.float32)
    assert rim_correction(wall, _disc(80, 80, 20), _disc(80, 80, 40), wall + 20) is None


def test_a_handle_of_one_pixel_is_not_corrected():
    wall = _wall().astype(np.float32)
    one = np.zeros((SIZE, SIZE), bool)
    one[80, 80] = True
    assert rim_correction(wall, one, one, wall) is None
