"""What a handle carries and what it leaves, on the inputs of public reports about other tools."""

from __future__ import annotations

import warnings
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from regiondrag_widget.imaging.background import empty
from regiondrag_widget.imaging.carry import carried_mask
from regiondrag_widget.imaging.composite import Composite, compose
from regiondrag_widget.imaging.cutout import cut_out
from regiondrag_widget.regions import RegionPair, RegionPairs
from tests.unit.engine_kit import placed


def edited(rgb: np.ndarray, pair: RegionPair, alpha: np.ndarray | None = None) -> Composite:
    """The composite of one pair in the whole picture, no network asked."""
    carry = "object" if pair.carry is None else pair.carry
    cutout = cut_out(rgb, pair.handle, carry, alpha)
    background = empty(rgb, [pair.handle], [cutout], alpha=alpha)
    made = compose(RegionPairs([pair]), background, [cutout], alpha=alpha)
    return replace(
        made,
        rgb=made.over(rgb),
        alpha=None if made.alpha is None else placed(made.alpha, made.box, alpha),
        hole=placed(made.hole, made.box, np.zeros_like(pair.handle)),
        carried=placed(made.carried, made.box, np.zeros_like(pair.handle)),
        box=(0, 0, rgb.shape[1], rgb.shape[0]),
    )


def pixels(composite: Composite) -> np.ndarray:
    return np.rint(composite.rgb.clip(0, 255)).astype(np.uint8)


