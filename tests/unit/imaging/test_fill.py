"""A first content for the vacated place, and the object told from the handle's rim."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from regiondrag_widget.bench.handles.cases import cases
from regiondrag_widget.bench.handles.methods import ours
from regiondrag_widget.bench.handles.objects import load_objects
from regiondrag_widget.imaging.cutout import cut_out
from regiondrag_widget.imaging.fill import Fill, exemplar_fill, mixed_fill
from regiondrag_widget.imaging.pattern import periods
from regiondrag_widget.imaging.smooth import smooth_fill
from tests.unit.engine_kit import box, picture, placed

SHAPE = (96, 128)
HOLE = box(SHAPE, 40, 30, 70, 60)


def whole(fill: Fill, rgb: np.ndarray) -> np.ndarray:
    """The picture with its hole filled."""
    return placed(fill.rgb, fill.box, rgb)


def exemplar(rgb: np.ndarray, hole: np.ndarray, *args: np.ndarray, seed: int = 0) -> np.ndarray:
    return whole(exemplar_fill(rgb, hole, *args, seed=seed), rgb)


def mixed(rgb: np.ndarray, hole: np.ndarray, *args: np.ndarray, seed: int = 0) -> np.ndarray:
    return whole(mixed_fill(rgb, hole, *args, seed=seed), rgb)


FILLS = [exemplar, mixed, smooth_fill]


def texture(period: int = 8) -> np.ndarray:
    """Stripes, (H, W, 3) float32."""
    x = np.arange(SHAPE[1])
    stripes = np.where((x // (period // 2)) % 2, 200.0, 60.0)
    return np.broadcast_to(stripes[None, :, None], (*SHAPE, 3)).astype(np.float32)


# ---- fill ----


@pytest.mark.parametrize("fill", FILLS)
def test_outside_the_hole_nothing_changes(fill):
    given = picture(*SHAPE).astype(np.float32)
    before = given.copy()
    filled = fill(given, HOLE)
    assert np.array_equal(filled[~HOLE], before[~HOLE])
    assert np.array_equal(given, before)


@pytest.mark.parametrize("fill", FILLS)
def test_no_hole_changes_nothing(fill):
    given = picture(*SHAPE).astype(np.float32)
    assert np.array_equal(fill(given, np.zeros(SHAPE, bool)), given)


@pytest.mark.parametrize("fill", FILLS)
def test_a_hole_in_a_plain_field_takes_its_colour(fill):
    given = np.full((*SHAPE, 3), (90.0, 140.0, 200.0), np.float32)
    given[HOLE] = 0
    assert np.abs(fill(given, HOLE)[HOLE] - (90, 140, 200)).max() < 6


@pytest.mark.parametrize("fill", FILLS)
def test_the_old_content_of_the_hole_plays_no_part(fill):
    red, blue = texture(), texture()
    red[HOLE], blue[HOLE] = (255, 0, 0), (0, 0, 255)
    assert np.array_equal(fill(red, HOLE), fill(blue, HOLE))


def test_texture_is_continued():
    given = texture()
    given[HOLE] = 0
    error = np.abs(exemplar(given, HOLE)[HOLE] - texture()[HOLE]).mean()
    assert error < 15
    assert error < np.abs(smooth_fill(given, HOLE)[HOLE] - texture()[HOLE]).mean() / 2


def test_a_fill_is_as_sharp_as_its_surroundings():
    given = picture(*SHAPE).astype(np.float32)
    filled = exemplar(given, HOLE)
    inside, around = filled[36:54, 46:64], given[:28]
    assert np.abs(np.diff(inside, axis=1)).mean() > 0.5 * np.abs(np.diff(around, axis=1)).mean()


def test_a_fill_is_the_same_every_time():
    given = picture(*SHAPE).astype(np.float32)
    assert np.array_equal(exemplar(given, HOLE, seed=3), exemplar(given, HOLE, seed=3))


def test_forbidden_pixels_are_not_copied():
    given = np.full((*SHAPE, 3), 100.0, np.float32)
    noise = np.random.default_rng(0).normal(0, 5, given.shape).astype(np.float32)
    thing = box(SHAPE, 75, 30, 100, 60)
    given = given + noise
    given[thing] = (255, 0, 0)
    filled = exemplar(given, HOLE, thing)
    assert np.abs(filled[HOLE] - 100).max() < 60


@pytest.mark.parametrize(
    "hole", [np.ones(SHAPE, bool), ~box(SHAPE, 0, 0, 3, 3)], ids=["all", "all but a corner"]
)
def test_where_too_little_is_known_the_fill_is_smooth(hole: np.ndarray):
    given = picture(*SHAPE).astype(np.float32)
    filled = exemplar(given, hole)
    assert filled.shape == given.shape
    assert np.isfinite(filled).all()
    assert np.array_equal(filled[~hole], given[~hole])


@pytest.mark.parametrize(
    "hole",
    [
        box(SHAPE, 50, 50, 51, 51),
        box(SHAPE, 0, 40, 128, 41),
        box(SHAPE, 0, 0, 20, 20),
        box(SHAPE, 64, 0, 128, 96),
    ],
    ids=["one pixel", "a line", "a corner", "half"],
)
@pytest.mark.parametrize("fill", FILLS)
def test_holes_of_every_shape_are_filled(fill, hole: np.ndarray):
    filled = fill(texture(), hole)
    assert filled.dtype == np.float32
    assert np.isfinite(filled).all()
    assert filled.min() >= 0
    assert filled.max() <= 255


def test_what_is_copied_comes_from_outside_the_hole():
    fill = exemplar_fill(picture(*SHAPE).astype(np.float32), HOLE)
    offsets = placed(fill.source_offset, fill.box, np.zeros((*HOLE.shape, 2)))
    offset = np.rint(offsets).astype(int)
    own_y, own_x = np.indices(HOLE.shape)
    x, y = own_x + offset[..., 0], own_y + offset[..., 1]
    assert not HOLE[y, x].any()
    assert not offsets[~HOLE].any()


def doubt_of(rgb: np.ndarray) -> np.ndarray:
    fill = exemplar_fill(rgb, HOLE)
    return placed(fill.doubt, fill.box, np.zeros(SHAPE))


def test_a_fill_is_in_doubt_only_where_it_was_made():
    doubt = doubt_of(picture(*SHAPE).astype(np.float32))
    assert doubt[~HOLE].max() == 0
    assert 0 <= doubt.min() <= doubt.max() <= 1


def test_a_fill_that_goes_on_seamlessly_is_in_little_doubt():
    assert doubt_of(texture())[HOLE].mean() < doubt_of(picture(*SHAPE).astype(np.float32))[HOLE].mean()


def test_a_large_hole_in_a_large_picture_is_filled_at_full_resolution():
    given = cv2.resize(texture(), (1280, 960), interpolation=cv2.INTER_NEAREST)
    hole = box((960, 1280), 400, 300, 700, 600)
    filled = exemplar(given, hole)
    assert np.array_equal(filled[~hole], given[~hole])


# ---- what is carried ----


def opacity_of(rgb: np.ndarray, handle: np.ndarray, carry: str = "object") -> np.ndarray:
    """The cutout's opacity, at the picture's size."""
    cutout = cut_out(rgb, handle, carry)
    x0, y0, x1, y1 = cutout.box
    full = np.zeros(handle.shape, np.float32)
    full[y0:y1, x0:x1] = cutout.opacity
    return full


def disc(shape: tuple[int, int], x: float, y: float, radius: float) -> np.ndarray:
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    return (xx - x) ** 2 + (yy - y) ** 2 <= radius**2


def disc_on_ground(noise: float = 4.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture, the disc on it, and a handle drawn some pixels outside of it."""
    shape = (160, 160)
    thing, handle = disc(shape, 80, 80, 30), disc(shape, 80, 80, 38)
    rgb = np.where(thing[..., None], (210, 60, 50), (70, 120, 160)).astype(np.float64)
    rgb += np.random.default_rng(0).normal(0, noise, rgb.shape)
    return rgb.clip(0, 255).astype(np.uint8), thing, handle


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / (a | b).sum()


