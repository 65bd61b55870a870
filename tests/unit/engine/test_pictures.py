"""Edits of whole pictures: what may change and what is the input's, bit for bit."""

from __future__ import annotations

import io
import tracemalloc
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

import regiondrag_widget as rd
from tests.unit.engine_kit import box, box_pair, counted, picture, tiny_pipeline


@pytest.fixture(scope="module")
def pipe() -> Any:
    return tiny_pipeline()


def assert_unchanged_outside(result: np.ndarray, given: np.ndarray, pairs: Any, allowed: Any = True) -> None:
    regions = rd.RegionPairs.of(pairs)
    touched = (regions.handle | regions.target) & allowed
    assert np.array_equal(result[~touched], given[~touched])


# ---- outside the edit ----


@pytest.mark.parametrize("size", [(64, 64), (100, 333), (333, 100), (65, 67), (512, 512)], ids=str)
@pytest.mark.parametrize("content", ["pixels", "latents"])
def test_pixels_outside_handle_and_target_are_the_inputs(pipe: Any, size: tuple[int, int], content: str):
    given, pair = picture(*size), box_pair(size)
    result = rd.edit(given, [pair], model=pipe, content=content).array
    assert result.shape == given.shape
    assert_unchanged_outside(result, given, [pair])
    for region in (pair.handle, pair.target):
        assert not np.array_equal(result[region], given[region])


def test_a_large_photograph_is_edited_at_its_own_resolution_with_little_memory(pipe: Any):
    given = picture(3000, 4000)
    handle = box((3000, 4000), 1000, 900, 1060, 960)
    pair = rd.RegionPair.move(handle, 40, 30)
    before = given.copy()
    tracemalloc.start()
    result = rd.edit(given, [pair], model=pipe, matte="none", stop=0.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert_unchanged_outside(result.array, before, [pair])
    # at its own resolution: the noise has been carried pixel by pixel, but for the target's rim
    inside = box((3000, 4000), 1044, 934, 1096, 986)
    moved = np.roll(before, (30, 40), (0, 1))
    error = np.abs(result.array[inside].astype(int) - moved[inside]).mean()
    assert error < 8, "the moved content is not the handle's own pixels"
    assert peak < 4 * before.nbytes, (
        f"{peak / 2**20:.0f} MiB for a picture of {before.nbytes / 2**20:.0f} MiB"
    )


def test_an_edit_at_the_corner_of_a_large_photograph_works(pipe: Any):
    given = picture(600, 800)
    pair = rd.RegionPair.move(box((600, 800), 0, 0, 40, 40), 20, 25)
    assert_unchanged_outside(rd.edit(given, [pair], model=pipe).array, given, [pair])


def test_a_region_over_all_of_a_large_photograph_works(pipe: Any):
    given = picture(400, 600)
    pair = rd.RegionPair(np.ones((400, 600), bool), matrix=np.array([[1.0, 0, 30], [0, 1, 10], [0, 0, 1]]))
    result = rd.edit(given, [pair], model=pipe).array
    assert result.shape == given.shape


def test_a_target_partly_outside_the_picture_works(pipe: Any):
    given = picture(96, 128)
    pair = rd.RegionPair.move(box((96, 128), 80, 40, 110, 70), 30, 0)
    assert_unchanged_outside(rd.edit(given, [pair], model=pipe).array, given, [pair])


def test_a_region_of_one_pixel_works(pipe: Any):
    given = picture(96, 128)
    pair = rd.RegionPair.move(box((96, 128), 50, 50, 51, 51), 20, 0)
    assert_unchanged_outside(rd.edit(given, [pair], model=pipe).array, given, [pair])


def test_a_handle_that_stays_where_it_is_works(pipe: Any):
    given = picture(96, 128)
    pair = rd.RegionPair.move(box((96, 128), 20, 20, 50, 50), 0, 0)
    assert_unchanged_outside(rd.edit(given, [pair], model=pipe).array, given, [pair])


# ---- the editable mask ----


@pytest.mark.parametrize("content", ["pixels", "latents"])
def test_what_may_not_change_does_not(pipe: Any, content: str):
    given, pair = picture(96, 128), box_pair((96, 128))
    editable = np.zeros((96, 128), bool)
    editable[:, :70] = True
    result = rd.edit(given, [pair], model=pipe, content=content, editable=editable).array
    assert_unchanged_outside(result, given, [pair], editable)
    assert not np.array_equal(result[pair.target & editable], given[pair.target & editable])


def test_a_mask_that_allows_nothing_leaves_everything(pipe: Any):
    given = picture(96, 128)
    result = rd.edit(given, [box_pair((96, 128))], model=pipe, editable=np.zeros((96, 128), bool))
    assert np.array_equal(result.array, given)


# ---- transparency ----


def test_alpha_outside_the_edit_is_kept(pipe: Any):
    given, pair = picture(96, 128, channels=4), box_pair((96, 128))
    result = rd.edit(given, [pair], model=pipe)
    assert result.image.mode == "RGBA"
    assert_unchanged_outside(result.array, given, [pair])


def test_alpha_is_carried_with_the_content(pipe: Any):
    """A solid thing on a clear ground stays solid at its new place and leaves a clear one."""
    handle = box((96, 128), 16, 16, 40, 40)
    given = picture(96, 128, channels=4)
    given[..., 3] = np.where(handle, 255, 0)
    result = rd.edit(given, [rd.RegionPair.move(handle, 60, 30)], model=pipe, matte="none").array
    assert result[51:65, 81:95, 3].min() > 250
    assert result[20:36, 20:36, 3].max() < 5


@pytest.mark.parametrize("content", ["pixels", "latents"])
def test_a_picture_without_alpha_has_none_afterwards(pipe: Any, content: str):
    assert rd.edit(picture(96, 128), [box_pair((96, 128))], model=pipe, content=content).image.mode == "RGB"


# ---- other kinds of pictures ----


def test_a_turned_photograph_is_edited_upright(pipe: Any):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # a quarter turn clockwise to stand upright
    file = io.BytesIO()
    Image.fromarray(picture(96, 128)).save(file, "PNG", exif=exif)
    upright = np.rot90(picture(96, 128), -1)
    pair = box_pair((128, 96))
    result = rd.edit(file.getvalue(), [pair], model=pipe)
    assert result.image.size == (96, 128)
    assert_unchanged_outside(result.array, upright, [pair])
    assert result.image.getexif().get(ExifTags.Base.Orientation, 1) == 1


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "CMYK", "RGBA"])
def test_pictures_of_every_mode_edit(pipe: Any, mode: str):
    if mode == "I;16":
        given = Image.fromarray(picture(96, 128)[..., 0].astype(np.uint16) * 257)
    else:
        given = Image.fromarray(picture(96, 128)).convert(mode)
    pair = box_pair((96, 128))
    result = rd.edit(given, [pair], model=pipe)
    assert result.image.size == (128, 96)
    assert_unchanged_outside(result.array, np.asarray(result.before), [pair])


