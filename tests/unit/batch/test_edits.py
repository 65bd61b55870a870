"""Edits by table, with the bundled model: the same as one by one, by one process and by two."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import regiondrag_widget as rd
from regiondrag_widget.batch import EditWork, read_rows, run
from regiondrag_widget.cli import main
from regiondrag_widget.engine.result import load_settings
from tests.unit.batch.conftest import results

pytestmark = pytest.mark.slow


def test_each_row_is_the_edit_that_it_says(made: Path):
    handle = np.asarray(Image.open(made / "wren-handle.png"))
    for name, dx, seed in (("wren-far", 30, 1), ("wren-other", 12, 2)):
        alone = rd.edit(made / "wren.png", [rd.RegionPair.move(handle, dx, 0)], seed=seed)
        assert np.array_equal(np.asarray(Image.open(made / "out" / f"{name}.png")), alone.array)
        assert load_settings(made / "out" / f"{name}.png")["seed"] == seed


def test_rows_of_one_picture_share_a_session(made: Path):
    assert (made / "sessions").read_text() == "2"


def test_a_missing_picture_is_told_in_failed_csv(made: Path):
    with (made / "out" / "failed.csv").open(newline="") as file:
        (failure,) = csv.DictReader(file)
    gone = f"there is no file {made / 'gone.png'}"
    assert failure == {"name": "gone", "row": "line 6 of jobs.csv", "reason": gone}


def test_two_processes_write_the_same_bytes(made: Path, tmp_path: Path):
    summary = run(read_rows(made), tmp_path, workers=2)
    assert (summary.done, summary.failed) == (4, 1)
    assert results(tmp_path) == results(made / "out")


def test_the_command_goes_on_and_notices_other_settings(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    shutil.copytree(made / "out", tmp_path / "out")
    command = ["batch", str(made), "-o", str(tmp_path / "out"), "--quiet"]
    assert main(command) == 1
    assert "5 rows: 0 edited, 4 finished earlier, 1 failed" in capsys.readouterr().out
    assert main([*command, "--steps", "2", "--prompt", "a duck"]) == 1
    said = capsys.readouterr()
    assert "4 edited, 0 finished earlier" in said.out
    assert load_settings(tmp_path / "out" / "duck.png")["steps"] == 2
    assert said.err.count("prompt") == 1, "what the model cannot use is told once"


def test_a_model_that_is_not_there_ends_the_run(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    command = ["batch", str(made), "-o", str(tmp_path / "out"), "--model", str(tmp_path / "gone"), "--quiet"]
    assert main(command) != 0
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "gone" in error


def test_a_setting_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="unknown setting"):
        EditWork(settings={"stepz": 3})
    with pytest.raises(ValueError, match="no format"):
        EditWork(ending=".gif")
