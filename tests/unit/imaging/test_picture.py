"""Whatever a user calls a picture becomes upright 8-bit RGB; what is none is refused in one sentence."""

from __future__ import annotations

import io
import os
import struct
import sys
import tracemalloc
import types
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, features

from regiondrag_widget.imaging.picture import Picture, load_picture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ORIENTATION = ExifTags.Base.Orientation
MAKER = ExifTags.Base.Make


def encoded(image: Image.Image, file_format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


# ---- kinds of source ----


def test_a_path_is_read(photo: Path, rgb: np.ndarray):
    assert np.array_equal(load_picture(photo).rgb, rgb)
    assert np.array_equal(load_picture(str(photo)).rgb, rgb)


def test_bytes_are_read(photo: Path, rgb: np.ndarray):
    assert np.array_equal(load_picture(photo.read_bytes()).rgb, rgb)
    assert np.array_equal(load_picture(memoryview(photo.read_bytes())).rgb, rgb)


def test_a_pillow_image_is_read(rgb: np.ndarray):
    picture = load_picture(Image.fromarray(rgb))
    assert np.array_equal(picture.rgb, rgb)
    assert picture.alpha is None


def test_an_array_is_read_and_stays_the_callers(rgb: np.ndarray):
    picture = load_picture(rgb)
    assert np.array_equal(picture.rgb, rgb)
    rgb[0, 0] = 99
    assert tuple(picture.rgb[0, 0]) == (0, 0, 0)


def test_a_picture_is_returned_as_it_is(rgb: np.ndarray):
    picture = load_picture(rgb)
    assert load_picture(picture) is picture


def test_a_picture_knows_its_size_in_both_orders(rgb: np.ndarray):
    picture = load_picture(rgb)
    assert picture.size == (128, 96)
    assert picture.shape == (96, 128)


def test_the_pixels_of_a_picture_cannot_be_written(rgb: np.ndarray):
    with pytest.raises(ValueError, match="read-only"):
        load_picture(rgb).rgb[0, 0] = 0


# ---- modes ----


def test_a_one_bit_picture_becomes_black_and_white(rgb: np.ndarray):
    picture = load_picture(encoded(Image.fromarray(rgb[..., 0] > 100)))
    assert np.array_equal(picture.rgb[..., 1], np.where(rgb[..., 0] > 100, 255, 0))


def test_a_grey_picture_has_three_equal_channels(rgb: np.ndarray):
    picture = load_picture(encoded(Image.fromarray(rgb[..., 0])))
    assert np.array_equal(picture.rgb, np.repeat(rgb[..., :1], 3, axis=-1))


def test_a_palette_picture_shows_its_colours():
    indices = np.zeros((70, 80), dtype=np.uint8)
    indices[:, 40:] = 1
    image = Image.fromarray(indices, "P")
    image.putpalette([10, 20, 30, 200, 100, 50])
    picture = load_picture(encoded(image))
    assert tuple(picture.rgb[0, 0]) == (10, 20, 30)
    assert tuple(picture.rgb[0, 79]) == (200, 100, 50)
    assert picture.alpha is None


def test_a_palette_picture_with_a_transparent_colour_has_alpha():
    indices = np.zeros((70, 80), dtype=np.uint8)
    indices[:, 40:] = 1
    image = Image.fromarray(indices, "P")
    image.putpalette([10, 20, 30, 200, 100, 50])
    picture = load_picture(encoded(image, transparency=1))
    assert picture.alpha is not None
    assert picture.alpha[0, 0] == 255
    assert picture.alpha[0, 79] == 0


def test_rgba_keeps_alpha_and_the_colours_under_it(rgb: np.ndarray):
    alpha = np.full(rgb.shape[:2], 7, dtype=np.uint8)
    picture = load_picture(encoded(Image.fromarray(np.dstack([rgb, alpha]))))
    assert np.array_equal(picture.rgb, rgb)
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, alpha)


def test_grey_with_alpha_keeps_both(rgb: np.ndarray):
    image = Image.merge("LA", [Image.fromarray(rgb[..., 0]), Image.fromarray(rgb[..., 1])])
    picture = load_picture(encoded(image))
    assert np.array_equal(picture.rgb[..., 2], rgb[..., 0])
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, rgb[..., 1])


def test_sixteen_bits_are_scaled_end_to_end():
    values = np.zeros((64, 64), dtype=np.uint16)
    values[0, :4] = 65535, 257 * 100, 128, 129
    picture = load_picture(encoded(Image.fromarray(values)))
    assert picture.rgb[0, :4, 0].tolist() == [255, 100, 0, 1]


