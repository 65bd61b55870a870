"""The command as a whole, ``regiondrag info`` and ``regiondrag demo``."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import regiondrag_widget as rd
from regiondrag_widget import assets
from regiondrag_widget.cli import info, main
from regiondrag_widget.engine.result import EditResult, load_settings
from regiondrag_widget.imaging.picture import load_picture

# ---- the command ----


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]):
    assert main(["--help"]) == 0
    words = capsys.readouterr().out.split()
    assert {"edit", "demo", "info", "bench"} <= set(words)


@pytest.mark.parametrize("command", ["edit", "demo", "info", "bench"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]):
    assert main([command, "--help"]) == 0
    assert "usage: regiondrag" in capsys.readouterr().out


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"regiondrag {rd.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["draw"], ["edit"], ["info", "--jsn"]])
def test_a_wrong_call_is_one_line_and_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"regiondrag.*: error: .*--help\)\n", captured.err)


def test_the_module_is_the_command(tmp_path: Path):
    command = [
        sys.executable,
        "-m",
        "regiondrag_widget",
        "edit",
        "gone.jpg",
        "--handle",
        "h.png",
        "-o",
        "o.png",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "regiondrag: error: there is no file gone.jpg\n"


def test_wrong_input_is_told_without_loading_torch(tmp_path: Path):
    code = (
        "import sys; from regiondrag_widget.cli import main;"
        "main(['edit', 'gone.jpg', '--handle', 'h.png', '-o', 'o.png']); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "False"


def test_what_the_output_cannot_encode_is_escaped(monkeypatch: pytest.MonkeyPatch):
    """On Windows a redirected output takes only the characters of the system's code page."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(info, "_hub_cache_path", lambda: "模型")
    assert main(["info"]) == 0
    out.flush()
    assert b"\\u6a21\\u578b" in out.buffer.getvalue()


# ---- info ----


def test_info_as_json_tells_versions_device_memory_and_models(capsys: pytest.CaptureFixture[str]):
    assert main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["version"] == rd.__version__
    assert re.match(r"\d+\.\d+", found["libraries"]["torch"])
    assert found["device"]["type"] in {"cpu", "cuda", "mps"}
    assert found["device"]["dtype"] in {"float32", "float16", "bfloat16"}
    assert 0 < found["memory"]["available"] <= found["memory"]["total"]
    assert isinstance(found["hub_cache"]["models"], list)


def test_info_for_people_is_a_few_lines(capsys: pytest.CaptureFixture[str]):
    assert main(["info"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"regiondrag {rd.__version__}, Python 3.")
    assert len(lines) < 30


def cached_model(cache: Path, name: str, index: str | None) -> None:
    """A model in the layout of the hub's cache."""
    snapshot = cache / f"models--{name.replace('/', '--')}" / "snapshots" / "0123abc"
    snapshot.mkdir(parents=True)
    (snapshot / "weights.safetensors").write_bytes(b"0" * 1000)
    if index is not None:
        (snapshot / "model_index.json").write_text(index)


def test_info_lists_the_models_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cached_model(tmp_path, "some/diffusion", '{"_class_name": "StableDiffusionPipeline"}')
    cached_model(tmp_path, "another/encoder", None)
    cached_model(tmp_path, "broken/index", "{")
    monkeypatch.setattr(info, "_hub_cache_path", lambda: str(tmp_path))
    models = {model["id"]: model["kind"] for model in info.collect()["hub_cache"]["models"]}
    assert models == {
        "another/encoder": None,
        "broken/index": None,
        "some/diffusion": "StableDiffusionPipeline",
    }


def test_info_without_a_cache_lists_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(info, "_hub_cache_path", lambda: str(tmp_path / "nowhere"))
    assert info.collect()["hub_cache"]["models"] == []


# ---- demo ----


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Stands in for `rd.edit`: returns the negative, and remembers the calls."""
    calls: list[dict[str, Any]] = []

    def edit(image: Any, pairs: Any, callback: Any, **options: Any) -> EditResult:
        calls.append(options)
        callback(SimpleNamespace(index=1, total=1))
        picture = load_picture(image)
        return EditResult(picture.to_pil(255 - picture.rgb), picture.to_pil(), {"model": options["model"]})

    monkeypatch.setitem(vars(rd), "edit", edit)
    return calls


def test_the_demo_writes_before_and_after_and_a_sheet(engine: list, tmp_path: Path):
    assert main(["demo", "--out", str(tmp_path / "a" / "b")]) == 0
    names = {path.name for path in (tmp_path / "a" / "b").iterdir()}
    pictures = {f"{name}-{when}.png" for name in assets.names() for when in ("before", "after")}
    assert names == pictures | {"contact-sheet.png"}


def test_the_demo_uses_the_bundled_model(engine: list, tmp_path: Path):
    main(["demo", "--out", str(tmp_path)])
    assert [call["model"] for call in engine] == ["mini"] * len(assets.names())


def test_the_demos_pictures_are_the_photograph_and_its_edit(engine: list, tmp_path: Path):
    main(["demo", "--out", str(tmp_path)])
    name = assets.names()[0]
    photograph = np.asarray(assets.load(name).image)
    assert np.array_equal(np.asarray(Image.open(tmp_path / f"{name}-before.png")), photograph)
    assert np.array_equal(np.asarray(Image.open(tmp_path / f"{name}-after.png")), 255 - photograph)
    assert load_settings(tmp_path / f"{name}-after.png")["model"] == "mini"


def test_the_demo_says_where_the_pictures_are(
    engine: list, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    main(["demo", "--out", str(tmp_path)])
    assert str(tmp_path / "contact-sheet.png") in capsys.readouterr().out


def test_the_demo_reports_as_json(engine: list, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    main(["demo", "--out", str(tmp_path), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert [edit["name"] for edit in report["edits"]] == assets.names()
    assert report["seconds"] >= 0


def test_the_demo_does_not_write_over_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "out").write_text("mine")
    assert main(["demo", "--out", str(tmp_path / "out")]) == 2
    assert "is a file: --out names a folder" in capsys.readouterr().err


def test_a_terminal_without_a_character_is_no_failure():
    """A file's name is reported in any case, and the exit code is that of the work."""
    program = "from regiondrag_widget.cli import main; code = main(['edit', 'ö.png', '-o', 'ü.png']); "
    program += "print('wrote ö.png'); raise SystemExit(code)"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii:strict"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=60
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == "wrote \\xf6.png\n"
    assert "Traceback" not in done.stderr
