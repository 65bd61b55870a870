"""RegionPair and RegionPairs: what is accepted, what is derived, and what is refused at the door."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from PIL import Image

from regiondrag_widget.regions import RegionPair, RegionPairs

H, W = 40, 60


def box(x0: int, y0: int, x1: int, y1: int, shape: tuple[int, int] = (H, W)) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


HANDLE, TARGET = box(5, 6, 15, 14), box(30, 20, 42, 28)


def shift(dx: float, dy: float) -> np.ndarray:
    return np.array([[1.0, 0, dx], [0, 1, dy], [0, 0, 1]])


# --- what is accepted


@pytest.mark.parametrize(
    "given",
    [
        HANDLE,
        HANDLE.astype(np.uint8),
        HANDLE.astype(np.uint8) * 255,
        HANDLE.astype(np.int64),
        HANDLE.astype(np.float32),
        HANDLE.astype(np.float64),
        HANDLE.tolist(),
        Image.fromarray(HANDLE),
        Image.fromarray(HANDLE.astype(np.uint8) * 255),
    ],
    ids=["bool", "uint8 0-1", "uint8 0-255", "int64", "float32", "float64", "list", "PIL 1", "PIL L"],
)
def test_a_mask_of_two_clear_values_is_accepted(given: object):
    pair = RegionPair(given, TARGET)
    assert pair.handle.dtype == bool
    assert np.array_equal(pair.handle, HANDLE)


def test_masks_are_copied_and_read_only():
    handle = HANDLE.copy()
    pair = RegionPair(handle, TARGET)
    handle[:] = False
    assert pair.handle.sum() == HANDLE.sum()
    with pytest.raises(ValueError, match="read-only"):
        pair.handle[0, 0] = True


def test_fields_cannot_be_replaced():
    with pytest.raises(AttributeError):
        RegionPair(HANDLE, TARGET).handle = TARGET  # type: ignore[misc]


def test_shape_is_height_by_width():
    assert RegionPair(HANDLE, TARGET).shape == (H, W)


def test_pairs_are_equal_by_value():
    assert RegionPair(HANDLE, TARGET) == RegionPair(HANDLE, TARGET)
    assert RegionPair(HANDLE, TARGET) != RegionPair(HANDLE, HANDLE)
    assert RegionPair(HANDLE, TARGET) != RegionPair(HANDLE, TARGET, name="cup")
    assert RegionPair(HANDLE, TARGET) != RegionPair(HANDLE, TARGET, shift(25, 14))
    assert hash(RegionPair(HANDLE, TARGET)) == hash(RegionPair(HANDLE, TARGET))


def test_a_pair_survives_pickling():
    pair = RegionPair(HANDLE, TARGET, shift(3, 4), name="cup")
    assert pickle.loads(pickle.dumps(pair)) == pair  # noqa: S301  # our own bytes, for process pools


def test_repr_is_one_short_line():
    text = repr(RegionPair(HANDLE, matrix=shift(3, 4), name="cup"))
    assert text == "RegionPair('cup', 60x40, 80 -> 80 px, exact matrix)"


# --- the target that follows from a matrix


def test_a_shift_carries_the_handle_exactly():
    assert np.array_equal(RegionPair(HANDLE, matrix=shift(20, 7)).target, box(25, 13, 35, 21))


def test_what_leaves_the_picture_is_cut_off():
    assert np.array_equal(RegionPair(HANDLE, matrix=shift(50, 0)).target, box(55, 6, 60, 14))


def test_given_both_the_matrix_and_the_target_are_kept():
    pair = RegionPair(HANDLE, TARGET, shift(25, 14))
    assert np.array_equal(pair.target, TARGET)
    assert np.array_equal(pair.matrix, shift(25, 14))


def test_shrinking_below_a_pixel_still_leaves_one():
    pair = RegionPair(HANDLE, matrix=[[0.01, 0, 20.1], [0, 0.01, 20.1], [0, 0, 1]])
    assert pair.target.sum() == 1


def test_a_homography_and_its_multiple_carry_alike():
    matrix = np.array([[1, 0.1, 5], [0.05, 1, 3], [0.002, 0.001, 1]])
    assert np.array_equal(
        RegionPair(HANDLE, matrix=matrix).target, RegionPair(HANDLE, matrix=-3 * matrix).target
    )


def test_move_turns_counter_clockwise_as_seen():
    right_of_centre = box(30, 20, 31, 21) | box(20, 20, 21, 21) | box(10, 20, 11, 21) | box(28, 20, 30, 21)
    pair = RegionPair.move(right_of_centre, 0, 0, rotate=90)
    rows = np.flatnonzero(pair.target.any(axis=1))
    centre = np.mean(np.nonzero(right_of_centre)[1])
    assert centre > 20, "the heavy end is on the right"
    assert np.nonzero(pair.target)[0].mean() == pytest.approx(20, abs=0.6)
    assert 20 - rows.min() == pytest.approx(30 - centre, abs=1), "and ends up on top"


def test_move_scales_about_the_centroid():
    pair = RegionPair.move(box(20, 10, 30, 20), 0, 0, scale=2)
    assert np.array_equal(pair.target, box(15, 5, 35, 25))


def test_move_shifts():
    assert np.array_equal(RegionPair.move(HANDLE, 10, -3).target, box(15, 3, 25, 11))


# --- bad input


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (np.zeros((H, W), bool), "handle is empty: draw at least one pixel"),
        (HANDLE * 0.5, "threshold it first, for example handle > 0.5"),
        (HANDLE * 255.0, "0.0 and 1.0"),
        (np.where(HANDLE, np.nan, 0.0), "0.0 and 1.0"),
        (HANDLE.astype(np.uint8) * 128, "threshold it first, for example handle > 127"),
        (HANDLE.astype(np.uint8) + TARGET.astype(np.uint8) * 255, "0 and 255"),
        (-HANDLE.astype(np.int8), "0 and 255"),
        (np.dstack([HANDLE] * 3), "two dimensions"),
        (np.zeros((0, 5), bool), "at least one pixel"),
        (Image.new("RGB", (W, H)), r"convert\('L'\)"),
        (Image.new("P", (W, H)), r"convert\('L'\)"),
    ],
    ids=[
        "empty",
        "half",
        "float 255",
        "nan",
        "grey",
        "mixed",
        "negative",
        "colour",
        "no size",
        "RGB",
        "palette",
    ],
)
def test_an_unclear_handle_is_refused(value: object, says: str):
    with pytest.raises(ValueError, match=says):
        RegionPair(value, TARGET)


@pytest.mark.parametrize("value", [None, "mask.png", np.full((H, W), None)], ids=["none", "text", "objects"])
def test_what_is_no_array_of_numbers_is_a_type_error(value: object):
    with pytest.raises(TypeError, match="handle"):
        RegionPair(value, TARGET)


def test_an_empty_target_is_refused():
    with pytest.raises(ValueError, match="target is empty: draw at least one pixel"):
        RegionPair(HANDLE, np.zeros((H, W), bool))


def test_a_target_of_another_size_is_refused():
    with pytest.raises(ValueError, match="handle 60x40 and target 50x40 differ in size"):
        RegionPair(HANDLE, box(1, 1, 5, 5, (40, 50)))


def test_neither_target_nor_matrix_is_refused():
    with pytest.raises(ValueError, match="no target and no matrix given"):
        RegionPair(HANDLE)


def test_a_matrix_that_moves_everything_out_is_refused():
    with pytest.raises(ValueError, match="out of the picture"):
        RegionPair(HANDLE, matrix=shift(500, 0))


@pytest.mark.parametrize(
    ("matrix", "says"),
    [
        (np.zeros((3, 3)), "singular"),
        ([[1, 0, 0], [2, 0, 0], [0, 0, 1]], "singular"),
        ([[1, 0, 0], [0, 1, 0], [0, 0, 0]], "singular"),
        (shift(np.nan, 0), "finite"),
        (shift(0, np.inf), "finite"),
        (np.eye(3)[:2], r"append the row \[0, 0, 1\]"),
        (np.eye(4), r"must be \(3, 3\)"),
        ("rotate", "not an array of numbers"),
        ([[1, 0, 0], [0, 1, 0], [-0.1, 0, 1]], "infinity"),
        ([[1, 0, 0], [0, 1, 0], [1, 0, -10]], "infinity"),
    ],
    ids=[
        "zero",
        "flat",
        "at infinity",
        "nan",
        "inf",
        "2x3",
        "4x4",
        "text",
        "horizon",
        "horizon through a column",
    ],
)
def test_an_unusable_matrix_is_refused(matrix: object, says: str):
    with pytest.raises(ValueError, match=says):
        RegionPair(HANDLE, matrix=matrix)


def test_a_large_shift_is_not_mistaken_for_singular():
    handle = box(3900, 10, 3990, 30, (40, 4000))
    assert RegionPair(handle, matrix=[[0.01, 0, 20], [0, 0.01, 20], [0, 0, 1]]).target.any()


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_move_refuses_a_scale_that_is_not_above_zero(scale: float):
    with pytest.raises(ValueError, match="scale"):
        RegionPair.move(HANDLE, 1, 1, scale=scale)


def test_move_refuses_what_is_not_finite():
    with pytest.raises(ValueError, match="finite"):
        RegionPair.move(HANDLE, float("nan"), 1)


# --- several pairs


def test_pairs_behave_as_a_list():
    a, b, c = (RegionPair(HANDLE, TARGET, name=name) for name in "abc")
    pairs = RegionPairs([a, c])
    pairs.insert(1, b)
    assert list(pairs) == [a, b, c]
    assert pairs[1:] == RegionPairs([b, c])
    pairs[0] = c
    del pairs[-1]
    assert pairs == [c, b]


def test_unions_of_handles_and_targets():
    pairs = RegionPairs([RegionPair(HANDLE, TARGET), RegionPair(TARGET, box(0, 30, 5, 35))])
    assert np.array_equal(pairs.handle, HANDLE | TARGET)
    assert np.array_equal(pairs.target, TARGET | box(0, 30, 5, 35))


def test_pairs_of_one_picture_only():
    pairs = RegionPairs([RegionPair(HANDLE, TARGET)])
    other = RegionPair(np.ones((8, 8)), np.ones((8, 8)))
    with pytest.raises(ValueError, match="8x8 but the others are 60x40"):
        pairs.append(other)
    with pytest.raises(ValueError, match="8x8 but the others are 60x40"):
        pairs[0:0] = [other]
    assert len(pairs) == 1


def test_a_lone_pair_may_be_replaced_by_one_of_another_size():
    pairs = RegionPairs([RegionPair(HANDLE, TARGET)])
    pairs[0] = RegionPair(np.ones((8, 8)), np.ones((8, 8)))
    assert pairs.shape == (8, 8)


def test_only_pairs_go_into_pairs():
    with pytest.raises(TypeError, match="expected a RegionPair, got tuple"):
        RegionPairs([(HANDLE, TARGET)])  # type: ignore[list-item]


def test_no_pairs_have_no_union():
    assert RegionPairs().shape is None
    with pytest.raises(ValueError, match="no region pairs"):
        _ = RegionPairs().handle
