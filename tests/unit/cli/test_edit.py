"""``regiondrag edit``: what it hands to the engine, writes, and refuses, with which exit code."""

from __future__ import annotations

import errno
import json
import os
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import regiondrag_widget as rd
from regiondrag_widget.cli import main
from regiondrag_widget.engine.result import EditResult, load_settings
from regiondrag_widget.engine.settings import SETTINGS
from regiondrag_widget.engine.settingspec import SettingSpec

SIZE = (128, 96)


class FakeEngine:
    """Stands in for `rd.edit`: returns the negative after three steps and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: dict[str, Any] = {}
        self.error: BaseException | None = None
        self.notes: tuple[str, ...] = ()

    def __call__(self, image: Any, pairs: Any, callback: Any = None, **options: Any) -> EditResult:
        self.asked = {"image": image, "pairs": pairs, **options}
        for index in (1, 2, 3):
            callback(SimpleNamespace(index=index, total=3))
            if self.error is not None:
                raise self.error
        after = image.to_pil(255 - image.rgb)
        return EditResult(
            after,
            image.to_pil(),
            {"model": "mini"},
            {"total": 0.1},
            options.get("seed", 0),
            pairs=pairs,
            notes=self.notes,
        )


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    fake = FakeEngine()
    monkeypatch.setitem(vars(rd), "edit", fake)
    return fake


@pytest.fixture
def folder(photo: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with photo.png, h.png, h2.png and t.png."""
    for name, (x, y) in {"h": (10, 10), "h2": (60, 50), "t": (70, 20)}.items():
        mask = np.zeros(SIZE[::-1], dtype=np.uint8)
        mask[y : y + 20, x : x + 24] = 255
        Image.fromarray(mask).save(photo.parent / f"{name}.png")
    monkeypatch.chdir(photo.parent)
    return photo.parent


