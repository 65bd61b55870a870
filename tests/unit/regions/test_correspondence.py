"""Correspondence, PixelMap and cell_correspondence, piece by piece."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from regiondrag_widget.regions import (
    METHODS,
    Correspondence,
    RegionPair,
    RegionPairs,
    cell_correspondence,
    pixel_map,
)

SHAPE = (64, 96)
GRID = (8, 12)


def box(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[y0:y1, x0:x1] = True
    return mask


A, B = box(8, 8, 24, 24), box(48, 32, 64, 48)


# --- Correspondence


def test_cells_are_kept_as_read_only_int64():
    found = Correspondence([(1, 2), (3, 4)], np.array([(5.0, 6), (7, 8)]))
    assert found.source_xy.dtype == found.target_xy.dtype == np.int64
    assert not found.source_xy.flags.writeable
    assert len(found) == 2


def test_anything_numpy_can_read_is_accepted():
    class Tensor:
        def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
            return np.array([[1, 2]])

    assert Correspondence(Tensor(), Tensor()) == Correspondence([[1, 2]], [[1, 2]])


def test_no_cells_at_all_are_a_correspondence():
    assert len(Correspondence([], [])) == 0


def test_correspondences_are_equal_by_value():
    assert Correspondence([[1, 2]], [[1, 2]]) != Correspondence([[1, 2]], [[1, 3]])


@pytest.mark.parametrize(
    ("source", "target", "says"),
    [
        ([[1, 2]], [[1, 2], [3, 4]], "1 rows and target_xy 2"),
        ([[1, 2, 3]], [[1, 2, 3]], r"give \(n, 2\) integers"),
        ([1, 2], [1, 2], r"give \(n, 2\) integers"),
        ([[0.5, 2]], [[1, 2]], "source_xy holds values that are not cells"),
        ([[1, 2]], [[-1, 2]], "target_xy holds values that are not cells"),
        ([[1, np.nan]], [[1, 2]], "not cells"),
        ([["a", "b"]], [[1, 2]], r"give \(n, 2\) integers"),
    ],
    ids=["lengths", "columns", "flat", "fraction", "negative", "nan", "text"],
)
def test_what_is_no_list_of_cells_is_refused(source: object, target: object, says: str):
    with pytest.raises(ValueError, match=says):
        Correspondence(source, target)


def test_cells_outside_a_grid_are_named():
    Correspondence([[11, 7]], [[0, 0]]).check_grid(GRID)
    with pytest.raises(ValueError, match=r"source_xy reaches cell \(12, 7\)"):
        Correspondence([[12, 7]], [[0, 0]]).check_grid(GRID)


# --- pixel_map


def test_outside_the_targets_every_pixel_stays():
    found = pixel_map(RegionPair(A, B))
    y, x = np.nonzero(~B)
    assert np.array_equal(found.source_xy[y, x], np.stack([x, y], axis=1))
    assert (found.pair_index[~B] == -1).all()


def test_arrays_have_the_promised_shapes_and_types():
    found = pixel_map(RegionPair(A, B))
    assert (found.source_xy.shape, found.source_xy.dtype) == ((*SHAPE, 2), np.float32)
    assert (found.target.dtype, found.vacated.dtype, found.pair_index.dtype) == (bool, bool, np.int16)


def test_vacated_is_what_the_handles_leave():
    overlapping = box(16, 8, 32, 24)
    assert np.array_equal(pixel_map(RegionPair(A, overlapping)).vacated, A & ~overlapping)


def test_a_pixel_in_one_handle_and_another_target_is_covered_and_not_vacated():
    found = pixel_map([RegionPair(A, B), RegionPair(box(72, 8, 88, 24), A)])
    assert not found.vacated[A].any()
    assert (found.pair_index[A] == 1).all()


def test_later_pairs_win_where_targets_overlap():
    first, second = RegionPair(A, B), RegionPair(box(72, 8, 88, 24), box(56, 32, 72, 48))
    found = pixel_map([first, second])
    assert (found.pair_index[second.target] == 1).all()
    assert (found.pair_index[first.target & ~second.target] == 0).all()
    cells = cell_correspondence([first, second], GRID)
    source = {tuple(t): tuple(s) for s, t in zip(cells.source_xy, cells.target_xy, strict=True)}
    assert source[(7, 4)] == (9, 1)


def test_one_pair_a_list_and_pairs_are_alike():
    pair = RegionPair(A, B)
    for pairs in (pair, [pair], RegionPairs([pair])):
        assert np.array_equal(pixel_map(pairs).source_xy, pixel_map(pair).source_xy)


def test_with_a_matrix_and_a_larger_target_the_rest_is_snapped_to_the_handle():
    matrix = np.array([[1.0, 0, 40], [0, 1, 24], [0, 0, 1]])
    found = pixel_map(RegionPair(A, box(44, 30, 70, 50), matrix))
    assert np.array_equal(found.source_xy[32, 48], [8, 8])
    assert np.array_equal(found.source_xy[40, 69], [23, 16])
    assert np.array_equal(found.source_xy[30, 44], [8, 8])


def test_a_source_outside_the_handle_goes_to_its_nearest_pixel():
    crescent = box(8, 8, 40, 40) & ~box(16, 8, 40, 32)
    pair = RegionPair(crescent, box(48, 8, 80, 40), np.array([[1.0, 0, 40], [0, 1, 0], [0, 0, 1]]))
    found = pixel_map(pair)
    handle = np.argwhere(crescent)[:, ::-1]
    for x, y in [(70, 10), (79, 30), (60, 20), (57, 31)]:
        nearest = np.linalg.norm(handle - [x - 40, y], axis=1).min()
        assert np.linalg.norm(found.source_xy[y, x] - [x - 40, y]) == pytest.approx(nearest)


def test_scanline_stretches_every_column_from_top_to_bottom():
    wedge = np.zeros(SHAPE, dtype=bool)
    for i in range(16):
        wedge[8 : 9 + i, 8 + i] = True
    found = pixel_map(RegionPair(wedge, box(48, 32, 64, 48)), method="scanline")
    for i in range(16):
        column = found.source_xy[32:48, 48 + i]
        assert np.allclose(column[:, 0], 8 + i, atol=0.01)
        assert column[:, 1].min() == pytest.approx(8, abs=0.5)
        assert column[:, 1].max() == pytest.approx(8 + i, abs=0.5)


@pytest.mark.parametrize("method", METHODS)
def test_scanline_polygon_and_auto_leave_an_exact_matrix_alone(method: str):
    pair = RegionPair.move(A, 30, 20, rotate=30)
    assert np.array_equal(pixel_map(pair, method=method).source_xy, pixel_map(pair).source_xy)


# --- cell_correspondence


def test_cells_have_their_centre_in_the_target():
    found = cell_correspondence(RegionPair(A, box(48, 32, 65, 52)), GRID)
    assert sorted(map(tuple, found.target_xy)) == [(x, y) for x in (6, 7) for y in (4, 5)]


def test_cells_come_row_by_row():
    found = cell_correspondence([RegionPair(A, B), RegionPair(A, box(0, 0, 16, 16))], GRID)
    assert np.array_equal(found.target_xy, sorted(map(tuple, found.target_xy), key=lambda cell: cell[::-1]))


@pytest.mark.parametrize(
    ("thin", "cells"),
    [
        (box(50, 33, 51, 34), {(6, 4)}),
        (box(50, 32, 51, 48), {(6, 4), (6, 5)}),
        (box(50, 38, 51, 42), {(6, 4), (6, 5)}),
        (box(46, 33, 51, 34), {(6, 4), (5, 4)}),
        (box(47, 33, 51, 34), {(6, 4)}),
    ],
    ids=["pixel", "two cells long", "half and half", "two and three", "one and three"],
)
def test_a_target_too_thin_for_any_centre_has_the_cells_it_overlaps_most(
    thin: np.ndarray, cells: set[tuple[int, int]]
):
    found = cell_correspondence(RegionPair(A, thin), GRID)
    assert set(map(tuple, found.target_xy.tolist())) == cells


def test_a_handle_too_thin_for_any_centre_still_is_the_source():
    found = cell_correspondence(RegionPair(box(17, 9, 18, 10), B), GRID)
    assert np.array_equal(found.source_xy, [[2, 1]] * 4)


def test_a_grid_need_not_divide_the_picture():
    found = cell_correspondence(RegionPair(A, B), (7, 11))
    found.check_grid((7, 11))
    assert len(found) > 0


@pytest.mark.parametrize("grid", [(0, 12), (8, 97), (65, 12), (-1, 4)])
def test_a_grid_that_does_not_fit_is_refused(grid: tuple[int, int]):
    with pytest.raises(ValueError, match="does not fit a picture of 96x64"):
        cell_correspondence(RegionPair(A, B), grid)


# --- bad input


@pytest.mark.parametrize("call", [pixel_map, lambda pairs, **k: cell_correspondence(pairs, GRID, **k)])
def test_an_unknown_method_names_the_choices(call):
    with pytest.raises(
        ValueError, match="unknown method 'magic': choose one of auto, contour, scanline, polygon"
    ):
        call(RegionPair(A, B), method="magic")


@pytest.mark.parametrize("call", [pixel_map, lambda pairs: cell_correspondence(pairs, GRID)])
def test_no_pairs_are_refused(call):
    with pytest.raises(ValueError, match="no region pairs"):
        call([])


def test_regions_need_no_torch():
    code = "import sys, regiondrag_widget.regions; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