def test_a_dark_sixteen_bit_file_stays_dark():
    assert load_picture(encoded(Image.fromarray(np.full((64, 64), 200, np.uint16)))).rgb.max() == 1


def test_a_cmyk_jpeg_keeps_its_colours():
    picture = load_picture(
        encoded(Image.new("RGB", (64, 64), (200, 40, 40)).convert("CMYK"), "JPEG", quality=95)
    )
    assert np.abs(picture.rgb.astype(int) - (200, 40, 40)).max() < 12


@pytest.mark.parametrize("mode", ["YCbCr", "HSV", "LAB", "RGBX", "RGBa", "La", "PA", "F", "I"])
def test_a_rarer_pillow_mode_works(mode: str, rgb: np.ndarray):
    source = Image.fromarray(rgb)
    if mode == "LAB":
        to_lab = ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
        )
        image = ImageCms.applyTransform(source, to_lab)
        assert image is not None
    elif mode in ("La", "RGBa"):
        image = source.convert("LA" if mode == "La" else "RGBA").convert(mode)
    elif mode == "PA":
        image = source.convert("P").convert("PA")
    else:
        image = source.convert("L" if mode in "FI" else "RGB").convert(mode)
    picture = load_picture(image)
    assert picture.shape == (96, 128)
    want = source.convert("P" if mode == "PA" else "L" if mode in ("F", "I", "La") else "RGB").convert("RGB")
    assert np.abs(picture.rgb.astype(int) - np.asarray(want).astype(int)).mean() < 12


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_several_is_taken_and_said(file_format: str):
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if file_format == "WEBP" else {}
    data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:], **options)
    with pytest.warns(UserWarning, match="has several frames or pages: the first one is taken"):
        picture = load_picture(data)
    assert tuple(picture.rgb[0, 0]) == (255, 0, 0)


def test_a_single_frame_is_nothing_to_speak_of(rgb: np.ndarray, recwarn: pytest.WarningsRecorder):
    for file_format in ("GIF", "WEBP", "PNG", "TIFF", "JPEG", "MPO"):
        more = {"save_all": True, "append_images": [Image.fromarray(rgb)]} if file_format == "MPO" else {}
        load_picture(encoded(Image.fromarray(rgb), file_format, **more))
    assert not recwarn.list


# ---- what comes with a picture ----


@pytest.mark.parametrize(("orientation", "turn"), [(3, 2), (6, 3), (8, 1)])
def test_exif_orientation_is_applied(orientation: int, turn: int, rgb: np.ndarray):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    picture = load_picture(encoded(Image.fromarray(rgb), exif=exif))
    assert np.array_equal(picture.rgb, np.rot90(rgb, turn))


def test_a_turned_picture_is_not_turned_again_when_saved_and_read(rgb: np.ndarray):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[MAKER] = "Camera"
    picture = load_picture(encoded(Image.fromarray(rgb), exif=exif))
    again = load_picture(encoded(picture.to_pil()))
    assert np.array_equal(again.rgb, picture.rgb)


def test_other_exif_fields_are_kept(rgb: np.ndarray):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[MAKER] = "Camera"
    image = load_picture(encoded(Image.fromarray(rgb), exif=exif)).to_pil()
    kept = Image.open(io.BytesIO(encoded(image, "JPEG", exif=image.info["exif"]))).getexif()
    assert kept[MAKER] == "Camera"
    assert ORIENTATION not in kept


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_broken_exif_block_is_no_reason_to_refuse(rgb: np.ndarray):
    picture = load_picture(encoded(Image.fromarray(rgb), "JPEG", exif=b"Exif\0\0MM\0*garbage that is no IFD"))
    assert picture.size == (128, 96)


def test_the_colour_profile_is_kept(rgb: np.ndarray):
    picture = load_picture(encoded(Image.fromarray(rgb), icc_profile=SRGB))
    assert picture.icc_profile == SRGB
    assert load_picture(encoded(picture.to_pil())).icc_profile == SRGB


def test_a_profile_that_is_not_for_rgb_is_dropped(rgb: np.ndarray):
    grey_profile = SRGB[:16] + b"GRAY" + SRGB[20:]
    assert load_picture(encoded(Image.fromarray(rgb[..., 0]), icc_profile=grey_profile)).icc_profile is None


def test_other_colours_take_over_the_alpha(rgb: np.ndarray):
    picture = Picture(rgb, np.full(rgb.shape[:2], 9, np.uint8))
    image = picture.to_pil(255 - rgb)
    assert np.array_equal(np.asarray(image)[..., :3], 255 - rgb)
    assert set(np.asarray(image)[..., 3].ravel()) == {9}


# ---- arrays ----


