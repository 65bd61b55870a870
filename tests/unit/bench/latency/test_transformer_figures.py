"""What edits with transformers of true size cost, counted without weights."""

from __future__ import annotations

import inspect
import json
from dataclasses import replace
from pathlib import Path

import diffusers
import pytest
import torch

from regiondrag_widget.bench.latency.command import TRANSFORMERS as NAMES
from regiondrag_widget.bench.latency.transformer_figures import (
    TRANSFORMERS,
    Figures,
    TransformerArchitecture,
    counted,
    timed,
)
from regiondrag_widget.cli import main

BILLIONS = {
    "flux2-klein": 3.9,
    "flux1": 11.9,
    "sd35-medium": 2.24,
    "sd35": 8.1,
    "qwen": 20.4,
    "zimage": 6.2,
}


@pytest.fixture(scope="module")
def klein() -> Figures:
    return counted("flux2-klein", 256)


def test_the_cost_follows_the_share_that_changes(klein: Figures):
    found = klein
    assert found.parameters == pytest.approx(3.9e9, rel=0.03)  # the 4B model
    shares = sorted(found.edit)
    assert [found.edit[s] for s in shares] == sorted(found.edit.values())
    # one token in five, and none of the 512 text tokens that the inversion has beside its 256
    assert found.edit[0.2] / found.inversion == pytest.approx(0.2 * 256 / (256 + 512), rel=0.2)
    assert found.key_value_bytes == 25 * (256 + 512) * 3072 * 2 * 2


def test_the_operations_are_those_of_the_products(klein: Figures):
    """A joint block's and a parallel block's products of FLUX.2, counted by hand."""
    found, width, tokens = klein, 3072, 256 + 512
    joint = 4 * width * width + 9 * width * width  # attention's four products, the feed-forward's three
    parallel = width * (3 * width + 6 * width) + 4 * width * width
    products = 2 * tokens * (5 * joint + 20 * parallel)
    scores = 25 * 4 * tokens * tokens * width
    rest = 2 * tokens * width * 7680  # at most: what embeds text and image, and modulates
    assert products + scores <= found.inversion / found.calls <= (products + scores + rest) * 1.01


@pytest.mark.parametrize("model", sorted(set(TRANSFORMERS) - {"qwen-edit"}))
def test_every_architecture_is_that_of_its_family(model: str):
    architecture = TRANSFORMERS[model]
    with torch.device("meta"):
        network = getattr(diffusers, architecture.transformer)(**architecture.config)
    parameters = sum(p.numel() for p in network.parameters())
    assert parameters == pytest.approx(BILLIONS[model] * 1e9, rel=0.03)


@pytest.fixture
def _shallow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The architectures with one block of each kind, which are counted quickly."""
    for name, whole in TRANSFORMERS.items():
        depths = ("n_layers", "n_refiner_layers") if name == "zimage" else ("num_layers", "num_single_layers")
        known = inspect.signature(getattr(diffusers, whole.transformer)).parameters
        config = {**whole.config, **{depth: 1 for depth in depths if depth in known}}
        if "dual_attention_layers" in config:
            config["dual_attention_layers"] = (0,)
        monkeypatch.setitem(TRANSFORMERS, name, replace(whole, config=config))


@pytest.mark.usefixtures("_shallow")
@pytest.mark.parametrize("model", NAMES)
def test_every_model_that_the_command_names_is_counted(model: str):
    found = counted(model, 64, shares=(0.5,))
    assert 0 < found.edit[0.5] < found.inversion
    assert found.key_value_bytes > 0
    assert set(NAMES) == set(TRANSFORMERS)


@pytest.mark.usefixtures("_shallow")
def test_qwen_image_edit_has_the_pictures_tokens_beside_and_keeps_theirs_too():
    plain, edit = (counted(name, 64, shares=(0.5,)) for name in ("qwen", "qwen-edit"))
    tokens, text = 16, 64
    assert edit.key_value_bytes / plain.key_value_bytes == (2 * tokens + text) / (tokens + text)
    assert edit.inversion > plain.inversion * 1.1
    # the changed tokens alone; only what they look at is more
    assert plain.edit[0.5] < edit.edit[0.5] < plain.edit[0.5] * 1.1


def test_a_warm_edit_is_timed():
    small = TransformerArchitecture(
        "Flux2Transformer2DModel",
        {
            "in_channels": 16,
            "num_layers": 1,
            "num_single_layers": 1,
            "attention_head_dim": 16,
            "num_attention_heads": 2,
            "joint_attention_dim": 8,
            "axes_dims_rope": (4, 4, 4, 4),
            "guidance_embeds": False,
        },
        text=4,
        width=8,
        channels=4,
        schedule={"use_dynamic_shifting": True},
    )
    assert 0 < timed(small, 64, torch.device("cpu"), repetitions=1) < 5


def test_the_command_writes_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    arguments = ["--model", "flux2-klein", "--size", "64", "--device", "cpu", "-o", str(tmp_path)]
    assert main(["bench", "latency", *arguments]) == 0
    table = (tmp_path / "latency-flux2-klein.md").read_text()
    assert table in capsys.readouterr().out
    assert "| flux2-klein | 3.9 B | 64 | 2 |" in table
    (figures,) = json.loads((tmp_path / "latency-flux2-klein.json").read_text())
    assert figures["seconds"] is None
    assert main(["bench", "latency", "--model", "flux1", "--size", "100", "-o", str(tmp_path)]) == 2
