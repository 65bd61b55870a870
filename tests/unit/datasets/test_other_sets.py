"""PRDBench, ReD and VFD, each from a folder written here in its layout."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import regiondrag_widget as rd
from regiondrag_widget.datasets.prdbench import pairs_of_colours

SIZE = (80, 96)


def picture(path: Path, grey: int) -> np.ndarray:
    """A grey picture (80, 96), written and returned."""
    pixels = np.full((*SIZE, 3), grey, np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


def mask(path: Path, rows: slice, columns: slice) -> np.ndarray:
    """A white box on black, written and returned as (80, 96) bool."""
    marked = np.zeros(SIZE, bool)
    marked[rows, columns] = True
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(marked.astype(np.uint8) * 255).save(path)
    return marked


def coloured(path: Path, *boxes: tuple[tuple[int, int, int], slice, slice]) -> np.ndarray:
    """Boxes of colours on grey 128, written and returned."""
    pixels = np.full((*SIZE, 3), 128, np.uint8)
    for colour, rows, columns in boxes:
        pixels[rows, columns] = colour
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


RED, BLUE = (255, 0, 0), (0, 0, 255)
LEFT, RIGHT = slice(10, 30), slice(50, 70)


@pytest.fixture
def prdbench(tmp_path: Path) -> Path:
    root = tmp_path / "PRDBench"
    test = root / "test"
    picture(test / "source_images" / "a.png", 40)
    picture(test / "target_images" / "a.png", 60)
    coloured(
        test / "source_masks_color" / "a_color.png",
        (RED, slice(10, 30), LEFT),
        (BLUE, slice(40, 60), LEFT),
    )
    coloured(
        test / "target_masks_color" / "a_color.png",
        (BLUE, slice(50, 70), RIGHT),
        (RED, slice(12, 32), RIGHT),
    )
    entry = {
        "src_img_path": "somewhere/else/a.png",
        "src_mask_path": "a_mask.png",
        "tgt_mask_path": "a_mask.png",
        "points": [{"handle_point": [20, 20], "target_point": [60, 22]}],
    }
    (test / "drag_data.json").write_text(json.dumps([entry, {"src_img_path": "gone.png"}]))
    return root


def test_prdbench_pairs_regions_by_their_colour(prdbench: Path):
    samples = rd.datasets.load_prdbench(prdbench)
    with pytest.warns(UserWarning, match="sample gone is skipped"):
        (sample,) = samples
    assert sample.name == "a"
    assert sample.truth is not None
    assert sample.truth[0, 0, 0] == 60
    assert sample.points.tolist() == [[[20, 20], [60, 22]]]
    both = {
        int(np.nonzero(pair.handle)[0].min()): int(np.nonzero(pair.target)[0].min()) for pair in sample.pairs
    }
    assert both == {10: 12, 40: 50}
    assert len(samples.files_of("a")) == 5


def test_a_colour_of_one_mask_alone_pairs_with_nothing():
    source = np.full((*SIZE, 3), 128, np.uint8)
    target = source.copy()
    source[10:20, 10:20], target[30:40, 30:40] = RED, BLUE
    with pytest.raises(rd.datasets.SampleError, match="no colour"):
        pairs_of_colours(source, target)


def test_blends_at_the_edges_of_colours_are_no_regions():
    source = np.full((*SIZE, 3), 128, np.uint8)
    source[10:40, 10:40] = RED
    source[10, 10:40] = (190, 64, 64)
    (pair,) = pairs_of_colours(source, source)
    assert int(pair.handle.sum()) == 900


@pytest.fixture
def red(tmp_path: Path) -> Path:
    sample = tmp_path / "ReD" / "cat" / "one"
    picture(sample / "original_image.png", 90)
    mask(sample / "mask.png", slice(0, 80), slice(0, 90))
    for number, (old, new) in enumerate([(LEFT, RIGHT), (RIGHT, LEFT)]):
        mask(sample / "temp" / f"mask_orig__{number}.png", old, old)
        mask(sample / "temp" / f"mask_proc__{number}.png", new, new)
    told = {
        "prompt": "a cat",
        "region_operations": {
            "1": {"task": "relocation", "centroids": [[60, 60], [20, 20]]},
            "0": {"task": "rotation", "centroids": [[20, 20], [60, 60]], "anchors": [[1, 1]]},
        },
    }
    (sample / "instruction.json").write_text(json.dumps(told))
    return tmp_path / "ReD"


def test_red_has_masks_for_each_region(red: Path):
    samples = rd.datasets.load_red(red)
    (sample,) = samples
    assert sample.name == "cat/one"
    assert sample.prompt == "a cat"
    assert [pair.name for pair in sample.pairs] == ["rotation", "relocation"]
    assert sample.pairs[0].handle[15, 15]
    assert sample.pairs[0].target[60, 60]
    assert sample.points.tolist() == [[[20, 20], [60, 60]], [[60, 60], [20, 20]]]
    assert sample.editable is not None
    assert not sample.editable[0, 95]
    assert len(samples.files_of("cat/one")) == 7


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "has no region_operations"),
        ({"region_operations": {"../x": {}}}, "is no number of a region"),
        ({"region_operations": {"5": {}}}, "mask_orig__5.png"),
        ({"region_operations": {}}, "names no region"),
    ],
)
def test_a_broken_instruction_is_told(red: Path, told: object, words: str):
    (red / "cat" / "one" / "instruction.json").write_text(json.dumps(told))
    with pytest.raises((ValueError, OSError), match=words):
        rd.datasets.load_red(red)["cat/one"]


@pytest.mark.parametrize(
    "points",
    [
        [[[20, 30], [40, 50]]],
        [[20, 30], [40, 50]],
        {"points": [[20, 30], [40, 50]]},
        {"handle_points": [[20, 30]], "target_points": [[40, 50]]},
    ],
)
def test_vfd_has_points_and_a_truth(tmp_path: Path, points: object):
    folder = tmp_path / "vfd" / "0001"
    picture(folder / "input.png", 20)
    picture(folder / "gt.png", 30)
    mask(folder / "mask.png", LEFT, LEFT)
    (folder / "points.json").write_text(json.dumps(points))
    (folder / "prompt.json").write_text(json.dumps({"prompt": "a frame"}))
    (sample,) = rd.datasets.load_vfd(tmp_path / "vfd")
    assert sample.points.tolist() == [[[20, 30], [40, 50]]]
    assert (sample.prompt, len(sample.pairs)) == ("a frame", 0)
    assert sample.truth is not None


@pytest.mark.parametrize("points", [[], {}, "here", [[1]], {"handle_points": [[1, 2]], "target_points": []}])
def test_vfd_without_usable_points_is_skipped(tmp_path: Path, points: object):
    folder = tmp_path / "vfd" / "0001"
    picture(folder / "input.png", 20)
    (folder / "points.json").write_text(json.dumps(points))
    samples = rd.datasets.load_vfd(tmp_path / "vfd")
    with pytest.warns(UserWarning, match="0001 is skipped"):
        assert list(samples) == []


def test_the_kind_of_a_data_set_is_found(prdbench: Path, red: Path):
    for root, name in ((prdbench, "a"), (red, "cat/one")):
        assert name in rd.datasets.open_dataset(root).names
    with pytest.raises(ValueError, match="holds no samples of"):
        rd.datasets.open_dataset(red / "cat" / "one" / "temp")
