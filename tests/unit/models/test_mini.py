"""The bundled model: small enough for the wheel, loads anywhere, edits at once."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import regiondrag_widget as rd
from regiondrag_widget.models.mini import WEIGHTS, load_mini
from regiondrag_widget.regions import pixel_map
from tests.unit.engine_kit import processors_of


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def mini(request: pytest.FixtureRequest) -> rd.RegionDragPipeline:
    return rd.RegionDragPipeline.from_pretrained("mini", device="cpu", dtype=request.param)


@pytest.fixture(scope="module")
def lighthouse() -> tuple[np.ndarray, rd.RegionPair]:
    """A bundled photograph and its suggested move, at half the size."""
    example = rd.examples.load("lighthouse")
    small = np.asarray(example.image.resize((256, 256), Image.Resampling.LANCZOS))
    handle = np.asarray(Image.fromarray(example.handle).resize((256, 256)))
    return small, rd.RegionPair.move(handle, *(d / 2 for d in example.move), example.scale, example.rotate)


def run(pipe: Any, picture: np.ndarray, pair: rd.RegionPair, **settings: Any) -> np.ndarray:
    return rd.edit(picture, [pair], model=pipe, steps=8, **settings).array


def test_the_weights_take_at_most_30_megabytes():
    assert sum(file.stat().st_size for file in WEIGHTS.rglob("*") if file.is_file()) <= 30e6


def test_the_weights_are_no_pickles():
    suffixes = {file.suffix for file in WEIGHTS.rglob("*") if file.is_file()}
    assert suffixes <= {".json", ".safetensors", ".md"}


def test_it_is_what_is_loaded_when_nothing_is_said():
    assert rd.load_pipeline().name == "mini"
    assert rd.RegionDragPipeline.from_pretrained().name == "mini"


def test_it_loads_in_the_number_format_asked_for(mini: rd.RegionDragPipeline):
    assert mini.unet.dtype in (torch.float32, torch.bfloat16)
    assert all(p.dtype == mini.unet.dtype for p in mini.unet.parameters())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_its_codec_stays_in_full_precision(dtype: torch.dtype):
    parts = load_mini(dtype)
    assert parts["unet"].dtype == dtype
    assert parts["vae"].dtype == torch.float32


def test_a_missing_bundled_model_says_what_to_do(tmp_path: Any):
    with pytest.raises(
        FileNotFoundError, match=r"the bundled model is missing from .*: reinstall regiondrag-widget"
    ):
        load_mini(torch.float32, tmp_path)


def test_a_bundled_photograph_is_edited_in_its_regions_alone(
    mini: Any, lighthouse: tuple[np.ndarray, rd.RegionPair]
):
    picture, pair = lighthouse
    before = processors_of(mini.unet)
    result = run(mini, picture, pair)
    touched = pair.handle | pair.target
    assert np.array_equal(result[~touched], picture[~touched])
    assert (
        np.abs(result[pair.handle & ~pair.target].astype(int) - picture[pair.handle & ~pair.target]).mean()
        > 5
    )
    assert all(p is before[name] for name, p in processors_of(mini.unet).items())


def test_the_content_is_in_its_new_place(mini: Any, lighthouse: tuple[np.ndarray, rd.RegionPair]):
    """Closer to a plain copy of the handle than to what was there."""
    picture, pair = lighthouse
    found = np.rint(pixel_map(pair).source_xy).astype(int).clip(0, 255)
    core = pair.target & ~pair.handle
    pasted = picture[found[..., 1], found[..., 0]]
    result = run(mini, picture, pair).astype(int)
    assert (
        np.abs(result[core] - pasted[core]).mean()
        < 0.5 * np.abs(picture[core].astype(int) - pasted[core]).mean()
    )


def test_number_formats_agree(lighthouse: tuple[np.ndarray, rd.RegionPair]):
    picture, pair = lighthouse
    full, half = (
        run(rd.RegionDragPipeline.from_pretrained("mini", device="cpu", dtype=d), picture, pair)
        for d in ("float32", "bfloat16")
    )
    assert np.abs(full.astype(int) - half)[pair.handle | pair.target].mean() < 6


def test_a_prompt_is_said_to_be_unused():
    pipe = rd.load_pipeline("mini", device="cpu", dtype="float32")
    with pytest.warns(UserWarning, match=r"the bundled model takes no text: the prompt is unused"):
        pipe.network("a red lighthouse")


def test_no_prompt_warns_of_nothing(recwarn: pytest.WarningsRecorder):
    rd.load_pipeline("mini", device="cpu", dtype="float32").network("")
    assert not [w for w in recwarn if "prompt" in str(w.message)]


def test_its_codec_gives_pictures_back():
    """Encoding and decoding a photograph loses little."""
    pipe = rd.load_pipeline("mini", device="cpu", dtype="float32")
    pixels = np.asarray(rd.examples.load("lighthouse").image)[:256, :256]
    x = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    with torch.inference_mode():
        back = pipe.backbone.decode(pipe.backbone.encode(x))
    assert 10 * torch.log10(4 / (back - x).square().mean()) > 25  # dB


def test_no_outline_is_left_where_a_bird_stood_before_the_sky(mini: rd.RegionDragPipeline):
    """The edge of a thing reaches farther than its opacity: a hole that ends there shows where it was."""
    example = rd.examples.load("canyon-wren")
    handle, pair = np.asarray(example.handle), example.pair
    edited = np.asarray(rd.edit(example.image, [pair], model=mini).image.convert("RGB"))
    rows = np.flatnonzero(handle.any(1))
    sky = handle & ~pair.target
    sky[rows[0] + int(0.6 * (rows[-1] - rows[0])) :] = False  # below lies the rock
    smooth = cv2.medianBlur(edited, 31)
    assert np.abs(edited.astype(float).mean(-1) - smooth.astype(float).mean(-1))[sky].max() < 5
