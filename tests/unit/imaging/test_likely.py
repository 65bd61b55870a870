"""What speaks for the object, and the networks that weigh it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from regiondrag_widget.bench.handles.cases import Case, cases
from regiondrag_widget.bench.handles.methods import ours
from regiondrag_widget.bench.handles.objects import load_objects
from regiondrag_widget.imaging import likely as module
from regiondrag_widget.imaging.cues import NAMES, cues_of
from regiondrag_widget.imaging.likely import WEIGHTS, chances, likely
from training import fit_likely
from training.fit_likely import Example, fit

SIDE = 120
YY, XX = np.mgrid[:SIDE, :SIDE]
THING = (XX - 60) ** 2 + (YY - 60) ** 2 <= 25**2
HANDLE = (XX - 60) ** 2 + (YY - 60) ** 2 <= 40**2


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """A reddish disc on a bluish ground with grain."""
    ground = np.where(THING[..., None], (150, 90, 80), (90, 110, 140))
    grain = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 12, (SIDE, SIDE, 3)), (0, 0), 1.0)
    return (ground + grain).clip(0, 255).astype(np.uint8)


def test_there_is_one_row_for_each_pixel_and_one_column_for_each_cue(picture: np.ndarray):
    cues = cues_of(picture, HANDLE, 1.0)
    assert cues is not None
    assert cues.values.shape == (HANDLE.sum(), len(NAMES))
    assert np.isfinite(cues.values).all()
    assert not (cues.certain & ~HANDLE).any()
    of_handle = cues.values[:, NAMES.index("share by colour") :]
    assert (of_handle == of_handle[0]).all()


def test_the_thing_is_likely_and_the_ground_is_not(picture: np.ndarray):
    cues = cues_of(picture, HANDLE, 1.0)
    assert cues is not None
    chance = likely(cues.values)
    assert chance[THING[HANDLE]].mean() > 0.9
    assert chance[~THING[HANDLE]].mean() < 0.2


def test_nothing_is_told_where_nothing_surrounds_the_handle(picture: np.ndarray):
    assert cues_of(picture, np.ones((SIDE, SIDE), bool), 1.0) is None


def test_weights_for_other_cues_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    weights = load_file(WEIGHTS)
    save_file({**weights, "mean": weights["mean"][:-1].copy()}, tmp_path / "likely.safetensors")
    monkeypatch.setattr(module, "WEIGHTS", tmp_path / "likely.safetensors")
    module._weights.cache_clear()
    try:
        with pytest.raises(ValueError, match=r"28 cues, there are 29: run training/fit_likely\.py again"):
            likely(np.zeros((1, len(NAMES)), np.float32))
    finally:
        module._weights.cache_clear()


def test_a_fit_tells_what_can_be_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fit_likely, "EPOCHS", 200)
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 400).astype(np.int8)
    values = rng.normal(0, 1, (400, len(NAMES))).astype(np.float32)
    values[:, 3] += 3 * truth
    weights = fit([Example("a", "a.jpg", "lasso 0", values, truth)])
    right = (chances(values, weights) > 0.5) == (truth == 1)
    assert right.mean() > 0.9


def case_of(name: str, kind: str) -> Case:
    (thing,) = (thing for thing in load_objects("fresh") if thing.name == name)
    return next(case for case in cases([thing], ["move"]) if case.kind == kind)


def test_what_was_eaten_arrives_whole():
    """Found on a photograph that nothing was tuned on: a dog's legs stayed where they were."""
    case = case_of("walking-dog", "tight")
    assert case.judged(ours(case.rgb, case.pair)).lost < 0.01


def test_a_drawing_s_ground_is_no_ink():
    """Found on a drawn car: half of what surrounded it was one sky, and the road beside it was carried."""
    drawing = np.full((SIDE, SIDE, 3), (205, 225, 240), np.uint8)
    drawing[80:] = (120, 120, 125)
    drawing[THING] = (30, 90, 160)
    cues = cues_of(drawing, HANDLE, 1.0)
    assert cues is not None
    road = HANDLE & ~THING & (YY > 84)
    assert cues.certain[THING].mean() > 0.9
    assert cues.certain[road].mean() < 0.1
