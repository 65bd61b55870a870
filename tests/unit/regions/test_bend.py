"""Bends by pins, perspective and dense maps: what they map, and what is refused."""

from __future__ import annotations

import pickle

import cv2
import numpy as np
import pytest

from regiondrag_widget.regions import Correspondence, RegionPair, RegionPairs, cell_correspondence, pixel_map
from regiondrag_widget.regions.bend import Bend
from regiondrag_widget.regions.framing import framed_pairs, padded_pairs
from regiondrag_widget.regions.region import Region

SHAPE = (120, 160)
BAR = np.zeros(SHAPE, bool)
BAR[50:64, 20:120] = True
ENDS = [(26, 57), (70, 57), (114, 57)]  # pins in a row
ARCH = [(26, 70), (70, 40), (114, 70)]


def grid_points() -> np.ndarray:
    x, y = np.meshgrid(np.arange(0, 160, 7.0), np.arange(0, 120, 7.0))
    return np.stack([x.ravel(), y.ravel()], axis=1)


# --- Bend


def bent(pins: object, goals: object, matrix: object = None) -> Bend:
    return Bend(pins, goals, matrix, region=Region.of(BAR))


@pytest.mark.parametrize(
    ("pins", "goals"),
    [
        ([(30, 57)], [(41.5, 20)]),
        ([(30, 57), (110, 57)], [(30, 57), (90, 100)]),
        (ENDS, ARCH),
        ([*ENDS, (50, 52), (90, 62)], [*ARCH, (52, 49), (91, 58)]),
    ],
    ids=["one", "two", "three in a row", "five"],
)
@pytest.mark.parametrize("matrix", [None, [[1.2, 0.1, 5], [0, 0.9, -3], [0.0005, 0, 1]]])
def test_every_pin_is_held(pins: list, goals: list, matrix: list | None):
    bend = bent(pins, goals, matrix)
    assert np.abs(bend.to_target(np.array(pins, float)) - goals).max() < 1e-3
    assert np.abs(bend.mesh.to_target(np.array(pins, float)) - goals).max() < 0.01


def test_one_pin_shifts():
    points = grid_points()
    assert np.allclose(bent([(30, 57)], [(41.5, 20)]).to_target(points), points + np.array([11.5, -37]))


def test_two_pins_that_keep_their_distance_turn():
    bend = bent([(30, 57), (40, 57)], [(5, 5), (5, 15)])
    assert np.allclose(bend.to_target(np.array([[50.0, 57], [30, 60]])), [[5, 25], [2, 5]], atol=1e-6)


def test_pins_that_hold_leave_everything():
    points = grid_points()
    assert np.allclose(bent(ENDS, ENDS).to_target(points), points, atol=1e-6)


def test_a_bend_keeps_shapes_where_it_can():
    """A bar bent to an arch stays about as thick as it was."""
    arch = bent(ENDS, [(36, 80), (70, 50), (104, 80)])
    x = np.linspace(24, 116, 30)
    across = arch.to_target(np.stack([x, np.full(30, 63.0)], 1)) - arch.to_target(
        np.stack([x, np.full(30, 51.0)], 1)
    )
    thickness = np.linalg.norm(across, axis=1)
    assert 10 < thickness.min() <= thickness.max() < 14


def test_the_mesh_is_the_formula():
    bend, points = bent(ENDS, ARCH), grid_points()
    inside = (points >= [20, 50]).all(axis=1) & (points < [120, 64]).all(axis=1)
    assert np.abs(bend.mesh.to_target(points[inside]) - bend.to_target(points[inside])).max() < 0.2


def test_pixels_come_from_where_the_mesh_sends_them():
    bend = bent(ENDS, ARCH)
    dense = bend.dense(SHAPE)
    y, x = np.nonzero(dense.mapped)
    there = bend.mesh.to_target(dense.source[y, x].astype(float))
    assert np.abs(there - np.stack([x + dense.x0, y + dense.y0], axis=1)).max() < 1e-3


def test_a_bend_scales_and_shifts_with_its_picture():
    bend, points = bent(ENDS, ARCH, [[1.1, 0, 2], [0.1, 1, 3], [0, 0, 1]]), grid_points()
    forth = np.array([[0.5, 0, -7], [0, 0.5, -3], [0, 0, 1]])
    there = bend.framed(forth).to_target(points * 0.5 + [-7, -3])
    assert np.allclose(there, bend.to_target(points) * 0.5 + [-7, -3], atol=1e-4)
    assert bend.framed(forth).cells == bend.cells


