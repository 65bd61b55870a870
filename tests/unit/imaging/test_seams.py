"""Copies in a hole meet each other, and what surrounds it, without a line that shows."""

from __future__ import annotations

import numpy as np
import pytest

from regiondrag_widget import examples
from regiondrag_widget.imaging.background import empty
from regiondrag_widget.imaging.blend import blended
from regiondrag_widget.imaging.crossfade import agreement, crossfaded
from regiondrag_widget.imaging.cutout import cut_out
from regiondrag_widget.imaging.rim import BESIDE, to_rim
from tests.unit.engine_kit import box

SHAPE = (60, 80)
HOLE = box(SHAPE, 20, 10, 60, 40)


def sky_above_rock(step: float, grain: float) -> np.ndarray:
    """Sky (210) above rock that is so much darker from row 40 on, where the hole ends."""
    rgb = np.full((*SHAPE, 3), 210, np.float32)
    rgb[40:] -= step
    return np.asarray(rgb + np.random.default_rng(0).normal(0, grain, rgb.shape), np.float32)


NARROW = box(SHAPE, 20, 10, 40, 40)
LABELS = np.where(NARROW, 1, 0).astype(np.uint8)


def copied_by(rgb: np.ndarray, dy: int, dx: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return blended(rgb, NARROW, LABELS, np.array([[0, 0], [dy, dx]]))


def test_a_dark_rock_below_does_not_tint_the_sky_that_is_copied_above_it():
    rgb = sky_above_rock(90, 1)
    _, _, seam = copied_by(rgb, 0, 30)
    assert seam[39, 22:38].max() < 10  # where the rock goes on below as beside, nothing is missed
    _, filled, seam = copied_by(rgb, -10, 30)
    assert seam[39, 22:38].min() > 60
    assert np.abs(filled[NARROW] - 210).mean() < 3


def test_where_all_copies_miss_by_as_much_they_are_brought_together():
    rgb = sky_above_rock(0, 1)
    rgb[:, 45:] -= 40  # the only source is darker than all that surrounds the hole
    tones, filled, _ = copied_by(rgb, 0, 28)
    rim = NARROW & ~box(SHAPE, 22, 12, 38, 38)
    assert np.abs(filled[rim] - 210).mean() < 12
    assert tones[NARROW].mean() > 20


def two_copies() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture of two greys, labels that take one each, and their shifts (x, y)."""
    rgb = np.full((*SHAPE, 3), 60, np.float32)
    rgb[:, 60:] = 160
    labels = np.zeros(SHAPE, np.uint8)
    labels[10:40, 20:40], labels[10:40, 40:60] = 1, 2
    return rgb, labels, np.array([[0, 0], [-40, 0], [40, 0]], np.float32)


def faded(reach: int, rows: slice, agreed: float = 1.0) -> np.ndarray:
    rgb, labels, shifts = two_copies()
    sources = np.repeat(np.where(labels == 2, 160, 60)[..., None], 3, -1).astype(np.float32)
    top = max(0, rows.start - reach)
    strip = rows, slice(0, SHAPE[1])
    even = np.full((len(sources[rows]), SHAPE[1]), agreed, np.float32)
    part = labels[top : rows.stop + reach]
    return crossfaded(rgb, sources[rows], part, strip, rows.start - top, HOLE, HOLE, shifts, reach, even)


@pytest.mark.parametrize("reach", [2, 4])
def test_copies_pass_into_one_another(reach: int):
    across = faded(reach, slice(0, SHAPE[0]))[25, :, 0].round(2)
    assert np.diff(across[20:60]).max() < 45  # of 100
    assert (np.diff(across[20:60]) >= 0).all()
    assert (across[20 : 40 - reach] == 60).all()
    assert (across[40 + reach : 60] == 160).all()


def test_in_strips_they_pass_into_one_another_as_in_one_piece():
    whole = faded(3, slice(0, SHAPE[0]))
    parts = [faded(3, slice(top, top + 7)) for top in range(0, SHAPE[0] - 3, 7)]
    assert np.array_equal(np.concatenate(parts), whole[: len(parts) * 7])


def test_where_they_are_of_two_colours_their_edge_stays_sharp():
    across = faded(3, slice(0, SHAPE[0]), agreed=0.01)[25, 20:60, 0]
    assert np.diff(across).max() > 97  # of 100
    rgb, labels, _ = two_copies()
    assert agreement(np.where(labels[..., None] == 2, rgb + 100, rgb), labels)[25, 38:42].max() < 0.01
    gravel = np.random.default_rng(0).normal(100, 40, rgb.shape).astype(np.float32)
    assert agreement(gravel, labels)[25, 38:42].min() > 0.5


def test_a_step_at_the_rim_is_spread_and_an_edge_is_not():
    for step, share in ((12, 0.5), (120, 0.0)):
        picture = np.full((*SHAPE, 3), 100 + step, np.float32)
        copies = np.full_like(picture, 100)
        added = to_rim(picture, copies, HOLE, ~HOLE, 2)
        assert (added[~HOLE] == 0).all()
        assert added[HOLE].max() >= share * step
        assert step < 100 or added[HOLE].max() < 0.03 * step
        inside = box(SHAPE, 20 + 4 * BESIDE, 10 + 2 * BESIDE, 60 - 4 * BESIDE, 40 - 2 * BESIDE)
        assert np.abs(added[inside]).max(initial=0) < 0.1 * step


def test_the_sky_behind_the_wren_stays_clear():
    """The example's bird sits on a rock, whose brown ran up into the sky that was copied behind it."""
    example = examples.load("canyon-wren")
    rgb = np.asarray(example.image.convert("RGB"))
    cutout = cut_out(rgb, example.handle)
    made = empty(rgb, [example.handle], [cutout])
    above = made.hole.copy()
    above[-20:] = False  # the rock's outline
    sky = made.rgb[above]
    assert (sky[:, 0] < sky[:, 2] - 5).mean() > 0.985  # bluish and not brown
