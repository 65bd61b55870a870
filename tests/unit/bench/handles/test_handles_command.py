"""`regiondrag bench handles` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from regiondrag_widget.bench.handles.cases import cases
from regiondrag_widget.bench.handles.objects import load_objects
from regiondrag_widget.cli import main


def test_it_writes_a_table_figures_and_a_sheet(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    asked = ["bench", "handles", "--methods", "painted", "ours", "--objects", "monster-eye"]
    assert main([*asked, "--movements", "move", "turn", "-o", str(tmp_path)]) == 0
    assert "| as painted |" in capsys.readouterr().out
    found = json.loads((tmp_path / "handles.json").read_text("utf-8"))
    assert found["split"] == "train"
    assert {row["method"] for row in found["rows"]} == {"as painted", "ours"}
    assert {row["movement"] for row in found["rows"]} == {"move", "turn"}
    text = (tmp_path / "handles.md").read_text("utf-8")
    assert "part, lasso, turn" in text
    assert (tmp_path / "handles-1.jpg").is_file()


def test_a_name_that_no_object_has_is_wrong_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["bench", "handles", "--objects", "unicorn", "-o", str(tmp_path)]) == 2
    assert "no object has such a name" in capsys.readouterr().err


def test_the_same_cases_every_time():
    objects = [thing for thing in load_objects("train") if thing.name == "monster-eye"]
    first, again = (list(cases(objects)) for _ in range(2))
    assert [case.name for case in first] == [case.name for case in again]
    assert all(a.pair == b.pair for a, b in zip(first, again, strict=True))
