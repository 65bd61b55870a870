"""DragBench's folders become samples; broken ones are named and skipped."""

from __future__ import annotations

import os
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import regiondrag_widget as rd
from regiondrag_widget.datasets.densepoints import pairs_of_points, points_of_pairs, region_of_points

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "dragbench"


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union."""
    return float((a & b).sum() / (a | b).sum())


def blob(shape: tuple[int, int], seed: int) -> np.ndarray:
    """A wobbly disc."""
    rng = np.random.default_rng(seed)
    angle = np.arctan2(*np.indices(shape).astype(float) - np.array([90, 80])[:, None, None])
    waves = sum(rng.uniform(-4, 4) * np.sin(n * angle + rng.uniform(0, 6)) for n in (2, 3, 5))
    y, x = np.indices(shape)
    return np.hypot(x - 80, y - 90) < 34 + waves


def write(folder: Path, entry: object = None, size: tuple[int, int] = (96, 80), name: str = "a") -> Path:
    """A sample of DragBench with one point."""
    sample = folder / name
    sample.mkdir(parents=True)
    Image.fromarray(np.full((size[1], size[0], 3), 90, np.uint8)).save(sample / "original_image.png")
    whole = {"prompt": "p", "points": [(10, 20), (30, 40)], "mask": np.ones((size[1], size[0]), np.uint8)}
    (sample / "meta_data.pkl").write_bytes(pickle.dumps(whole if entry is None else entry))
    return sample


def test_the_bundled_samples_are_read_at_their_depth():
    samples = rd.datasets.load_dragbench(SAMPLES)
    read = list(samples)
    assert samples.names == [sample.name for sample in read]
    assert len(read) == 12
    assert not samples.skipped
    for sample in read:
        assert sample.prompt
        assert sample.points.shape == (2, 2, 2)
        assert sample.editable is not None
        assert len(sample.pairs) == 1
        at_handle, at_target = (np.rint(sample.points[:, end]).astype(int) for end in (0, 1))
        assert sample.pairs.handle[at_handle[:, 1], at_handle[:, 0]].all()
        assert sample.pairs.target[at_target[:, 1], at_target[:, 0]].all()
        assert (sample.editable | ~(sample.pairs.handle | sample.pairs.target)).all()


@pytest.mark.parametrize("spacing", [1, 8])
@pytest.mark.parametrize("seed", [0, 1])
def test_dense_points_give_the_drawn_regions_back(spacing: int, seed: int):
    handle = blob((200, 240), seed)
    drawn = rd.RegionPairs([rd.RegionPair.move(handle, 70, 10, scale=0.8, rotate=25)])
    back = pairs_of_points(*points_of_pairs(drawn, spacing), handle.shape)
    assert len(back) == 1
    assert overlap(back.handle, drawn.handle) > 0.95
    assert overlap(back.target, drawn.target) > 0.95


def test_each_blob_keeps_its_own_target():
    left, right = np.zeros((2, 120, 200), bool)
    left[20:50, 20:60], right[60:100, 100:140] = True, True
    drawn = rd.RegionPairs([rd.RegionPair.move(left, 0, 60), rd.RegionPair.move(right, 50, -40)])
    back = pairs_of_points(*points_of_pairs(drawn, 1), left.shape)
    assert [overlap(a.target, b.target) > 0.95 for a, b in zip(back, drawn, strict=True)] == [True, True]


def test_a_bare_lattice_gives_the_region_to_half_its_spacing():
    handle = blob((200, 240), 2)
    y, x = np.nonzero(handle[::8, ::8])
    assert overlap(region_of_points(np.stack([x, y], axis=-1) * 8.0, handle.shape), handle) > 0.9


def test_masks_of_a_copy_are_taken_before_the_dense_points(tmp_path: Path):
    sample = write(tmp_path)
    for file, rows in (("source_mask.png", slice(10, 30)), ("target_mask.png", slice(40, 60))):
        mask = np.zeros((80, 96), np.uint8)
        mask[rows, 20:50] = 255
        Image.fromarray(mask).save(sample / file)
    (read,) = rd.datasets.load_dragbench(tmp_path)
    assert read.pairs.handle[10:30, 20:50].all()
    assert int(read.pairs.target.sum()) == 600


def test_a_sample_without_regions_has_points_alone(tmp_path: Path):
    write(tmp_path)
    (read,) = rd.datasets.load_dragbench(tmp_path)
    assert read.points.tolist() == [[[10, 20], [30, 40]]]
    assert len(read.pairs) == 0


def make_hostile(folder: Path) -> None:
    class Mkdir:
        def __reduce__(self):
            return os.mkdir, (str(folder / "made"),)

    (folder / "meta_data.pkl").write_bytes(pickle.dumps({"points": Mkdir()}))


def entry_with(**changes: object):
    whole = {"prompt": "p", "points": [(10, 20), (30, 40)], "mask": np.ones((80, 96), np.uint8)}
    return lambda folder: (folder / "meta_data.pkl").write_bytes(pickle.dumps(whole | changes))


def small_masks(folder: Path) -> None:
    for name in ("source_mask.png", "target_mask.png"):
        Image.fromarray(np.full((40, 40), 255, np.uint8)).save(folder / name)


BROKEN = {
    "hostile": (make_hostile, "it was not run"),
    "no pickle": (lambda folder: (folder / "meta_data.pkl").unlink(), r"meta_data\.pkl is missing"),
    "no picture": (lambda folder: (folder / "original_image.png").unlink(), "original_image.png is missing"),
    "cut picture": (
        lambda folder: (folder / "original_image.png").write_bytes(
            (folder / "original_image.png").read_bytes()[:60]
        ),
        "original_image.png",
    ),
    "outside": (entry_with(points=[(10, 20), (130, 40)]), "outside the picture of 96x80"),
    "odd": (entry_with(points=[(10, 20)]), "each handle needs a target"),
    "huge": (entry_with(points=[(10**400, 20), (30, 40)]), "not pairs of numbers"),
    "words": (entry_with(points=["here", "there"]), "not pairs of numbers"),
    "infinite": (entry_with(points=[(10, 20), (float("inf"), 40)]), "not finite"),
    "mask": (entry_with(mask=np.ones((40, 40))), "editable mask is 40x40, the picture 96x80"),
    "list": (lambda folder: (folder / "meta_data.pkl").write_bytes(pickle.dumps([1])), "no dict with points"),
    "masks": (small_masks, "source_mask.png is 40x40, the picture 96x80"),
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_broken_sample_is_named_and_the_others_are_read(tmp_path: Path, name: str):
    spoil, words = BROKEN[name]
    spoil(write(tmp_path, name="bad"))
    write(tmp_path, name="good")
    samples = rd.datasets.load_dragbench(tmp_path)
    with pytest.warns(UserWarning, match="sample bad is skipped"):
        assert [sample.name for sample in samples] == ["good"]
    assert list(samples.skipped) == ["bad"]
    with pytest.raises((ValueError, OSError), match=words):
        samples["bad"]
    assert not (tmp_path / "bad" / "made").exists()


def test_a_folder_without_samples_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="holds no DragBench samples"):
        rd.datasets.load_dragbench(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        rd.datasets.load_dragbench(tmp_path / "none")
    Image.new("RGB", (80, 80)).save(tmp_path / "picture.png")
    with pytest.raises(ValueError, match="holds no DragBench samples"):
        rd.datasets.load_dragbench(tmp_path)
    with pytest.raises(NotADirectoryError, match="is no folder"):
        rd.datasets.load_dragbench(tmp_path / "picture.png")


def test_pictures_without_pickles_are_named_beside_complete_samples(tmp_path: Path):
    write(tmp_path, name="good")
    (tmp_path / "lone").mkdir()
    Image.new("RGB", (80, 80)).save(tmp_path / "lone" / "photo.png")
    samples = rd.datasets.load_dragbench(tmp_path)
    with pytest.warns(UserWarning, match="sample lone is skipped"):
        assert len(list(samples)) == 1


@pytest.mark.parametrize("kind", ["dragbench", "folder"])
def test_a_written_sample_reads_back(tmp_path: Path, kind: str):
    sample = rd.datasets.load_dragbench(SAMPLES)["animals/wren"]
    if kind == "dragbench":
        rd.datasets.write_dragbench(sample, tmp_path / "all" / "wren")
        for mask in ("source_mask.png", "target_mask.png"):  # else the dense points are not looked at
            (tmp_path / "all" / "wren" / mask).unlink()
        (back,) = rd.datasets.load_dragbench(tmp_path / "all")
    else:
        rd.datasets.write_folder(sample, tmp_path / "all" / "wren")
        (back,) = rd.datasets.load_folders(tmp_path / "all")
    assert (back.image == sample.image).all()
    assert back.prompt == sample.prompt
    assert (back.points == sample.points).all()
    assert (back.editable == sample.editable).all()
    assert overlap(back.pairs.handle, sample.pairs.handle) > 0.95
    assert overlap(back.pairs.target, sample.pairs.target) > 0.95


def test_a_link_to_a_parent_does_not_lead_round(tmp_path: Path):
    write(tmp_path / "all", name="one")
    (tmp_path / "all" / "deeper").mkdir()
    os.symlink(tmp_path / "all", tmp_path / "all" / "deeper" / "round", target_is_directory=True)
    for number in range(6):  # of n links each level has n times as many
        os.symlink(tmp_path / "all", tmp_path / "all" / "one" / f"round{number}", target_is_directory=True)
    assert rd.datasets.load_dragbench(tmp_path / "all").names == ["one"]
    shutil.rmtree(tmp_path / "all")


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, name="good")
    (tmp_path / "locked").mkdir()
    listed = Path.iterdir

    def iterdir(self: Path) -> Iterator[Path]:
        if self.name == "locked":
            raise PermissionError(13, "Permission denied", str(self))
        return listed(self)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    samples = rd.datasets.load_dragbench(tmp_path)
    with pytest.warns(UserWarning, match="sample locked is skipped"):
        assert len(list(samples)) == 1


def test_whatever_a_sample_raises_the_others_are_read(tmp_path: Path):
    def read(name: str, place: object) -> rd.datasets.Sample:
        if name == "bad":
            raise RecursionError("too deep")
        return rd.datasets.load_dragbench(SAMPLES)["animals/wren"]

    samples = rd.datasets.Dataset("d", tmp_path, [("bad", None), ("good", None)], read)
    with pytest.warns(
        UserWarning, match="sample bad is skipped: it cannot be read: RecursionError: too deep"
    ):
        assert len(list(samples)) == 1
