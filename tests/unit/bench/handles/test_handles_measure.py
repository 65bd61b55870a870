"""The measures of the handles benchmark, on edits whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from regiondrag_widget.bench.handles.handles import KINDS, handle_of, shifted
from regiondrag_widget.bench.handles.measure import Moved, carried, left_behind, lost, measure, seam

SHAPE = (240, 320)
DX, DY = 140, 60


def disc(x: float, y: float, radius: float) -> np.ndarray:
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return (xx - x) ** 2 + (yy - y) ** 2 <= radius**2


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, Moved]:
    """A disc in a sloping sky, the perfect edit, the object, its handle, and what is expected."""
    ground = np.zeros((*SHAPE, 3), np.float32)
    ground[:] = (90, 130, 190)
    ground += 0.1 * np.arange(SHAPE[1])[None, :, None]
    thing, handle = disc(80, 90, 30), disc(80, 90, 50)
    before = ground.copy()
    before[thing] = (200, 60, 40)
    perfect = ground.copy()
    perfect[shifted(thing, DX, DY)] = (200, 60, 40)
    moved = Moved(
        np.asarray(shifted(np.rint(before), DX, DY)), shifted(thing, DX, DY), shifted(handle, DX, DY)
    )
    return np.rint(before).astype(np.uint8), np.rint(perfect).astype(np.uint8), thing, handle, moved


def test_a_perfect_edit_is_clean():
    before, perfect, thing, handle, moved = scene()
    found = measure(before, perfect, thing, handle, moved)
    assert (found.lost, found.carried, found.seam, found.left) == (0, 0, 0, 0)
    assert found.clean


def test_a_bite_is_lost_in_proportion():
    _, perfect, _, _, moved = scene()
    bite = shifted(disc(80, 90, 10), DX, DY)
    perfect[bite] = (100, 140, 200)
    assert lost(perfect, moved) == pytest.approx(10**2 / 26**2, rel=0.1)


def test_what_is_off_by_12_is_not_lost_and_by_13_is():
    _, perfect, _, _, moved = scene()
    perfect[..., 0] -= 12 * moved.object_.astype(np.uint8)
    assert lost(perfect, moved) == 0
    perfect[..., 0] -= moved.object_.astype(np.uint8)
    assert lost(perfect, moved) == 1


def test_background_that_came_along_is_carried():
    before, perfect, _, handle, moved = scene()
    rim = moved.handle & ~moved.object_
    perfect[rim] = (60, 100, 160)
    expected = (50**2 - 36**2) / 50**2
    assert carried(before, perfect, handle, moved) == pytest.approx(expected, rel=0.1)


def test_a_pale_disc_of_8_levels_is_seen_all_around():
    before, perfect, _, handle, moved = scene()
    rim = moved.handle & ~moved.object_
    perfect[rim] += 8
    assert carried(before, perfect, handle, moved) == 0  # under 12 levels
    assert seam(before, perfect, handle, moved) > 0.5


def test_a_disc_that_fades_is_no_seam():
    before, perfect, _, handle, moved = scene()
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    out = np.hypot(columns - 80 - DX, rows - 90 - DY)
    fading = np.clip((50 - out) / 20, 0, 1) * 8
    rim = moved.handle & ~moved.object_
    perfect[rim] += fading[rim].astype(np.uint8)[:, None]
    assert seam(before, perfect, handle, moved) < 0.05


def test_steps_of_the_picture_itself_are_no_seam():
    before, perfect, _, handle, moved = scene()
    for picture in (before, perfect):
        grain = np.random.default_rng(0).normal(0, 12, SHAPE)[..., None]
        picture[:] = (picture + grain).clip(0, 255).astype(np.uint8)
    assert seam(before, perfect, handle, moved) < 0.05


@pytest.mark.parametrize(("opacity", "at_least"), [(1.0, 0.9), (0.5, 0.9), (0.3, 0.9)])
def test_a_ghost_is_left_behind(opacity: float, at_least: float):
    before, perfect, thing, handle, moved = scene()
    ghost = perfect + opacity * (before.astype(float) - perfect)
    perfect[thing] = np.rint(ghost[thing]).astype(np.uint8)
    assert left_behind(before, perfect, thing, handle, moved.handle) > at_least


def test_a_sliver_is_left_behind():
    before, perfect, thing, handle, moved = scene()
    sliver = thing & ~disc(84, 90, 30)
    perfect[sliver] = before[sliver]
    found = left_behind(before, perfect, thing, handle, moved.handle)
    assert found == pytest.approx(sliver.sum() / thing.sum(), rel=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_a_handle_holds_its_object(kind: str):
    thing = disc(150, 120, 40) & ~disc(170, 100, 12)
    handle = handle_of(thing, kind, seed=3)
    share = (handle & thing).sum() / thing.sum()
    assert share == (pytest.approx(0.95, abs=0.01) if kind == "misses" else 1)
    assert handle.sum() > 0.9 * thing.sum()


def test_an_unknown_handle_is_refused():
    with pytest.raises(ValueError, match="handle kind 'sloppy' is unknown"):
        handle_of(disc(150, 120, 40), "sloppy")