def edit(*arguments: str, out: str = "out.png") -> int:
    return main(["edit", "photo.png", *arguments, "-o", out])


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr, the progress bar aside; nothing on stdout."""
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    lines = [line for line in captured.err.replace("\r", "\n").splitlines() if line.startswith("regiondrag")]
    assert len(lines) == 1
    return lines[0]


# ---- what it does ----


def test_the_result_is_written(engine: FakeEngine, folder: Path, rgb: np.ndarray):
    assert edit("--handle", "h.png", "--target", "t.png") == 0
    assert np.array_equal(np.asarray(Image.open(folder / "out.png")), 255 - rgb)
    assert load_settings(folder / "out.png")["model"] == "mini"


def test_handle_and_target_make_a_pair(engine: FakeEngine, folder: Path):
    edit("--handle", "h.png", "--target", "t.png")
    (pair,) = engine.asked["pairs"]
    assert pair.handle[10:30, 10:34].all()
    assert pair.target[20:40, 70:94].all()
    assert pair.matrix is None


def test_several_handles_take_their_targets_in_order(engine: FakeEngine, folder: Path):
    edit("--handle", "h.png", "--handle", "h2.png", "--target", "t.png", "--target", "h.png")
    first, second = engine.asked["pairs"]
    assert first.handle[15, 15]
    assert first.target[25, 75]
    assert second.handle[55, 65]
    assert second.target[15, 15]


def test_a_move_makes_an_exact_matrix(engine: FakeEngine, folder: Path):
    edit("--handle", "h.png", "--move", "40,5")
    (pair,) = engine.asked["pairs"]
    assert np.allclose(pair.matrix, [[1, 0, 40], [0, 1, 5], [0, 0, 1]])
    assert pair.target[15:35, 50:74].all()


def test_a_move_to_the_left_needs_no_quoting(engine: FakeEngine, folder: Path):
    edit("--handle", "h2.png", "--move", "-20,-3")
    assert np.allclose(engine.asked["pairs"][0].matrix[:2, 2], [-20, -3])


def test_scale_and_rotate_turn_about_the_handles_centre(engine: FakeEngine, folder: Path):
    edit("--handle", "h2.png", "--scale", "0.5", "--rotate", "-90")
    matrix = engine.asked["pairs"][0].matrix
    centre = [71.5, 59.5, 1]
    assert np.allclose(matrix @ centre, centre)
    assert np.isclose(np.linalg.det(matrix), 0.25)
    assert np.allclose(matrix[:2, :2], [[0, -0.5], [0.5, 0]])  # clockwise on the screen: right becomes down


def test_one_move_serves_all_handles(engine: FakeEngine, folder: Path):
    edit("--handle", "h.png", "--handle", "h2.png", "--move", "10,0")
    assert [pair.matrix[0, 2] for pair in engine.asked["pairs"]] == [10, 10]


def test_each_handle_may_have_its_own_move(engine: FakeEngine, folder: Path):
    edit("--handle", "h.png", "--handle", "h2.png", "--move", "10,0", "--move", "-10,0")
    assert [pair.matrix[0, 2] for pair in engine.asked["pairs"]] == [10, -10]


def test_saved_regions_are_used_with_their_picture(engine: FakeEngine, folder: Path, rgb: np.ndarray):
    pair = rd.RegionPair.move(np.asarray(Image.open("h.png")) > 0, 30, 0)
    rd.save_regions("session.zip", Image.open("photo.png"), [pair])
    assert main(["edit", "--regions", "session.zip", "-o", "out.png"]) == 0
    assert np.array_equal(engine.asked["image"].rgb, rgb)
    assert np.allclose(engine.asked["pairs"][0].matrix, pair.matrix)


def test_saved_regions_serve_another_picture(engine: FakeEngine, folder: Path):
    pair = rd.RegionPair.move(np.asarray(Image.open("h.png")) > 0, 30, 0)
    rd.save_regions("session", Image.open("photo.png"), [pair])
    Image.new("RGB", SIZE, "red").save("red.png")
    assert main(["edit", "red.png", "--regions", "session", "-o", "out.png"]) == 0
    assert tuple(engine.asked["image"].rgb[0, 0]) == (255, 0, 0)


def test_options_reach_the_engine(engine: FakeEngine, folder: Path):
    edit(
        *("--handle", "h.png", "--move", "9,0", "--model", "a/b", "--seed", "3", "--steps", "7"),
        *("--start", "0.6", "--stop", "0.1", "--prompt", "a duck", "--device", "cpu", "--vacated", "keep"),
    )
    asked = {key: value for key, value in engine.asked.items() if key not in ("image", "pairs")}
    assert asked == {
        "model": "a/b",
        "seed": 3,
        "steps": 7,
        "start": 0.6,
        "stop": 0.1,
        "prompt": "a duck",
        "device": "cpu",
        "vacated": "keep",
    }


def test_what_is_not_given_is_left_to_the_engine(engine: FakeEngine, folder: Path):
    edit("--handle", "h.png", "--move", "9,0")
    assert set(engine.asked) == {"image", "pairs"}


@pytest.mark.parametrize("spec", [s for s in SETTINGS if "command line" in s.faces], ids=lambda s: s.name)
def test_every_setting_of_the_command_line_reaches_the_engine(
    spec: SettingSpec, engine: FakeEngine, folder: Path
):
    value = spec.values[-1] if spec.choices else {"integer": 7, "number": 0.6}.get(spec.kind, "a/b")
    edit("--handle", "h.png", "--move", "9,0", f"--{spec.name.replace('_', '-')}", str(value))
    assert engine.asked[spec.name] == value


def test_the_help_says_what_a_setting_is_and_may_be(capsys: pytest.CaptureFixture[str]):
    assert main(["edit", "--help"]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "--matte {auto,none}" in words
    assert "(a whole number from 1 to 1000; default: the model's own)" in words


def test_progress_goes_to_stderr(engine: FakeEngine, folder: Path, capsys: pytest.CaptureFixture[str]):
    edit("--handle", "h.png", "--move", "9,0")
    captured = capsys.readouterr()
    assert "3/3" in captured.err
    assert "3/3" not in captured.out


def test_quiet_shows_no_progress(engine: FakeEngine, folder: Path, capsys: pytest.CaptureFixture[str]):
    edit("--handle", "h.png", "--move", "9,0", "--quiet")
    assert capsys.readouterr().err == ""


def test_json_says_what_was_done(engine: FakeEngine, folder: Path, capsys: pytest.CaptureFixture[str]):
    edit("--handle", "h.png", "--move", "9,0", "--seed", "5", "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["input"] == "photo.png"
    assert Path(report["output"]).samefile("out.png")
    assert (report["width"], report["height"]) == SIZE
    assert report["seed"] == 5
    assert report["timings"] == {"total": 0.1}
    assert report["pairs"][0]["handle_pixels"] == 20 * 24


def test_a_warning_of_the_engine_is_one_line(
    engine: FakeEngine, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def warns(*args: Any, **options: Any) -> EditResult:
        warnings.warn("the prompt is not used", UserWarning, stacklevel=1)
        return engine(*args, **options)

    monkeypatch.setitem(vars(rd), "edit", warns)
    assert edit("--handle", "h.png", "--move", "9,0", "--quiet") == 0
    assert capsys.readouterr().err == "regiondrag: warning: the prompt is not used\n"


@pytest.mark.usefixtures("folder")
def test_pins_bend_and_corners_tilt(engine: FakeEngine):
    handle = np.asarray(Image.open("h.png")) > 0
    assert edit("--handle", "h.png", "--bend", "12,20:12,20 22,20:22,18 32,20:36,12") == 0
    goals = [(12, 20), (22, 18), (36, 12)]
    bent = rd.RegionPair.bend(handle, [(12, 20), (22, 20), (32, 20)], goals, name="h")
    assert list(engine.asked["pairs"]) == [bent]
    assert edit("--handle", "h.png", "--perspective", "40,10,70,14,70,40,40,36") == 0
    corners = [(40, 10), (70, 14), (70, 40), (40, 36)]
    tilted = rd.RegionPair.perspective(handle, corners, name="h")
    assert list(engine.asked["pairs"]) == [tilted]


# ---- what it refuses: exit code 2 ----

WRONG = {
    "no region": ([], "no region given: name what is to be moved with --handle MASK"),
    "no target": (["--handle", "h.png"], "give either --target MASK or --move DX,DY"),
    "target and move": (["--handle", "h.png", "--target", "t.png", "--move", "1,1"], "give either --target"),
    "too few targets": (
        ["--handle", "h.png", "--handle", "h2.png", "--target", "t.png"],
        "2 handles but 1 --target",
    ),
    "too many moves": (["--handle", "h.png", "--move", "1,1", "--move", "2,2"], "1 handle but 2 --move"),
    "bend and move": (["--handle", "h.png", "--move", "1,1", "--bend", "5,5:6,6"], "either --target"),
    "pins that are none": (["--handle", "h.png", "--bend", "5,5"], "not a list of pins"),
    "three corners": (["--handle", "h.png", "--perspective", "0,0,9,0,9,9"], "eight numbers"),
    "a pin beside the handle": (["--handle", "h.png", "--bend", "0,0:6,6"], "is not on the handle"),
    "corners in no order": (
        ["--handle", "h.png", "--perspective", "0,0 9,0 0,9 9,9"],
        "do not form a convex quadrilateral",
    ),
    "a move that is none": (["--handle", "h.png", "--move", "left"], "'left' is not DX,DY"),
    "a scale of zero": (["--handle", "h.png", "--scale", "0"], "scale is 0"),
    "a move out of the picture": (["--handle", "h.png", "--move", "500,0"], "out of the picture"),
    "a missing mask": (["--handle", "gone.png", "--move", "9,0"], "there is no file gone.png"),
    "an unknown option": (["--handel", "h.png"], "--handel"),
    "a seed that is no number": (["--handle", "h.png", "--move", "9,0", "--seed", "x"], "--seed"),
    "a matte there is not": (["--handle", "h.png", "--move", "9,0", "--matte", "blue"], "--matte"),
    "no steps": (["--handle", "h.png", "--move", "9,0", "--steps", "0"], "steps must be a whole number from"),
    "a stop above the start": (
        ["--handle", "h.png", "--move", "9,0", "--start", "0.3", "--stop", "0.5"],
        "stop (0.5) lies above start (0.3)",
    ),
    "regions and handles": (["--regions", "s.zip", "--handle", "h.png"], "--regions brings its own"),
    "missing regions": (["--regions", "gone.zip"], "gone.zip"),
}


@pytest.mark.parametrize(("arguments", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_wrong_input_is_one_sentence_and_code_2(
    arguments: list[str],
    sentence: str,
    engine: FakeEngine,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
):
    assert edit(*arguments) == 2
    assert sentence in refused(capsys)
    assert not (folder / "out.png").exists()
    assert not engine.asked


def refuse_photo(capsys: pytest.CaptureFixture[str], name: str) -> str:
    assert main(["edit", name, "--handle", "h.png", "--move", "9,0", "-o", "out.png"]) == 2
    assert not Path("out.png").exists()
    return refused(capsys)


def test_a_missing_photo_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert "there is no file gone.jpg" in refuse_photo(capsys, "gone.jpg")


def test_a_photo_that_is_none_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "notes.jpg").write_text("notes")
    assert "notes.jpg is no picture" in refuse_photo(capsys, "notes.jpg")


def test_a_truncated_jpeg_is_refused(folder: Path, rgb: np.ndarray, capsys: pytest.CaptureFixture[str]):
    Image.fromarray(rgb).save("whole.jpg")
    whole = (folder / "whole.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    assert "cut.jpg is damaged or cut off" in refuse_photo(capsys, "cut.jpg")


def test_no_photo_and_no_regions_is_refused(capsys: pytest.CaptureFixture[str]):
    assert main(["edit", "--handle", "h.png", "--move", "9,0", "-o", "out.png"]) == 2
    assert "no picture given" in refused(capsys)


def test_a_mask_of_another_size_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]):
    Image.new("1", (64, 64), 1).save("small.png")
    assert edit("--handle", "small.png", "--move", "9,0") == 2
    assert "mask small.png is 64x64 px but the picture is 128x96 px" in refused(capsys)


def test_an_empty_handle_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]):
    Image.new("1", SIZE).save("empty.png")
    assert edit("--handle", "empty.png", "--move", "9,0") == 2
    assert "mask empty.png is empty" in refused(capsys)


def test_a_protect_mask_saved_with_the_regions_is_kept(engine: FakeEngine, folder: Path):
    protect = np.zeros(SIZE[::-1], bool)
    protect[:40] = True
    pair = rd.RegionPair.move(np.asarray(Image.open("h.png")) > 0, 30, 0)
    rd.save_regions("session.zip", Image.open("photo.png"), [pair], protect=protect)
    assert main(["edit", "--regions", "session.zip", "-o", "out.png"]) == 0
    assert np.array_equal(engine.asked["editable"], ~protect)


def test_regions_of_another_size_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]):
    pair = rd.RegionPair.move(np.asarray(Image.open("h.png")) > 0, 30, 0)
    rd.save_regions("session.zip", Image.open("photo.png"), [pair])
    Image.new("RGB", (200, 100)).save("other.png")
    assert main(["edit", "other.png", "--regions", "session.zip", "-o", "out.png"]) == 2
    assert "regions in session.zip are 128x96 px but the picture is 200x100 px" in refused(capsys)


@pytest.mark.parametrize("name", ["photo.png", "photo", "h.png", "../{folder}/photo.png", "link.png"])
def test_an_input_is_never_overwritten(
    name: str, engine: FakeEngine, folder: Path, capsys: pytest.CaptureFixture[str]
):
    (folder / "link.png").symlink_to(folder / "photo.png")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert edit("--handle", "h.png", "--move", "9,0", out=name.format(folder=folder.name)) == 2
    assert "is one of the inputs, which are never overwritten" in refused(capsys)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_an_output_that_is_a_folder_is_refused_before_the_work(
    engine: FakeEngine, folder: Path, capsys: pytest.CaptureFixture[str]
):
    (folder / "results.png").mkdir()
    assert edit("--handle", "h.png", "--move", "9,0", out="results.png") == 2
    assert "is a folder: name a file" in refused(capsys)
    assert not engine.asked


def test_a_device_as_output_is_refused_and_no_file_is_made_beside_it(
    engine: FakeEngine, folder: Path, capsys: pytest.CaptureFixture[str]
):
    assert edit("--handle", "h.png", "--move", "9,0", out=os.devnull) == 2
    assert "is a device or a pipe: name a file" in refused(capsys)
    assert not engine.asked


def test_an_output_of_unknown_format_is_refused_before_the_work(
    engine: FakeEngine, folder: Path, capsys: pytest.CaptureFixture[str]
):
    assert edit("--handle", "h.png", "--move", "9,0", out="out.docx") == 2
    assert ".docx names no format" in refused(capsys)
    assert not engine.asked


def test_an_output_that_drops_transparency_is_refused_before_the_work(
    engine: FakeEngine, folder: Path, capsys: pytest.CaptureFixture[str]
):
    Image.new("RGBA", SIZE).save("photo.png")
    assert edit("--handle", "h.png", "--move", "9,0", out="out.jpg") == 2
    assert "holds no transparency" in refused(capsys)
    assert not engine.asked


def test_a_missing_output_folder_is_refused_before_the_work(
    engine: FakeEngine, folder: Path, capsys: pytest.CaptureFixture[str]
):
    assert edit("--handle", "h.png", "--move", "9,0", out="nowhere/out.png") == 2
    assert "there is no folder nowhere" in refused(capsys)
    assert not engine.asked


def test_an_error_of_the_engine_about_its_input_is_code_2(
    engine: FakeEngine, folder: Path, capsys: pytest.CaptureFixture[str]
):
    engine.error = ValueError("start is 2: it must lie\nin 0..1")
    assert edit("--handle", "h.png", "--move", "9,0") == 2
    assert refused(capsys) == "regiondrag: error: start is 2: it must lie in 0..1"


# ---- failure: exit code 1; interruption: 130 ----


def test_a_failure_is_one_sentence_and_code_1(
    engine: FakeEngine, folder: Path, capsys: pytest.CaptureFixture[str]
):
    engine.error = RuntimeError("CUDA out of memory.")
    assert edit("--handle", "h.png", "--move", "9,0") == 1
    assert refused(capsys) == "regiondrag: error: CUDA out of memory."
    assert not (folder / "out.png").exists()


def test_too_little_memory_says_what_to_try(
    engine: FakeEngine, folder: Path, capsys: pytest.CaptureFixture[str]
):
    engine.error = MemoryError()
    assert edit("--handle", "h.png", "--move", "9,0") == 1
    assert "not enough memory: try a smaller picture" in refused(capsys)


def test_a_full_disk_is_code_1_and_leaves_nothing(
    engine: FakeEngine, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    before = sorted(folder.iterdir())
    assert edit("--handle", "h.png", "--move", "9,0") == 1
    assert "out.png could not be written: No space left on device" in refused(capsys)
    assert sorted(folder.iterdir()) == before


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that even root cannot write to")
def test_an_output_folder_that_cannot_be_written_is_code_1_before_the_work(
    engine: FakeEngine, folder: Path, capsys: pytest.CaptureFixture[str]
):
    assert edit("--handle", "h.png", "--move", "9,0", out="/proc/out.png") == 1
    assert "nothing can be written to the folder /proc" in refused(capsys)
    assert not engine.asked


def test_an_interruption_is_code_130_and_leaves_nothing(
    engine: FakeEngine, folder: Path, capsys: pytest.CaptureFixture[str]
):
    engine.error = KeyboardInterrupt()
    before = sorted(folder.iterdir())
    assert edit("--handle", "h.png", "--move", "9,0") == 130
    assert refused(capsys) == "regiondrag: interrupted"
    assert sorted(folder.iterdir()) == before


def test_debug_shows_the_traceback(engine: FakeEngine, folder: Path, capsys: pytest.CaptureFixture[str]):
    engine.error = RuntimeError("boom")
    assert edit("--handle", "h.png", "--move", "9,0", "--debug") == 1
    assert "Traceback" in capsys.readouterr().err


# ---- what is carried ----


def test_each_handle_can_say_what_is_carried(engine: FakeEngine, folder: Path):
    both = ("--handle", "h.png", "--handle", "h2.png", "--move", "5,0")
    assert edit(*both, "--carry", "object", "--carry", "painted") == 0
    assert [pair.carry for pair in engine.asked["pairs"]] == ["object", "painted"]
    assert edit(*both, "--carry", "painted") == 0
    assert [pair.carry for pair in engine.asked["pairs"]] == ["painted", "painted"]
    assert edit("--handle", "h.png", "--target", "t.png", "--carry", "object") == 0
    assert engine.asked["pairs"][0].carry == "object"
    assert edit("--handle", "h.png", "--target", "t.png") == 0
    assert engine.asked["pairs"][0].carry is None


def test_another_number_of_carries_than_handles_is_refused(
    engine: FakeEngine, folder: Path, capsys: pytest.CaptureFixture[str]
):
    three = ("--carry", "object") * 3
    assert edit("--handle", "h.png", "--handle", "h2.png", "--move", "5,0", *three) == 2
    assert "2 handles but 3 --carry" in refused(capsys)


def test_what_was_carried_is_said_on_stderr_and_in_the_json(
    engine: FakeEngine, folder: Path, capsys: pytest.CaptureFixture[str]
):
    engine.notes = ("carrying all that is painted",)
    assert edit("--handle", "h.png", "--move", "5,0", "--quiet") == 0
    captured = capsys.readouterr()
    assert captured.err == "note: carrying all that is painted\n"
    assert "carrying" not in captured.out
    assert edit("--handle", "h.png", "--move", "5,0", "--quiet", "--json") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["notes"] == ["carrying all that is painted"]
    assert captured.err == ""


def test_the_choices_of_carry_are_those_of_a_pair():
    from regiondrag_widget.cli.edit import CARRY
    from regiondrag_widget.regions import pair

    assert CARRY == pair.CARRY
