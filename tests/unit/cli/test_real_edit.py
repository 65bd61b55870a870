"""``regiondrag edit`` with the bundled model, as a person runs it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from regiondrag_widget import assets
from regiondrag_widget.cli import main
from regiondrag_widget.engine.result import load_settings

pytestmark = pytest.mark.slow


@pytest.fixture
def wren(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """The canyon wren at half size as wren.png, its handle as h.png, in the working folder; its pixels."""
    example = assets.load("canyon-wren")
    monkeypatch.chdir(tmp_path)
    small = example.image.resize((256, 256), Image.Resampling.LANCZOS)
    small.save("wren.png")
    Image.fromarray(example.handle).resize((256, 256), Image.Resampling.NEAREST).save("h.png")
    return np.asarray(small)


def test_the_bird_moves_and_the_rest_stays(wren: np.ndarray):
    assert main(["edit", "wren.png", "--handle", "h.png", "--move", "75,24", "-o", "out.png", "--quiet"]) == 0
    handle = np.asarray(Image.open("h.png"))
    target = np.roll(handle, (24, 75), axis=(0, 1))
    after = np.asarray(Image.open("out.png")).astype(float)
    outside = ~(handle | target)
    assert np.array_equal(after[outside], wren[outside])
    moved = np.roll(wren, (24, 75), axis=(0, 1)).astype(float)
    inner = np.roll(handle, (24, 75), axis=(0, 1)) & (np.abs(moved - wren).max(axis=-1) > 60)
    assert np.abs(after - moved)[inner].mean() < 20  # the bird stands at its target...
    left = handle & ~target & (wren.max(axis=-1) < 150)
    assert after[left].mean() > wren[left].mean() + 40  # ...and there is sky where it was


def test_the_same_seed_gives_the_same_picture(wren: np.ndarray):
    for name in ("a.png", "b.png"):
        main(
            ["edit", "wren.png", "--handle", "h.png", "--move", "40,0", "--steps", "6", "-o", name, "--quiet"]
        )
    assert np.array_equal(np.asarray(Image.open("a.png")), np.asarray(Image.open("b.png")))


def test_a_turned_photograph_with_alpha_comes_back_upright_once(wren: np.ndarray):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    alpha = np.full((200, 256), 200, np.uint8)
    Image.fromarray(np.dstack([wren[:200], alpha])).save("turned.png", exif=exif)
    handle = np.zeros((256, 200), dtype=np.uint8)
    handle[100:140, 60:100] = 255
    Image.fromarray(handle).save("h.png")
    arguments = ["edit", "turned.png", "--handle", "h.png", "--move", "50,0", "-o", "out.png", "--quiet"]
    assert main([*arguments, "--steps", "4"]) == 0
    with Image.open("out.png") as out:
        assert out.size == (200, 256)
        assert ExifTags.Base.Orientation not in out.getexif()
        assert set(np.asarray(out)[:90, :, 3].ravel()) == {200}
        assert np.array_equal(np.asarray(out)[:90, :, :3], np.rot90(wren[:200], 3)[:90])


def test_what_was_done_is_reported_and_kept_in_the_file(wren: np.ndarray, capsys: pytest.CaptureFixture[str]):
    arguments = ["edit", "wren.png", "--handle", "h.png", "--move", "40,0", "--steps", "6", "--seed", "11"]
    assert main([*arguments, "-o", "out.png", "--json", "--quiet"]) == 0
    report = json.loads(capsys.readouterr().out)
    kept = load_settings("out.png")
    assert (report["seed"], report["steps"], report["model"]) == (11, 6, "mini")
    assert {key: report[key] for key in kept} == kept
    assert report["timings"]["total"] > 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT to send")
def test_ctrl_c_stops_with_130_and_leaves_nothing(wren: np.ndarray):
    before = sorted(Path().iterdir())
    command = [sys.executable, "-m", "regiondrag_widget", "edit", "wren.png", "--handle", "h.png"]
    command += ["--move", "40,0", "--steps", "1000", "-o", "out.png"]
    # a shell that starts the tests in the background has them ignore SIGINT, and their children too
    listening = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=listening) as process:
        assert process.stderr is not None
        # the bar counts steps: the work has begun. Before, while torch is imported, Python may answer an
        # interrupt by ending itself with the signal (a shell shows the same 130)
        seen = ""
        while not re.search(r"[1-9]\d*/\d", seen):
            letter = process.stderr.read(1)
            assert letter, seen  # it ended before its first step
            seen += letter
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=120)
    assert process.returncode == 130
    assert rest.rstrip().endswith("regiondrag: interrupted")
    assert "Traceback" not in rest
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--start", "2"], "start"),
        (["--start", "0.2", "--stop", "0.6"], "stop"),
        (["--steps", "0"], "steps"),
        (["--device", "abacus"], "device"),
        (["--model", "./no-such-folder"], "no-such-folder"),
        (["--model", "no-such-owner/no-such-model"], "no-such-owner/no-such-model"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_the_engine_cannot_use_is_one_sentence_and_code_2(
    arguments: list[str], sentence: str, wren: np.ndarray, capsys: pytest.CaptureFixture[str]
):
    command = ["edit", "wren.png", "--handle", "h.png", "--move", "40,0", "-o", "out.png", "--quiet"]
    assert main([*command, *arguments]) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.strip().splitlines()
    assert line.startswith("regiondrag: error: ")
    assert sentence in line
    assert not Path("out.png").exists()
