"""What holds for every pair of masks: concave, many blobs, one pixel wide, at the border, partly outside."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regiondrag_widget.regions import METHODS, RegionPair, cell_correspondence, pixel_map
from regiondrag_widget.regions.cells import region_cells
from regiondrag_widget.regions.region import Region

H, W = 40, 56
GRID = (5, 7)

every = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    """A union of boxes, discs, lines and specks, some with a bite taken out; never empty."""
    y, x = np.mgrid[0:H, 0:W]
    mask = np.zeros((H, W), dtype=bool)
    for _ in range(draw(st.integers(1, 4))):
        cx, cy = draw(st.integers(0, W - 1)), draw(st.integers(0, H - 1))
        kind = draw(st.sampled_from(["pixel", "box", "disc", "crescent", "line", "diagonal"]))
        a, b = draw(st.integers(1, 15)), draw(st.integers(1, 15))
        disc = (x - cx) ** 2 + (y - cy) ** 2 <= a * a
        mask |= {
            "pixel": (x == cx) & (y == cy),
            "box": (abs(x - cx) <= a) & (abs(y - cy) <= b),
            "disc": disc,
            "crescent": disc & ((x - cx - a // 2) ** 2 + (y - cy) ** 2 > (a * 0.7) ** 2),
            "line": (abs(x - cx) <= a) & (y == cy),
            "diagonal": (x - cx == y - cy) & (abs(x - cx) <= a),
        }[kind]
        mask[cy, cx] = True
    return mask


@st.composite
def pairs(draw: st.DrawFn) -> RegionPair:
    """Two free masks, or a mask and a move that leaves at least a pixel in the picture."""
    handle = draw(masks())
    if draw(st.booleans()):
        return RegionPair(handle, draw(masks()))
    dx, dy = draw(st.floats(-20, 20)), draw(st.floats(-20, 20))
    try:
        return RegionPair.move(handle, dx, dy, draw(st.floats(0.1, 4)), draw(st.floats(-180, 180)))
    except ValueError:
        return RegionPair.move(handle, 0, 0)


@every
@given(pairs(), st.sampled_from(METHODS))
def test_every_source_is_finite_and_in_the_handle(pair: RegionPair, method: str):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = pixel_map(pair, method=method)
    assert np.isfinite(found.source_xy).all()
    source = found.source_xy[pair.target]
    for rounded in (np.rint(source), np.floor(source + np.float32(0.5))):
        x, y = rounded.astype(int).T
        assert pair.handle[y, x].all()


@every
@given(pairs(), st.sampled_from(METHODS))
def test_the_covered_region_is_the_target_and_nothing_else(pair: RegionPair, method: str):
    found = pixel_map(pair, method=method)
    assert np.array_equal(found.target, pair.target)
    assert np.array_equal(found.pair_index == 0, pair.target)
    assert np.array_equal(found.vacated, pair.handle & ~pair.target)


@every
@given(st.lists(pairs(), min_size=1, max_size=3), st.sampled_from(METHODS))
def test_every_target_cell_has_exactly_one_source_cell(many: list[RegionPair], method: str):
    found = cell_correspondence(many, GRID, method=method)
    assert len(np.unique(found.target_xy, axis=0)) == len(found)
    found.check_grid(GRID)
    for pair in many:
        wanted = region_cells(Region.of(pair.target), GRID, (H, W))
        assert len(wanted) > 0
        assert {tuple(cell) for cell in wanted} <= {tuple(cell) for cell in found.target_xy}


@every
@given(pairs(), st.sampled_from(METHODS))
def test_source_cells_are_cells_of_the_handle(pair: RegionPair, method: str):
    found = cell_correspondence(pair, GRID, method=method)
    y, x = np.nonzero(pair.handle)
    touched = {(int(cx) // 8, int(cy) // 8) for cx, cy in zip(x, y, strict=True)}
    assert {tuple(cell) for cell in found.source_xy.tolist()} <= touched


@every
@given(pairs(), st.sampled_from(METHODS))
def test_the_same_masks_give_the_same_map(pair: RegionPair, method: str):
    again = RegionPair(pair.handle.copy(), pair.target.copy(), pair.matrix)
    assert np.array_equal(pixel_map(pair, method=method).source_xy, pixel_map(again, method=method).source_xy)
    first, second = (cell_correspondence(p, GRID, method=method) for p in (pair, again))
    assert first == second


@every
@given(masks(), st.sampled_from(METHODS))
def test_a_region_redrawn_where_it_was_stays(mask: np.ndarray, method: str):
    found = pixel_map(RegionPair(mask, mask), method=method)
    y, x = np.nonzero(mask)
    assert np.abs(found.source_xy[y, x] - np.stack([x, y], axis=1)).max() < 0.75


@every
@given(masks(), st.integers(-15, 15), st.integers(-15, 15), st.sampled_from(METHODS))
def test_a_region_moved_inside_the_picture_is_followed(mask: np.ndarray, dx: int, dy: int, method: str):
    y, x = np.nonzero(mask)
    dx = int(np.clip(dx, -x.min(), W - 1 - x.max()))
    dy = int(np.clip(dy, -y.min(), H - 1 - y.max()))
    target = np.zeros_like(mask)
    target[y + dy, x + dx] = True
    found = pixel_map(RegionPair(mask, target), method=method)
    error = np.linalg.norm(found.source_xy[y + dy, x + dx] - np.stack([x, y], axis=1), axis=1)
    assert error.mean() < 0.5


@every
@given(
    masks(),
    st.lists(st.floats(-2, 2), min_size=4, max_size=4),
    st.lists(st.floats(-60, 60), min_size=2, max_size=2),
    st.lists(st.floats(-0.01, 0.01), min_size=2, max_size=2),
)
def test_any_matrix_is_followed_exactly_or_refused(
    mask: np.ndarray, linear: list[float], shift: list[float], perspective: list[float]
):
    matrix = np.eye(3)
    matrix[:2, :2] = np.reshape(linear, (2, 2))
    matrix[:2, 2], matrix[2, :2] = shift, perspective
    try:
        pair = RegionPair(mask, matrix=matrix)
    except ValueError:
        return
    y, x = np.nonzero(pair.target)
    back = np.c_[x, y, np.ones(len(x))] @ np.linalg.inv(matrix).T
    with np.errstate(all="ignore"):
        origin = np.clip(np.nan_to_num(back[:, :2] / back[:, 2:], nan=-9), -9, 99)
    inside = np.zeros((120, 120), dtype=bool)
    inside[10 : 10 + H, 10 : 10 + W] = mask
    column, row = np.floor(origin + 0.5).astype(int).T + 10
    followed = inside[row, column]
    # a source is held within 0.49 px of its pixel's centre: at most a hundredth away from the exact one
    assert np.abs(pixel_map(pair).source_xy[y, x] - origin)[followed].max(initial=0) < 0.02
    assert followed.all() or not followed.any()


@pytest.mark.parametrize("method", METHODS)
def test_one_pixel_to_one_pixel(method: str):
    handle, target = np.zeros((2, H, W), dtype=bool)
    handle[0, 0] = target[H - 1, W - 1] = True
    found = pixel_map(RegionPair(handle, target), method=method)
    assert np.array_equal(found.source_xy[H - 1, W - 1], [0, 0])


@pytest.mark.parametrize("method", METHODS)
def test_one_pixel_to_the_whole_picture_and_back(method: str):
    handle = np.zeros((H, W), dtype=bool)
    handle[3, 4] = True
    whole = np.ones((H, W), dtype=bool)
    assert (np.rint(pixel_map(RegionPair(handle, whole), method=method).source_xy) == [4, 3]).all()
    assert np.isfinite(pixel_map(RegionPair(whole, handle), method=method).source_xy).all()