def box(shape: tuple[int, int], x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def disc(shape: tuple[int, int], x: float, y: float, radius: float) -> np.ndarray:
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    return (xx - x) ** 2 + (yy - y) ** 2 <= radius**2


def flat(side: int, colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((side, side, 3), colour, np.uint8)


# ---- transparency ----


def a_disc_of_its_own_alpha(soft: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Photo colours everywhere, a disc opaque and the rest of it transparent, a handle around."""
    rng = np.random.default_rng(0)
    rgb = np.asarray(cv2.GaussianBlur(rng.integers(0, 256, (200, 240, 3)).astype(np.uint8), (0, 0), 2))
    thing = disc(rgb.shape[:2], 70, 90, 30)
    alpha = thing.astype(np.float32) * 255
    if soft:
        alpha = cv2.GaussianBlur(alpha, (0, 0), 3)
    return rgb, alpha.astype(np.uint8), disc(rgb.shape[:2], 70, 90, 48)


@pytest.mark.parametrize("soft", [False, True])
def test_a_pictures_alpha_is_the_cut_out(soft: bool):
    rgb, alpha, handle = a_disc_of_its_own_alpha(soft)
    found = edited(rgb, RegionPair.move(handle, 110, 20), alpha)
    moved = np.roll(alpha, (20, 110), (0, 1))
    assert np.abs(found.alpha - moved).max() <= 1  # no ghost where it was, no harder edge where it is
    seen = moved == 255
    assert np.array_equal(pixels(found)[seen], np.roll(rgb, (20, 110), (0, 1))[seen])


def test_colours_under_alpha_0_never_show():
    rgb, alpha, handle = a_disc_of_its_own_alpha(soft=True)
    rgb[alpha == 0] = (255, 0, 255)
    found = edited(rgb, RegionPair.move(handle, 110, 20, scale=0.8), alpha)
    shown = found.alpha > 1
    clean = rgb.copy()
    clean[alpha == 0] = (0, 255, 0)
    other = edited(clean, RegionPair.move(handle, 110, 20, scale=0.8), alpha)
    assert np.abs(found.rgb - other.rgb)[shown].max() < 1


# ---- what is carried ----


def test_a_window_in_a_wall_goes_with_it():
    rgb = flat(512, (0, 80, 150))
    rgb[150:330, 150:290] = (230, 230, 225)
    rgb[180:240, 170:230] = (40, 130, 190)
    found = pixels(edited(rgb, RegionPair.move(box((512, 512), 135, 135, 305, 345), 150, 60)))
    assert np.array_equal(found[210:390, 300:440], rgb[150:330, 150:290])
    assert np.abs(found[135:210, 135:295].astype(int) - (0, 80, 150)).max() <= 3


def test_a_white_cup_on_white_arrives_whole():
    rgb = flat(256, (236, 236, 236))
    cup = disc((256, 256), 80, 100, 40)
    rgb[cup] = 248
    handle = disc((256, 256), 80, 100, 52)
    found = pixels(edited(rgb, RegionPair.move(handle, 100, 60)))
    moved = np.roll(cup, (60, 100), (0, 1))
    assert (np.abs(found[moved].astype(int) - 248).max(-1) > 3).mean() < 0.01
    assert np.abs(found[cup & ~np.roll(handle, (60, 100), (0, 1))].astype(int) - 236).mean() < 2


def test_a_dark_bird_leaves_a_sky_without_blobs():
    y = np.arange(320)[:, None] + np.zeros((1, 400))
    sky = np.stack([60 + y * 0.25, 100 + y * 0.2, 230 - y * 0.12], -1)
    rgb = np.rint(sky).astype(np.uint8)
    outline = [(150, 220), (190, 200), (230, 215), (260, 205), (240, 235), (200, 250), (165, 245)]
    bird = np.zeros(rgb.shape[:2], np.uint8)
    cv2.fillPoly(bird, [np.array(outline)], 1)
    rgb[bird > 0] = (25, 22, 20)
    handle = cv2.dilate(bird, np.ones((31, 31), np.uint8)) > 0
    found = pixels(edited(rgb, RegionPair.move(handle, -20, -150)))
    moved = np.roll(bird > 0, (-150, -20), (0, 1))
    beside = cv2.dilate(moved.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
    assert np.abs(found - sky)[beside].max() <= 6
    assert np.array_equal(found[moved], np.full((moved.sum(), 3), (25, 22, 20)))


def test_a_word_takes_all_its_ink_and_leaves_paper():
    page = Image.new("RGB", (800, 300), (250, 250, 250))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(22)
    draw.text((40, 60), "Move this word please", fill=(20, 20, 20), font=font)
    left = draw.textlength("Move ", font=font)
    x0, y0, x1, y1 = draw.textbbox((40 + left, 60), "this", font=font)
    handle = box((300, 800), int(x0) - 2, int(y0) - 2, int(x1) + 3, int(y1) + 3)
    rgb = np.asarray(page)
    found = pixels(edited(rgb, RegionPair.move(handle, 300, 150)))
    ink = 250.0 - rgb[handle].mean(-1)
    arrived = 250.0 - found[np.roll(handle, (150, 300), (0, 1))].mean(-1)
    assert arrived.sum() == pytest.approx(ink.sum(), rel=0.01)
    assert np.abs(found[handle].astype(int) - 250).max() <= 3


def test_a_handle_of_the_whole_picture_is_carried_as_painted():
    rgb = np.random.default_rng(0).integers(0, 256, (120, 160, 3)).astype(np.uint8)
    everything = np.ones(rgb.shape[:2], bool)
    assert carried_mask(rgb, everything).verdict == "painted"
    found = pixels(edited(rgb, RegionPair.move(everything, 100, 0)))
    assert np.array_equal(found[:, 103:], rgb[:, 3:60])


def test_a_piece_of_a_thing_is_carried_as_painted():
    rng = np.random.default_rng(1)
    rgb = np.asarray(cv2.GaussianBlur(rng.normal(128, 60, (200, 200, 3)), (0, 0), 1.5).clip(0, 255), np.uint8)
    handle = disc((200, 200), 70, 70, 30)
    carried = carried_mask(rgb, handle)
    assert carried.verdict == "painted"
    assert np.array_equal(carried.mask, handle)
    found = pixels(edited(rgb, RegionPair.move(handle, 80, 60)))
    inner = disc((200, 200), 150, 130, 26)
    assert np.array_equal(found[inner], np.roll(rgb, (60, 80), (0, 1))[inner])


def test_the_rest_of_a_cut_off_object_is_pointed_out():
    rng = np.random.default_rng(0)
    rgb = (np.full((200, 200, 3), (70, 120, 160)) + rng.normal(0, 4, (200, 200, 3))).astype(np.uint8)
    thing = disc((200, 200), 90, 90, 40)
    rgb[thing] = (210, 60, 50)
    handle = disc((200, 200), 90, 90, 48) & (np.arange(200)[None] < 120)
    carried = carried_mask(rgb, handle)
    assert carried.verdict == "beyond"
    assert (carried.larger & thing).sum() > 0.97 * thing.sum()
    assert carried.words == "the object goes on beyond the handle"


def test_what_the_hand_said_is_not_overruled():
    rgb = flat(100, (200, 200, 200))
    rgb[30:50, 30:50] = (30, 60, 90)
    handle, said = box((100, 100), 20, 20, 60, 60), box((100, 100), 25, 25, 45, 58)
    assert np.array_equal(carried_mask(rgb, handle, carry=said).mask, said)
    assert np.array_equal(carried_mask(rgb, handle, carry="painted").mask, handle)
    assert carried_mask(rgb, handle).mask.sum() < 0.5 * handle.sum()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (np.ones((10, 20), bool), "20x10 px but the handle is 40x40"),
        (np.zeros((40, 40), bool), "is empty"),
        (np.ones((40, 40), bool), "leaves the handle"),
        (np.ones((40, 40), np.uint8), "uint8"),
        ("thing", "must be 'object', 'painted' or a mask"),
    ],
)
def test_a_carry_that_cannot_be_is_refused_and_named(said: object, why: str):
    with pytest.raises(ValueError, match=why):
        carried_mask(flat(40, (9, 9, 9)), box((40, 40), 5, 5, 20, 20), carry=said)


# ---- nothing moves, whole pixels move ----


@pytest.mark.parametrize("carry", ["object", "painted"])
@pytest.mark.parametrize("how", ["move 0", "turn 360", "target is handle"])
def test_an_edit_that_moves_nothing_changes_nothing(how: str, carry: str):
    rgb = np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8)
    rgb[20:60, 30:80] = (200, 60, 40)
    handle = box((90, 120), 25, 15, 86, 66)
    pair = {
        "move 0": RegionPair.move(handle, 0, 0, carry=carry),
        "turn 360": RegionPair.move(handle, 0, 0, rotate=360, carry=carry),
        "target is handle": RegionPair(handle, handle, carry=carry),
    }[how]
    found = edited(rgb, pair)
    assert np.array_equal(pixels(found), rgb)
    assert not found.vacated.any()


def test_pixel_art_keeps_its_palette():
    rng = np.random.default_rng(0)
    colours = np.array([(20, 20, 40), (220, 60, 60), (60, 200, 90), (240, 230, 120)], np.uint8)
    rgb = np.kron(colours[rng.integers(0, 4, (24, 24))], np.ones((16, 16, 1), np.uint8)).astype(np.uint8)
    found = pixels(edited(rgb, RegionPair.move(disc((384, 384), 100, 100, 60), 128, 128)))
    assert len(np.unique(found.reshape(-1, 3), axis=0)) <= 4


def test_thin_lines_warn_of_nothing():
    rgb = flat(384, (0, 80, 150))
    rgb[140:260, 140:240] = 255
    cv2.line(rgb, (0, 100), (383, 40), (0, 0, 0), 4)
    cv2.line(rgb, (190, 70), (190, 140), (0, 0, 0), 6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        edited(rgb, RegionPair.move(box((384, 384), 110, 110, 270, 290), 40, 30))


# ---- what is left ----


def test_grain_goes_on_where_a_disc_was():
    rng = np.random.default_rng(0)
    grain = np.repeat(15 + rng.normal(0, 9, (300, 300, 1)), 3, -1).clip(0, 255).astype(np.uint8)
    thing = disc((300, 300), 100, 120, 40)
    rgb = grain.copy()
    rgb[thing] = (230, 180, 60)
    found = pixels(edited(rgb, RegionPair.move(disc((300, 300), 100, 120, 50), 120, 60))).astype(float)
    old = disc((300, 300), 100, 120, 34)
    around = ~disc((300, 300), 100, 120, 60) & ~disc((300, 300), 220, 180, 60)
    assert found[old].std() == pytest.approx(rgb[around].std(), rel=0.2)
    assert found[old].mean() == pytest.approx(rgb[around].mean(), abs=3)


@pytest.mark.parametrize("pattern", ["checks", "stripes"])
def test_a_regular_pattern_goes_on(pattern: str):
    yy, xx = np.mgrid[:320, :320]
    light = (yy // 16 + xx // 16) % 2 if pattern == "checks" else xx // 8 % 2
    ground = np.repeat((light * 160 + 40)[..., None], 3, -1).astype(np.uint8)
    thing = disc((320, 320), 110, 130, 44)
    rgb = ground.copy()
    rgb[thing] = (200, 40, 40)
    found = pixels(edited(rgb, RegionPair.move(disc((320, 320), 110, 130, 52), 130, 70)))
    assert np.abs(found.astype(int) - ground)[disc((320, 320), 110, 130, 42)].mean() < 2
