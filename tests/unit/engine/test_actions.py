"""A pair's own action: moving, copying, and removing what its handle holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import regiondrag_widget as rd
from regiondrag_widget.api import load_pipeline
from regiondrag_widget.regions.archive import load_regions, save_regions

SHAPE = (96, 128)
GROUND, RED, BLUE = (180, 170, 150), (200, 30, 40), (30, 60, 190)


def disc(x: float, y: float, radius: float = 12) -> np.ndarray:
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return (xx - x) ** 2 + (yy - y) ** 2 <= radius**2


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    rgb = np.full((*SHAPE, 3), GROUND, np.uint8)
    rgb = (rgb + np.random.default_rng(0).integers(-6, 7, rgb.shape)).astype(np.uint8)
    rgb[disc(30, 48)], rgb[disc(90, 30)] = RED, BLUE
    return Image.fromarray(rgb)


def colour(image: Image.Image, x: int, y: int) -> np.ndarray:
    """The mean colour around a pixel."""
    return np.asarray(image, float)[y - 3 : y + 4, x - 3 : x + 4].mean((0, 1))


def near(image: Image.Image, x: int, y: int, rgb: tuple[int, int, int], within: float = 25) -> bool:
    return bool(np.abs(colour(image, x, y) - rgb).max() < within)


def test_a_removed_thing_gives_way_to_its_surroundings(picture: Image.Image):
    result = rd.edit(picture, [rd.RegionPair.remove(disc(30, 48, 15))])
    assert near(result.image, 30, 48, GROUND)
    assert near(result.image, 90, 30, BLUE)
    assert result.notes == ("removed, and its place filled",)


def test_a_copied_thing_stays_and_arrives(picture: Image.Image):
    handle = disc(30, 48, 15)
    result = rd.edit(picture, [rd.RegionPair.move(handle, 40, 20, action="copy")])
    assert near(result.image, 70, 68, RED)
    after, before = np.asarray(result.image), np.asarray(picture)
    assert np.array_equal(after[handle], before[handle])


def test_each_pair_has_its_own_action(picture: Image.Image):
    pairs = [
        rd.RegionPair.move(disc(30, 48, 15), 40, 20, action="copy"),
        rd.RegionPair.remove(disc(90, 30, 15)),
    ]
    image = rd.edit(picture, pairs).image
    assert near(image, 30, 48, RED)
    assert near(image, 70, 68, RED)
    assert near(image, 90, 30, GROUND)


def test_a_removal_is_made_even_where_moved_things_leave_a_copy(picture: Image.Image):
    pairs = [rd.RegionPair.move(disc(30, 48, 15), 40, 20), rd.RegionPair.remove(disc(90, 30, 15))]
    image = rd.edit(picture, pairs, vacated="keep").image
    assert near(image, 30, 48, RED)
    assert near(image, 90, 30, GROUND)


def test_another_action_of_the_same_pair_is_another_edit(picture: Image.Image):
    session = rd.ImageSession(load_pipeline("mini"), picture)
    handle = disc(30, 48, 15)
    images = []
    for action in ("move", "copy"):
        for _ in session.edit([rd.RegionPair.move(handle, 40, 20, action=action)]):
            pass
        assert session.result is not None
        images.append(session.result.image)
    assert near(images[0], 30, 48, GROUND)
    assert near(images[1], 30, 48, RED)


@pytest.mark.parametrize("action", ["copy", "remove"])
def test_an_edit_of_latents_refuses_what_it_cannot_do(picture: Image.Image, action: str):
    pair = rd.RegionPair.move(disc(30, 48), 40, 20, action="copy")
    pair = pair if action == "copy" else rd.RegionPair.remove(disc(30, 48))
    with pytest.raises(ValueError, match=f"cannot {action} a single pair"):
        rd.edit(picture, [pair], content="latents")


def test_a_removal_takes_no_target():
    with pytest.raises(ValueError, match="takes no target"):
        rd.RegionPair(disc(30, 48), disc(60, 48), action="remove")
    with pytest.raises(ValueError, match="one of move, copy, remove"):
        rd.RegionPair(disc(30, 48), disc(60, 48), action="delete")


def test_a_saved_pair_keeps_its_action(tmp_path: Path, picture: Image.Image):
    pairs = [rd.RegionPair.remove(disc(30, 48)), rd.RegionPair.move(disc(90, 30), 5, 5, action="copy")]
    save_regions(tmp_path / "edit.zip", picture, pairs)
    assert list(load_regions(tmp_path / "edit.zip")[1]) == pairs
