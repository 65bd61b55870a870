"""What a handle carries: how opaque the object found in it is, and its own colours."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from regiondrag_widget.bench.methods.baselines import grabcut_matte
from regiondrag_widget.bench.truth.scenes import build_scenes
from regiondrag_widget.bench.truth.sprites import over
from regiondrag_widget.imaging.background import empty
from regiondrag_widget.imaging.composite import compose
from regiondrag_widget.imaging.cutout import Cutout, cut_out
from regiondrag_widget.regions import RegionPair, RegionPairs
from tests.unit.engine_kit import placed

OBJECT, GROUND = (210, 60, 50), (40, 150, 190)


def soft_disc(side: int = 160, radius: float = 30.0, edge: float = 3.0) -> np.ndarray:
    """Opacity (side, side) float32 of a disc in the middle whose edge is `edge` pixels wide."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return np.clip((radius - np.hypot(x, y)) / edge + 0.5, 0, 1).astype(np.float32)


def grained(colour: tuple[int, int, int], side: int = 160, seed: int = 0) -> np.ndarray:
    grain = np.random.default_rng(seed).normal(0, 6, (side, side, 1))
    return (np.array(colour) + cv2.GaussianBlur(grain, (0, 0), 0.7)[..., None]).astype(np.float32)


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture, its object's true opacity, a handle drawn eight pixels outside of it."""
    opacity = soft_disc()
    layer = np.dstack([grained(OBJECT) / 255 * opacity[..., None], opacity])
    picture = over(layer.astype(np.float32), grained(GROUND, seed=1) / 255)
    handle = soft_disc(radius=38) > 0.5
    return np.rint(picture.clip(0, 1) * 255).astype(np.uint8), opacity, handle


def opacity_of(rgb: np.ndarray, handle: np.ndarray, carry: str = "object") -> np.ndarray:
    """The cutout's opacity, at the picture's size."""
    cutout = cut_out(rgb, handle, carry)
    x0, y0, x1, y1 = cutout.box
    full = np.zeros(handle.shape, np.float32)
    full[y0:y1, x0:x1] = cutout.opacity
    return full


# ---- opacity ----


def test_it_finds_a_soft_edge_where_it_is():
    rgb, opacity, handle = scene()
    found = opacity_of(rgb, handle)
    assert np.abs(found - opacity)[handle].mean() < 0.03


def test_it_is_nearer_to_the_truth_than_grabcut():
    """On composed scenes of no photograph at all, with a handle drawn some pixels too wide."""
    errors = {"auto": [], "grabcut": [], "none": []}
    for one in build_scenes(count=11, seed=5):
        # after the move the object's opacity is known: take it from there
        handle = cv2.dilate(one.target.astype(np.uint8), np.ones((13, 13), np.uint8)) > 0
        for matte, found in errors.items():
            by_matte = {"grabcut": grabcut_matte, "auto": opacity_of, "none": lambda _, handle: handle}
            found.append(np.abs(by_matte[matte](one.after, handle) - one.alpha)[handle].mean())
    means = {matte: float(np.mean(found)) for matte, found in errors.items()}
    assert means["auto"] < 0.8 * means["grabcut"]
    assert means["grabcut"] < means["none"]


def test_a_careless_handle_finds_the_same_object():
    rgb, opacity, _ = scene()
    wide = soft_disc(radius=46) > 0.5
    assert np.abs(opacity_of(rgb, wide) - opacity)[wide].mean() < 0.05


