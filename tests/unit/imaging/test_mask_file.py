"""A black and white picture file becomes a region; what is no mask is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from regiondrag_widget.imaging.mask_file import load_mask

SIZE = (90, 70)


@pytest.fixture
def region() -> np.ndarray:
    mask = np.zeros(SIZE[::-1], dtype=bool)
    mask[10:30, 40:80] = True
    return mask


def saved(image: Image.Image, tmp_path: Path, name: str = "mask.png") -> Path:
    path = tmp_path / name
    image.save(path)
    return path


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "P", "LA", "I", "CMYK"])
def test_a_mask_of_any_mode_is_read(mode: str, region: np.ndarray, tmp_path: Path):
    image = Image.fromarray(region.astype(np.uint8) * 255).convert(mode)
    assert np.array_equal(load_mask(saved(image, tmp_path, "m.tif"), SIZE), region)


def test_sixteen_bits_are_read(region: np.ndarray, tmp_path: Path):
    assert np.array_equal(
        load_mask(saved(Image.fromarray(region * np.uint16(65535)), tmp_path), SIZE), region
    )


def test_ones_are_the_region_in_a_label_picture(region: np.ndarray, tmp_path: Path):
    assert np.array_equal(load_mask(saved(Image.fromarray(region.astype(np.uint8)), tmp_path), SIZE), region)


def test_a_red_region_on_black_is_read(region: np.ndarray, tmp_path: Path):
    image = Image.fromarray(np.where(region[..., None], (200, 0, 0), 0).astype(np.uint8))
    assert np.array_equal(load_mask(saved(image, tmp_path), SIZE), region)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (30, 90, 200)])
def test_a_region_drawn_on_a_transparent_sheet_is_read(colour: tuple, region: np.ndarray, tmp_path: Path):
    rgba = np.zeros((*region.shape, 4), np.uint8)
    rgba[region] = (*colour, 255)
    assert np.array_equal(load_mask(saved(Image.fromarray(rgba), tmp_path), SIZE), region)


def test_bytes_are_read(region: np.ndarray, tmp_path: Path):
    path = saved(Image.fromarray(region), tmp_path)
    assert np.array_equal(load_mask(path.read_bytes(), SIZE), region)


def test_soft_edges_are_cut_at_half(tmp_path: Path):
    image = Image.new("L", SIZE)
    ImageDraw.Draw(image).ellipse((20, 15, 70, 55), fill=255)
    soft = image.filter(ImageFilter.GaussianBlur(1))
    hard = np.asarray(image) > 0
    assert np.count_nonzero(load_mask(saved(soft, tmp_path), SIZE) ^ hard) < 0.05 * hard.sum()


@pytest.mark.parametrize("blur", [5, 10, 12])
def test_a_feathered_mask_is_cut_at_half(blur: int, tmp_path: Path):
    image = Image.new("L", (512, 384))
    ImageDraw.Draw(image).ellipse((120, 90, 330, 280), fill=255)
    hard = np.asarray(image) > 0
    path = saved(image.filter(ImageFilter.GaussianBlur(blur)), tmp_path)
    assert np.count_nonzero(load_mask(path, (512, 384)) ^ hard) < 0.04 * hard.sum()


def test_a_jpeg_mask_is_read(region: np.ndarray, tmp_path: Path):
    image = Image.fromarray(region.astype(np.uint8) * 255)
    assert np.array_equal(load_mask(saved(image, tmp_path, "mask.jpg"), SIZE), region)


def test_a_wholly_white_mask_is_the_whole_picture(tmp_path: Path):
    assert load_mask(saved(Image.new("L", SIZE, 255), tmp_path), SIZE).all()


def test_a_photograph_is_no_mask(tmp_path: Path):
    image = Image.linear_gradient("L").resize(SIZE)
    with pytest.raises(ValueError, match="is no mask: it should be black with the region in white"):
        load_mask(saved(image, tmp_path), SIZE)


def test_labels_of_several_things_are_no_mask(tmp_path: Path):
    labels = np.zeros(SIZE[::-1], np.uint8)
    labels[:20], labels[20:40] = 1, 2
    with pytest.raises(ValueError, match="is no mask"):
        load_mask(saved(Image.fromarray(labels), tmp_path), SIZE)


def test_an_empty_mask_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"mask\.png is empty: mark at least one pixel in white"):
        load_mask(saved(Image.new("L", SIZE), tmp_path), SIZE)


def test_a_transparent_sheet_with_nothing_on_it_is_empty(tmp_path: Path):
    with pytest.raises(ValueError, match="is empty"):
        load_mask(saved(Image.new("RGBA", SIZE), tmp_path), SIZE)


def test_a_mask_of_another_size_is_refused(region: np.ndarray, tmp_path: Path):
    with pytest.raises(ValueError, match="is 90x70 px but the picture is 91x70 px"):
        load_mask(saved(Image.fromarray(region), tmp_path), (91, 70))


def test_a_missing_mask_is_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"handle\.png"):
        load_mask(tmp_path / "handle.png", SIZE)


def test_a_mask_that_is_no_picture_is_refused(tmp_path: Path):
    path = tmp_path / "handle.png"
    path.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"handle\.png is no picture"):
        load_mask(path, SIZE)
