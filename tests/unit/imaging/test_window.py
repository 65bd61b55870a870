"""Which part of a picture an edit works on, and at what resolution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regiondrag_widget.imaging.window import Window, choose_window, resized
from regiondrag_widget.regions import RegionPair, RegionPairs
from regiondrag_widget.regions.framing import framed_pairs
from tests.unit.engine_kit import box

SD = {"side": 512, "min_side": 512, "multiple": 64}
MINI = {"side": 512, "min_side": 256, "multiple": 32}


@pytest.mark.parametrize("edit", [None, (3, 3, 9, 9), (0, 0, 400, 300)])
def test_a_small_picture_is_one_view_whatever_the_edit(edit: tuple[int, int, int, int] | None):
    window = choose_window((300, 400), edit, **MINI)
    assert window == choose_window((300, 400), None, **MINI)
    assert window.box == (0, 0, 400, 300)
    assert window.scale == 1.0
    assert window.size == (320, 416)


def test_a_tiny_picture_is_enlarged_to_what_the_model_knows():
    window = choose_window((64, 96), None, **MINI)
    assert window.scale == pytest.approx(256 / 96)
    assert max(window.inner) == 256


def test_without_an_edit_a_large_picture_is_shrunk_whole():
    window = choose_window((1500, 3000), None, **MINI)
    assert window.box == (0, 0, 3000, 1500)
    assert window.inner == (256, 512)


def test_a_large_picture_is_seen_through_a_window_at_its_own_resolution():
    window = choose_window((3000, 4000), (2000, 1500, 2200, 1650), **MINI)
    assert window.scale == 1.0
    assert window.size == (512, 512)
    assert window.holds((2000, 1500, 2200, 1650))


def test_an_edit_larger_than_the_model_is_seen_shrunk_with_its_surroundings():
    edit = (500, 500, 2500, 2000)
    window = choose_window((3000, 4000), edit, **MINI)
    assert window.scale < 0.25
    assert window.holds(edit)
    assert max(window.size) <= 512


def test_an_edit_has_context_on_all_sides():
    edit = (2000, 1500, 2200, 1650)
    x0, y0, x1, y1 = choose_window((3000, 4000), edit, **MINI).box
    assert min(2000 - x0, 1500 - y0, x1 - 2200, y1 - 1650) >= 32


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_every_view_holds_its_edit_and_fits_the_model(data: st.DataObject):
    height, width = data.draw(st.integers(64, 5000), "height"), data.draw(st.integers(64, 5000), "width")
    x0, y0 = data.draw(st.integers(0, width - 1), "x0"), data.draw(st.integers(0, height - 1), "y0")
    x1, y1 = data.draw(st.integers(x0 + 1, width), "x1"), data.draw(st.integers(y0 + 1, height), "y1")
    limits = data.draw(st.sampled_from([SD, MINI, {"side": 1024, "min_side": 1024, "multiple": 32}]))
    window = choose_window((height, width), (x0, y0, x1, y1), **limits)
    left, top, right, bottom = window.box
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert window.holds((x0, y0, x1, y1))
    assert all(side % limits["multiple"] == 0 for side in window.size)
    assert max(window.size) <= limits["side"]
    assert all(
        0 <= outer - inner < limits["multiple"]
        for outer, inner in zip(window.size, window.inner, strict=True)
    )


def test_edits_near_each_other_share_a_window():
    first = choose_window((3000, 4000), (2000, 1500, 2100, 1600), **MINI)
    second = choose_window((3000, 4000), (2010, 1510, 2140, 1620), **MINI, known=[first])
    assert second is first


def test_a_known_window_that_does_not_hold_the_edit_is_left():
    first = choose_window((3000, 4000), (2000, 1500, 2100, 1600), **MINI)
    assert choose_window((3000, 4000), (100, 100, 200, 200), **MINI, known=[first]) != first


def test_a_known_window_of_coarser_resolution_is_left():
    coarse = choose_window((3000, 4000), (500, 500, 2500, 2000), **MINI)
    fine = choose_window((3000, 4000), (1000, 1000, 1100, 1100), **MINI, known=[coarse])
    assert coarse.holds((1000, 1000, 1100, 1100))
    assert fine.scale == 1.0


# ---- the working copy ----


def test_the_working_copy_repeats_the_pictures_edge_into_its_padding():
    window = choose_window((300, 400), None, **MINI)
    crop = np.random.default_rng(0).random((300, 400, 3), dtype=np.float32)
    working = window.to_working(crop)
    assert working.shape == (320, 416, 3)
    assert np.array_equal(working[:300, :400], crop)
    assert np.array_equal(working[:300, 400:], np.repeat(crop[:, -1:], 16, 1))


@pytest.mark.parametrize("shape", [(300, 400), (300, 400, 3), (64, 96)])
def test_a_working_copy_comes_back_at_the_boxs_own_size(shape: tuple[int, ...]):
    window = choose_window(shape[:2], None, **MINI)
    ramp = np.broadcast_to(
        np.linspace(0, 1, shape[1], dtype=np.float32).reshape(1, -1, *(1,) * (len(shape) - 2)), shape
    )
    back = window.from_working(window.to_working(np.ascontiguousarray(ramp)))
    assert back.shape == shape
    assert np.abs(back - ramp).max() < 0.02


def test_shrinking_averages_and_does_not_alias():
    stripes = np.tile(np.array([0.0, 1.0], np.float32), (64, 32))
    assert np.allclose(resized(stripes, (32, 32)), 0.5)


def test_a_size_kept_is_the_array_itself():
    a = np.zeros((5, 6), np.float32)
    assert resized(a, (5, 6)) is a


# ---- pairs in the box ----


def test_pairs_are_seen_from_the_box():
    matrix = np.array([[1.2, 0.1, 30.0], [-0.1, 1.1, 20.0], [0, 0, 1]])
    pairs = RegionPairs([RegionPair(box((200, 300), 60, 50, 90, 80), matrix=matrix, name="thing")])
    (local,) = framed_pairs(pairs, (40, 30, 240, 180))
    assert local.shape == (150, 200)
    assert local.name == "thing"
    assert np.array_equal(local.handle, pairs[0].handle[30:180, 40:240])
    point = np.array([70.0, 60.0, 1.0])
    here = local.matrix @ (point - [40, 30, 0])
    assert np.allclose(here[:2] / here[2] + [40, 30], (matrix @ point)[:2])


def test_a_view_of_the_whole_picture_leaves_the_pairs_as_they_are():
    pairs = RegionPairs([RegionPair(box((64, 64), 5, 5, 20, 20), box((64, 64), 30, 30, 50, 50))])
    (same,) = framed_pairs(pairs, Window((0, 0, 64, 64), 1.0, (64, 64)).box)
    assert same == pairs[0]
