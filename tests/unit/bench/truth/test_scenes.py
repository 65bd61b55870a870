"""Scenes whose right answer is known, built, written and read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from regiondrag_widget.bench.truth.photos import Photo, load_photos
from regiondrag_widget.bench.truth.scene import (
    Scene,
    SceneError,
    ScenePair,
    read_scene,
    read_scenes,
    write_scene,
)
from regiondrag_widget.bench.truth.scenes import KINDS, build_scene, build_scenes
from regiondrag_widget.bench.truth.textures import bricks, dead_leaves
from regiondrag_widget.bench.truth.transforms import (
    Homography,
    ThinPlate,
    about,
    carry_mask,
    motion_of,
    pixel_grid,
    quad_to_quad,
)

SIZE = 96


@pytest.fixture(scope="module")
def photos() -> list[Photo]:
    rng = np.random.default_rng(3)
    pictures = [dead_leaves(rng, (160, 200), 120), bricks(rng, (200, 160)), dead_leaves(rng, (180, 180), 60)]
    return [Photo(f"p{i}", f"p{i}", np.uint8(picture * 255)) for i, picture in enumerate(pictures)]


@pytest.fixture(scope="module")
def scenes(photos: list[Photo]) -> list[Scene]:
    return list(build_scenes(photos, count=len(KINDS), size=SIZE))


def test_every_kind_is_built_in_turn(scenes: list[Scene]) -> None:
    assert [scene.kind for scene in scenes] == list(KINDS)


def test_before_and_after_are_equal_outside_handle_and_target(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert (scene.before == scene.after)[~scene.touched].all(), scene.name


def test_something_moved(scenes: list[Scene]) -> None:
    for scene in scenes:
        difference = np.abs(scene.before.astype(int) - scene.after)[scene.touched]
        assert difference.mean() > 3, scene.name


def test_the_same_seed_gives_the_same_scene(photos: list[Photo], scenes: list[Scene]) -> None:
    assert build_scene(4, photos, SIZE, 0).digest == scenes[4].digest


def test_another_seed_gives_another_scene(photos: list[Photo], scenes: list[Scene]) -> None:
    assert build_scene(4, photos, SIZE, 1).digest != scenes[4].digest


def test_without_photographs_all_is_procedural() -> None:
    assert set(build_scene(3, (), SIZE, 0).sources) == {"procedural"}


def test_a_thing_never_lies_on_its_own_photograph(scenes: list[Scene]) -> None:
    for scene in scenes:
        ground, *things = scene.sources
        assert ground == "procedural" or not any(thing.startswith(ground) for thing in things), scene.name


def test_two_things_have_disjoint_handles_and_targets(scenes: list[Scene]) -> None:
    first, second = next(scene for scene in scenes if scene.kind == "two-objects").pairs
    assert not (first.handle & second.handle).any()
    assert not (first.target & second.target).any()


def test_the_truth_shows_the_thing_where_the_matrix_puts_it() -> None:
    scene = build_scene(KINDS.index("translate-long"), (), SIZE, 0)
    (pair,) = scene.pairs
    assert pair.matrix is not None
    core = scene.alpha > 0.99 if scene.alpha is not None else pair.target
    y, x = np.nonzero(core)
    sources = np.rint(Homography(pair.matrix).backward(np.column_stack([x, y]).astype(float))).astype(int)
    moved = scene.before[sources[:, 1], sources[:, 0]].astype(int)
    # nearest pixels of a sub-pixel shift: alike, not equal
    assert np.abs(moved - scene.after[y, x]).mean() < 8
    assert np.abs(scene.before[y, x].astype(int) - scene.after[y, x]).mean() > 16


def test_count_and_size_are_checked() -> None:
    with pytest.raises(ValueError, match="at least one scene"):
        next(build_scenes((), count=0))
    with pytest.raises(ValueError, match="64 to 2048"):
        next(build_scenes((), size=8))


@pytest.mark.parametrize("kind", ["rotate", "bend", "two-objects"])
def test_a_written_scene_is_read_back_whole(scenes: list[Scene], kind: str, tmp_path: Path) -> None:
    scene = next(scene for scene in scenes if scene.kind == kind)
    write_scene(scene, tmp_path / scene.name)
    found = read_scene(tmp_path / scene.name)
    assert found.digest == scene.digest
    assert (found.name, found.kind, found.motion) == (scene.name, scene.kind, scene.motion)
    assert found.alpha is not None
    assert np.abs(found.alpha - scene.alpha).max() < 0.01


def _plain_scene() -> Scene:
    handle, target = np.zeros((40, 50), bool), np.zeros((40, 50), bool)
    handle[5:15, 5:15], target[20:30, 30:40] = True, True
    picture = np.full((40, 50, 3), 90, np.uint8)
    return Scene(
        "plain",
        "given",
        "translation",
        picture,
        picture,
        (ScenePair(handle, target, about((0, 0), shift=(25, 15))),),
    )


def test_a_scene_with_nothing_but_a_matrix_is_enough(tmp_path: Path) -> None:
    write_scene(_plain_scene(), tmp_path)
    (tmp_path / "scene.json").write_text(json.dumps({"matrix": [[1, 0, 25], [0, 1, 15], [0, 0, 1]]}))
    (pair,) = read_scene(tmp_path).pairs
    assert pair.matrix is not None
    assert pair.matrix[0, 2] == 25


def test_masks_of_zero_and_one_are_masks(tmp_path: Path) -> None:
    scene = _plain_scene()
    write_scene(scene, tmp_path)
    Image.fromarray(scene.handle.astype(np.uint8)).save(tmp_path / "handle.png")
    assert (read_scene(tmp_path).handle == scene.handle).all()


@pytest.mark.parametrize("drawn", ["white", "black"])
def test_a_mask_drawn_on_a_transparent_ground_is_its_opaque_part(drawn: str, tmp_path: Path) -> None:
    scene = _plain_scene()
    write_scene(scene, tmp_path)
    layer = Image.new("RGBA", (50, 40), (0, 0, 0, 0))
    layer.paste(drawn, mask=Image.fromarray(scene.handle))
    layer.save(tmp_path / "handle.png")
    assert (read_scene(tmp_path).handle == scene.handle).all()


@pytest.mark.parametrize("mode", ["RGBA", "RGB", "P", "1"])
def test_masks_of_any_mode_are_masks(mode: str, tmp_path: Path) -> None:
    scene = _plain_scene()
    write_scene(scene, tmp_path)
    Image.fromarray(scene.handle.astype(np.uint8) * 255).convert(mode).save(tmp_path / "handle.png")
    assert (read_scene(tmp_path).handle == scene.handle).all()


def test_pictures_with_an_alpha_channel_are_their_colours(tmp_path: Path) -> None:
    scene = _plain_scene()
    write_scene(scene, tmp_path)
    for name, picture in (("before", scene.before), ("after", scene.after)):
        Image.fromarray(picture).convert("RGBA").save(tmp_path / f"{name}.png")
    assert (read_scene(tmp_path).before == scene.before).all()


def test_scenes_in_folders_of_folders_are_named_by_their_paths(tmp_path: Path) -> None:
    for path in ("near", "far/a/1", "far/b/1"):
        write_scene(_plain_scene(), tmp_path / path)
    names = [found.name for found in read_scenes(tmp_path) if isinstance(found, Scene)]
    assert names == ["far/a/1", "far/b/1", "near"]


def test_a_single_scene_may_be_given(tmp_path: Path) -> None:
    write_scene(_plain_scene(), tmp_path / "lake")
    (tmp_path / "lake" / "notes").mkdir()
    assert [getattr(found, "name", found) for found in read_scenes(tmp_path / "lake")] == ["lake"]


def test_an_incomplete_scene_within_folders_is_named(tmp_path: Path) -> None:
    write_scene(_plain_scene(), tmp_path / "a" / "lake")
    (tmp_path / "a" / "lake" / "before.png").unlink()
    (tmp_path / "b" / "empty").mkdir(parents=True)
    errors = [str(found) for found in read_scenes(tmp_path)]
    assert errors[0].startswith("scene a/lake lacks before.png")
    assert errors[1].startswith("scene b/empty lacks before.png, after.png")


def test_a_matrix_the_wrong_way_round_is_refused(tmp_path: Path) -> None:
    write_scene(_plain_scene(), tmp_path / "lake")
    (tmp_path / "lake" / "scene.json").write_text('{"matrix": [[1, 0, -25], [0, 1, -15], [0, 0, 1]]}')
    with pytest.raises(SceneError, match="scene lake: the matrix carries no pixel"):
        read_scene(tmp_path / "lake")


@pytest.mark.parametrize(
    ("transform", "motion"),
    [
        (about((9, 9), shift=(25, 15)), "translation"),
        (about((9, 9), scale=1.2, shift=(25, 15)), "scaling"),
        (about((9, 9), scale=0.6), "scaling"),
        (about((9, 9), degrees=-40), "rotation"),
        (about((9, 9), degrees=170, scale=1.1), "rotation"),
        (Homography(np.array([[1, 0.3, 2], [0, 1, 3], [0, 0, 1]])), "affine"),
        (Homography(np.array([[-1, 0, 60], [0, 1, 3], [0, 0, 1]])), "affine"),
        (Homography(np.array([[1, 0, 2], [0, 1, 3], [1e-3, 0, 1]])), "perspective"),
        (Homography(np.array([[2, 0, 8], [0, 2, 6], [0, 0, 2]])), "translation"),
        (None, "unknown"),
    ],
)
def test_the_kind_of_movement_is_told_from_the_map(transform: Homography | None, motion: str) -> None:
    assert motion_of([transform]) == motion
    assert motion_of([transform, transform]) == "several"


def test_our_own_scenes_move_as_their_maps_say(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert motion_of([pair.transform for pair in scene.pairs]) == scene.motion, scene.name


def test_a_scene_with_a_matrix_alone_is_counted_under_its_movement(tmp_path: Path) -> None:
    write_scene(_plain_scene(), tmp_path)
    (tmp_path / "scene.json").write_text(json.dumps({"matrix": [[1, 0, 25], [0, 1, 15], [0, 0, 1]]}))
    assert read_scene(tmp_path).motion == "translation"


@pytest.mark.parametrize("name", ["before.png", "after.png", "handle.png", "target.png", "scene.json"])
def test_a_missing_file_is_named_with_its_scene(name: str, tmp_path: Path) -> None:
    write_scene(_plain_scene(), tmp_path / "lake")
    (tmp_path / "lake" / name).unlink()
    with pytest.raises(SceneError, match=f"scene lake lacks {name}"):
        read_scene(tmp_path / "lake")


@pytest.mark.parametrize("name", ["after.png", "handle.png", "target.png"])
def test_disagreeing_sizes_are_named_with_their_scene(name: str, tmp_path: Path) -> None:
    write_scene(_plain_scene(), tmp_path / "lake")
    Image.new("RGB" if name == "after.png" else "L", (8, 9), "white").save(tmp_path / "lake" / name)
    with pytest.raises(SceneError, match=f"scene lake: {name} is 8x9"):
        read_scene(tmp_path / "lake")


def test_an_empty_mask_is_refused(tmp_path: Path) -> None:
    write_scene(_plain_scene(), tmp_path / "lake")
    Image.new("L", (50, 40)).save(tmp_path / "lake" / "handle.png")
    with pytest.raises(SceneError, match=r"handle\.png is empty"):
        read_scene(tmp_path / "lake")


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"matrix": [[1, 0], [0, 1]]}',
        '{"matrix": [[1, 0, 0], [0, 0, 0], [0, 0, 1]]}',
        '{"matrix": "x"}',
        '{"pairs": 3}',
    ],
)
def test_an_unusable_description_is_refused(text: str, tmp_path: Path) -> None:
    write_scene(_plain_scene(), tmp_path / "lake")
    (tmp_path / "lake" / "scene.json").write_text(text)
    with pytest.raises(SceneError, match="scene lake"):
        read_scene(tmp_path / "lake")


def test_a_picture_that_is_none_is_refused(tmp_path: Path) -> None:
    write_scene(_plain_scene(), tmp_path / "lake")
    (tmp_path / "lake" / "before.png").write_text("no picture")
    with pytest.raises(SceneError, match="scene lake"):
        read_scene(tmp_path / "lake")


def test_a_broken_scene_does_not_hide_the_others(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_scene(_plain_scene(), tmp_path / name)
    (tmp_path / "b" / "after.png").unlink()
    kinds = [type(found) for found in read_scenes(tmp_path)]
    assert kinds == [Scene, SceneError, Scene]


def test_a_folder_without_scenes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no scenes"):
        list(read_scenes(tmp_path))


def test_too_few_photographs_are_refused_with_the_remedy(tmp_path: Path) -> None:
    Image.new("RGB", (200, 200)).save(tmp_path / "one.jpg")
    with pytest.raises(ValueError, match="more photographs"):
        load_photos(tmp_path, "all")


def test_files_that_are_no_pictures_are_passed_over(tmp_path: Path) -> None:
    for name in ("one", "two"):
        Image.new("RGB", (200, 200)).save(tmp_path / f"{name}.jpg")
    (tmp_path / "three.jpg").write_text("no picture")
    assert [photo.name for photo in load_photos(tmp_path, "all")] == ["one", "two"]


def test_a_quarter_turn_carries_a_mask_exactly() -> None:
    mask = np.zeros((21, 21), bool)
    mask[4:7, 10:18] = True
    turned = carry_mask(mask, about((10, 10), degrees=90))
    assert (turned == np.rot90(mask, -1)).all()


def test_a_quad_goes_to_its_quad() -> None:
    before = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], float)
    after = np.array([[2, 1], [13, 2], [12, 14], [1, 11]], float)
    motion = quad_to_quad(before, after)
    np.testing.assert_allclose(motion.forward(before), after, atol=1e-4)
    np.testing.assert_allclose(motion.backward(after), before, atol=1e-4)


def test_a_thin_plate_takes_its_points_to_each_other() -> None:
    rng = np.random.default_rng(0)
    handle = pixel_grid((3, 3)).reshape(-1, 2) * 10
    target = handle + rng.normal(0, 1, handle.shape)
    np.testing.assert_allclose(ThinPlate(handle, target).backward(target), handle, atol=1e-6)
