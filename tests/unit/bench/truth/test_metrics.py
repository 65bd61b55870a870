"""The measures say what they claim to measure."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from regiondrag_widget.bench.truth.metrics import (
    PSNR_CAP,
    flip_map,
    mean_distance,
    measure,
    psnr,
    seam_band,
    ssim_map,
    texture_ratio,
)
from regiondrag_widget.bench.truth.scene import Scene, ScenePair
from regiondrag_widget.bench.truth.scenes import KINDS, build_scene
from regiondrag_widget.bench.truth.transforms import about


@pytest.fixture(scope="module")
def scene() -> Scene:
    return build_scene(KINDS.index("translate-long"), (), 96, 0)


def test_the_truth_is_perfect_by_every_measure(scene: Scene) -> None:
    found = measure(scene, scene.after)
    assert found.psnr == found.psnr_target == found.psnr_vacated == found.psnr_seam == PSNR_CAP
    assert found.ssim == pytest.approx(1)
    assert found.flip == pytest.approx(0, abs=1e-6)
    assert found.texture == pytest.approx(1)
    assert found.distance == 0
    assert found.outside == 0


def test_psnr_of_a_known_error() -> None:
    error = np.full((4, 4, 3), 25.5**2)
    assert psnr(error, np.ones((4, 4), bool)) == pytest.approx(20)


def test_psnr_counts_the_region_only() -> None:
    error = np.zeros((4, 4, 3))
    error[0] = 25.5**2
    region = np.zeros((4, 4), bool)
    region[0] = True
    assert psnr(error, region) == pytest.approx(20)
    assert psnr(error, ~region) == PSNR_CAP


def test_an_empty_region_has_no_figure() -> None:
    assert psnr(np.zeros((4, 4, 3)), np.zeros((4, 4), bool)) is None


def test_ssim_falls_with_noise_and_ignores_none() -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (32, 32, 3), np.uint8)
    noisy = np.clip(picture + rng.normal(0, 40, picture.shape), 0, 255).astype(np.uint8)
    assert ssim_map(picture, picture).min() == pytest.approx(1)
    assert 0.3 < ssim_map(picture, noisy).mean() < 0.95


def test_ssim_of_flat_pictures_is_its_luminance_term() -> None:
    a, b = np.full((16, 16, 3), 100, np.uint8), np.full((16, 16, 3), 150, np.uint8)
    c1 = (0.01 * 255) ** 2
    assert ssim_map(a, b).mean() == pytest.approx((2 * 100 * 150 + c1) / (100**2 + 150**2 + c1), abs=1e-3)


def test_flip_is_local() -> None:
    truth = np.full((64, 64, 3), 128, np.uint8)
    edited = truth.copy()
    edited[:16, :16] = (255, 0, 0)
    error = flip_map(edited, truth)
    assert error[4:12, 4:12].mean() > 0.4
    assert error[40:, 40:].max() < 1e-3


def test_blur_and_noise_show_in_the_texture_ratio() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (48, 48, 3), np.uint8)
    everywhere = np.ones((48, 48), bool)
    assert (texture_ratio(cv2.GaussianBlur(truth, (0, 0), 2), truth, everywhere) or 1) < 0.4
    flat = np.full_like(truth, 128)
    assert (texture_ratio(truth, flat, everywhere) or 1) > 1.6


@pytest.mark.parametrize("shift", [(3, 0), (0, -4), (3, 4)])
def test_the_distance_of_a_shifted_thing_is_its_shift(scene: Scene, shift: tuple[int, int]) -> None:
    moved = np.roll(scene.after, (shift[1], shift[0]), axis=(0, 1))
    assert mean_distance(scene, moved) == pytest.approx(np.hypot(*shift), abs=0.5)


def _textured(size: int = 160) -> np.ndarray:
    """A thing with corners, (size, size, 3) uint8: no two places look alike."""
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 256, (size // 8, size // 8, 3), np.uint8)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def _moved_scene(shift: tuple[int, int]) -> Scene:
    """A textured square of 40 px on grey, moved by (dx, dy)."""
    before = np.full((160, 160, 3), 128, np.uint8)
    handle = np.zeros((160, 160), bool)
    handle[60:100, 60:100] = True
    before[handle] = _textured()[handle]
    roll = (shift[1], shift[0])
    after, target = np.roll(before, roll, axis=(0, 1)), np.roll(handle, roll, axis=(0, 1))
    pair = ScenePair(handle, target, about((0, 0), shift=shift))
    return Scene("square", "given", "translation", before, after, (pair,))


@pytest.mark.parametrize("shift", [(0, 0), (5, 0), (0, -9), (12, 16), (-20, 10)])
def test_left_alone_a_thing_is_as_far_off_as_it_should_have_moved(shift: tuple[int, int]) -> None:
    scene = _moved_scene(shift)
    assert mean_distance(scene, scene.before) == pytest.approx(np.hypot(*shift), abs=0.01)
    assert mean_distance(scene, scene.after) == 0


def test_a_thing_carried_half_the_way_is_half_the_way_off() -> None:
    half = np.roll(_moved_scene((12, 16)).before, (8, 6), axis=(0, 1))
    assert mean_distance(_moved_scene((12, 16)), half) == pytest.approx(10, abs=0.01)


def test_a_thing_that_is_gone_is_as_far_off_as_is_looked() -> None:
    scene = _moved_scene((12, 16))
    assert (mean_distance(scene, np.full_like(scene.before, 128), window=24) or 0) > 24


def test_points_of_an_untouched_background_in_the_target_do_not_count() -> None:
    scene = _moved_scene((30, 0))
    ground = _textured()[::-1]
    before, after = (
        np.where((p == 128).all(-1, keepdims=True), ground, p) for p in (scene.before, scene.after)
    )
    wide = cv2.dilate(scene.target.astype(np.uint8), np.ones((31, 31))).astype(bool)
    drawn = Scene("drawn", "given", "translation", before, after, (ScenePair(scene.handle, wide),))
    exact = Scene("exact", "given", "translation", before, after, scene.pairs)
    assert mean_distance(drawn, before) == pytest.approx(mean_distance(exact, before), rel=0.25)


def test_a_change_outside_the_edit_is_found(scene: Scene) -> None:
    edited = scene.after.copy()
    y, x = np.argwhere(~scene.touched)[0]
    edited[y, x] ^= 8
    assert measure(scene, edited).outside == 8


def test_the_seam_band_lies_on_both_sides_of_the_outlines() -> None:
    region = np.zeros((60, 60), bool)
    region[20:40, 20:40] = True
    picture = np.zeros((60, 60, 3), np.uint8)
    band = seam_band(
        Scene("square", "given", "given", picture, picture, (ScenePair(region, region),)), width=4
    )
    assert band[20:24, 30].all()
    assert band[16:20, 30].all()
    assert not band[25:35, 25:35].any()
    assert not band[:15].any()


def test_a_picture_of_another_size_is_refused(scene: Scene) -> None:
    with pytest.raises(ValueError, match="needs"):
        measure(scene, scene.after[:-1])
