"""Maps inferred from two masks against the maps that made them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from regiondrag_widget.regions import RegionPair, cell_correspondence, infer_matrix, pixel_map, polygon_matrix

N = 256


def polygon(*corners: tuple[float, float]) -> np.ndarray:
    image = np.zeros((N, N), np.uint8)
    cv2.fillPoly(image, [np.round(corners).astype(np.int32)], 1)
    return image.astype(bool)


SHAPES = {
    "bar": polygon((78, 108), (178, 108), (178, 148), (78, 148)),
    "triangle": polygon((70, 100), (190, 128), (70, 150)),
    "L": polygon((90, 70), (120, 70), (120, 150), (180, 150), (180, 180), (90, 180)),
}


def error(exact: RegionPair, method: str = "auto") -> float:
    """Mean distance in pixels between the true and the inferred source, over the target."""
    true, found = pixel_map(exact), pixel_map(RegionPair(exact.handle, exact.target), method=method)
    distance = np.linalg.norm(true.source_xy - found.source_xy, axis=2)
    return float(distance[exact.target].mean())


def rotation(matrix: np.ndarray) -> float:
    """Degrees, counter-clockwise as seen."""
    u, _, vt = np.linalg.svd(matrix[:2, :2])
    turn = u @ vt
    return float(-np.degrees(np.arctan2(turn[1, 0], turn[0, 0])))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("method", ["auto", "contour", "scanline", "polygon"])
@pytest.mark.parametrize("move", [(20, -13), (-60, 40), (0, 0)])
def test_a_translation_is_found_by_every_method(shape: str, method: str, move: tuple[int, int]):
    assert error(RegionPair.move(SHAPES[shape], *move), method) < 0.05


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scale", [0.6, 1.4])
@pytest.mark.parametrize("method", ["auto", "contour", "scanline", "polygon"])
def test_a_scale_is_found_by_every_method(shape: str, scale: float, method: str):
    assert error(RegionPair.move(SHAPES[shape], 5, 5, scale=scale), method) < 1


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("degrees", [20, 60, 90, -20, -60])
@pytest.mark.parametrize("method", ["auto", "polygon"])
def test_a_rotation_of_an_elongated_shape_is_found(shape: str, degrees: float, method: str):
    assert error(RegionPair.move(SHAPES[shape], 6, -4, rotate=degrees), method) < 1


@pytest.mark.parametrize("shape", ["triangle", "L"])
@pytest.mark.parametrize("degrees", [-90, 150, 180])
def test_a_shape_that_tells_its_ends_apart_may_turn_all_the_way(shape: str, degrees: float):
    assert error(RegionPair.move(SHAPES[shape], 0, 0, rotate=degrees)) < 1


def test_a_rotation_with_a_scale_is_found():
    assert error(RegionPair.move(SHAPES["L"], 10, 0, scale=1.3, rotate=20)) < 0.3


def test_an_axis_has_no_direction_so_a_bar_takes_the_smaller_turn():
    pair = RegionPair.move(SHAPES["bar"], 0, 0, rotate=150)
    assert rotation(infer_matrix(RegionPair(pair.handle, pair.target))) == pytest.approx(-30, abs=1)


def test_a_lying_bar_redrawn_standing_is_turned_and_not_squashed():
    pair = RegionPair.move(SHAPES["bar"], 0, 0, rotate=90)
    matrix = infer_matrix(RegionPair(pair.handle, pair.target))
    assert rotation(matrix) == pytest.approx(90, abs=1)
    assert np.linalg.svd(matrix[:2, :2], compute_uv=False) == pytest.approx([1, 1], abs=0.02)


def test_a_flat_mouth_redrawn_open_is_stretched_and_not_turned():
    closed = polygon((78, 118), (178, 118), (178, 138), (78, 138))
    opened = polygon((98, 93), (158, 93), (158, 163), (98, 163))
    assert rotation(infer_matrix(RegionPair(closed, opened))) == pytest.approx(0, abs=1)


@pytest.mark.parametrize("method", ["auto", "contour", "scanline", "polygon"])
def test_no_method_skews_a_round_region_that_is_stretched(method: str):
    y, x = np.mgrid[0:N, 0:N]
    handle, target = (((x - 128) / 60) ** 2 + ((y - 128) / h) ** 2 <= 1 for h in (15, 40))
    exact = RegionPair(handle, target, [[1, 0, 0], [0, 40 / 15, 128 - 128 * 40 / 15], [0, 0, 1]])
    assert error(exact, method) < 1


def drawn_blob(rng: np.random.Generator, wobble: float, stretch: float = 1.0) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    radius = 50 * np.ones_like(angle)
    for k in range(2, 7):
        radius += 50 * wobble / k * (rng.normal() * np.cos(k * angle) + rng.normal() * np.sin(k * angle))
    return polygon(*zip(128 + radius * stretch * np.cos(angle), 128 + radius * np.sin(angle), strict=True))


def test_roundish_blobs_redrawn_by_hand_do_not_invent_a_rotation():
    rng = np.random.default_rng(0)
    turns = [
        abs(rotation(infer_matrix(RegionPair(drawn_blob(rng, 0.12), drawn_blob(rng, 0.12)))))
        for _ in range(60)
    ]
    assert sum(turn > 15 for turn in turns) == 0


def test_nothing_is_ever_mirrored():
    rng = np.random.default_rng(1)
    for _ in range(20):
        pair = RegionPair(drawn_blob(rng, 0.3, 1.8), drawn_blob(rng, 0.3, 1.8).T)
        assert np.linalg.det(infer_matrix(pair)[:2, :2]) > 0


def test_an_inferred_matrix_carries_handle_to_target():
    exact = RegionPair.move(SHAPES["L"], 12, 5, scale=1.2, rotate=60)
    assert infer_matrix(RegionPair(exact.handle, exact.target)) == pytest.approx(exact.matrix, abs=0.5)


def test_the_matrix_of_a_pair_that_has_one_is_its_own():
    exact = RegionPair.move(SHAPES["L"], 12, 5)
    assert infer_matrix(exact) is exact.matrix


def test_two_blobs_that_part_are_mapped_one_by_one():
    handle = polygon((40, 100), (80, 100), (80, 140), (40, 140)) | polygon((150, 90), (210, 90), (180, 150))
    left = RegionPair.move(polygon((40, 100), (80, 100), (80, 140), (40, 140)), -20, 50)
    right = RegionPair.move(polygon((150, 90), (210, 90), (180, 150)), 10, -60)
    found = pixel_map(RegionPair(handle, left.target | right.target))
    for part in (left, right):
        distance = np.linalg.norm(found.source_xy - pixel_map(part).source_xy, axis=2)[part.target]
        assert distance.mean() < 0.1


def test_two_blobs_that_keep_together_share_one_matrix():
    handle = polygon((40, 100), (80, 100), (80, 140), (40, 140)) | polygon((150, 90), (210, 90), (180, 150))
    assert error(RegionPair.move(handle, 10, 20, rotate=60)) < 1


def test_perspective_is_found_by_the_polygon_method():
    corners = np.array([(70.0, 80.0), (180, 80), (180, 170), (70, 170)])
    moved = np.array([(90.0, 60.0), (200, 90), (190, 190), (80, 200)])
    exact = RegionPair(polygon(*corners), matrix=polygon_matrix(corners, moved))
    assert error(exact, "polygon") < 1


@pytest.mark.parametrize("count", [3, 4])
def test_polygon_matrix_carries_corner_to_corner(count: int):
    source = np.array([(3000.0, 10.0), (3500, 40), (3400, 900), (2900, 700)])[:count]
    target = np.array([(10.0, 10.0), (700, 20), (650, 500), (30, 420)])[:count]
    matrix = polygon_matrix(source, target)
    carried = np.c_[source, np.ones(count)] @ matrix.T
    assert carried[:, :2] / carried[:, 2:] == pytest.approx(target, abs=1e-2)
    assert (matrix[2, :2] == 0).all() == (count == 3)


@pytest.mark.parametrize(
    ("source", "target", "says"),
    [
        ([(0, 0), (1, 0)], [(0, 0), (1, 0)], "3 or 4 points"),
        ([(0, 0), (1, 0), (0, 1)], [(0, 0), (1, 0), (0, 1), (1, 1)], "3 or 4 points"),
        ([(0, 0), (1, 0), (2, 0)], [(0, 0), (1, 0), (0, 1)], "on one line"),
        ([(0, 0), (1, 0), (0, 1)], [(0, 0), (1, np.nan), (0, 1)], "finite"),
    ],
)
def test_corners_that_span_nothing_are_refused(source: object, target: object, says: str):
    with pytest.raises(ValueError, match=says):
        polygon_matrix(source, target)


def test_cells_follow_a_shift_by_whole_cells_exactly():
    found = cell_correspondence(RegionPair.move(SHAPES["L"], 24, -16), (32, 32))
    assert np.array_equal(found.target_xy - found.source_xy, np.tile([3, -2], (len(found), 1)))


@pytest.mark.parametrize("degrees", [0, 20, 60, 90])
def test_cells_follow_a_known_map_to_less_than_a_cell(degrees: float):
    exact = RegionPair.move(SHAPES["L"], 5, 3, rotate=degrees)
    found = cell_correspondence(RegionPair(exact.handle, exact.target), (32, 32))
    source, target = ((cells + 0.5) * 8 - 0.5 for cells in (found.source_xy, found.target_xy))
    true = (np.c_[target, np.ones(len(target))] @ np.linalg.inv(exact.matrix).T)[:, :2]
    distance = np.linalg.norm(source - true, axis=1)
    # a cell is picked, not blended: (5, 3) is always 4.2 px off; rim cells may step inside the handle
    assert distance.mean() < 4.5
    assert distance.max() < 12
