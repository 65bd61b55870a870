"""The matting network's examples and its training: honest truth, held-out photographs, resumable."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from regiondrag_widget.bench.truth.photos import Photo
from regiondrag_widget.imaging.mattenet import MatteNet, continued_into, matte_inputs
from training import mattes, train_matte
from training.data import dead_leaves
from training.mattes import SIDE, Example, make_example


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    rng = np.random.default_rng(4)
    photos = [Photo(f"p{i}", f"p{i}", dead_leaves(rng, 256)) for i in range(4)]
    return [make_example(photos, rng) for _ in range(24)]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for index in range(30):
        Image.fromarray(dead_leaves(rng, 256)).save(folder / f"picture-of-{index:03d}-things.png")
    return folder


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(train_matte, "VALIDATION", 3)
    monkeypatch.setattr(train_matte, "BATCH", 2)


def test_an_example_is_a_picture_a_handle_and_an_opacity_within_it(examples: list[Example]):
    for one in examples:
        assert one.rgb.shape == (SIDE, SIDE, 3)
        assert one.rgb.dtype == one.alpha.dtype == np.uint8
        assert one.handle.any()
        assert one.alpha[~one.handle].max() == 0
        assert not one.cut[~one.handle].any()


def test_handles_are_drawn_in_many_ways(examples: list[Example]):
    """Some with a wide rim of background, some with none; the object is often not all of the handle."""
    shares = [one.alpha.sum() / 255 / one.handle.sum() for one in examples]
    assert min(shares) < 0.6
    assert max(shares) > 0.85


def test_some_objects_hardly_differ_from_what_they_lie_on():
    """The shape stays, the colours come nearer to the ground's, on one side more than on the other."""
    ground = np.full((96, 96, 3), (0.9, 0.6, 0.6), np.float32)
    alpha = np.zeros((96, 96, 1), np.float32)
    alpha[20:76, 20:76] = 1
    layer = np.dstack([alpha * np.float32((0.1, 0.2, 0.8)), alpha])
    unlike = np.abs(layer[..., :3] - ground)[20:76, 20:76].mean()
    sides = []
    for seed in range(8):
        made = mattes._akin(layer, ground, np.random.default_rng(seed))
        assert np.array_equal(made[..., 3:], alpha)
        assert not made[alpha[..., 0] == 0].any()
        off = np.abs(made[..., :3] - ground)[20:76, 20:76].mean(-1)
        corners = [off[:8, :8].mean(), off[:8, -8:].mean(), off[-8:, :8].mean(), off[-8:, -8:].mean()]
        assert 0 < off.mean() < 0.6 * unlike
        sides.append(max(corners) / min(corners))
    assert np.mean(sides) > 1.5
    empty = np.zeros_like(layer)
    assert mattes._akin(empty, ground, np.random.default_rng(0)) is empty


def test_the_same_draws_give_the_same_example():
    photos = [Photo(f"p{i}", f"p{i}", dead_leaves(np.random.default_rng(i), 256)) for i in range(3)]
    a, b = (make_example(photos, np.random.default_rng(9)) for _ in range(2))
    assert all(np.array_equal(x, y) for x, y in zip(vars(a).values(), vars(b).values(), strict=True))


def test_training_feeds_the_network_what_an_edit_does(examples: list[Example]):
    one = examples[0]
    stored = train_matte.stored(one)[None]
    trained_on = train_matte._inputs(train_matte._scaled(stored))[0].numpy()
    edited_with = matte_inputs(one.rgb, one.handle, one.cut, continued_into(one.rgb, one.handle))
    assert np.abs(trained_on - edited_with).max() < 3 / 255


def test_training_resumes_and_saves_what_the_engine_loads(photos: Path, tmp_path: Path):
    run = tmp_path / "run"
    train_matte.train(photos, run, count=4, minutes=0.004)
    first = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert first[-1]["step"] > 0
    assert 0 < first[-1]["validation"] < 1
    weights = load_file(run / "model.safetensors")
    assert {w.dtype for w in weights.values()} == {torch.float16}
    MatteNet().load_state_dict({k: v.float() for k, v in weights.items()})
    train_matte.train(photos, run, count=4, minutes=first[-1]["minutes"] + 0.004)
    second = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert second[-1]["step"] > first[-1]["step"]


def test_a_step_makes_the_error_smaller(examples: list[Example]):
    batch = train_matte._scaled(np.stack([train_matte.stored(one) for one in examples[:8]]))
    torch.manual_seed(0)
    net = MatteNet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    losses = []
    for _ in range(12):
        loss = train_matte._loss(net(train_matte._inputs(batch)), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0]
