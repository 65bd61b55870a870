"""Superpixels and clicks on pictures whose objects are known."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest

import regiondrag_widget as rd
from regiondrag_widget.select.enlarging import enlarged
from regiondrag_widget.select.superpixels import WORK_SIDE, segment

Mask = np.ndarray


def scene(height: int = 240, width: int = 320) -> tuple[np.ndarray, dict[str, Mask]]:
    """A noisy grey ground with a red disc, and a blue square with a yellow spot in it."""
    rng = np.random.default_rng(0)
    rgb = np.full((height, width, 3), 120, np.float32)
    ys, xs = np.mgrid[:height, :width]
    disc = (xs - 0.25 * width) ** 2 + (ys - 0.5 * height) ** 2 < (0.16 * width) ** 2
    square = (abs(xs - 0.7 * width) < 0.14 * width) & (abs(ys - 0.5 * height) < 0.14 * width)
    spot = (xs - 0.7 * width) ** 2 + (ys - 0.5 * height) ** 2 < (0.04 * width) ** 2
    rgb[disc], rgb[square], rgb[spot] = (200, 40, 40), (40, 60, 190), (220, 210, 60)
    rgb += rng.normal(0, 4, rgb.shape)
    return rgb.clip(0, 255).astype(np.uint8), {"disc": disc, "square": square, "spot": spot}


def overlap(a: Mask, b: Mask) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.fixture(scope="module")
def known() -> tuple[rd.select.Superpixels, dict[str, Mask]]:
    rgb, masks = scene()
    return rd.select.Superpixels(rgb), masks


def test_superpixels_cover_the_picture_and_keep_to_edges():
    rgb, masks = scene()
    parts = segment(rgb)
    assert parts.labels.shape == rgb.shape[:2]
    assert set(np.unique(parts.labels)) == set(range(parts.count))
    inside = np.bincount(parts.labels.ravel(), masks["disc"].ravel()) / np.bincount(parts.labels.ravel())
    assert overlap((inside > 0.5)[parts.labels], masks["disc"]) > 0.95


def test_a_large_picture_is_looked_at_at_the_working_size():
    parts = segment(np.zeros((700, 1400, 3), np.uint8))
    assert max(parts.labels.shape) == WORK_SIDE


def test_one_click_selects_the_thing(known):
    pieces, masks = known
    assert overlap(pieces.click([(80, 120)], [True]), masks["disc"]) > 0.95


def test_the_piece_under_the_pointer_is_a_small_part_of_the_picture(known):
    pieces, masks = known
    piece = pieces.piece_at(80, 120)
    assert piece[120, 80]
    assert 0 < piece.sum() < 0.05 * piece.size
    assert not (piece & ~masks["disc"]).any()


def test_a_click_adds_a_thing_and_another_takes_it_away(known):
    pieces, masks = known
    both = pieces.click([(80, 120), (190, 120)], [True, True])
    assert overlap(both, masks["disc"] | masks["square"]) > 0.95
    without = pieces.click([(80, 120), (190, 120), (80, 120)], [True, True, False])
    assert overlap(without, masks["square"]) > 0.9


def test_a_correction_keeps_what_was_right(known):
    pieces, masks = known
    first = pieces.click([(190, 120)])
    corrected = pieces.click([(190, 120), (224, 120)], [True, False])
    assert not corrected[120, 224]
    assert not (corrected & ~first).any()
    assert overlap(corrected, masks["square"] & ~masks["spot"]) > 0.8


def test_the_answer_does_not_depend_on_what_was_asked_before():
    rgb, _ = scene()
    used, fresh = rd.select.Superpixels(rgb), rd.select.Superpixels(rgb)
    used.click([(190, 120)])
    used.click([(80, 120)])
    points, labels = [(190, 120), (224, 120)], [True, False]
    np.testing.assert_array_equal(used.click(points, labels), fresh.click(points, labels))


def test_candidates_differ_and_the_best_is_what_a_click_selects(known):
    pieces, _ = known
    found = pieces.candidates([(224, 120)], [True])
    assert 1 <= len(found) <= 3
    assert [c.score for c in found] == sorted((c.score for c in found), reverse=True)
    np.testing.assert_array_equal(found[0].mask, pieces.click([(224, 120)]))
    for i, a in enumerate(found):
        assert all(overlap(a.mask, b.mask) < 0.75 for b in found[:i])


def test_a_box_selects_the_thing_in_it(known):
    pieces, masks = known
    assert overlap(pieces.box(20, 60, 140, 180), masks["disc"]) > 0.9


def test_a_brush_selects_what_it_touches(known):
    pieces, _ = known
    painted = pieces.brush([(60, 120), (100, 120)], 6)
    assert painted[120, 60]
    assert painted[120, 80]
    assert painted[120, 100]
    assert not painted[20, 20]
    assert pieces.brush([], 6).sum() == 0


def test_no_click_into_the_object_selects_nothing(known):
    pieces, _ = known
    assert not pieces.click([(80, 120)], [False]).any()
    assert not pieces.click([]).any()
    assert pieces.candidates([], []) == []


@pytest.mark.parametrize("place", [(320, 0), (-1, 5), (5, 240), (float("nan"), 3)])
def test_a_click_outside_the_picture_is_refused(known, place: tuple[float, float]):
    with pytest.raises(ValueError, match="outside the picture, which is 320x240 px"):
        known[0].click([place])
    with pytest.raises(ValueError, match="outside the picture"):
        known[0].piece_at(*place)


def test_another_number_of_labels_than_points_is_refused(known):
    with pytest.raises(ValueError, match="2 points but 1 labels"):
        known[0].click([(1, 1), (2, 2)], [True])


@pytest.mark.parametrize("box", [(10, 10, 10, 20), (400, 10, 500, 20), (20, 20, 10, 10)])
def test_a_box_without_a_pixel_is_refused(known, box: tuple[float, float, float, float]):
    with pytest.raises(ValueError, match="box"):
        known[0].box(*box)


def test_a_negative_radius_is_refused(known):
    with pytest.raises(ValueError, match="radius must be at least 0"):
        known[0].brush([(1, 1)], -1)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (2, 2), (3, 200)])
def test_tiny_pictures_have_answers(shape: tuple[int, int]):
    pieces = rd.select.Superpixels(np.random.default_rng(1).integers(0, 255, (*shape, 3), np.uint8))
    mask = pieces.click([(0, 0)])
    assert mask.shape == shape
    assert mask[0, 0]
    assert pieces.piece_at(shape[1] - 1, shape[0] - 1)[-1, -1]
    assert pieces.box(0, 0, shape[1], shape[0]).shape == shape
    assert not pieces.click([(0, 0), (0, 0)], [True, False])[0, 0]


def test_a_picture_of_one_colour_has_answers():
    pieces = rd.select.Superpixels(np.full((80, 100, 3), 77, np.uint8))
    assert pieces.click([(50, 40)])[40, 50]


def test_a_picture_without_pixels_is_refused():
    with pytest.raises(ValueError, match="no pixels"):
        rd.select.Superpixels(np.zeros((0, 5, 3), np.uint8))


def test_a_large_picture_gives_the_same_selection_as_a_small_one():
    rgb, masks = scene()
    large = cv2.resize(rgb, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    true = cv2.resize(masks["disc"].astype(np.uint8), None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST) > 0
    mask = rd.select.Superpixels(large).click([(640, 960)])
    assert mask.shape == large.shape[:2]
    assert overlap(mask, true) > 0.95


def test_clicking_brings_no_torch():
    code = (
        "import sys, numpy as np, regiondrag_widget as rd; "
        "rd.select.click(np.zeros((64, 64, 3), np.uint8), [(3, 3)]); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("shape", [(37, 53), (400, 90), (1000, 1500)])
def test_an_enlarged_mask_is_the_whole_mask_resized(shape: tuple[int, int]):
    small = np.zeros((30, 40), bool)
    small[4:9, 20:40] = small[25, 3] = True
    whole = cv2.resize(small.astype(np.uint8) * 255, shape[::-1], interpolation=cv2.INTER_LINEAR) > 127
    assert (enlarged(small, shape) != whole).mean() < 0.003
    assert not enlarged(np.zeros((30, 40), bool), shape).any()
    assert enlarged(np.ones((30, 40), bool), shape).all()