def test_what_lies_well_beside_the_object_seldom_goes_along():
    """With handles far too wide: less than by GrabCut."""
    shares = []
    for one in build_scenes(count=11, seed=6):
        handle = cv2.dilate(one.target.astype(np.uint8), np.ones((17, 17), np.uint8)) > 0
        near = cv2.dilate((one.alpha > 0).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
        beside = handle & ~near
        shares.append([(f(one.after, handle) > 0.05)[beside].mean() for f in (opacity_of, grabcut_matte)])
    ours, by_grabcut = np.mean(shares, 0)
    assert ours < 0.7 * by_grabcut


def test_a_large_handle_is_looked_at_at_a_smaller_size():
    rgb, _, handle = scene()
    large = np.asarray(cv2.resize(rgb, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC), np.uint8)
    wide = cv2.resize(handle.astype(np.uint8), None, fx=5, fy=5, interpolation=cv2.INTER_NEAREST) > 0
    truth = cv2.resize(soft_disc(), None, fx=5, fy=5, interpolation=cv2.INTER_LINEAR)
    found = opacity_of(large, wide)
    assert found.shape == wide.shape
    assert np.abs(found - truth)[wide].mean() < 0.05


# ---- colours ----


def test_the_edges_colours_are_the_objects_own():
    rgb, opacity, handle = scene()
    cutout = cut_out(rgb, handle)
    x0, y0, x1, y1 = cutout.box
    edge = (opacity > 0.3) & (opacity < 0.9)
    of_picture = np.abs(rgb[edge] - np.array(OBJECT)).mean()
    of_cutout = np.abs(cutout.rgb - np.array(OBJECT))[edge[y0:y1, x0:x1]].mean()
    assert of_cutout < 0.4 * of_picture


def test_inside_the_object_the_picture_is_kept():
    rgb, _, handle = scene()
    cutout = cut_out(rgb, handle)
    x0, y0, x1, y1 = cutout.box
    solid = cutout.opacity > 0.999
    assert solid.any()
    assert np.abs(cutout.rgb - rgb[y0:y1, x0:x1])[solid].max() < 1


def test_a_whole_handle_keeps_the_pictures_colours():
    rgb, _, handle = scene()
    cutout = cut_out(rgb, handle, "painted")
    x0, y0, x1, y1 = cutout.box
    assert np.array_equal(cutout.rgb, rgb[y0:y1, x0:x1])


def test_the_box_holds_the_handle_and_a_rim_where_the_picture_goes_on():
    rgb, _, _ = scene()
    corner = np.zeros(rgb.shape[:2], bool)
    corner[0:20, 10:30] = True
    cutout = cut_out(rgb, corner)
    assert cutout.box == (8, 0, 32, 22)
    assert cutout.opacity.shape == cutout.rgb.shape[:2] == (22, 24)
    assert cutout.opacity[:, :2].max() == cutout.opacity[20:].max() == 0
    arrays = cutout.opacity, cutout.rgb, cutout.place, cutout.remains
    assert cutout.nbytes == sum(a.nbytes for a in arrays)


def test_laid_on_another_ground_there_is_no_halo():
    """The object moved half way onto a dark ground: its edge has none of the bright ground it came from."""
    rgb, opacity, handle = scene()
    rgb = np.concatenate([rgb, np.full_like(rgb, 20)], 1)
    handle = np.concatenate([handle, np.zeros_like(handle)], 1)
    pairs = RegionPairs([RegionPair.move(handle, 160, 0)])
    cutouts = [cut_out(rgb, handle)]
    picture = compose(pairs, empty(rgb, [handle], cutouts), cutouts).over(rgb)[:, 160:]
    truth = opacity[..., None] * np.array(OBJECT) + (1 - opacity[..., None]) * 20
    edge = (opacity > 0.02) & (opacity < 0.98)
    assert np.abs(picture - truth)[edge].mean() < 12


# ---- the place it leaves ----


def a_red_square_whose_handle_ends_within_it() -> tuple[np.ndarray, np.ndarray, Cutout]:
    """A grey picture, a red square, a handle that cuts its left edge off by two pixels."""
    rgb = grained((128, 128, 128), seed=2)
    rgb[60:100, 60:100] = grained(OBJECT, seed=3)[60:100, 60:100]
    handle = np.zeros(rgb.shape[:2], bool)
    handle[52:108, 62:108] = True
    rgb = np.rint(rgb).astype(np.uint8)
    return rgb, handle, cut_out(rgb, handle)


@pytest.mark.parametrize("prefill", ["mixed", "smooth"])
def test_what_a_handle_cuts_off_does_not_colour_the_place_behind(prefill: str):
    rgb, handle, cutout = a_red_square_whose_handle_ends_within_it()
    emptied = empty(rgb, [handle], [cutout], prefill=prefill)
    hole = placed(emptied.hole, emptied.box, np.zeros_like(handle))
    assert hole[70:90, 70:90].all()
    assert np.abs(emptied.rgb - 128)[emptied.hole].mean() < 12
    whole = placed(emptied.rgb, emptied.box, rgb)
    assert np.array_equal(whole[~hole], rgb[~hole])  # the remnant stays: it was not marked


def test_around_a_piece_of_a_thing_the_thing_goes_on():
    """A handle within the square: its surroundings are the square, and so is what fills its place."""
    rgb = grained((128, 128, 128), seed=2)
    rgb[20:140, 20:140] = grained(OBJECT, seed=3)[20:140, 20:140]
    rgb = np.rint(rgb).astype(np.uint8)
    handle = np.zeros(rgb.shape[:2], bool)
    handle[24:136, 24:136] = True  # so near to its edge that the grey lies within reach
    emptied = empty(rgb, [handle], [cut_out(rgb, handle, "painted")])
    assert np.abs(emptied.rgb - OBJECT)[emptied.hole].mean() < 20
