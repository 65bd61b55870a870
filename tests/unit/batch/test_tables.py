"""Tables of edits: what CSV files and folders mean, and what is refused in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import regiondrag_widget as rd
from regiondrag_widget.batch import Row, read_rows
from regiondrag_widget.batch.csv_table import plain_name
from regiondrag_widget.batch.edit_row import edit_row
from regiondrag_widget.batch.row import require_unique
from regiondrag_widget.batch.row_pairs import picture_of, regions_of
from regiondrag_widget.cli import main
from regiondrag_widget.regions.writing import write_whole_text


@pytest.fixture
def folder(tmp_path: Path, photo: Path) -> Path:
    """photo.png, 128x96 px, and two masks of it: a.png in the middle, b.png to the right of it."""
    for name, x in (("a", 40), ("b", 70)):
        mask = np.zeros((96, 128), bool)
        mask[30:60, x : x + 25] = True
        Image.fromarray(mask).save(tmp_path / f"{name}.png")
    return tmp_path


def csv_of(folder: Path, text: str) -> Path:
    path = folder / "jobs.csv"
    path.write_text(text, "utf-8")
    return path


def only_pair(folder: Path, **values: str) -> rd.RegionPair:
    """The pair of a row with these values; files are named from the folder."""
    header, line = (
        ",".join(["picture", *values]),
        ",".join(["photo.png", *(f'"{v}"' for v in values.values())]),
    )
    (row,) = read_rows(csv_of(folder, f"{header}\n{line}\n"))
    said = edit_row(row)
    (pair,) = regions_of(said, picture_of(said))[0]
    return pair


# ---- where a handle goes ----


def mask(x: int) -> np.ndarray:
    drawn = np.zeros((96, 128), bool)
    drawn[30:60, x : x + 25] = True
    return drawn


def test_a_handle_goes_to_its_target(folder: Path):
    assert only_pair(folder, handle="a.png", target="b.png") == rd.RegionPair(mask(40), mask(70))


@pytest.mark.parametrize("move", ["30,-5", "30 -5", " 30, -5 "])
def test_a_handle_is_moved_scaled_and_turned(folder: Path, move: str):
    made = only_pair(
        folder, handle="a.png", move=move, scale="0.5", rotate="15", carry="painted", action="copy"
    )
    assert made == rd.RegionPair.move(mask(40), 30, -5, 0.5, 15, carry="painted", action="copy")


def test_points_bend_a_handle(folder: Path):
    made = only_pair(folder, handle="a.png", points="45,35:50,35 60,50:60,55")
    assert made == rd.RegionPair.bend(mask(40), [(45, 35), (60, 50)], [(50, 35), (60, 55)])


def test_points_alone_take_the_object_that_is_there(folder: Path):
    Image.fromarray(np.where(mask(40)[..., None], [250, 40, 40], [30, 60, 90]).astype(np.uint8)).save(
        folder / "photo.png"
    )
    made = only_pair(folder, points="50,45:80,45")
    overlap = (made.handle & mask(40)).sum() / (made.handle | mask(40)).sum()
    assert overlap > 0.8
    assert np.array_equal(made.target, np.roll(made.handle, 30, axis=1))


def test_a_removal_needs_no_target(folder: Path):
    assert only_pair(folder, handle="a.png", action="remove") == rd.RegionPair.remove(mask(40))


def test_several_handles_stand_in_one_field(folder: Path):
    text = "picture;handle;move\nphoto.png;a.png|b.png;5 0|0 5\n"
    said = edit_row(read_rows(csv_of(folder, text))[0])
    pairs, _ = regions_of(said, picture_of(said))
    assert list(pairs) == [rd.RegionPair.move(mask(40), 5, 0), rd.RegionPair.move(mask(70), 0, 5)]


def test_saved_regions_are_a_row(folder: Path, rgb: np.ndarray):
    pair = rd.RegionPair(mask(40), mask(70))
    rd.save_regions(folder / "saved.zip", rgb, [pair], protect=mask(100))
    said = edit_row(read_rows(csv_of(folder, "regions\nsaved.zip\n"))[0])
    picture = picture_of(said)
    pairs, editable = regions_of(said, picture)
    assert np.array_equal(picture.rgb, rgb)
    assert list(pairs) == [pair]
    assert np.array_equal(editable, ~mask(100))


def test_a_protect_mask_is_what_may_not_change(folder: Path):
    said = edit_row(
        read_rows(csv_of(folder, 'picture,handle,move,protect\nphoto.png,a.png,"5,0",b.png\n'))[0]
    )
    assert np.array_equal(regions_of(said, picture_of(said))[1], ~mask(70))


# ---- the table ----


def test_settings_names_and_other_columns(folder: Path):
    text = "Name,Picture,Handle,Move,Seed,Steps,Prompt,Kind\nx/one,photo.png,a.png,5 0,3,,a duck,easy\n"
    (row,) = read_rows(csv_of(folder, "\ufeff" + text))
    assert row.name == "x/one"
    assert row.place == "line 2 of jobs.csv"
    assert row.values["kind"] == "easy"
    assert edit_row(row).settings == {"seed": 3, "prompt": "a duck"}


def test_rows_without_a_name_are_numbered(folder: Path):
    text = "picture,handle,move\n" + "photo.png,a.png,5 0\n" * 10
    assert [row.name for row in read_rows(csv_of(folder, text))][::9] == ["01-photo", "10-photo"]


def test_seeds_multiply_the_rows(folder: Path):
    rows = read_rows(csv_of(folder, "name,picture,handle,move\nn,photo.png,a.png,5 0\n"), seeds=[0, 7, 7])
    assert [(row.name, row.values["seed"]) for row in rows] == [("n-seed0", 0), ("n-seed7", 7)]


def test_a_folder_is_read_by_its_names(folder: Path, rgb: np.ndarray):
    (folder / "a.png").rename(folder / "photo-handle.png")
    (folder / "b.png").rename(folder / "photo-target.png")
    (folder / "photo.txt").write_text("a duck\n")
    rd.save_regions(folder / "saved", rgb, [rd.RegionPair(mask(40), mask(70))])
    first, second = read_rows(folder)
    assert (first.name, second.name) == ("photo", "saved")
    assert edit_row(first).settings == {"prompt": "a duck"}
    for row in (first, second):
        said = edit_row(row)
        assert list(regions_of(said, picture_of(said))[0]) == [rd.RegionPair(mask(40), mask(70))]


def test_a_folders_table_comes_first(folder: Path):
    csv_of(folder, "picture,handle,move\nphoto.png,a.png,5 0\n")
    assert [row.name for row in read_rows(folder)] == ["1-photo"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no rows"),
        ("picture,handle,move\n", "no rows"),
        ("picture,handle\nphoto.png,a.png\n", "lacks the column target"),
        (
            "image,handle,move\nphoto.png,a.png,1 1\n",
            "lacks the column picture; the columns there are: name, picture",
        ),
        ("picture,move\nphoto.png,1 1\n", "lacks the column handle"),
        (
            "picture,handle,move,promt\nphoto.png,a.png,1 1,x\n",
            "has a column 'promt'. Did you mean 'prompt'?",
        ),
        ("picture,handle,move\nphoto.png,a.png,1,1\n", "line 2 of jobs.csv has another number of fields"),
        ("name,picture,handle,move\nn,p,h,1 1\nN,p,h,1 1\n", "two rows are called 'N'"),
        ("picture,handle,move,Handle\np,h,1 1,h\n", "two columns called 'handle'"),
        ("picture,handle,move,\np,h,1 1,x\n", "another number of fields"),
        ("name,picture,handle,move\n../n,p,h,1 1\n", r"'../n' \(line 2 of jobs.csv\) cannot name a result"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused(folder: Path, text: str, words: str):
    with pytest.raises(ValueError, match=words):
        read_rows(csv_of(folder, text))


def test_a_file_that_is_no_table_is_refused(folder: Path):
    with pytest.raises(ValueError, match=r"photo\.png is no UTF-8 text"):
        read_rows(folder / "photo.png")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_rows(folder / "gone.csv")


def test_folders_without_pictures_are_refused(tmp_path: Path, folder: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"has no pictures: expected NAME\.jpg with NAME-handle.png"):
        read_rows(tmp_path / "empty")
    (folder / "a.png").rename(folder / "phota-handle.png")
    with pytest.raises(ValueError, match="has masks of 'phota' but no picture"):
        read_rows(folder)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"handle": "a.png", "move": "1,1"}, "no picture"),
        ({"picture": "p", "move": "1,1"}, "no handle"),
        ({"picture": "p", "handle": "a.png"}, "exactly one of"),
        ({"picture": "p", "handle": "a.png", "move": "1,1", "target": "b.png"}, "exactly one of"),
        (
            {"picture": "p", "handle": "a.png", "move": "far"},
            "move must be two numbers, such as 40,-15, got 'far'",
        ),
        ({"picture": "p", "handle": "a.png", "move": "1,1", "scale": "big"}, "scale must be a number"),
        ({"picture": "p", "handle": "a.png|", "move": "1,1"}, "nothing stands before or after"),
        ({"picture": "p", "points": "1,1"}, "points must be X,Y:X,Y"),
        (
            {"picture": "p", "handle": "a.png", "move": "1,1", "seed": "x"},
            "seed must be a whole number from 0",
        ),
        ({"picture": "p", "handle": "a.png", "move": "1,1", "seed": 1.5}, "seed must be a whole number"),
        ({"picture": "p", "handle": "a.png", "move": "1,1", "start": "2"}, "start must be a number above 0"),
        ({"regions": "s.zip", "handle": "a.png"}, "saved regions bring their own"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused(values: dict[str, str], words: str):
    with pytest.raises(ValueError, match=words):
        edit_row(Row("r", values))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"handle": "a.png", "target": "a.png|b.png"}, "1 handle.* and 2 targets"),
        ({"handle": "a.png|b.png|a.png", "move": "1 1|2 2"}, "3 handles and 2 values of move"),
        ({"handle": "small.png", "move": "1 1"}, "mask small.png is 8x8 px but the picture is 128x96 px"),
        ({"handle": "gone.png", "move": "1 1"}, "there is no file"),
        ({"handle": "a.png", "points": "1,1:5,5"}, "pin 1 at .* is not on the handle"),
    ],
)
def test_regions_that_do_not_fit_are_refused(folder: Path, values: dict[str, str], words: str):
    Image.fromarray(np.full((8, 8), 255, np.uint8)).save(folder / "small.png")
    with pytest.raises((ValueError, OSError), match=words):
        only_pair(folder, **values)


# ---- tables as spreadsheets and people write them ----


def test_a_spreadsheets_table_is_read(folder: Path):
    """A mark at the beginning, Windows line ends, empty lines, spaces, a column too many, capitals."""
    lines = [
        "Name ,Picture,Handle,Move,Action,",
        'grün, photo.png ,a.png,"5, 0",Copy,',
        ",,,,,",
        "",
        '"b",~photo.png,a.png,"0\t5",,',
    ]
    (folder / "jobs.csv").write_bytes(("\ufeff" + "\r\n".join(lines) + "\r\n").encode())
    first, second = read_rows(folder / "jobs.csv")
    assert (first.name, first.place) == ("grün", "line 2 of jobs.csv")
    assert edit_row(first).actions == ["copy"]
    assert edit_row(first).moves == [(5, 0)]
    assert second.place == "line 5 of jobs.csv"
    assert second.values["picture"] == str(folder / "~photo.png"), "no home of a user"


def test_a_line_is_where_an_editor_shows_it(folder: Path):
    text = 'picture,handle,move,prompt\nphoto.png,a.png,1 1,"two\nlines"\nphoto.png,a.png,1 1,x\n'
    assert [row.place for row in read_rows(csv_of(folder, text))] == [
        "line 2 of jobs.csv",
        "line 4 of jobs.csv",
    ]


def test_a_picture_may_have_the_sign_between_handles_in_its_name(folder: Path):
    (row,) = read_rows(csv_of(folder, "picture,handle,move\na|b.png,a.png|b.png,1 1\n"))
    assert row.values["picture"] == str(folder / "a|b.png")
    assert edit_row(row).handles == [str(folder / "a.png"), str(folder / "b.png")]


@pytest.mark.parametrize("names", [("é", "e\u0301"), ("A", "a")])
def test_names_that_some_systems_take_for_one_are_refused(names: tuple[str, str]):
    with pytest.raises(ValueError, match="two rows are called"):
        require_unique([Row(name) for name in names])


@pytest.mark.parametrize("name", ["records/a", "Records/x/y", "漢" * 90, "a\udcff"])
def test_names_that_no_result_can_have_are_refused(name: str):
    with pytest.raises(ValueError, match="cannot name a result"):
        Row(name)


def test_a_long_name_in_any_script_is_a_file(tmp_path: Path):
    write_whole_text(tmp_path / f"{'漢' * 80}.json", "x")
    assert (tmp_path / f"{'漢' * 80}.json").read_text() == "x"
    assert Row(plain_name("漢" * 200)).name == "漢" * 40


def test_only_the_files_of_saved_regions_are_read(folder: Path):
    """A folder that is named by mistake may hold a whole disk."""
    deep = folder / "deep" / "er"
    deep.mkdir(parents=True)
    (deep / "file").write_text("x")
    assert edit_row(Row("r", {"picture": str(folder), "handle": "m", "move": "1,1"})).files[0] == folder
    assert edit_row(Row("r", {"regions": str(folder)})).files == (folder / "regions.json",)
    (folder / "regions.json").write_text("{}")
    files = edit_row(Row("r", {"regions": str(folder)})).files
    assert folder / "a.png" in files
    assert deep / "file" not in files


def test_masks_are_found_by_careless_names(folder: Path):
    (folder / "a.png").rename(folder / "photo_Handle.png")
    (folder / "b.png").rename(folder / "photo Target.PNG")
    (folder / "photo.txt").write_bytes("\ufeffa duck\r\n".encode())
    (row,) = read_rows(folder)
    assert len(regions_of(edit_row(row), picture_of(edit_row(row)))[0]) == 1
    assert row.values["prompt"] == "a duck"
    (folder / "photo.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"photo\.txt is no UTF-8 text"):
        read_rows(folder)


def test_the_command_does_not_write_over_its_table(folder: Path, capsys: pytest.CaptureFixture[str]):
    table = csv_of(folder, "picture,handle,move\nphoto.png,a.png,5 0\n").rename(folder / "results.csv")
    before = table.read_bytes()
    assert main(["batch", str(table), "-o", str(folder), "--quiet"]) == 2
    assert "would be overwritten by results.csv" in capsys.readouterr().err
    assert table.read_bytes() == before
    assert main(["batch", str(table), "-o", str(folder / "out"), "--seeds", "-1"]) == 2
    assert "seed must be a whole number from 0" in capsys.readouterr().err
    assert not (folder / "out").exists()


@pytest.mark.parametrize("seed", ["3", 3, 3.0, "3.0", " 3 "])
def test_a_seed_of_a_column_with_empty_cells_is_whole(seed: object):
    row = Row("r", {"picture": "p", "handle": "h", "move": "1,1", "seed": seed, "steps": float("nan")})
    assert repr(edit_row(row).settings) == "{'seed': 3}"
