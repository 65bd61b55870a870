"""The bundled flow model's training: it runs, resumes, and draws tasks that can be solved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import Flux2Transformer2DModel
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from training.data import dead_leaves
from training.reference_task import draw_task
from training.train_flow import DEFAULT_CONFIG, train


@pytest.fixture
def config() -> dict[str, Any]:
    """The shipped configuration, its network and crops made tiny."""
    config: dict[str, Any] = json.loads(DEFAULT_CONFIG.read_text())
    config["transformer"] |= {"num_single_layers": 1, "num_attention_heads": 1}
    return {**config, "compile": False, "stages": [{"until": 1.01, "size": 64, "batch": 2}]}


def progress(run: Path) -> tuple[int, float]:
    """Steps and active minutes of a run."""
    with safe_open(run / "state.safetensors", "pt") as state:
        record = state.metadata()
    return int(record["step"]), float(record["spent"]) / 60


def test_training_saves_what_an_edit_loads_and_resumes(config: dict[str, Any], tmp_path: Path):
    photos, run = tmp_path / "photos", tmp_path / "run"
    photos.mkdir()
    rng = np.random.default_rng(0)
    for index in range(24):
        Image.fromarray(dead_leaves(rng, 96)).save(photos / f"picture-of-{index:03d}-things.png")
    train(photos, run, config, minutes=0.005)
    first, spent = progress(run)
    assert first > 0
    weights = load_file(run / "transformer" / "diffusion_pytorch_model.safetensors")
    assert {w.dtype for w in weights.values()} == {torch.float16}
    assert Flux2Transformer2DModel.from_pretrained(run / "transformer").config.in_channels == 16
    train(photos, run, config, minutes=spent + 0.005)
    assert progress(run)[0] > first
    figures = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert {"plain", "copied", "filled", "mean"} <= set(figures[-1])


def test_a_folder_without_pictures_is_refused(config: dict[str, Any], tmp_path: Path):
    with pytest.raises(ValueError, match="holds no pictures"):
        train(tmp_path, tmp_path / "run", config, minutes=1)


def test_shown_tokens_are_the_pictures_own_and_some_places_have_none():
    clean = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(0)
    pasted = 0
    for _ in range(40):
        task = draw_task(clean, plain=0.25, pasted=0.5, generator=generator)
        assert task.target.shape == (3, 64, 4)
        own = clean.flatten(2).transpose(1, 2)
        if task.shown is None:
            assert torch.equal(task.target, own)
            continue
        assert 0 <= len(task.shown) < 64
        assert len(task.shown.unique()) == len(task.shown)
        # what is not the picture's own comes from the picture before it, at the same place
        foreign = (task.target != own).any(-1)
        assert torch.equal(task.target[foreign], own.roll(1, 0)[foreign])
        pasted += bool(foreign.any())
    assert 5 < pasted < 30
