"""Mean distances on feature maps whose answer is known by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from regiondrag_widget.bench.dragbench.matching import discs, matched_bilinear, matched_nearest, md_px, md_rd

torch = pytest.importorskip("torch")


def spots(shape: tuple[int, int], *places: tuple[int, int]) -> np.ndarray:
    """(C, H, W): a channel for each place, one there; the last channel is one everywhere else."""
    features = np.zeros((len(places) + 1, *shape), np.float32)
    features[-1] = 1
    for channel, (x, y) in enumerate(places):
        features[:, y, x] = 0
        features[channel, y, x] = 1
    return features


def points(*pairs: tuple[tuple[int, int], tuple[int, int]]) -> np.ndarray:
    return np.array(pairs, dtype=np.float64).reshape(-1, 2, 2)


def test_a_point_that_arrives_has_no_distance():
    before, after = spots((60, 80), (10, 20)), spots((60, 80), (40, 30))
    asked = points(((10, 20), (40, 30)))
    assert md_rd(before, after, asked, (60, 80)) == 0
    assert md_px(before, after, asked, (60, 80)) == 0


def test_distances_are_over_width_and_height_or_in_pixels():
    before, after = spots((60, 80), (10, 20)), spots((60, 80), (44, 33))
    asked = points(((10, 20), (40, 30)))
    assert md_rd(before, after, asked, (60, 80)) == pytest.approx(math.hypot(4 / 80, 3 / 60))
    assert md_px(before, after, asked, (60, 80)) == pytest.approx(5)


def test_the_mean_is_over_points():
    before = spots((60, 80), (10, 20), (60, 40))
    after = spots((60, 80), (13, 24), (60, 40))
    asked = points(((10, 20), (13, 20)), ((60, 40), (60, 40)))
    assert md_px(before, after, asked, (60, 80)) == pytest.approx(2)
    assert md_rd(before, after, asked, (60, 80)) == pytest.approx(4 / 60 / 2)


def test_regiondrags_search_is_held_to_two_discs_and_dragdiffusions_is_not():
    shape = (60, 80)
    before, after = spots(shape, (10, 20)), spots(shape, (70, 50))  # far from both ends of the drag
    after[0, 22, 20] = 0.5  # a faint copy within the target's disc
    asked = points(((10, 20), (20, 20)))
    assert matched_nearest(before, after, asked, shape).tolist() == [[20, 22]]
    assert matched_bilinear(before, after, asked, shape).tolist() == [[70, 50]]


@pytest.mark.parametrize(("target", "radius"), [((12, 20), 5.0), ((40, 20), 30 / math.sqrt(2))])
def test_the_discs_radius_is_the_distance_over_root_two_and_at_least_five(target, radius):
    found = discs(np.array([10, 20]), np.array(target), (60, 80))
    y, x = np.mgrid[:60, :80]
    expected = (np.hypot(x - 10, y - 20) < radius) | (np.hypot(x - target[0], y - target[1]) < radius)
    assert (found == expected).all()


def test_of_equal_cells_the_first_pixel_counts():
    # 6 x 8 cells in a picture of 60 x 80: the features of a whole cell are equal
    before, after = spots((6, 8), (1, 2)), spots((6, 8), (4, 3))
    asked = points(((15, 25), (42, 33)))
    assert matched_nearest(before, after, asked, (60, 80)).tolist() == [[40, 30]]


@pytest.mark.parametrize("cells", [(6, 8), (7, 9), (24, 24)])
def test_features_are_resized_as_torch_does(cells: tuple[int, int]):
    shape = (50, 61)
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=(2, 5, *cells)).astype(np.float32)
    asked = points(((30, 20), (40, 30)), ((5, 45), (60, 3)))
    for mode, found in (
        ("nearest", matched_nearest(before, after, asked, shape)),
        ("bilinear", matched_bilinear(before, after, asked, shape)),
    ):
        old, new = (
            torch.nn.functional.normalize(
                torch.nn.functional.interpolate(torch.from_numpy(f)[None], size=shape, mode=mode)[0], dim=0
            ).numpy()
            for f in (before, after)
        )
        for ((x, y), target), match in zip(asked.astype(int), found, strict=True):
            alike = np.tensordot(old[:, y, x], new, axes=(0, 0))
            if mode == "nearest":
                alike = np.where(discs(np.array([x, y]), target, shape), alike, -np.inf)
            row, column = int(match[1]), int(match[0])
            assert alike[row, column] == pytest.approx(alike.max(), abs=1e-5)
