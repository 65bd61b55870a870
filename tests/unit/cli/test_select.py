"""``regiondrag select``, and ``edit --select``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import regiondrag_widget as rd
from regiondrag_widget.cli import main


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """A red disc on grey in photo.png of the working folder; its mask."""
    ys, xs = np.mgrid[:120, :160]
    disc = (xs - 60) ** 2 + (ys - 60) ** 2 < 900
    rgb = np.where(disc[..., None], (200, 40, 40), (120, 120, 120)).astype(np.uint8)
    Image.fromarray(rgb).save(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    return disc


def overlap(path: str, true: np.ndarray) -> float:
    mask = np.asarray(Image.open(path))
    assert set(np.unique(mask)) <= {0, 255}
    return float(((mask > 0) & true).sum() / ((mask > 0) | true).sum())


def test_a_point_makes_a_mask(photo: np.ndarray, capsys: pytest.CaptureFixture[str]):
    assert main(["select", "photo.png", "--point", "60,60", "-o", "mask.png"]) == 0
    assert overlap("mask.png", photo) > 0.95
    assert "wrote mask.png" in capsys.readouterr().out


def test_a_box_and_points_make_a_mask(photo: np.ndarray):
    assert main(["select", "photo.png", "--box", "20,20,100,100", "-o", "boxed"]) == 0
    assert overlap("boxed.png", photo) > 0.9
    both = ["--point", "60,60", "--not-point", "140,100", "-o", "both.png"]
    assert main(["select", "photo.png", *both]) == 0
    assert overlap("both.png", photo) > 0.95


REFUSED = {
    "nothing asked": ([], "nothing to select: give --point X,Y"),
    "a point outside": (["--point", "300,5"], "point (300, 5) lies outside the picture, which is 160x120 px"),
    "a negative point": (["--point", "-5,5"], "outside the picture"),
    "no point": (["--point", "left"], "'left' is not X,Y"),
    "no box": (["--box", "1,2,3"], "'1,2,3' is not X0,Y0,X1,Y1"),
    "no such model": (["--point", "60,60", "--model", "./gone"], "there is no folder gone"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_input_is_refused_in_one_sentence(
    photo: np.ndarray, capsys: pytest.CaptureFixture[str], case: str
):
    arguments, words = REFUSED[case]
    assert main(["select", "photo.png", *arguments, "-o", "mask.png"]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not Path("mask.png").exists()


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (".", "is a folder"),
        ("m.jpg", "must end in .png"),
        ("no/m.png", "no folder"),
        ("photo.png", "overwritten"),
    ],
)
def test_an_output_that_cannot_be_is_refused(
    photo: np.ndarray, capsys: pytest.CaptureFixture[str], output: str, words: str
):
    before = Path("photo.png").read_bytes()
    assert main(["select", "photo.png", "--point", "60,60", "-o", output]) == 2
    assert words in capsys.readouterr().err
    assert Path("photo.png").read_bytes() == before


def test_edit_moves_what_is_selected_with_a_margin(photo: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    asked = {}

    def record(image: object, pairs: rd.RegionPairs, **_: object) -> None:
        asked["pairs"] = pairs
        raise ValueError("enough")

    monkeypatch.setitem(vars(rd), "edit", record)
    main(["edit", "photo.png", "--select", "60,60", "--move", "40,0", "-o", "out.png"])
    (pair,) = asked["pairs"]
    mask = rd.select.at("photo.png", (60, 60))
    assert (mask & photo).sum() / (mask | photo).sum() > 0.95
    assert np.array_equal(pair.handle, rd.select.with_margin(mask))
    assert pair.name == "60,60"
    np.testing.assert_array_equal(pair.matrix[:2, 2], [40, 0])


def test_handles_and_selections_go_together(photo: np.ndarray, capsys: pytest.CaptureFixture[str]):
    Image.fromarray(photo).save("h.png")
    arguments = ["--handle", "h.png", "--select", "60,60", "--move", "1,0", "--move", "2,0", "--move", "3,0"]
    assert main(["edit", "photo.png", *arguments, "-o", "out.png"]) == 2
    assert "2 handles but 3 --move" in capsys.readouterr().err
