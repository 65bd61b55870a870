"""The hand-drawn objects: enough of every kind on both sides of the split, complete and credited."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from regiondrag_widget.bench.handles.objects import DATA, HandObject, load_objects, rasterise

OBJECTS = load_objects()
LATER = ("extra", "fresh")  # larger objects, and parts that go farther
CREDITS = [line for line in (DATA / "CREDITS.md").read_text("utf-8").splitlines() if line.startswith("| ")]
TAGS = {
    "alike",
    "dark-on-dark",
    "face",
    "glass",
    "hair",
    "holes",
    "leaves",
    "patterned",
    "standing",
    "text",
    "white-on-white",
}
# two crops of one picture, and pictures of one toy: what the credits give as the source, less its number
SAME_SCENE = [
    ("candle-table", "candle-stone"),
    ("duck-shore", "duck-carpet"),
    ("exit-door", "hose-cart"),
    ("lantern", "lantern-near"),
    ("monster-bonnet", "monster-leaves"),
    ("rc-car-road", "rc-car-rug"),
    ("wolf-rock", "wolf-wall"),
]
each = pytest.mark.parametrize("item", OBJECTS, ids=lambda item: item.name)


def moved(item: HandObject) -> np.ndarray:
    """The object's pixels where its move takes them, cut off at the picture's edge."""
    (dx, dy), (height, width) = item.move, item.mask.shape
    rows, columns = np.nonzero(item.mask)
    rows, columns = rows + dy, columns + dx
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    out = np.zeros_like(item.mask)
    out[rows[inside], columns[inside]] = True
    return out


def test_there_are_enough_whole_objects_and_parts():
    kinds = Counter(item.kind for item in OBJECTS)
    assert kinds["whole"] >= 26
    assert kinds["part"] >= 14
    assert len({item.name for item in OBJECTS}) == len(OBJECTS)


def test_no_photograph_carries_the_benchmark():
    photos = Counter(item.photo for item in OBJECTS)
    assert len(photos) >= 20
    assert max(photos.values()) <= 3


def test_a_third_is_the_test_part():
    test, train = load_objects("test"), load_objects("train")
    assert 0.3 < len(test) / (len(test) + len(train)) < 0.4
    assert {item.kind for item in test} == {"whole", "part"}
    assert [item.name for item in train] == [item.name for item in OBJECTS if item.split == "train"]


def test_no_photograph_or_scene_is_on_both_sides():
    sides: dict[str, set[str]] = {}
    for item in OBJECTS:
        sides.setdefault(item.photo.stem, set()).add(item.split)
    assert all(len(side) == 1 for side in sides.values())
    for one, other in SAME_SCENE:
        assert sides[one] == sides[other]


def test_nothing_that_weights_are_fitted_on_is_a_scene_of_the_test_part():
    toys = {line.split("(dataset/")[1].split("/")[0] for line in CREDITS if "(dataset/" in line}
    of = {item.photo.name: item.split for item in OBJECTS}
    for toy in toys:
        splits = {of[line.split("|")[1].strip()] for line in CREDITS if f"(dataset/{toy}/" in line}
        assert "test" not in splits or not splits & {"train", "extra"}, toy


@pytest.mark.parametrize("split", ["train", "test"])
def test_both_sides_have_every_tag(split: str):
    assert {tag for item in load_objects(split) for tag in item.tags} >= TAGS


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="there is no split 'validation': give 'train', 'test'"):
        load_objects("validation")


@each
def test_the_mask_fits_the_photograph(item: HandObject):
    image = item.image()
    assert image.mode == "RGB"
    assert max(image.size) <= 512
    assert item.mask.dtype == bool
    assert item.mask.shape == image.size[::-1]
    assert item.mask.any()
    ys, xs = np.nonzero(item.mask)
    across = max(np.ptp(ys), np.ptp(xs)) + 1
    assert (40 if item.kind == "whole" else 16) <= across <= (500 if item.split in LATER else 262)
    assert all(0 <= x <= image.width and 0 <= y <= image.height for ring in item.rings for x, y in ring)


@each
def test_the_object_is_one_piece(item: HandObject):
    labels, count = ndimage.label(item.mask, np.ones((3, 3)))
    assert count == 1, np.bincount(labels.ravel())[1:]


@each
def test_the_move_stays_in_the_picture(item: HandObject):
    assert item.move != (0, 0)
    assert moved(item).sum() > 0.97 * item.mask.sum()
    if item.kind == "part":
        assert 6 <= np.hypot(*item.move) <= (160 if item.split in LATER else 40)


def test_a_ring_with_a_hole_covers_the_pixels_between():
    outer = [(1.0, 1.0), (7.0, 1.0), (7.0, 6.0), (1.0, 6.0)]
    hole = [(3.0, 2.0), (5.0, 2.0), (5.0, 4.0), (3.0, 4.0)]
    expected = np.zeros((8, 9), dtype=bool)
    expected[1:6, 1:7] = True
    expected[2:4, 3:5] = False
    assert np.array_equal(rasterise([outer, hole], (8, 9)), expected)


def test_only_pixels_whose_centre_is_inside_are_covered():
    triangle = [(0.0, 0.0), (4.0, 0.0), (0.0, 4.0)]
    expected = [[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    # the slanted side runs through centres, which belong to what lies beyond
    assert rasterise([triangle], (4, 4)).astype(int).tolist() == expected
    assert not rasterise([[(0.6, 0.0), (0.9, 0.0), (0.9, 4.0), (0.6, 4.0)]], (4, 4)).any()


def test_the_area_is_the_polygon_s():
    corners = np.array([(10.3, 5.2), (80.7, 20.1), (60.2, 70.9), (22.8, 55.5)])
    x, y = corners.T
    area = abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    mask = rasterise([[(float(a), float(b)) for a, b in corners]], (80, 90))
    assert mask.sum() == pytest.approx(area, rel=0.005)


def test_every_photograph_is_used_credited_and_the_folder_small():
    files = {path.name: path for path in (DATA / "photos").iterdir()}
    assert files.keys() == {item.photo.name for item in OBJECTS}
    rows = [line.split("|") for line in (DATA / "CREDITS.md").read_text("utf-8").splitlines()]
    credits = {row[1].strip(): row for row in rows if len(row) == 7 and row[1].strip().endswith(".jpg")}
    assert credits.keys() == files.keys()
    for row in credits.values():
        assert all(cell.strip() for cell in row[1:6])
        assert row[4].strip().split(" (")[0] in {"CC0-1.0", "CC-BY-2.0", "CC-BY-4.0", "Public domain"}
    later = {item.photo.name for item in OBJECTS if item.split in LATER}
    for names, most in ((files.keys() - later, 3_000_000), (later, 3_500_000)):
        assert sum(files[name].stat().st_size for name in names) < most


def test_the_notice_points_at_the_credits(repository: Path):
    credits = (DATA / "CREDITS.md").relative_to(repository).as_posix()
    assert credits in (repository / "NOTICE").read_text("utf-8")
