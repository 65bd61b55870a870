"""One table of limits: pictures, masks and saved regions agree on what is too large."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from regiondrag_widget.regions.codec import decode_mask
from regiondrag_widget.regions.limits import MAX_PIXELS, check_pixels, max_png_bytes
from regiondrag_widget.regions.mask import as_mask

SIDE = 13_377  # the largest square, less one


def test_the_largest_square_passes():
    check_pixels("it", SIDE, SIDE)
    assert (SIDE + 1) ** 2 > MAX_PIXELS


def test_a_larger_one_is_refused_with_its_size():
    with pytest.raises(
        ValueError, match=r"^the mask is too large: 13378x13378 px, and at most 178 megapixels"
    ):
        check_pixels("the mask", SIDE + 1, SIDE + 1)


def test_pillow_decodes_what_passes():
    assert Image.MAX_IMAGE_PIXELS is not None
    assert MAX_PIXELS <= 2 * Image.MAX_IMAGE_PIXELS  # where Pillow raises instead of warning


def test_a_mask_is_refused_before_it_is_copied():
    huge = np.broadcast_to(np.zeros((), dtype=bool), (SIDE + 1, SIDE + 1))  # takes one byte
    with pytest.raises(ValueError, match="handle is too large"):
        as_mask(huge, "handle")


def test_an_encoded_mask_is_refused_by_its_header():
    header = b"RDM1" + np.array([SIDE + 1, SIDE + 1, 0, 0, 0, 0], dtype="<u4").tobytes()
    with pytest.raises(ValueError, match=f"allowed are 1 to {MAX_PIXELS}"):
        decode_mask(header)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA", "I;16"])
def test_no_png_is_larger_than_its_limit(mode: str):
    rng = np.random.default_rng(0)
    channels = {"RGB": 3, "RGBA": 4}.get(mode)
    dtype = np.uint16 if mode == "I;16" else np.uint8
    shape = (64, 96) if channels is None else (64, 96, channels)
    noise = Image.fromarray(rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype))
    buffer = io.BytesIO()
    (noise.convert("1") if mode == "1" else noise).save(buffer, format="PNG", compress_level=0)
    assert len(buffer.getvalue()) <= max_png_bytes(96, 64)