@pytest.mark.parametrize("noise", [0.0, 4.0, 12.0])
def test_a_clear_disc_is_cut_from_a_plain_ground(noise: float):
    rgb, thing, handle = disc_on_ground(noise)
    alpha = opacity_of(rgb, handle)
    assert overlap(alpha > 0.5, thing) > 0.9
    assert overlap(handle, thing) < 0.7


@pytest.mark.parametrize("carry", ["object", "painted"])
def test_outside_the_handle_nothing_is_carried(carry: str):
    rgb, _, handle = disc_on_ground()
    assert opacity_of(rgb, handle, carry)[~handle].max() == 0


def test_as_painted_the_whole_handle_is_carried():
    rgb, _, handle = disc_on_ground()
    alpha = opacity_of(rgb, handle, "painted")
    assert overlap(alpha > 0.5, handle) > 0.95
    assert alpha[disc(handle.shape, 80, 80, 34)].min() > 0.98


def test_opacity_runs_from_0_to_1():
    rgb, _, handle = disc_on_ground()
    alpha = opacity_of(rgb, handle)
    assert (alpha.shape, alpha.dtype) == (handle.shape, np.float32)
    assert alpha.min() == 0
    assert alpha.max() == pytest.approx(1, abs=1e-3)


def test_the_rim_of_the_object_is_soft():
    rgb, _, handle = disc_on_ground()
    rgb = np.asarray(cv2.GaussianBlur(rgb, (0, 0), 0.8), np.uint8)  # as a lens does
    alpha = opacity_of(rgb, handle)
    assert ((alpha > 0.1) & (alpha < 0.9)).sum() > 50


