"""An edit's result: saved whole or not at all, settings inside; shown before and after in a notebook."""

from __future__ import annotations

import base64
import errno
import io
import json
import os
import re
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from regiondrag_widget.engine.result import EditResult, load_settings
from regiondrag_widget.imaging.picture import load_picture
from regiondrag_widget.regions.writing import write_whole

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def result(rgb: np.ndarray) -> EditResult:
    before = Image.fromarray(rgb)
    after = Image.fromarray(255 - rgb)
    settings = {"model": "mini", "steps": 20, "prompt": "a <b>bold</b> duck", "matrix": np.eye(3)}
    return EditResult(after, before, settings, {"inversion": 0.5, "total": 1.25}, seed=7)


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


# ---- saving ----


def test_a_saved_png_has_the_pixels_bit_for_bit(result: EditResult, tmp_path: Path, rgb: np.ndarray):
    path = result.save(tmp_path / "out.png")
    assert np.array_equal(np.asarray(Image.open(path)), 255 - rgb)


def test_a_png_carries_the_settings_as_json(result: EditResult, tmp_path: Path):
    result.save(tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as image:
        document = json.loads(image.text["regiondrag"])  # type: ignore[attr-defined]
    assert document["steps"] == 20
    assert document["seed"] == 7
    assert document["timings"] == {"inversion": 0.5, "total": 1.25}


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_settings_are_read_back(suffix: str, result: EditResult, tmp_path: Path):
    result.save(tmp_path / f"out{suffix}")
    settings = load_settings(tmp_path / f"out{suffix}")
    assert settings["prompt"] == "a <b>bold</b> duck"
    assert settings["matrix"] == np.eye(3).tolist()


def test_settings_in_any_script_are_read_back(rgb: np.ndarray, tmp_path: Path):
    image = Image.fromarray(rgb)
    EditResult(image, image, {"prompt": "утка 鴨 🦆"}).save(tmp_path / "out.png")
    assert load_settings(tmp_path / "out.png")["prompt"] == "утка 鴨 🦆"


@pytest.mark.parametrize(
    ("suffix", "file_format"), [(".jpeg", "JPEG"), (".webp", "WEBP"), (".TIF", "TIFF"), (".bmp", "BMP")]
)
def test_the_suffix_names_the_format(suffix: str, file_format: str, result: EditResult, tmp_path: Path):
    with Image.open(result.save(tmp_path / f"out{suffix}")) as image:
        assert image.format == file_format


def test_no_suffix_means_png(result: EditResult, tmp_path: Path):
    assert result.save(tmp_path / "out") == tmp_path / "out.png"


def test_an_unknown_suffix_is_refused(result: EditResult, tmp_path: Path):
    with pytest.raises(ValueError, match=r"\.docx names no format"):
        result.save(tmp_path / "out.docx")
    assert not leftovers(tmp_path)


def test_alpha_profile_and_exif_are_kept(rgb: np.ndarray, tmp_path: Path):
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    source = Image.fromarray(np.dstack([rgb, rgb[..., 0]]))
    buffer = io.BytesIO()
    source.save(buffer, "PNG", icc_profile=SRGB, exif=exif)
    picture = load_picture(buffer.getvalue())
    path = EditResult(picture.to_pil(255 - rgb), picture.to_pil()).save(tmp_path / "out.png")
    with Image.open(path) as saved:
        assert np.array_equal(np.asarray(saved)[..., 3], rgb[..., 0])
        assert saved.info["icc_profile"] == SRGB
        assert saved.getexif()[0x010F] == "Camera"


def test_transparency_is_not_dropped_in_silence(tmp_path: Path):
    image = Image.new("RGBA", (64, 64))
    with pytest.raises(ValueError, match=r"JPEG file holds no transparency: save out\.jpg as \.png"):
        EditResult(image, image).save(tmp_path / "out.jpg")


def test_an_old_file_is_replaced(result: EditResult, tmp_path: Path):
    (tmp_path / "out.png").write_bytes(b"old")
    result.save(tmp_path / "out.png")
    assert leftovers(tmp_path) == ["out.png"]
    assert Image.open(tmp_path / "out.png").size == (128, 96)


def test_a_full_disk_is_one_sentence_and_leaves_the_old_file(
    result: EditResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "out.png").write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"out\.png could not be written: No space left on device$"):
        result.save(tmp_path / "out.png")
    assert leftovers(tmp_path) == ["out.png"]
    assert (tmp_path / "out.png").read_bytes() == b"old"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_really_full_disk_is_an_error(result: EditResult, tmp_path: Path):
    def write(_: BinaryIO) -> None:
        with open("/dev/full", "wb") as full:
            result.image.save(full, "PNG")

    with pytest.raises(OSError, match="No space left on device"):
        write_whole(tmp_path / "out.png", write)
    assert not leftovers(tmp_path)


