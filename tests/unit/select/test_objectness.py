"""The networks that judge what a click may mean, and their fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from regiondrag_widget.select import objectness
from regiondrag_widget.select.objectness import NAMES, WEIGHTS, judged, measures, scores
from regiondrag_widget.select.proposals import pieces_of
from regiondrag_widget.select.superpixels import segment
from training.clicked import Choice
from training.fit_selecting import _fit_things

YY, XX = np.mgrid[:160, :160]
DISC = (XX - 80) ** 2 + (YY - 80) ** 2 < 36**2


def test_a_thing_is_judged_above_its_half_and_above_itself_with_ground():
    rgb = np.where(DISC[..., None], (190, 60, 50), (110, 120, 130)) + np.random.default_rng(0).normal(
        0, 4, (160, 160, 3)
    )
    pieces = pieces_of(segment(rgb.clip(0, 255).astype(np.uint8)))
    inside = np.bincount(pieces.labels.ravel(), DISC.ravel()) > 0.5 * pieces.graph.area
    left, above = pieces.graph.at[:, 0] < 80, pieces.graph.at[:, 1] < 80
    regions = np.array([inside, inside & left, inside | (left & above)])
    table = measures(pieces.graph, regions, 76, 80)
    assert table.shape == (3, len(NAMES))
    assert np.isfinite(table).all()
    assert scores(pieces.graph, regions, 76, 80).argmax() == 0


def test_weights_for_other_measures_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    weights = load_file(WEIGHTS)
    save_file({**weights, "mean": weights["mean"][:-1].copy()}, tmp_path / "objectness.safetensors")
    monkeypatch.setattr(objectness, "WEIGHTS", tmp_path / "objectness.safetensors")
    objectness._weights.cache_clear()
    try:
        with pytest.raises(ValueError, match=r"6 measures, there are 7: run training/fit_selecting"):
            objectness._weights()
    finally:
        objectness._weights.cache_clear()


def test_a_fit_learns_which_region_overlaps():
    rng = np.random.default_rng(0)
    choices = []
    for i in range(300):
        table = rng.normal(0, 1, (8, len(NAMES))).astype(np.float32)
        overlaps = 1 / (1 + np.exp(-2 * table[:, 4]))
        choices.append(Choice(str(i), table, overlaps.astype(np.float32), 1.0))
    networks = _fit_things(choices[:200], 0)
    right = [judged(c.measures, networks).argmax() == c.overlaps.argmax() for c in choices[200:]]
    assert np.mean(right) > 0.8
