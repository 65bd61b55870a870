"""Smaller copies of large windows, and work shared out in strips."""

from __future__ import annotations

import numpy as np
import pytest

from regiondrag_widget.imaging.scaling import any_of_blocks, mean_of_blocks, out_of_blocks
from regiondrag_widget.imaging.seen import SIDE, Seen, blocks_for
from regiondrag_widget.imaging.strips import in_strips


@pytest.mark.parametrize(
    ("side", "blocks"), [(100, 1), (3071, 1), (3072, 2), (6143, 2), (6144, 4), (9999, 4)]
)
def test_a_window_is_looked_at_in_a_copy_of_at_least_the_side_that_searches_use(side: int, blocks: int):
    assert blocks_for((50, side), SIDE) == blocks


def test_a_window_that_is_not_large_is_looked_at_itself():
    rgb, hole = np.zeros((40, 60, 3), np.uint8), np.zeros((40, 60), bool)
    seen = Seen.of(rgb, hole, hole)
    assert seen.rgb is rgb
    assert seen.hole is hole
    assert seen.whole == (40, 60)


def test_a_block_that_any_of_a_mask_falls_into_belongs_to_it():
    mask = np.zeros((13, 10), bool)
    mask[12, 9] = mask[0, 4] = True
    expected = np.zeros((4, 3), bool)
    expected[3, 2] = expected[0, 1] = True
    assert np.array_equal(any_of_blocks(mask, 4), expected)


def test_the_mean_of_whole_blocks_is_theirs_and_the_last_have_what_there_is():
    rgb = np.random.default_rng(0).integers(0, 256, (19, 22, 3), dtype=np.uint8)
    means = mean_of_blocks(rgb, 4)
    assert means.shape == (5, 6, 3)
    whole = rgb[:16, :20].reshape(4, 4, 5, 4, 3).mean((1, 3))
    assert np.abs(means[:4, :5] - whole).max() <= 1  # it is rounded twice
    assert np.abs(means[4, 5] - rgb[16:, 20:].mean((0, 1))).max() < 64


def test_a_mask_of_blocks_covers_its_place_at_full_size():
    y, x = np.ogrid[:101, :118]
    disc = (y - 50) ** 2 + (x - 60) ** 2 < 35**2
    small = mean_of_blocks(disc.view(np.uint8) * np.uint8(255), 4) > 127
    full = out_of_blocks(small, 4, disc.shape)
    assert full.shape == disc.shape
    assert (full ^ disc).sum() < 0.05 * disc.sum()


@pytest.mark.parametrize("shape", [(7, 5), (3000, 900)])
def test_strips_are_all_rows_once(shape: tuple[int, int]):
    times = np.zeros(shape, np.int64)

    def work(rows: slice) -> None:
        times[rows] += 1

    in_strips(work, slice(2, shape[0]), shape[1])
    assert (times[:2] == 0).all()
    assert (times[2:] == 1).all()


def test_an_error_in_a_strip_is_raised():
    with pytest.raises(ZeroDivisionError):
        in_strips(lambda rows: 1 / 0, slice(0, 3000), 900)