def test_an_array_with_alpha_keeps_it(rgb: np.ndarray):
    picture = load_picture(np.dstack([rgb, rgb[..., 0]]))
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha, rgb[..., 0])


@pytest.mark.parametrize("shape", [(64, 64), (64, 64, 1)])
def test_a_grey_array_works(shape: tuple[int, ...]):
    assert load_picture(np.full(shape, 8, np.uint8)).rgb.shape == (64, 64, 3)


def test_a_bool_array_is_black_and_white():
    assert load_picture(np.eye(64, dtype=bool)).rgb[0, :2, 0].tolist() == [255, 0]


def test_a_float_array_of_fractions_runs_to_one():
    values = np.linspace(0, 1, 64 * 64).reshape(64, 64)
    assert load_picture(values).rgb[..., 0].ravel()[[0, -1]].tolist() == [0, 255]


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.int16])
def test_whole_numbers_up_to_255_are_taken_as_they_are(dtype: type, rgb: np.ndarray):
    assert np.array_equal(load_picture(rgb.astype(dtype)).rgb, rgb)


def test_a_uint16_array_runs_to_65535():
    assert load_picture(np.full((64, 64), 65535, np.uint16)).rgb.max() == 255


@pytest.mark.parametrize(
    "values",
    [
        np.eye(64),  # black and white, or nearly black?
        np.linspace(0, 200, 4096).reshape(64, 64),  # fractions beyond 1
        np.linspace(-1, 1, 4096).reshape(64, 64),
        np.full((64, 64), 200, np.uint16),
        np.full((64, 64), 70000, np.int64),
    ],
    ids=["zeros and ones", "fractions to 200", "minus one to one", "small uint16", "beyond 16 bits"],
)
def test_an_array_of_unclear_range_is_refused(values: np.ndarray):
    with pytest.raises(ValueError, match="unclear: give uint8 values from 0 to 255"):
        load_picture(values)


def test_an_array_with_nan_is_refused():
    with pytest.raises(ValueError, match="not finite"):
        load_picture(np.full((64, 64), np.nan))


@pytest.mark.parametrize("shape", [(64,), (64, 64, 2), (64, 64, 5), (2, 64, 64, 3)])
def test_an_array_of_another_shape_is_refused(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"shape \(H, W\), \(H, W, 3\) or \(H, W, 4\)"):
        load_picture(np.zeros(shape, np.uint8))


def test_channels_first_are_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"np\.moveaxis"):
        load_picture(np.zeros((3, 64, 65), np.uint8))


def test_an_array_of_objects_is_refused():
    with pytest.raises(TypeError, match="not numbers"):
        load_picture(np.full((64, 64), "red"))


# ---- what is no picture ----


def test_something_else_is_refused():
    with pytest.raises(TypeError, match="not dict"):
        load_picture({})  # type: ignore[arg-type]


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*nothing\.png"):
        load_picture(tmp_path / "nothing.png")


def test_a_folder_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="is a folder"):
        load_picture(tmp_path)


def test_an_address_is_refused():
    with pytest.raises(ValueError, match="nothing is downloaded"):
        load_picture("https://example.org/photo.jpg")


