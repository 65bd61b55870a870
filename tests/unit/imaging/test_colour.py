"""Profiles and gamma: what a file's numbers look like, and that they look the same everywhere."""

from __future__ import annotations

import base64
import io
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from regiondrag_widget.engine.result import EditResult
from regiondrag_widget.imaging.colour import shown
from regiondrag_widget.imaging.picture import load_picture
from regiondrag_widget.widget.encode import ShownPicture, encode_png, encode_preview, encode_thumb

P3_RED = (234, 51, 35)  # what Display-P3 calls the red of sRGB
P3 = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
ADOBE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))


def s15(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def profile(columns: tuple[tuple[float, ...], ...] = (), gamma: float = 2.2, space: bytes = b"RGB ") -> bytes:
    """A small ICC profile with these primaries (XYZ under D50) and one power for every channel."""
    power = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    tags = {b"wtpt": b"XYZ " + bytes(4) + s15(0.9642) + s15(1) + s15(0.8249)}
    if columns:
        for name, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True):
            tags[name] = b"XYZ " + bytes(4) + b"".join(map(s15, xyz))
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), power)
    else:
        tags[b"kTRC"] = power
    words = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags[b"desc"], tags[b"cprt"] = words, b"text" + bytes(4) + b"none\0\0\0\0"
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data
    size = start + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H4s4sIIIII", 2026, 1, 1, 0, 0, 0, b"acsp", b"APPL", 0, 0, 0, 0, 0)
    head += bytes(4) + s15(0.9642) + s15(1) + s15(0.8249)
    return head.ljust(128, b"\0") + table + body


def flat(colour: tuple[int, ...], mode: str = "RGB", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (80, 70), colour if len(colour) > 1 else colour[0]).save(buffer, "PNG", **options)
    return buffer.getvalue()


def colour_in(data: bytes) -> np.ndarray:
    """The colour in the middle as a screen of sRGB shows the file: through its profile, if it has one."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    if image.info.get("icc_profile"):
        source = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        image = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"))
    return np.asarray(image)[35, 40].astype(int)


@pytest.mark.parametrize(
    ("icc", "numbers", "seen"),
    [
        (profile(P3, 2.2), P3_RED, (255, 0, 0)),
        (profile(ADOBE, 2.19921875), (219, 0, 0), (255, 0, 0)),
    ],
    ids=["Display-P3", "Adobe RGB"],
)
def test_a_profile_is_kept_and_shown_everywhere(icc: bytes, numbers: tuple, seen: tuple):
    picture = load_picture(flat(numbers, icc_profile=icc))
    assert tuple(picture.rgb[0, 0]) == numbers, "the file's own numbers stay"
    assert picture.icc_profile == icc
    image = picture.to_pil()
    rgb = np.asarray(image)
    views = {
        "widget": ShownPicture.of(image).data,
        "result": encode_png(image),
        "preview": encode_preview(rgb, icc)[0],
        "thumb": encode_thumb(image),
        "repr": base64.b64decode(re.findall(r"base64,([^\"]+)", EditResult(image, image)._repr_html_())[0]),
    }
    for name, data in views.items():
        assert np.abs(colour_in(data) - seen).max() <= 6, f"{name}: {colour_in(data)}"


def test_alpha_goes_through_a_profile_untouched():
    image = load_picture(flat((*P3_RED, 77), "RGBA", icc_profile=profile(P3))).to_pil()
    assert np.abs(np.asarray(shown(image))[0, 0].astype(int) - (255, 0, 0, 77)).max() <= 6
    assert np.asarray(shown(image))[0, 0, 3] == 77


def test_a_picture_in_srgb_or_with_a_broken_profile_is_shown_as_it_is():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for icc in (srgb, srgb[:140], b"nonsense" * 40):
        image = Image.new("RGB", (70, 70), (1, 2, 3))
        image.info["icc_profile"] = icc
        assert shown(image) is image


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_profile_of_greys_is_applied(mode: str):
    linear = profile(gamma=1.0, space=b"GRAY")
    picture = load_picture(flat((128,) if mode == "L" else (128, 255), mode, icc_profile=linear))
    assert np.abs(picture.rgb[0, 0].astype(int) - 188).max() <= 2
    assert picture.icc_profile is None


def gamma_png(gamma: float, value: int, bits: int = 8, extra: bytes = b"") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + value.to_bytes(bits // 8, "big") * 64
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, bits, 0, 0, 0, 0))
        + chunk(b"gAMA", struct.pack(">I", round(gamma * 100000)))
        + extra
        + chunk(b"IDAT", zlib.compress(row * 64))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("gamma", "value", "bits", "seen"),
    [
        (1.0, 128, 8, 188),
        (1.0, 32896, 16, 188),
        (1.0, 100, 16, 5),
        (0.45455, 128, 8, 128),
        (0.0, 128, 8, 128),
    ],
)
def test_a_pngs_gamma_is_applied(gamma: float, value: int, bits: int, seen: int):
    assert np.abs(load_picture(gamma_png(gamma, value, bits)).rgb.astype(int) - seen).max() <= 1


def test_gamma_does_not_count_where_the_file_says_srgb():
    data = struct.pack(">I", 1) + b"sRGB" + b"\0" + struct.pack(">I", zlib.crc32(b"sRGB\0"))
    assert load_picture(gamma_png(1.0, 128, extra=data)).rgb.max() == 128


def test_a_transparent_value_of_sixteen_bits_is_alpha():
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + (b"\x80\x01" * 32 + b"\x80\x02" * 32)
    grey = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 16, 0, 0, 0, 0))
        + chunk(b"tRNS", b"\x80\x01") + chunk(b"IDAT", zlib.compress(row * 64)) + chunk(b"IEND", b"")
    )  # fmt: skip
    alpha = load_picture(grey).alpha
    assert alpha is not None
    assert alpha[0].tolist() == [0] * 32 + [255] * 32
    row = b"\0" + (b"\x10\x10\x20\x20\x30\x30" * 32 + b"\xff\xff" * 3 * 32)
    colour = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 16, 2, 0, 0, 0))
        + chunk(b"tRNS", b"\xff\xff" * 3) + chunk(b"IDAT", zlib.compress(row * 64)) + chunk(b"IEND", b"")
    )  # fmt: skip
    alpha = load_picture(colour).alpha
    assert alpha is not None
    assert alpha[0].tolist() == [255] * 32 + [0] * 32
