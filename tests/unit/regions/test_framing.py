"""Pairs in another frame: cut to a box, at another resolution."""

from __future__ import annotations

import numpy as np
import pytest

from regiondrag_widget.regions import RegionPair, RegionPairs
from regiondrag_widget.regions.framing import framed_mask, framed_pairs


def rectangle(shape: tuple[int, int], x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_a_box_of_its_own_size_keeps_every_pixel():
    mask = np.random.default_rng(0).random((40, 60)) > 0.5
    assert np.array_equal(framed_mask(mask, (5, 10, 45, 30), (20, 40)), mask[10:30, 5:45])


def test_a_pixel_is_set_where_half_of_it_is():
    mask = rectangle((8, 8), 0, 0, 3, 8)  # of the second pixel of two, half; of the third, nothing
    assert framed_mask(mask, (0, 0, 8, 8), (4, 4)).tolist() == [[True, True, False, False]] * 4


def test_a_thin_region_does_not_vanish():
    mask = rectangle((100, 100), 50, 0, 51, 100)
    assert framed_mask(mask, (0, 0, 100, 100), (10, 10)).any(axis=1).all()


def test_a_matrix_takes_the_same_points_to_the_same_points():
    matrix = np.array([[1.2, 0.1, 9.0], [-0.1, 0.9, 5.0], [1e-4, 0, 1]])
    pairs = RegionPairs([RegionPair(rectangle((80, 120), 30, 20, 50, 40), matrix=matrix, name="cup")])
    (framed,) = framed_pairs(pairs, (20, 10, 100, 70), (30, 20))

    def in_frame(x: float, y: float) -> np.ndarray:
        return np.array([(x - 20 + 0.5) * 20 / 80 - 0.5, (y - 10 + 0.5) * 30 / 60 - 0.5])

    x, y, w = matrix @ [40, 30, 1]
    fx, fy, fw = framed.matrix @ [*in_frame(40, 30), 1]
    assert np.allclose([fx / fw, fy / fw], in_frame(x / w, y / w))
    assert framed.name == "cup"
    assert framed.shape == (30, 20)


def test_a_pair_outside_the_box_is_refused():
    handle, target = rectangle((40, 40), 2, 2, 8, 8), rectangle((40, 40), 30, 30, 36, 36)
    with pytest.raises(ValueError, match="target is empty"):
        framed_pairs(RegionPairs([RegionPair(handle, target)]), (0, 0, 20, 20))
