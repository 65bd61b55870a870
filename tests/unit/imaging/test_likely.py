"""What speaks for the object, and the network that weighs it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

import regiondrag_widget as rd
from regiondrag_widget.bench.handles.cases import Case, cases
from regiondrag_widget.bench.handles.handles import handle_of
from regiondrag_widget.bench.handles.methods import ours
from regiondrag_widget.bench.handles.objects import load_objects
from regiondrag_widget.imaging import likely as module
from regiondrag_widget.imaging.carry import carried_mask
from regiondrag_widget.imaging.cues import NAMES, cues_of
from regiondrag_widget.imaging.find import find_object
from regiondrag_widget.imaging.likely import WEIGHTS, chances, likely
from training import fit_likely
from training.fit_likely import fit
from training.likely_net import LikelyNet
from training.outlined import Example

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


def test_there_is_one_channel_for_each_cue(picture: np.ndarray):
    cues = cues_of(picture, HANDLE, 1.0)
    assert cues is not None
    assert cues.values.shape == (SIDE, SIDE, len(NAMES))
    assert np.isfinite(cues.values).all()
    assert not (cues.certain & ~HANDLE).any()
    first, last = NAMES.index("share by colour"), NAMES.index("L")
    assert (cues.values[HANDLE][:, first:last] == cues.values[60, 60, first:last]).all()
    assert (cues.values[~HANDLE][:, :last] == 0).all()
    assert (cues.values[..., NAMES.index("in the handle")] == HANDLE).all()


def test_the_thing_is_likely_and_the_ground_is_not(picture: np.ndarray):
    cues = cues_of(picture, HANDLE, 1.0)
    assert cues is not None
    chance = likely(cues.values)
    assert chance.shape == (SIDE, SIDE)
    assert chance[THING].mean() > 0.9
    assert chance[HANDLE & ~THING].mean() < 0.2


def test_the_network_is_the_one_that_was_fitted():
    """The module that is fitted, in torch, and what is computed here, in numpy; also of an odd size."""
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    net = LikelyNet(*(rng.uniform(0.5, 1, (2, len(NAMES))).astype(np.float32))).eval()
    values = rng.normal(0, 2, (37, 50, len(NAMES))).astype(np.float32)
    with torch.no_grad():
        expected = net(torch.from_numpy(values.transpose(2, 0, 1))[None])[0].numpy()
    weights = {name: value.numpy() for name, value in net.state_dict().items()}
    np.testing.assert_allclose(chances(values, weights), expected, atol=1e-4)


def test_nothing_is_told_where_nothing_surrounds_the_handle(picture: np.ndarray):
    assert cues_of(picture, np.ones((SIDE, SIDE), bool), 1.0) is None


def test_weights_for_other_cues_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    weights = load_file(WEIGHTS)
    save_file({**weights, "mean": weights["mean"][:-1].copy()}, tmp_path / "likely.safetensors")
    monkeypatch.setattr(module, "WEIGHTS", tmp_path / "likely.safetensors")
    module._weights.cache_clear()
    try:
        wrong = rf"{len(NAMES) - 1} cues, there are {len(NAMES)}: run training/fit_likely\.py again"
        with pytest.raises(ValueError, match=wrong):
            likely(np.zeros((8, 8, len(NAMES)), np.float32))
    finally:
        module._weights.cache_clear()


def made_examples() -> list[Example]:
    """Four handles with a thing in each that one cue tells, the last drawn without care."""
    rng = np.random.default_rng(0)
    known = []
    for i in range(4):
        truth = np.full((16, 16), -1, np.int8)
        truth[2:14, 2:14] = 0
        truth[4 + i : 10 + i, 3:12] = 1
        values = rng.normal(0, 1, (16, 16, len(NAMES)))
        values[..., 3] += 3 * (truth == 1)
        values[..., fit_likely.HANDLE] = truth >= 0
        known.append(Example(f"{i}", f"{i}.jpg", "lasso 0", i == 3, values.astype(np.float16), truth))
    return known


def test_what_is_fitted_is_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fit_likely, "EPOCHS", 1)
    monkeypatch.setattr(fit_likely, "BATCH", 2)
    monkeypatch.setattr(fit_likely, "examples", lambda _objects: iter(made_examples()))
    monkeypatch.setattr("sys.argv", ["fit_likely", "-o", str(tmp_path / "likely.safetensors")])
    fit_likely.main()
    monkeypatch.setattr(module, "WEIGHTS", tmp_path / "likely.safetensors")
    module._weights.cache_clear()
    try:
        values = np.zeros((9, 8, len(NAMES)), np.float32)
        fitted = likely(values)
        assert np.isfinite(fitted).all()
        monkeypatch.setattr(module, "WEIGHTS", WEIGHTS)
        module._weights.cache_clear()
        assert not np.array_equal(fitted, likely(values))
    finally:
        module._weights.cache_clear()


def test_a_fit_tells_what_can_be_told_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    known = made_examples()
    monkeypatch.setattr(fit_likely, "EPOCHS", 60)
    monkeypatch.setattr(fit_likely, "WARM", 5)
    monkeypatch.setattr(fit_likely, "AVERAGING", 0.9)
    whole = fit(known)
    wrong = 0
    for example in known:
        logits = chances(example.values.astype(np.float32), {k: v.numpy() for k, v in whole.items()})
        wrong += int(((logits > 0) != (example.truth == 1))[example.truth >= 0].sum())
    assert wrong < 0.05 * 4 * 144
    monkeypatch.setattr(fit_likely, "EPOCHS", 2)
    fit(known, tmp_path)
    monkeypatch.setattr(fit_likely, "EPOCHS", 60)
    resumed = fit(known, tmp_path)
    with safe_open(tmp_path / "state.safetensors", "pt") as file:
        assert int(file.metadata()["step"]) == 60
    assert all(torch.isfinite(value).all() for value in resumed.values())


def case_of(name: str, kind: str) -> Case:
    (thing,) = (thing for thing in load_objects("fresh") if thing.name == name)
    return next(case for case in cases([thing], ["move"]) if case.kind == kind)


def test_what_was_eaten_arrives_whole():
    """Found on a photograph that nothing was tuned on: a dog's legs stayed where they were."""
    case = case_of("walking-dog", "tight")
    assert case.judged(ours(case.rgb, case.pair)).lost < 0.01