def test_bends_are_equal_by_value():
    assert bent(ENDS, ARCH) == bent(ENDS, ARCH)
    assert bent(ENDS, ARCH) != bent(ENDS, ENDS)
    assert hash(bent(ENDS, ARCH)) == hash(bent(ENDS, ARCH))
    assert pickle.loads(pickle.dumps(bent(ENDS, ARCH))) == bent(ENDS, ARCH)  # noqa: S301


# --- RegionPair.bend


def test_the_target_is_the_bent_handle():
    pair = RegionPair.bend(BAR, ENDS, ARCH)
    assert pair.matrix is None
    dense = pair.deformation.dense(SHAPE)
    y, x = np.nonzero(dense.mapped)
    origin = np.floor(dense.source[y, x] + 0.5).astype(int)
    expected = np.zeros(SHAPE, bool)
    expected[y + dense.y0, x + dense.x0] = BAR[origin[:, 1].clip(0, 119), origin[:, 0].clip(0, 159)]
    assert np.array_equal(pair.target, expected)
    assert 0.9 * BAR.sum() < pair.target.sum() < 1.3 * BAR.sum()
    assert pair.target[40, 70]
    assert not pair.target[57, 70]


def test_a_bent_target_has_no_gaps():
    """Triangles share their sides: no pixel between two of them is left out."""
    block = np.zeros(SHAPE, bool)
    block[30:90, 30:110] = True
    pins = [(35, 35), (105, 35), (70, 60), (35, 85), (105, 85)]
    pair = RegionPair.bend(block, pins, [(31, 38), (110, 30), (76, 55), (38, 88), (99, 80)])
    filled = cv2.morphologyEx(pair.target.view(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    inner = cv2.erode(filled, np.ones((5, 5), np.uint8)) > 0
    assert pair.target[inner].all()


def test_pixel_map_and_cells_follow_the_bend():
    pair = RegionPair.bend(BAR, ENDS, ARCH)
    found = pixel_map(pair)
    for pin, goal in zip(ENDS, ARCH, strict=True):
        assert np.abs(found.source_xy[goal[1], goal[0]] - pin).max() < 0.3
    cells = cell_correspondence(pair, (30, 40))
    there = {
        tuple(t): tuple(s) for s, t in zip(cells.source_xy.tolist(), cells.target_xy.tolist(), strict=True)
    }
    assert there[(17, 10)] == (17, 14)


def test_a_bent_pair_keeps_its_map_in_other_frames():
    pair = RegionPair.bend(BAR, ENDS, ARCH, name="arm")
    box = (8, 16, 136, 96)
    framed = framed_pairs(RegionPairs([pair]), box)[0]
    whole, part = pixel_map(pair).source_xy[16:96, 8:136], pixel_map(framed).source_xy
    inside = framed.target
    assert np.abs(whole[inside] - [8, 16] - part[inside]).max() < 1e-3
    half = framed_pairs(RegionPairs([pair]), box, (40, 64))[0]
    assert (
        np.abs(pixel_map(half).source_xy[12, 31] - (np.array([70.5, 57.5]) - box[:2]) / 2 + 0.5).max() < 0.6
    )
    padded = padded_pairs(RegionPairs([pair]), 8, 3)[0]
    assert padded.shape == (128, 163)
    assert padded.deformation == pair.deformation


def test_a_bent_pair_is_equal_by_value_and_survives_pickling():
    pair = RegionPair.bend(BAR, ENDS, ARCH)
    assert pair == RegionPair.bend(BAR, ENDS, ARCH)
    assert pair != RegionPair(BAR, pair.target)
    assert pickle.loads(pickle.dumps(pair)) == pair  # noqa: S301
    assert "3 pins" in repr(pair)


def test_a_handle_of_one_pixel_can_be_bent():
    dot = np.zeros(SHAPE, bool)
    dot[30, 40] = True
    pair = RegionPair.bend(dot, [(40, 30)], [(50, 31)])
    assert np.argwhere(pair.target).tolist() == [[31, 50]]


def test_part_of_the_target_may_leave_the_picture():
    pair = RegionPair.bend(BAR, [(26, 57), (70, 57)], [(-20, 57), (24, 57)])
    assert pair.target[57, 10]
    assert not pair.target[57, 100]


@pytest.mark.parametrize(
    ("pins", "goals", "words"),
    [
        ([(26, 57), (26.4, 57)], [(20, 57), (90, 57)], "two from_points lie on each other"),
        ([(26, 57), (70, 57)], [(40, 50), (40, 50.5)], "two to_points lie on each other"),
        ([(26, 10)], [(40, 50)], r"pin 1 at \(26, 10\) is not on the handle"),
        ([(70, 57), (400, 57)], [(70, 57), (80, 50)], "pin 2 .* is not on the handle"),
        ([(70, np.nan)], [(40, 50)], "from_points hold nan or infinity"),
        ([(70, 57)], [(np.inf, 50)], "to_points hold nan or infinity"),
        ([70, 57], [40, 50], r"shape \(2,\): give \(n, 2\)"),
        ([(70, 57, 1)], [(40, 50, 1)], r"give \(n, 2\)"),
        ([(70, 57)], [(40, 50), (60, 50)], "1 from_points but 2 to_points"),
        (np.zeros((0, 2)), np.zeros((0, 2)), "0 from_points: give 1 to 64 pins"),
        ([(20 + i, 57) for i in range(65)], [(20 + i, 57) for i in range(65)], "65 from_points"),
        ([("a", "b")], [(1, 2)], "not numbers"),
        (ENDS, [ENDS[1], ENDS[0], ENDS[2]], "fold the handle over itself"),
        ([*ENDS, (60, 57)], [*ENDS, (75, 57)], "fold the handle over itself"),
        ([(70, 57)], [(1e9, 50)], "far out of the picture"),
        ([(70, 57)], [(900, 50)], "leave nothing of the handle in the picture"),
    ],
)
def test_pins_that_cannot_be_used_are_refused(pins: object, goals: object, words: str):
    with pytest.raises(ValueError, match=words):
        RegionPair.bend(BAR, pins, goals)


def test_a_fold_as_small_as_two_pins_are_near_is_found():
    near = [(60, 57), (62, 57)]
    with pytest.raises(ValueError, match="fold"):
        RegionPair.bend(BAR, [*ENDS, *near], [*ENDS, *near[::-1]])


def test_a_pair_has_a_matrix_or_a_deformation():
    with pytest.raises(ValueError, match="not both"):
        RegionPair(BAR, None, np.eye(3), deformation=bent(ENDS, ARCH))
    with pytest.raises(TypeError, match=r"RegionPair\.bend"):
        RegionPair(BAR, deformation="bend")  # type: ignore[arg-type]


# --- RegionPair.perspective and move


def test_perspective_takes_the_box_to_the_corners():
    corners = [(30, 20), (130, 30), (120, 60), (24, 50)]
    pair = RegionPair.perspective(BAR, corners)
    at = np.array([[19.5, 49.5, 1], [119.5, 49.5, 1], [119.5, 63.5, 1], [19.5, 63.5, 1]]) @ pair.matrix.T
    assert np.abs(at[:, :2] / at[:, 2:] - corners).max() < 1e-3
    assert pair.target[40, 80]
    assert not pair.target[57, 22]


@pytest.mark.parametrize(
    ("corners", "words"),
    [
        ([(0, 0), (10, 0), (10, 10)], "3 corners: give 4"),
        ([(0, 0), (50, 0), (0, 50), (50, 50)], "convex quadrilateral"),
        ([(0, 0), (50, 0), (20, 10), (0, 50)], "convex quadrilateral"),
        ([(0, 0), (50, 0), (100, 0), (0, 50)], "convex quadrilateral"),
        ([(0, 0), (50, 0), (np.nan, 50), (0, 50)], "nan or infinity"),
        ([(900, 0), (950, 0), (950, 50), (900, 50)], "out of the picture"),
    ],
)
def test_corners_that_cannot_be_used_are_refused(corners: object, words: str):
    with pytest.raises(ValueError, match=words):
        RegionPair.perspective(BAR, corners)


def test_a_turn_needs_no_shift():
    assert RegionPair.move(BAR, rotate=15) == RegionPair.move(BAR, 0, 0, rotate=15)
    assert RegionPair.move(BAR, dx=4) == RegionPair.move(BAR, 4, 0)


# --- RegionPair.warp


def shifted_map(dx: float, dy: float) -> np.ndarray:
    x, y = np.meshgrid(np.arange(160.0), np.arange(120.0))
    return np.stack([x - dx, y - dy], axis=-1)


def test_a_dense_map_of_a_shift_is_a_shift():
    pair = RegionPair.warp(BAR, shifted_map(12, -8))
    moved = RegionPair.move(BAR, 12, -8)
    assert np.array_equal(pair.target, moved.target)
    assert np.allclose(pixel_map(pair).source_xy, pixel_map(moved).source_xy)
    cells, expected = (cell_correspondence(p, (30, 40)) for p in (pair, moved))
    assert cells == expected


def test_nan_and_outside_are_no_target():
    dense = shifted_map(12, -8)
    dense[:, :60] = np.nan
    dense[:, 100:, 0] = 1e6
    pair = RegionPair.warp(BAR, dense)
    expected = RegionPair.move(BAR, 12, -8).target.copy()
    expected[:, :60] = expected[:, 100:] = False
    assert np.array_equal(pair.target, expected)


def test_a_dense_map_keeps_its_map_in_other_frames():
    x, y = np.meshgrid(np.arange(160.0), np.arange(120.0))
    pair = RegionPair.warp(BAR, np.stack([x, y - 6 * np.sin(x / 15)], axis=-1))
    box = (8, 16, 136, 96)
    framed = framed_pairs(RegionPairs([pair]), box)[0]
    whole, part = pixel_map(pair).source_xy[16:96, 8:136], pixel_map(framed).source_xy
    assert np.abs(whole[framed.target] - [8, 16] - part[framed.target]).max() < 1e-3
    half = framed_pairs(RegionPairs([pair]), box, (40, 64))[0]
    ys, xs = np.nonzero(half.target)
    ours = pixel_map(half).source_xy[ys, xs]
    there_x, there_y = 8 + 2 * xs + 0.5, 16 + 2 * ys + 0.5
    expected = np.stack([there_x, there_y - 6 * np.sin(there_x / 15)], axis=1)
    errors = np.abs((expected - [8, 16] + 0.5) / 2 - 0.5 - ours).max(axis=1)
    assert np.mean(errors) < 0.1
    assert padded_pairs(RegionPairs([pair]), 8, 0)[0].shape == (128, 160)


def test_between_pixels_a_dense_map_is_linear_and_beyond_it_goes_on():
    pair = RegionPair.warp(BAR, shifted_map(12, -8))
    points = np.array([[50.25, 45.75], [0, 0], [159, 119]])
    assert np.allclose(pair.deformation.to_source(points), points - [12, -8], atol=1e-4)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (np.zeros((120, 160)), r"shape \(120, 160\): give \(H, W, 2\)"),
        (np.zeros((120, 160, 3)), r"give \(H, W, 2\)"),
        (np.zeros((0, 160, 2)), r"give \(H, W, 2\)"),
        (np.full((120, 160, 2), np.nan), "outside the picture everywhere"),
        (np.zeros((120, 160, 2)), "leads to no pixel of the handle"),
        (np.full((60, 160, 2), 55), "both must have the picture's size"),
        ("flow", "not an array of numbers"),
    ],
)
def test_dense_maps_that_cannot_be_used_are_refused(source: object, words: str):
    with pytest.raises(ValueError, match=words):
        RegionPair.warp(BAR, source)


