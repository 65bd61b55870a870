"""The magnetic lasso and the magic wand."""

from __future__ import annotations

import numpy as np
import pytest

import regiondrag_widget as rd


def disc_picture(size: int = 200, radius: float = 60) -> tuple[np.ndarray, np.ndarray]:
    ys, xs = np.mgrid[:size, :size]
    disc = (xs - size / 2) ** 2 + (ys - size / 2) ** 2 <= radius**2
    rgb = np.where(disc[..., None], (210, 60, 50), (70, 90, 120)).astype(np.float32)
    rgb += np.random.default_rng(0).normal(0, 3, rgb.shape)
    return rgb.clip(0, 255).astype(np.uint8), disc


def around(size: int, radius: float, count: int) -> list[tuple[float, float]]:
    angles = np.arange(count) * 2 * np.pi / count
    return [(size / 2 + radius * np.cos(a), size / 2 + radius * np.sin(a)) for a in angles]


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize("size", [200, 1600])
def test_a_lasso_of_four_anchors_follows_a_round_outline(size: int):
    rgb, disc = disc_picture(size, 0.3 * size)
    mask = rd.select.lasso(rgb, around(size, 0.3 * size, 4))
    assert mask.dtype == bool
    assert overlap(mask, disc) > 0.95  # the square through the anchors has 0.64


def test_the_outline_goes_from_anchor_to_anchor_and_back_one():
    rgb, _ = disc_picture()
    lasso = rd.select.MagneticLasso(rgb)
    assert lasso.outline.shape == (0, 2)
    lasso.undo()
    first, second = around(200, 60, 4)[:2]
    lasso.anchor(*first)
    path = lasso.path_to(*second)
    np.testing.assert_allclose(path[-1], second)
    away = np.hypot(path[:, 0] - 100, path[:, 1] - 100)
    assert abs(np.median(away) - 60) < 3
    lasso.anchor(*second)
    np.testing.assert_allclose(lasso.outline[0], first)
    np.testing.assert_allclose(lasso.outline[-1], second)
    lasso.undo()
    assert lasso.anchors == [first]
    np.testing.assert_allclose(lasso.outline, [first])
    np.testing.assert_allclose(lasso.path_to(*second), path)


def test_a_place_far_from_the_anchor_is_reached():
    rgb, _ = disc_picture(1000, 300)
    lasso = rd.select.MagneticLasso(rgb)
    lasso.anchor(5, 5)
    np.testing.assert_allclose(lasso.path_to(990, 980)[-1], (990, 980))


def test_a_lasso_of_one_anchor_encloses_nothing():
    lasso = rd.select.MagneticLasso(disc_picture()[0])
    assert not lasso.close().any()
    lasso.anchor(3, 3)
    assert not lasso.close().any()


def test_what_a_lasso_cannot_use_is_refused():
    rgb, _ = disc_picture()
    with pytest.raises(ValueError, match="at least three points, got 2"):
        rd.select.lasso(rgb, [(1, 1), (2, 2)])
    lasso = rd.select.MagneticLasso(rgb)
    with pytest.raises(ValueError, match="no anchor yet"):
        lasso.path_to(1, 1)
    with pytest.raises(ValueError, match="outside the picture"):
        lasso.anchor(200, 0)


def test_a_lasso_works_in_a_picture_of_one_pixel():
    lasso = rd.select.MagneticLasso(np.zeros((1, 1, 3), np.uint8))
    lasso.anchor(0, 0)
    lasso.anchor(0, 0)
    assert lasso.close().shape == (1, 1)


def two_discs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ys, xs = np.mgrid[:80, :160]
    left, right = ((xs - x) ** 2 + (ys - 40) ** 2 < 400 for x in (40, 120))
    rgb = np.where((left | right)[..., None], (200, 180, 40), (30, 30, 90)).astype(np.uint8)
    return rgb, left, right


def test_the_wand_selects_by_colour_what_hangs_together():
    rgb, left, right = two_discs()
    np.testing.assert_array_equal(rd.select.wand(rgb, (40, 40)), left)
    np.testing.assert_array_equal(rd.select.wand(rgb, (40, 40), contiguous=False), left | right)


def test_the_tolerance_is_by_how_much_a_channel_may_differ():
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[..., 1] = np.arange(64)[None] * 2
    assert rd.select.wand(rgb, (0, 0), tolerance=20).sum() == 64 * 11
    assert rd.select.wand(rgb, (0, 0), tolerance=0).sum() == 64
    assert rd.select.wand(rgb, (0, 0), tolerance=255).all()


def test_the_wand_in_a_large_picture_keeps_its_size():
    rgb = np.zeros((1200, 4100, 3), np.uint8)
    rgb[:, 2050:] = 200
    mask = rd.select.wand(rgb, (4000, 600))
    assert mask.shape == (1200, 4100)
    assert abs(int(mask.sum()) - 1200 * 2050) < 1200 * 3


def test_what_the_wand_cannot_use_is_refused():
    rgb, _, _ = two_discs()
    with pytest.raises(ValueError, match="tolerance must be between 0 and 255"):
        rd.select.wand(rgb, (1, 1), tolerance=300)
    with pytest.raises(ValueError, match="outside the picture"):
        rd.select.wand(rgb, (160, 1))
    assert rd.select.wand(np.zeros((1, 1, 3), np.uint8), (0, 0)).all()


def test_one_call_gives_one_selection():
    rgb, disc = disc_picture()
    assert overlap(rd.select.click(rgb, [(100, 100)], [True]), disc) > 0.95
    assert overlap(rd.select.at(rgb, (100, 100)), disc) > 0.95
    assert overlap(rd.select.box(rgb, (30, 30, 170, 170)), disc) > 0.9
    with pytest.raises(ValueError, match="too small"):
        rd.select.click(np.zeros((20, 20)), [(1, 1)])
