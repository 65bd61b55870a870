"""What a handle of a whole picture carries: the same as in the edit, and nothing unusable."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import regiondrag_widget as rd
from regiondrag_widget.imaging import cutout, find
from regiondrag_widget.imaging.carried import carried_in
from regiondrag_widget.regions import RegionPair

H, W = 300, 400
Y, X = np.mgrid[:H, :W]
OBJECT = (X - 250) ** 2 + (Y - 160) ** 2 < 30**2
HANDLE = (X - 250) ** 2 + (Y - 160) ** 2 < 42**2


@pytest.fixture
def image() -> Image.Image:
    """A red disc on grey, with grain."""
    grain = np.random.default_rng(0).normal(0, 4, (H, W, 1))
    colours = np.where(OBJECT[..., None], (200, 40, 30), (120, 125, 130)) + grain
    return Image.fromarray(colours.clip(0, 255).astype(np.uint8))


def test_it_is_what_the_edit_cuts_out(image: Image.Image, monkeypatch: pytest.MonkeyPatch):
    seen = []
    work = cutout.carried_of_window
    monkeypatch.setattr(cutout, "carried_of_window", lambda *given: seen.append(work(*given)) or seen[-1])
    cut = cutout.cut_out(np.asarray(image), HANDLE)
    found = carried_in(image, HANDLE)
    x0, y0, x1, y1 = cut.around
    assert found.verdict == cut.verdict == "object"
    ((carried, blocks),) = seen
    assert blocks == 1
    assert np.array_equal(found.mask[y0:y1, x0:x1], carried.mask)
    assert found.mask.sum() == carried.mask.sum()
    assert (found.mask & OBJECT).sum() > 0.97 * OBJECT.sum()


def test_it_is_what_the_edit_cuts_out_of_a_large_window_too_and_is_not_looked_for_twice(
    monkeypatch: pytest.MonkeyPatch,
):
    y, x = np.ogrid[:2301, :2402]
    away = np.hypot(y - 1150, x - 1200)
    object_, handle = away < 600, away < 700
    grain = np.random.default_rng(0).normal(0, 4, (2301, 2402, 1))
    colours = np.where(object_[..., None], (200, 40, 30), (120, 125, 130)) + grain
    rgb = colours.clip(0, 255).astype(np.uint8)
    found = carried_in(Image.fromarray(rgb), handle)
    monkeypatch.setattr(find, "cues_of", None)  # not called
    cut = cutout.cut_out(rgb, handle)
    assert found.verdict == cut.verdict == "object"
    assert not (found.mask & ~handle).any()
    assert (found.mask & object_).sum() > 0.99 * object_.sum()
    opaque = np.zeros_like(handle)
    x0, y0, x1, y1 = cut.box
    opaque[y0:y1, x0:x1] = cut.opacity > 0.5
    rim = 4 * found.slack * 2 * np.pi * 600  # the edit tells the edge anew, near the outline
    assert (opaque ^ found.mask).sum() < rim < 0.06 * object_.sum()


def test_an_object_cut_by_the_handle_goes_on_beyond_it(image: Image.Image):
    part = HANDLE & (X < 265)
    found = carried_in(image, part)
    assert found.verdict == "beyond"
    assert found.larger is not None
    assert not (part & ~found.larger).any()
    assert (OBJECT & ~found.larger).sum() < 0.02 * OBJECT.sum()


@pytest.mark.parametrize(
    ("carry", "words"),
    [
        (np.ones((5, 5), bool), "carry mask 5x5 and handle 400x300 differ in size"),
        (np.zeros((H, W), bool), "carry mask is empty"),
        (np.ones((H, W), bool), "carry mask leaves the handle"),
        ("shadow", "carry must be one of object, painted, or a mask"),
    ],
)
def test_what_cannot_be_carried_is_refused(image: Image.Image, carry: object, words: str):
    with pytest.raises(ValueError, match=words):
        carried_in(image, HANDLE, carry)  # type: ignore[arg-type]


def test_one_pixel_carries_itself(image: Image.Image):
    one = np.zeros((H, W), bool)
    one[0, W - 1] = True
    assert np.array_equal(carried_in(image, one).mask, one)


def test_transparency_is_the_cut_out_and_an_all_transparent_picture_carries_what_is_painted(
    image: Image.Image,
):
    image.putalpha(Image.fromarray((OBJECT * 255).astype(np.uint8)))
    assert np.array_equal(carried_in(image, HANDLE).mask, OBJECT)
    image.putalpha(0)
    assert carried_in(image, HANDLE).mask.any()


def test_the_public_function_follows_pair_and_matte(image: Image.Image):
    pair = RegionPair.move(HANDLE, 20, 0)
    found = rd.carried(image, pair)
    assert np.array_equal(found, carried_in(image, HANDLE).mask)
    assert np.array_equal(rd.carried(image, pair, matte="none"), HANDLE)
    painted = RegionPair.move(HANDLE, 20, 0, carry="painted")
    assert np.array_equal(rd.carried(image, painted), HANDLE)
    chosen = RegionPair.move(HANDLE, 20, 0, carry=OBJECT & (X < 250))
    assert np.array_equal(rd.carried(image, chosen), OBJECT & (X < 250))


def test_the_public_function_refuses_another_size_and_another_matte(image: Image.Image):
    with pytest.raises(ValueError, match="the masks are 400x300 but the picture is 200x150"):
        rd.carried(image.resize((200, 150)), RegionPair.move(HANDLE, 20, 0))
    with pytest.raises(ValueError, match="matte must be one of 'auto', 'none'"):
        rd.carried(image, RegionPair.move(HANDLE, 20, 0), matte="some")
