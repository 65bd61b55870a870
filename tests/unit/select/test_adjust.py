"""Selections made larger, smaller, smoother, softer and whole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from regiondrag_widget import select
from regiondrag_widget.bench.handles.measure import left_behind
from regiondrag_widget.bench.handles.methods import ours
from regiondrag_widget.bench.handles.objects import load_objects
from regiondrag_widget.regions import RegionPair


def disc(radius: float = 20, size: int = 100, at: tuple[float, float] = (50, 50)) -> np.ndarray:
    ys, xs = np.mgrid[:size, :size]
    return (xs - at[0]) ** 2 + (ys - at[1]) ** 2 <= radius**2


@pytest.mark.parametrize("by", [1, 3, 7.5])
def test_growing_and_shrinking_move_the_outline_by_so_much(by: float):
    mask = disc()
    assert abs(np.sqrt(select.grow(mask, by).sum() / np.pi) - (20 + by)) < 0.7
    assert abs(np.sqrt(select.shrink(mask, by).sum() / np.pi) - (20 - by)) < 0.7


def test_shrinking_everything_leaves_everything():
    assert select.shrink(np.ones((30, 40), bool), 5).all()


def test_shrinking_a_small_thing_leaves_nothing():
    assert not select.shrink(disc(3), 5).any()


def test_smoothing_takes_spikes_and_keeps_the_rest():
    mask = disc()
    spiky = mask.copy()
    spiky[50, 70:85] = True
    spiky[50, 60:71] = False
    smooth = select.smooth(spiky, 4)
    assert not smooth[50, 80]
    assert smooth[50, 65]
    assert (smooth ^ mask).sum() < 0.02 * mask.sum()


def test_a_feathered_mask_is_the_mask_at_one_half():
    mask = disc()
    soft = select.feather(mask, 5)
    assert soft.dtype == np.float32
    assert soft.min() == 0
    assert soft.max() == 1
    np.testing.assert_array_equal(soft > 0.5, mask)
    assert ((soft > 0) & (soft < 1)).sum() == pytest.approx(2 * np.pi * 20 * 10, rel=0.15)


def test_holes_are_filled_but_not_bays():
    mask = disc(30) & ~disc(8)
    np.testing.assert_array_equal(select.fill_holes(mask), disc(30))
    bay = mask.copy()
    bay[:, 48:53] = False
    assert not select.fill_holes(bay)[50, 50]


def test_what_touches_the_edge_is_no_hole():
    mask = np.ones((20, 20), bool)
    mask[0, 5] = mask[8, 8] = False
    filled = select.fill_holes(mask)
    assert not filled[0, 5]
    assert filled[8, 8]


def test_inverting_twice_is_nothing():
    mask = disc()
    np.testing.assert_array_equal(select.invert(select.invert(mask)), mask)
    assert not (select.invert(mask) & mask).any()


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "grow": lambda m: select.grow(m, 2),
    "shrink": lambda m: select.shrink(m, 2),
    "smooth": lambda m: select.smooth(m, 2),
    "feather": lambda m: select.feather(m, 2),
    "fill_holes": select.fill_holes,
    "invert": select.invert,
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("value", [False, True])
def test_nothing_and_everything_have_answers(name: str, value: bool):
    for shape in ((1, 1), (5, 9)):
        found = CHANGES[name](np.full(shape, value))
        assert found.shape == shape
        assert (found == (value != (name == "invert"))).all()


@pytest.mark.parametrize("name", CHANGES)
def test_the_mask_given_is_not_changed(name: str):
    mask = disc() & ~disc(5)
    before = mask.copy()
    CHANGES[name](mask)
    np.testing.assert_array_equal(mask, before)


@pytest.mark.parametrize("change", [select.grow, select.shrink, select.smooth, select.feather])
@pytest.mark.parametrize("amount", [-1, float("nan"), float("inf")])
def test_an_amount_that_is_none_is_refused(change: Callable[..., np.ndarray], amount: float):
    with pytest.raises(ValueError, match="must be 0 or more"):
        change(disc(), amount)


@pytest.mark.parametrize("change", [select.grow, select.shrink, select.smooth])
def test_by_nothing_nothing_changes(change: Callable[..., np.ndarray]):
    np.testing.assert_array_equal(change(disc(), 0), disc())


@pytest.mark.parametrize(("size", "by"), [(100, 3), (512, 3), (1536, 9)])
def test_a_margin_is_as_wide_as_a_selection_is_fine(size: int, by: float):
    mask = disc(size / 5, size, (size / 2, size / 2))
    assert np.array_equal(select.with_margin(mask), select.grow(mask, by))


def test_with_a_margin_no_specks_of_the_outline_stay_behind():
    thing = next(thing for thing in load_objects() if thing.name == "duck-beak")
    rgb, mask = np.array(thing.image()), np.asarray(thing.mask)
    around = select.with_margin(mask)

    def specks(handle: np.ndarray) -> float:
        pair = RegionPair.move(handle, *thing.move)
        return left_behind(rgb, ours(rgb, pair), mask, around, np.asarray(pair.target))

    assert specks(mask) > 0.02
    assert specks(around) < 0.001