@pytest.mark.parametrize("shape", [(160, 160), (480, 480)])
def test_where_nothing_stands_out_the_whole_handle_is_carried(shape: tuple[int, int]):
    rgb = np.full((*shape, 3), 128, np.uint8)
    handle = disc(shape, 80, 80, 38)
    assert overlap(opacity_of(rgb, handle) > 0.5, handle) > 0.9


@pytest.mark.parametrize(
    "handle",
    [
        box((96, 128), 50, 50, 51, 51),
        box((96, 128), 10, 50, 100, 51),
        np.ones((96, 128), bool),
        box((96, 128), 0, 0, 30, 30),
    ],
    ids=["one pixel", "a line", "everything", "a corner"],
)
@pytest.mark.parametrize("carry", ["object", "painted"])
def test_handles_of_every_shape_carry_something(handle: np.ndarray, carry: str):
    alpha = opacity_of(picture(96, 128), handle, carry)
    assert alpha[handle].max() > 0.3
    assert alpha[~handle].size == 0 or alpha[~handle].max() == 0


def test_a_cutout_is_the_same_every_time():
    rgb, _, handle = disc_on_ground(12.0)
    assert np.array_equal(opacity_of(rgb, handle), opacity_of(rgb, handle))


def test_an_unknown_word_is_refused():
    with pytest.raises(ValueError, match="carry must be 'object', 'painted' or a mask, got 'sam'"):
        opacity_of(*disc_on_ground()[::2], "sam")


def blocks() -> np.ndarray:
    """Large patches of random colours: a copy of one says nothing of what stood elsewhere."""
    small = 255 * np.random.default_rng(4).integers(0, 2, (6, 8, 3)).astype(np.float32)
    return cv2.resize(small, SHAPE[::-1], interpolation=cv2.INTER_NEAREST)


def test_mixed_tones_lie_between_a_far_copy_and_the_continuation():
    rgb = blocks()
    low = [cv2.GaussianBlur(fill(rgb, HOLE), (0, 0), 4)[HOLE] for fill in (exemplar, mixed, smooth_fill)]
    apart = np.abs(low[0] - low[2]).mean()
    assert apart > 10
    assert 0.1 * apart < np.abs(low[1] - low[0]).mean()
    assert np.abs(low[1] - low[2]).mean() < 0.9 * apart


def test_a_copy_near_the_continuation_is_left_alone():
    rgb = 100 + 0.2 * (picture(*SHAPE).astype(np.float32) - 100)
    assert np.array_equal(mixed(rgb, HOLE), exemplar(rgb, HOLE))


def test_mixed_fill_keeps_most_of_the_texture():
    def slope(a: np.ndarray) -> float:
        return float(np.abs(np.diff(a, axis=1))[HOLE[:, 1:]].mean())

    rng = np.random.default_rng(0)
    rough = (128 + 30 * rng.standard_normal((*SHAPE, 1))).repeat(3, -1).astype(np.float32)
    assert slope(mixed(rough, HOLE)) > 0.6 * slope(rough) > slope(smooth_fill(rough, HOLE))


def test_a_wall_goes_on_and_not_the_door_frame_near_it():
    """Found on a photograph of a sign beside a door: the frame was copied in as a pale ghost."""
    (sign,) = (thing for thing in load_objects("train") if thing.name == "stair-panel")
    (case,) = (case for case in cases([sign]) if case.kind == "lasso")
    assert case.judged(ours(case.rgb, case.pair)).left < 0.005