def test_a_folder_that_may_not_be_written_is_one_sentence(result: EditResult):
    with pytest.raises(OSError, match=r"could not be written|cannot be written"):
        result.save("/proc/out.png")


def test_a_missing_folder_is_named(result: EditResult, tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        result.save(tmp_path / "nowhere" / "out.png")


def test_a_folder_is_no_file_to_write(result: EditResult, tmp_path: Path):
    (tmp_path / "out.png").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        result.save(tmp_path / "out.png")


def test_an_interruption_leaves_nothing(tmp_path: Path):
    def interrupted(file: BinaryIO) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "out.png", interrupted)
    assert not leftovers(tmp_path)


def test_a_link_goes_on_pointing_to_its_file(result: EditResult, tmp_path: Path):
    (tmp_path / "real.png").write_bytes(b"old")
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    result.save(tmp_path / "link.png")
    assert (tmp_path / "link.png").is_symlink()
    assert Image.open(tmp_path / "real.png").size == (128, 96)


def test_a_saved_file_has_the_usual_permissions(result: EditResult, tmp_path: Path):
    (tmp_path / "usual").touch()
    saved = result.save(tmp_path / "out.png")
    assert saved.stat().st_mode == (tmp_path / "usual").stat().st_mode


# ---- reading settings ----


def test_a_picture_without_settings_is_refused(photo: Path):
    with pytest.raises(ValueError, match=r"photo\.png holds no settings"):
        load_settings(photo)


def test_settings_that_are_no_json_are_refused(rgb: np.ndarray, tmp_path: Path):
    Image.fromarray(rgb).save(tmp_path / "odd.jpg", comment=b"made by hand")
    with pytest.raises(ValueError, match="holds no settings"):
        load_settings(tmp_path / "odd.jpg")


def test_settings_of_no_picture_are_refused(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(ValueError, match="no picture"):
        load_settings(tmp_path / "notes.txt")


def test_settings_of_a_missing_file_are_refused(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*gone\.png"):
        load_settings(tmp_path / "gone.png")


# ---- showing ----


def test_a_notebook_shows_before_and_after(result: EditResult, rgb: np.ndarray):
    page = result._repr_mimebundle_()["text/html"]
    pictures = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).astype(int)
        for data in re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    ]
    assert len(pictures) == 2
    assert np.abs(pictures[0] - rgb).mean() < 3
    assert np.abs(pictures[1] - (255 - rgb)).mean() < 3


def test_a_large_picture_is_shown_small():
    image = Image.effect_noise((3000, 2000), 80).convert("RGB")
    assert len(EditResult(image, image)._repr_html_()) < 1_000_000


def test_user_text_never_reaches_the_page_as_html(result: EditResult):
    assert "<b>" not in result._repr_html_()


def test_a_profile_or_alpha_does_not_stop_the_display(rgb: np.ndarray):
    picture = load_picture(np.dstack([rgb, rgb[..., 0]]))
    page = EditResult(picture.to_pil(), picture.to_pil())._repr_html_()
    assert page.count("data:image/png") == 2


def test_its_text_is_one_line(result: EditResult):
    assert repr(result) == "EditResult(128x96 px, seed 7, 1.2 s)"


def test_the_array_is_a_copy(result: EditResult, rgb: np.ndarray):
    array = result.array
    assert array.dtype == np.uint8
    array[:] = 0
    assert np.array_equal(np.asarray(result.image), 255 - rgb)


def test_a_result_cannot_be_changed(result: EditResult):
    with pytest.raises(AttributeError):
        result.seed = 8  # type: ignore[misc]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_replaced_file_keeps_its_permissions(mode: int, result: EditResult, tmp_path: Path):
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    path.chmod(mode)
    result.save(path)
    assert path.stat().st_mode & 0o777 == mode


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_and_devices_are_left_alone(result: EditResult, tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "null.png").symlink_to(os.devnull)
    for name in ("pipe.png", "null.png"):
        with pytest.raises(OSError, match=f"{name} is a pipe or a device and is left alone"):
            result.save(tmp_path / name)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["null.png", "pipe.png"]
    assert not Path(os.devnull).is_file()
