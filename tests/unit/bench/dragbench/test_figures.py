"""Features, fidelity and the measures against a truth."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from regiondrag_widget.bench.dragbench.dift import Dift
from regiondrag_widget.bench.dragbench.figures import MEASURES, Figures
from regiondrag_widget.bench.dragbench.perceptual import ALEXNET, fidelity, load_lpips, lpips_of
from regiondrag_widget.bench.methods.network import BenchNetwork
from regiondrag_widget.datasets import Sample
from regiondrag_widget.regions import RegionPair, RegionPairs


def mean_difference(a: torch.Tensor, b: torch.Tensor) -> float:
    """In LPIPS' place: the mean absolute difference."""
    assert a.shape == b.shape == (1, 3, 224, 224)
    return float((a - b).abs().mean())


@pytest.fixture(scope="module")
def sample() -> Sample:
    """Black, with a white square that is to move right by 56 pixels."""
    image = np.zeros((112, 112, 3), np.uint8)
    image[28:56, 14:42] = 255
    handle = image[..., 0] > 0
    return Sample(
        "square",
        image,
        "",
        RegionPairs([RegionPair.move(handle, 56, 0)]),
        np.array([[[28.0, 42.0], [84.0, 42.0]]]),
    )


def moved(sample: Sample) -> np.ndarray:
    return np.roll(sample.image, 56, axis=1)


SQUARE = 28 * 28 / 112**2  # share of the picture


def test_fidelity_of_an_untouched_picture_says_that_nothing_arrived(sample: Sample):
    found = fidelity(sample.image, sample.image, sample.pairs, None, mean_difference)
    assert found["if_bg"] == pytest.approx(1)
    assert found["if_s2s"] == pytest.approx(1)
    assert found["if_s2t"] == pytest.approx(1 - 2 * SQUARE, abs=1e-3)  # white against black is 2


def test_fidelity_of_a_perfect_move_says_that_the_old_place_changed(sample: Sample):
    found = fidelity(sample.image, moved(sample), sample.pairs, None, mean_difference)
    assert found["if_bg"] == pytest.approx(1)
    assert found["if_s2t"] == pytest.approx(1, abs=1e-3)
    assert found["if_s2s"] == pytest.approx(1 - 2 * SQUARE, abs=1e-3)


def test_the_background_is_what_the_editable_mask_leaves_out(sample: Sample):
    after = sample.image.copy()
    after[90:] = 255
    editable = np.zeros(sample.shape, bool)
    editable[90:] = True
    assert fidelity(sample.image, after, sample.pairs, editable, mean_difference)["if_bg"] == pytest.approx(1)
    assert fidelity(sample.image, after, sample.pairs, ~editable, mean_difference)["if_bg"] < 0.7


def test_lpips_compares_pictures_between_minus_one_and_one():
    white, grey = np.full((50, 70, 3), 255, np.uint8), np.full((50, 70, 3), 0, np.uint8)
    assert lpips_of(white, grey, mean_difference) == pytest.approx(2)


def test_without_networks_the_truth_alone_is_measured(sample: Sample):
    judge = Figures.load(None)
    assert set(judge.missing) >= {"md_rd_sample", "md_px"}
    assert judge.of(sample, sample.image) == {}
    known = Sample("square", sample.image, "", sample.pairs, sample.points, truth=moved(sample))
    found = judge.of(known, sample.image)
    assert found["mse"] == pytest.approx(2 * SQUARE)
    assert found["psnr"] == pytest.approx(-10 * np.log10(2 * SQUARE))
    assert 0 < found["ssim"] < 1
    best = judge.of(known, moved(sample))
    assert (best["mse"], best["psnr"], best["ssim"]) == (0, 60, pytest.approx(1))


def test_a_picture_of_another_size_is_refused(sample: Sample):
    with pytest.raises(ValueError, match="the edited picture is"):
        Figures().of(sample, np.zeros((64, 64, 3), np.uint8))


@pytest.mark.parametrize("named", sorted(MEASURES))
def test_every_measure_says_its_variant(named: str):
    assert MEASURES[named].words
    assert MEASURES[named].title


def test_features_of_the_bundled_model_find_a_moved_square(sample: Sample):
    dift = Dift(BenchNetwork.load("mini"))
    assert dift.side == 256
    assert not dift.takes_text
    assert not dift.comparable
    judge = Figures(dift)
    good, bad = judge.of(sample, moved(sample)), judge.of(sample, sample.image)
    assert good["md_px"] < 12 < bad["md_px"]
    assert good["md_rd_sample"] < 0.1 < bad["md_rd_sample"]
    assert judge.of(sample, moved(sample)) == good  # the noises are the same each time


def test_lpips_is_refused_in_one_sentence_or_taken_from_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "torchvision.py").write_text("")
    (tmp_path / "lpips.py").write_text(
        "class LPIPS:\n"
        "    def __init__(self, net, verbose): assert net == 'alex'\n"
        "    def eval(self): return lambda a, b: (a - b).abs().mean()\n"
    )
    for name in ("lpips", "torchvision"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="AlexNet's weights are not at"):
        load_lpips()
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / ALEXNET).touch()
    ones = torch.ones(1, 3, 224, 224)
    assert load_lpips()(ones, -ones) == pytest.approx(2)
    (tmp_path / "lpips.py").write_text("raise ImportError('no such operator')")
    monkeypatch.delitem(sys.modules, "lpips")
    with pytest.raises(ValueError, match="lpips cannot be used: no such operator"):
        load_lpips()
