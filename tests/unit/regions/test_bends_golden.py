"""The maps that the page draws are the kernel's: both are held to `tests/golden/bends.json`."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


def test_the_golden_maps_are_those_of_the_kernel():
    spec = importlib.util.spec_from_file_location("make_bends", GOLDEN / "make_bends.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    written, made = json.loads((GOLDEN / "bends.json").read_text()), json.loads(module.text())
    assert [entry["name"] for entry in written["pairs"]] == [entry["name"] for entry in made["pairs"]]
    for ours, theirs in zip(made["pairs"], written["pairs"], strict=True):
        assert ours["handle"] == theirs["handle"]
        assert ours["pins"] == theirs["pins"]
        ours_at, theirs_at = ({(x, y): (u, v) for x, y, u, v in entry["map"]} for entry in (ours, theirs))
        both = sorted(ours_at.keys() & theirs_at.keys())
        assert len(both) > 0.98 * max(len(ours_at), len(theirs_at))
        off = np.abs(np.array([ours_at[p] for p in both]) - np.array([theirs_at[p] for p in both]))
        assert off.max() < 0.1, ours["name"]
