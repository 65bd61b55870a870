"""The benchmark of clicks: how it clicks, and what it counts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from regiondrag_widget.bench.handles.objects import load_objects
from regiondrag_widget.bench.select.clicks import innermost, select_by_clicks
from regiondrag_widget.cli import main


@pytest.fixture(scope="module")
def thing():
    return next(t for t in load_objects("train") if t.name == "duck")


def test_the_innermost_pixel_is_farthest_from_the_outline():
    mask = np.zeros((40, 60), bool)
    mask[5:30, 10:35] = True
    assert innermost(mask) == (22, 17)
    assert innermost(np.ones((1, 1), bool)) == (0, 0)


def test_a_perfect_selection_needs_no_correction(thing):
    trial = select_by_clicks(thing, lambda points, labels: np.asarray(thing.mask))
    assert trial.overlaps == (1.0,) * 4
    assert len(trial.points) == 1
    assert thing.mask[int(trial.points[0][1]), int(trial.points[0][0])]


def test_clicks_go_into_the_largest_mistake(thing):
    true = np.asarray(thing.mask)
    asked: list[tuple[list, list]] = []

    def all_or_nothing(points, labels):
        asked.append((list(points), list(labels)))
        return np.ones_like(true) if len(points) % 2 else np.zeros_like(true)

    trial = select_by_clicks(thing, all_or_nothing)
    assert trial.labels == (True, False, True, False)
    for (x, y), label in zip(trial.points, trial.labels, strict=True):
        assert true[int(y), int(x)] == label
    assert trial.overlaps == (true.mean(), 0, true.mean(), 0)


def test_the_command_prints_means_and_writes_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["bench", "select", "--objects", "boot", "-o", str(tmp_path)]) == 0
    assert "mean of 1 all" in capsys.readouterr().out
    (figures,) = json.loads((tmp_path / "select.json").read_text())
    assert figures["overlaps"][0] > 0.9
    assert (tmp_path / "select.jpg").stat().st_size > 1000


def test_an_unknown_object_is_wrong_input(capsys: pytest.CaptureFixture[str]):
    assert main(["bench", "select", "--objects", "unicorn"]) == 2
    assert "no object has such a name" in capsys.readouterr().err