def test_a_dense_pair_is_equal_by_value_and_survives_pickling():
    pair = RegionPair.warp(BAR, shifted_map(12, -8))
    assert pair == RegionPair.warp(BAR, shifted_map(12, -8))
    assert pair != RegionPair.warp(BAR, shifted_map(12, -7))
    assert pickle.loads(pickle.dumps(pair)) == pair  # noqa: S301


# --- a correspondence of cells on a picture


def test_a_correspondence_of_ones_own_becomes_a_pair():
    source = np.array([[2, 3], [3, 3], [2, 4], [3, 4]])
    given = Correspondence(source, source + np.array([10, 5]))
    pair = given.as_pair(SHAPE, (15, 20))
    assert pair.carry == "painted"
    assert pair.handle.sum() == pair.target.sum() == 4 * 64
    assert np.abs(pixel_map(pair).source_xy[64, 96] - [16, 24]).max() < 0.02
    assert cell_correspondence(pair, (15, 20)) == given


def test_cells_may_be_taken_twice_and_need_not_divide_the_picture():
    given = Correspondence([[2, 3], [2, 3]], [[8, 8], [9, 8]])
    pair = given.as_pair((100, 150), (13, 19))
    assert cell_correspondence(pair, (13, 19)) == given


@pytest.mark.parametrize(
    ("cells", "grid", "words"),
    [
        ([], (15, 20), "no cells"),
        ([[30, 3]], (15, 20), "outside the latent grid"),
        ([[3, 3]], (0, 20), "does not fit"),
    ],
)
def test_a_correspondence_that_does_not_fit_is_refused(cells: list, grid: tuple[int, int], words: str):
    with pytest.raises(ValueError, match=words):
        Correspondence(cells, cells).as_pair(SHAPE, grid)