def test_a_line_of_text_is_no_pattern_and_paper_keeps_its_colour():
    paper = (250, 248, 240)
    page = Image.new("RGB", (480, 160), paper)
    font = ImageFont.load_default(28)
    draw = ImageDraw.Draw(page)
    draw.text((30, 60), "the quick brown fox jumps", font=font, fill=(20, 20, 20))
    left, right = (30 + int(draw.textlength(words, font=font)) for words in ("the quick ", "the quick brown"))
    hole = np.zeros((160, 480), bool)
    hole[58:98, left - 4 : right + 4] = True
    rgb = np.array(page, np.float32)
    window = slice(0, 160), slice(left - 100, right + 100)
    assert periods(rgb[window], ~hole[window]) == []
    filled = mixed(rgb, hole)
    assert (filled[hole] == np.float32(paper)).all(-1).mean() > 0.9


def test_a_drawing_keeps_its_areas_and_no_colour_appears_between_two_others():
    """Found on a drawn house: where it stood, blends of ground and sky became a third colour's patch."""
    sky, ground, other = (235, 245, 255), (120, 180, 90), (150, 170, 190)
    picture = np.full((200, 300, 3), sky, np.float32)
    picture[130:] = ground
    picture[20:24, 20:120] = other
    hole = np.zeros((200, 300), bool)
    hole[60:140, 100:190] = True
    filled = mixed(picture, hole)
    is_sky, is_ground = ((filled == np.float32(colour)).all(-1) for colour in (sky, ground))
    assert (is_sky | is_ground)[hole].all()
    assert is_sky[60:95, 100:190].all(), "high above the horizon there is sky"
    assert is_ground[132:140, 100:190].all()


def test_a_dithered_drawing_is_copied_and_not_made_flat():
    rng = np.random.default_rng(0)
    picture = rng.choice([60.0, 120.0, 180.0], (120, 120, 1)).repeat(3, -1).astype(np.float32)
    hole = np.zeros((120, 120), bool)
    hole[45:75, 45:75] = True
    filled = mixed(picture, hole)
    assert filled[hole].std() > 20


def test_a_drawing_saved_as_jpeg_keeps_its_horizon_and_its_road():
    """Found on a drawn car before a street: where it stood, sky, ground and road became one grey smear."""
    drawn = Image.new("RGB", (300, 200), (135, 206, 235))
    draw = ImageDraw.Draw(drawn)
    draw.rectangle((0, 100, 300, 200), fill=(110, 180, 80))
    draw.rectangle((0, 125, 300, 165), fill=(90, 90, 95))
    hole = disc((200, 300), 150, 120, 36)
    truth = np.array(drawn, np.float32)
    draw.ellipse((120, 90, 180, 150), fill=(210, 40, 40))
    file = io.BytesIO()
    drawn.save(file, "JPEG", quality=80)
    filled = mixed(np.array(Image.open(file), np.float32), hole)
    off = np.abs(filled - truth).max(-1)[hole]
    assert np.mean(off > 24) < 0.05


def test_a_straight_edge_goes_on_between_rough_places():
    """A copy of few pieces, and none of the patches that ate into a horizon from both sides."""
    rng = np.random.default_rng(0)
    grain = cv2.GaussianBlur(rng.normal(0, 60, (200, 300)), (0, 0), 1.2)
    edge = 100 + 0.1 * (np.arange(300) - 150)
    above = np.arange(200)[:, None] < edge
    truth = (np.where(above, 190, 70) + grain)[..., None].repeat(3, -1).clip(0, 255).astype(np.float32)
    hole = disc((200, 300), 150, 100, 34)
    filled = cv2.GaussianBlur(mixed(truth, hole), (0, 0), 2)[..., 0]
    inner = disc((200, 300), 150, 100, 30) & (np.abs(np.arange(200)[:, None] - edge) > 5)
    assert np.mean((filled > 130) != above, where=inner) < 0.03


def test_nothing_of_the_old_content_shows_where_copies_meet_at_full_size():
    rgb = picture(480, 640).astype(np.float32)
    hole = disc((480, 640), 300, 250, 90) | disc((480, 640), 380, 200, 50)
    results = []
    for colour in ((255, 0, 0), (0, 0, 255)):
        rgb[hole] = colour
        results.append(exemplar(rgb, hole))
    assert np.array_equal(*results)