def test_an_unreadable_file_is_refused(photo: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root, who may run the tests, may read everything
    with pytest.raises(PermissionError, match="may not be read"):
        load_picture(photo)


def test_a_file_that_is_no_picture_is_refused(tmp_path: Path):
    path = tmp_path / "notes.jpg"
    path.write_text("these are notes")
    with pytest.raises(ValueError, match=r"notes\.jpg is no picture"):
        load_picture(path)


def test_an_empty_file_is_refused():
    with pytest.raises(ValueError, match="no picture"):
        load_picture(b"")


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP"])
def test_a_truncated_file_is_refused(file_format: str, rgb: np.ndarray):
    whole = encoded(Image.fromarray(rgb), file_format)
    with pytest.raises(ValueError, match=r"damaged|no picture"):
        load_picture(whole[: len(whole) // 2])


def test_a_truncated_file_opened_by_the_user_is_refused(rgb: np.ndarray):
    whole = encoded(Image.fromarray(rgb), "JPEG")
    with pytest.raises(ValueError, match="damaged"):
        load_picture(Image.open(io.BytesIO(whole[: len(whole) // 2])))


def png_claiming(width: int, height: int) -> bytes:
    """The head of a PNG of that size, and hardly any pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"0"))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [14_000, 60_000])
def test_a_huge_picture_is_refused_before_any_memory_is_taken(side: int):
    data = png_claiming(side, side)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"too large.*megapixels"):
            load_picture(data)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_huge_picture_is_refused_where_pillows_own_limit_is_off(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(ValueError, match="60000x60000 px"):
        load_picture(png_claiming(60_000, 60_000))


@pytest.mark.filterwarnings("error")
def test_a_hundred_megapixels_raise_no_warning():
    with pytest.raises(ValueError, match="cut off"):  # decoded, hence: the file has no such pixels
        load_picture(png_claiming(10_000, 10_000) + bytes(20_000))


@pytest.mark.parametrize("size", [(63, 200), (200, 63), (1, 1)])
def test_a_tiny_picture_is_refused(size: tuple[int, int]):
    with pytest.raises(ValueError, match=f"{size[0]}x{size[1]} px, and a side needs at least 64 px"):
        load_picture(encoded(Image.new("RGB", size)))


def test_an_empty_array_is_refused():
    with pytest.raises(ValueError, match="too small"):
        load_picture(np.zeros((0, 64), np.uint8))


def test_sixty_four_pixels_are_enough():
    assert load_picture(Image.new("RGB", (64, 64))).size == (64, 64)


# ---- formats ----

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\n(x) show\n"


def test_no_picture_starts_ghostscript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from PIL import EpsImagePlugin

    monkeypatch.setattr(
        EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("Ghostscript was started")
    )
    path = tmp_path / "photo.jpg"
    path.write_bytes(EPS)
    for source in (path, EPS):
        with pytest.raises(ValueError, match="PostScript and PDF are not opened"):
            load_picture(source)


@pytest.mark.parametrize(
    ("head", "remedy"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "pip install pillow-heif"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL is not opened"),
        (b"\xff\x0a" + b"\1" * 40, "JPEG XL is not opened"),
        (b"II*\0\x10\0\0\0CR\x02\0" + b"\0" * 40, "raw file"),
        (b"%PDF-1.7\n" + b"\0" * 40, "export a PNG"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "SVG is a drawing"),
        (b"hello", "PNG, JPEG, WebP"),
    ],
)
def test_a_format_that_is_not_opened_is_named_with_its_remedy(head: bytes, remedy: str):
    with pytest.raises(ValueError, match=remedy):
        load_picture(head)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ValueError, match="a pipe or a device"):
        load_picture(tmp_path / "pipe.png")


@pytest.mark.parametrize("tags", [{50706: b"\1\4\0\0"}, {254: 1, 330: 8}], ids=["DNG", "NEF"])
def test_the_small_preview_of_a_raw_file_is_not_taken_for_the_picture(tags: dict, rgb: np.ndarray):
    with pytest.raises(ValueError, match="a camera's raw file is not opened; develop it"):
        load_picture(encoded(Image.fromarray(rgb), "TIFF", tiffinfo=tags))


def test_a_heic_file_is_opened_once_its_package_is_there(rgb: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    data = b"\0\0\0\x18ftypheic" + b"rest of the file"

    class Plugin(types.ModuleType):
        @staticmethod
        def register_heif_opener() -> None:
            def opened(file: io.BufferedIOBase, _name: object) -> Image.Image:
                assert file.read() == data
                return Image.fromarray(rgb)

            Image.register_open("HEIF", opened, lambda head: head[4:12] == b"ftypheic")

    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    Image.OPEN.pop("HEIF", None)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ValueError, match="HEIC needs the package pillow-heif: pip install pillow-heif"):
        load_picture(data)
    monkeypatch.setitem(sys.modules, "pillow_heif", Plugin("pillow_heif"))
    assert np.array_equal(load_picture(data).rgb, rgb)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_is_opened_where_pillow_can(rgb: np.ndarray):
    picture = load_picture(encoded(Image.fromarray(rgb), "AVIF", quality=100))
    assert np.abs(picture.rgb.astype(int) - rgb).mean() < 4


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_short_file_that_announces_a_large_picture_takes_no_memory(kind: str):
    data = png_claiming(13_000, 13_000)
    if kind == "JPEG":  # its decoder would fill what is missing with grey
        jpeg = bytearray(encoded(Image.new("L", (64, 64)), "JPEG"))
        at = jpeg.find(b"\xff\xc0") + 5
        jpeg[at : at + 4] = struct.pack(">HH", 13_000, 13_000)
        data = bytes(jpeg)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"damaged or empty: it announces 13000x13000 px in a file of"):
            load_picture(data)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_plain_picture_may_be_a_short_file():
    file = io.BytesIO()
    Image.new("RGB", (2800, 2800), "teal").save(file, "WEBP", lossless=True)
    assert len(file.getvalue()) < 10_000
    assert load_picture(file.getvalue()).size == (2800, 2800)
    large = io.BytesIO()
    Image.new("L", (6000, 4000), 90).save(large, "JPEG", optimize=True)  # as dense as JPEG usually gets
    assert load_picture(large.getvalue()).size == (6000, 4000)