# ---- pairs ----


def test_no_pairs_give_the_picture_back_with_a_warning_and_no_network_call(pipe: Any):
    given = picture(96, 128)
    with counted(pipe) as counts, pytest.warns(UserWarning, match="no region pairs"):
        result = rd.edit(given, [], model=pipe)
    assert not counts
    assert np.array_equal(result.array, given)


def plain(shape: tuple[int, int], *things: tuple[np.ndarray, tuple[int, int, int]]) -> np.ndarray:
    """A grey picture with coloured things on it."""
    out = np.full((*shape, 3), 128, np.uint8)
    for mask, colour in things:
        out[mask] = colour
    return out


RED, BLUE = (230, 30, 30), (30, 30, 230)


def test_several_pairs_are_carried_in_one_edit(pipe: Any):
    red, blue = box((96, 128), 8, 8, 32, 32), box((96, 128), 8, 56, 32, 80)
    given = plain((96, 128), (red, RED), (blue, BLUE))
    pairs = [rd.RegionPair.move(red, 60, 0), rd.RegionPair.move(blue, 60, 0)]
    result = rd.edit(given, pairs, model=pipe, matte="none", stop=0.0).array
    assert np.abs(result[14:26, 74:86].astype(int) - RED).max() < 12
    assert np.abs(result[62:74, 74:86].astype(int) - BLUE).max() < 12


@pytest.mark.parametrize("last", ["red", "blue"])
def test_where_targets_overlap_the_later_pair_wins(pipe: Any, last: str):
    red, blue = box((96, 128), 8, 8, 32, 32), box((96, 128), 8, 56, 32, 80)
    given = plain((96, 128), (red, RED), (blue, BLUE))
    pairs = [rd.RegionPair.move(red, 70, 24), rd.RegionPair.move(blue, 70, -24)]
    if last == "red":
        pairs.reverse()
    result = rd.edit(given, pairs, model=pipe, matte="none", stop=0.0).array
    assert np.abs(result[38:50, 84:96].astype(int) - (RED if last == "red" else BLUE)).max() < 12


def test_two_things_may_change_places(pipe: Any):
    red, blue = box((96, 128), 8, 30, 32, 54), box((96, 128), 80, 30, 104, 54)
    given = plain((96, 128), (red, RED), (blue, BLUE))
    pairs = [rd.RegionPair.move(red, 72, 0), rd.RegionPair.move(blue, -72, 0)]
    result = rd.edit(given, pairs, model=pipe, matte="none", stop=0.0).array
    assert np.abs(result[36:48, 14:26].astype(int) - BLUE).max() < 12
    assert np.abs(result[36:48, 86:98].astype(int) - RED).max() < 12


def test_keeping_the_vacated_place_makes_a_copy(pipe: Any):
    red = box((96, 128), 8, 8, 32, 32)
    given = plain((96, 128), (red, RED))
    result = rd.edit(
        given, [rd.RegionPair.move(red, 60, 30)], model=pipe, vacated="keep", matte="none", stop=0.0
    ).array
    assert np.abs(result[14:26, 14:26].astype(int) - RED).max() < 12
    assert np.abs(result[44:56, 74:86].astype(int) - RED).max() < 12


def test_the_callback_of_an_edit_gets_every_step(pipe: Any):
    seen: list[int] = []
    rd.edit(
        picture(96, 128), [box_pair((96, 128))], model=pipe, callback=lambda step: seen.append(step.index)
    )
    assert seen == [1, 2, 3]
