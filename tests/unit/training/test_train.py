"""The bundled model's training: it runs, resumes, holds out the test photographs, and fits its codec."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from regiondrag_widget.models.linear_codec import LinearCodec, fit_codec
from training.data import CropStream, dead_leaves, load_photos
from training.train import DEFAULT_CONFIG, train


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of dead-leaves pictures; the benchmark's rule sends some of these names to the test part."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for index in range(24):
        Image.fromarray(dead_leaves(rng, 96)).save(folder / f"picture-of-{index:03d}-things.png")
    return folder


@pytest.fixture
def config() -> dict[str, Any]:
    """The shipped configuration, its network and crops made tiny."""
    config: dict[str, Any] = json.loads(DEFAULT_CONFIG.read_text())
    config["unet"] |= {"block_out_channels": [16, 16, 16], "norm_num_groups": 4, "attention_head_dim": 2}
    config["stages"] = [{"until": 1.01, "size": 64, "batch": 2}]
    return config


def progress(run: Path) -> dict[str, float]:
    """Steps and active seconds of a run, as it will go on from them."""
    with safe_open(run / "state.safetensors", "pt") as state:
        return {name: float(value) for name, value in state.metadata().items()}


def test_training_saves_what_the_engine_loads_and_resumes(
    photos: Path, config: dict[str, Any], tmp_path: Path
):
    run = tmp_path / "run"
    train(photos, run, config, minutes=0.01)
    first = progress(run)
    assert first["step"] > 0
    assert first["spent"] >= 0.6
    weights = load_file(run / "unet" / "diffusion_pytorch_model.safetensors")
    assert {w.dtype for w in weights.values()} == {torch.float16}
    assert UNet2DConditionModel.from_pretrained(run / "unet").config.in_channels == 16
    assert LinearCodec.from_pretrained(run / "codec").config.latent_channels == 16
    budget = first["spent"] / 60 + 0.01  # a busy machine may have spent more than it was given
    train(photos, run, config, minutes=budget)
    second = progress(run)
    assert second["step"] > first["step"]
    assert str(tmp_path) not in (run / "codec" / "config.json").read_text()
    train(photos, run, config, minutes=budget)  # the budget is spent: nothing more happens
    assert progress(run) == second


def test_a_run_begins_from_an_earlier_ones_weights(photos: Path, config: dict[str, Any], tmp_path: Path):
    earlier, run, fresh = tmp_path / "earlier", tmp_path / "run", tmp_path / "fresh"
    train(photos, earlier, config, minutes=0.01)
    train(photos, run, config, minutes=1e-6, init=earlier)  # one step, at a rate that is still rising
    train(photos, fresh, config, minutes=1e-6, seed=1)

    def weights(folder: Path) -> torch.Tensor:
        tensors = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
        return torch.cat([tensors[name].float().flatten() for name in sorted(tensors)])

    assert (weights(run) - weights(earlier)).abs().max() < 1e-3
    assert (weights(fresh) - weights(earlier)).abs().max() > 1e-2
    codecs = [load_file(f / "codec" / "diffusion_pytorch_model.safetensors") for f in (run, earlier)]
    assert all(torch.equal(codecs[0][name], codecs[1][name]) for name in codecs[0])


def test_weights_to_begin_from_are_checked(photos: Path, config: dict[str, Any], tmp_path: Path):
    with pytest.raises(ValueError, match="holds no weights to begin from"):
        train(photos, tmp_path / "run", config, minutes=0.01, init=tmp_path)
    train(photos, tmp_path / "small", config, minutes=1e-6)
    config["unet"] |= {"block_out_channels": [16, 16, 32]}
    with pytest.raises(ValueError, match="not of this configuration's shape"):
        train(photos, tmp_path / "other", config, minutes=0.01, init=tmp_path / "small")


def test_a_folder_without_pictures_is_refused(config: dict[str, Any], tmp_path: Path):
    with pytest.raises(ValueError, match="holds no pictures"):
        train(tmp_path, tmp_path / "run", config, minutes=0.01)


def test_a_file_that_is_no_picture_is_named(tmp_path: Path):
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    with pytest.raises(ValueError, match=r"broken\.jpg is not a picture"):
        load_photos([tmp_path / "broken.jpg"])


def test_the_codec_reconstructs_better_with_more_channels(photos: Path):
    pictures = load_photos(sorted(photos.iterdir()))
    images = torch.stack([torch.from_numpy(p) for p in pictures]).permute(0, 3, 1, 2).float() / 127.5 - 1
    errors = []
    for channels in (4, 16, 48):
        codec = fit_codec(images, latent_channels=channels)
        with torch.no_grad():
            latents = codec.encode(images).latents
            assert latents.shape == (24, channels, 12, 12)
            assert float(latents.var()) == pytest.approx(1, rel=0.2)
            errors.append(float((codec(images) - images).square().mean()))
    assert errors[0] > errors[1] > errors[2]


def test_crops_have_the_size_asked_for_and_follow_the_seed(photos: Path):
    pictures = load_photos(sorted(photos.iterdir()))
    batches = []
    for _ in range(2):
        stream = CropStream(pictures, size=32, batch=3, seed=5)
        batches.append(next(iter(stream)))
        stream.close()
    assert batches[0].shape == (3, 32, 32, 3)
    assert batches[0].dtype == np.uint8
    assert np.array_equal(*batches)
