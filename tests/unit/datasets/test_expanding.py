"""Points to regions, in Python and on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import regiondrag_widget as rd
from regiondrag_widget.cli import main

SAMPLES = Path(__file__).resolve().parents[2] / "data" / "dragbench"


@pytest.fixture(scope="module")
def squares() -> np.ndarray:
    """Two bright squares on a dark ground, (120, 160, 3)."""
    image = np.full((120, 160, 3), 30, np.uint8)
    image[30:60, 20:50] = (220, 40, 40)
    image[60:90, 100:130] = (40, 40, 220)
    return image


def test_the_object_at_a_point_moves_with_it(squares: np.ndarray):
    pairs = rd.datasets.expand(squares, [[(35, 45), (75, 55)]])
    assert len(pairs) == 1
    expected = np.zeros((120, 160), bool)
    expected[30:60, 20:50] = True
    found = np.asarray(pairs.handle)
    assert (found & expected).sum() > 0.9 * (found | expected).sum()
    target = np.asarray(pairs.target)
    assert (target & np.roll(expected, (10, 40), (0, 1))).sum() > 0.9 * target.sum()


def test_points_of_one_object_make_one_region_and_others_their_own(squares: np.ndarray):
    pairs = rd.datasets.expand(squares, [[(30, 40), (40, 40)], [(40, 50), (50, 50)], [(115, 75), (115, 45)]])
    assert len(pairs) == 2
    turned = rd.datasets.expand(squares, [[(25, 45), (35, 35)], [(45, 45), (35, 55)]])
    assert len(turned) == 1  # the points of a quarter turn
    assert turned[0].deformation is not None


def test_a_disc_has_the_radius_that_is_asked_for(squares: np.ndarray):
    (pair,) = rd.datasets.expand(squares, [[(60, 60), (90, 60)]], by="disc", radius=10)
    assert int(pair.handle.sum()) == pytest.approx(np.pi * 100, rel=0.03)
    assert pair.target[60, 90]
    assert pair.target[60, 99]
    assert not pair.target[60, 102]


def test_the_ground_is_no_object_and_what_may_not_change_is_left_out(squares: np.ndarray):
    (pair,) = rd.datasets.expand(squares, [[(80, 15), (90, 15)]])
    assert pair.handle.mean() < 0.1  # a disc
    editable = np.zeros((120, 160), bool)
    editable[:, :36] = True
    (pair,) = rd.datasets.expand(squares, [[(30, 45), (75, 55)]], editable=editable)
    assert not pair.handle[:, 36:].any()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"points": [[(35, 45), (300, 55)]]}, "outside the picture"),
        ({"points": "here"}, "no \\(N, 2, 2\\)"),
        ({"points": np.zeros((0, 2, 2))}, "no points to expand"),
        ({"points": [[(1, 1), (2, 2)]], "by": "magic"}, "use 'selection' or 'disc'"),
        ({"points": [[(1, 1), (2, 2)]], "radius": 0}, "at least 1 pixel"),
    ],
)
def test_wrong_points_are_told(squares: np.ndarray, arguments: dict, words: str):
    with pytest.raises(ValueError, match=words):
        rd.datasets.expand(squares, **arguments)


def test_the_command_writes_both_formats_statistics_and_a_sheet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    data = tmp_path / "data"
    for sample in rd.datasets.load_dragbench(SAMPLES).only(["animals/wren", "landscape/lighthouse"]):
        rd.datasets.write_dragbench(sample, data / sample.name)
    out = tmp_path / "out"
    assert main(["dataset", "expand", str(data), "-o", str(out), "--spacing", "8"]) == 0
    assert "2 samples" in capsys.readouterr().out
    for load, folder in (
        (rd.datasets.load_dragbench, "dragbench"),
        (rd.datasets.load_folders, "folders"),
    ):
        read = {sample.name: sample for sample in load(out / folder)}
        assert set(read) == {"animals/wren", "landscape/lighthouse"}
        for sample in read.values():
            x, y = np.rint(sample.points[0, 0]).astype(int)
            assert sample.pairs.handle[y, x]
    told = json.loads((out / "statistics.json").read_text())
    assert told["all"]["samples"] == 2
    assert 0 < told["all"]["area"] < 0.35
    with Image.open(out / "sheet-1.jpg") as sheet:
        assert sheet.height > 2 * 192


def test_the_command_names_what_it_skips(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    data = tmp_path / "data"
    sample = rd.datasets.load_dragbench(SAMPLES)["animals/wren"]
    rd.datasets.write_dragbench(sample, data / "good")
    rd.datasets.write_dragbench(sample, data / "bad")
    (data / "bad" / "meta_data.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert main(["dataset", "expand", str(data), "-o", str(tmp_path / "out"), "--by", "disc"]) == 1
    assert "1 samples were skipped: bad" in capsys.readouterr().err
    assert main(["dataset", "expand", str(data), "-o", str(data / "out")]) == 2


def test_points_that_no_bend_takes_to_their_targets_move_as_near_as_they_can(squares: np.ndarray):
    points = [[(25, 35), (45, 55)], [(45, 35), (25, 55)], [(35, 50), (35, 40)]]  # mirrored
    (pair,) = rd.datasets.expand(squares, points)
    assert pair.handle[35, 25]
    assert pair.target.any()
    meeting = [[(30, 40), (60, 45)], [(40, 50), (60, 45)]]
    (pair,) = rd.datasets.expand(squares, meeting)
    assert pair.target[45, 60]