def test_nothing_is_missed_in_a_handle_drawn_along_an_edge():
    """Found on a robot on a dark sofa: its black arms were eaten where the handle was its very outline."""
    case = case_of("sofa-robot", "tight")
    found = find_object(case.rgb, case.pair.handle)
    assert found is not None
    assert (found.object_ & case.mask).sum() < 0.98 * case.mask.sum()
    carried = carried_mask(case.rgb, case.pair.handle)
    assert carried.verdict == "object"
    assert (carried.mask & case.mask).sum() > 0.98 * case.mask.sum()
    assert case.judged(ours(case.rgb, case.pair)).clean


def test_a_handle_that_cuts_an_object_keeps_the_ground_out():
    """Found on the bundled duck: with half of it outside the handle, all of the handle was carried."""
    duck = rd.examples.load("rubber-duck")
    rgb, true = np.asarray(duck.image.convert("RGB")), np.asarray(duck.handle)
    height, width = true.shape
    yy, xx = np.mgrid[:height, :width]
    handle = ((xx / width - 0.43) / 0.19) ** 2 + ((yy / height - 0.53) / 0.33) ** 2 <= 1
    found = find_object(rgb, handle)
    assert found is not None
    ground = handle & (cv2.dilate(true.astype(np.uint8), np.ones((9, 9))) == 0)
    assert (found.object_ & ground).sum() < 0.02 * handle.sum()
    inner = handle & (cv2.erode(true.astype(np.uint8), np.ones((17, 17))) > 0)
    assert (found.object_ & inner).sum() > 0.95 * inner.sum()


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


def test_black_arms_on_a_dark_sofa_are_carried():
    """On a photograph that nothing was fitted on: colours and edges do not tell them from the ground."""
    robot = next(thing for thing in load_objects("fresh") if thing.name == "sofa-robot")
    within = cv2.distanceTransform(robot.mask.astype(np.uint8), cv2.DIST_L2, 5) > 4
    for kind in ("ellipse", "loose 16", "misses"):
        handle = handle_of(robot.mask, kind, 0)
        carried = carried_mask(np.asarray(robot.image()), handle).mask
        inner = within & handle
        assert (inner & ~carried).sum() < 0.01 * inner.sum(), kind
        assert (carried & ~robot.mask).sum() < 0.05 * robot.mask.sum(), kind
