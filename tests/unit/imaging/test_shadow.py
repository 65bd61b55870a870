"""A shadow that stays beside a hole does not grow into it; a dark line that goes on does."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from regiondrag_widget.imaging.fill import mixed_fill
from regiondrag_widget.imaging.shadow import cast_shadow
from tests.unit.engine_kit import placed

SIDE = 160
YY, XX = np.mgrid[:SIDE, :SIDE]
HOLE = (YY - 80) ** 2 + (XX - 80) ** 2 <= 30**2
GAP = (YY >= 58) & (YY < 62)
NOTHING = np.zeros_like(HOLE)


def boards(seed: int = 0) -> np.ndarray:
    """Green boards, with a dark gap that runs behind the hole's upper part."""
    grain = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 14, (SIDE, SIDE)), (0, 0), 1.5)
    light = 130 + 3 * grain
    light[GAP] = 25
    return (light[..., None] * np.array([0.5, 1.0, 0.85])).clip(0, 255).astype(np.float32)


def shaded(picture: np.ndarray) -> np.ndarray:
    """With a soft shadow below the hole, up to 8 px out of it."""
    below = np.hypot(YY - 80, XX - 80)
    depth = np.where(YY > 80, np.clip((38 - below) / 8, 0, 1), 0)
    return np.asarray(picture * (1 - 0.6 * depth[..., None]), np.float32)


def whole(picture: np.ndarray) -> np.ndarray:
    fill = mixed_fill(picture, HOLE, seed=0)
    return placed(fill.rgb, fill.box, picture)


def test_a_shadow_is_told_from_a_gap_between_boards():
    shadow = cast_shadow(shaded(boards()), HOLE, NOTHING)
    assert shadow is not None
    depth = shadow.depth
    assert depth[112, 80] > 0.25  # just below the hole
    assert depth[GAP & ~HOLE].max() < 0.05


def test_without_a_shadow_there_is_none():
    assert cast_shadow(np.full((SIDE, SIDE, 3), 120, np.float32), HOLE, NOTHING) is None


def test_the_window_is_lit_and_dimmed_again():
    picture = shaded(boards())
    shadow = cast_shadow(picture, HOLE, NOTHING)
    assert shadow is not None
    lit = shadow.lit(picture)
    assert lit[112, 75:86].mean() > 1.2 * picture[112, 75:86].mean()
    box = slice(40, 120), slice(30, 130)
    np.testing.assert_allclose(shadow.dimmed(lit[box], box), picture[box], atol=0.02)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_hole_is_as_light_as_the_ground(seed: int):
    ground = boards(seed)
    filled = whole(shaded(ground))
    core = np.hypot(YY - 80, XX - 80) < 16
    lower = core & (YY > 80)
    assert filled[lower].mean() > 0.85 * ground[lower].mean()


def test_nothing_outside_the_hole_changes():
    picture = shaded(boards())
    filled = whole(picture)
    np.testing.assert_array_equal(filled[~HOLE], picture[~HOLE])
