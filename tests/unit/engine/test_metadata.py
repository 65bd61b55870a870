"""What a picture file says besides its pixels goes on into the file of the edit."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from regiondrag_widget.engine.result import EditResult, load_settings
from regiondrag_widget.imaging.picture import load_picture
from regiondrag_widget.widget.encode import encode_jpeg

XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><a>gull</a></x:xmpmeta>"


def edited(source: bytes, **settings: Any) -> EditResult:
    """What an edit makes of a file, pixels apart."""
    picture = load_picture(source)
    return EditResult(picture.to_pil(), picture.to_pil(), settings, {"total": 1.0}, seed=1)


def file_of(rgb: np.ndarray, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, file_format, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["png", "jpg", "tif"])
def test_the_resolution_is_kept(kind: str, rgb: np.ndarray, tmp_path: Path):
    source = file_of(rgb, {"png": "PNG", "jpg": "JPEG", "tif": "TIFF"}[kind], dpi=(300, 300))
    with Image.open(edited(source).save(tmp_path / f"out.{kind}")) as image:
        assert tuple(round(float(number)) for number in image.info["dpi"]) == (300, 300)


def test_the_texts_of_a_png_are_kept(rgb: np.ndarray, tmp_path: Path):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", "a duck, steps 20")
    texts.add_itxt("Title", "Утка")
    path = edited(file_of(rgb, "PNG", pnginfo=texts)).save(tmp_path / "out.png")
    with Image.open(path) as image:
        assert image.text["parameters"] == "a duck, steps 20"  # type: ignore[attr-defined]
        assert image.text["Title"] == "Утка"  # type: ignore[attr-defined]
    assert load_settings(path)["seed"] == 1


def test_an_edit_of_an_edit_says_how_it_was_made_itself(rgb: np.ndarray, tmp_path: Path):
    for suffix in ("png", "jpg"):
        first = edited(file_of(rgb, "PNG"), prompt="first").save(tmp_path / f"first.{suffix}")
        again = edited(first.read_bytes(), prompt="second").save(tmp_path / f"second.{suffix}")
        assert load_settings(again)["prompt"] == "second"
        assert b"first" not in again.read_bytes()


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "tif"])
def test_xmp_is_kept(kind: str, rgb: np.ndarray, tmp_path: Path):
    source = file_of(rgb, "JPEG", xmp=XMP)
    with Image.open(edited(source).save(tmp_path / f"out.{kind}")) as image:
        found = image.info["xmp"]
    assert (found.encode() if isinstance(found, str) else found) == XMP


def test_a_comment_is_kept_beside_the_settings(rgb: np.ndarray, tmp_path: Path):
    result = edited(file_of(rgb, "JPEG", comment=b"by the lake"), prompt="a duck")
    path = result.save(tmp_path / "out.jpg")
    with Image.open(path) as image:
        assert image.info["comment"] == b"by the lake"
    assert load_settings(path)["prompt"] == "a duck"
    with Image.open(result.save(tmp_path / "out.png")) as image:
        assert image.text["Comment"] == "by the lake"  # type: ignore[attr-defined]


def test_settings_of_any_length_are_saved(rgb: np.ndarray, tmp_path: Path):
    path = edited(file_of(rgb, "JPEG"), prompt="x" * 200_000).save(tmp_path / "out.jpg")
    assert load_settings(path)["prompt"] == "x" * 200_000
    with Image.open(path) as image:
        image.load()


def test_settings_that_an_earlier_version_wrote_into_the_comment_are_read(rgb: np.ndarray, tmp_path: Path):
    document = json.dumps({"prompt": "old", "seed": 3, "timings": {}, "version": "0.1.0"})
    (tmp_path / "old.jpg").write_bytes(file_of(rgb, "JPEG", comment=document.encode()))
    assert load_settings(tmp_path / "old.jpg")["prompt"] == "old"
    with Image.open(edited((tmp_path / "old.jpg").read_bytes()).save(tmp_path / "new.jpg")) as image:
        assert not image.info.get("comment")


@pytest.mark.parametrize("kind", ["png", "jpg", "webp", "tif"])
def test_exif_says_the_size_of_the_picture_saved(kind: str, rgb: np.ndarray, tmp_path: Path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Artist] = "Ada"
    exif.get_ifd(ExifTags.IFD.Exif).update(
        {
            ExifTags.Base.ExifImageWidth: 128,
            ExifTags.Base.ExifImageHeight: 96,
            ExifTags.Base.ISOSpeedRatings: 200,
        }
    )
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    with Image.open(edited(file_of(rgb, "JPEG", exif=exif)).save(tmp_path / f"out.{kind}")) as image:
        kept = image.getexif()
        own, place = kept.get_ifd(ExifTags.IFD.Exif), kept.get_ifd(ExifTags.IFD.GPSInfo)
        assert image.size == (96, 128)
    assert (own[ExifTags.Base.ExifImageWidth], own[ExifTags.Base.ExifImageHeight]) == (96, 128)
    assert own[ExifTags.Base.ISOSpeedRatings] == 200
    assert kept[ExifTags.Base.Artist] == "Ada"
    assert place[ExifTags.GPS.GPSLatitudeRef] == "N"
    assert kept.get(ExifTags.Base.Orientation, 1) == 1


def test_a_tiff_keeps_what_describes_the_picture(rgb: np.ndarray, tmp_path: Path):
    source = file_of(rgb, "TIFF", tiffinfo={270: "a gull", 315: "Ada"}, compression="tiff_lzw")
    with Image.open(edited(source).save(tmp_path / "out.tif")) as image:
        assert image.tag_v2[270] == "a gull"  # type: ignore[attr-defined]
        assert image.tag_v2[315] == "Ada"  # type: ignore[attr-defined]
        assert np.array_equal(np.asarray(image), rgb)


def test_a_named_pipe_holds_no_settings_and_is_not_waited_for(tmp_path: Path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ValueError, match="no picture"):
        load_settings(tmp_path / "pipe.png")


def test_a_comment_too_long_for_a_jpeg_stops_nothing(tmp_path: Path):
    image = Image.new("RGB", (96, 72), "red")
    buffer = io.BytesIO()
    image.save(buffer, "GIF", comment=b"x" * 100_000)
    result = edited(buffer.getvalue())
    assert len(result.image.info["comment"]) == 100_000
    with Image.open(result.save(tmp_path / "out.jpg")) as saved:
        assert saved.info["comment"] == b"x" * 65533
    assert "data:image/jpeg" in result._repr_html_()
    assert encode_jpeg(result.image)
