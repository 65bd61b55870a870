"""Masks as bytes: the golden masks both languages share, round trips, and damaged data."""

from __future__ import annotations

import base64
import json
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regiondrag_widget.regions import decode_mask, encode_mask

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[2] / "golden" / "masks.json").read_text())


def named(entries: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("entry", entries, ids=[entry["name"] for entry in entries])


def from_runs(entry: dict[str, Any]) -> np.ndarray:
    values = np.arange(len(entry["runs"])) % 2 == 1
    return np.repeat(values, entry["runs"]).reshape(entry["height"], entry["width"])


@named(GOLDEN["masks"])
def test_a_golden_mask_is_read(entry: dict[str, Any]):
    mask = decode_mask(base64.b64decode(entry["base64"]))
    assert mask.dtype == bool
    assert np.array_equal(mask, from_runs(entry))


@named(GOLDEN["masks"])
def test_a_golden_mask_survives_the_round_trip(entry: dict[str, Any]):
    mask = from_runs(entry)
    assert np.array_equal(decode_mask(encode_mask(mask)), mask)


@named(GOLDEN["masks"])
def test_the_header_of_a_golden_mask_is_ours_byte_for_byte(entry: dict[str, Any]):
    assert encode_mask(from_runs(entry))[:28] == base64.b64decode(entry["base64"])[:28]


@named(GOLDEN["malformed"])
def test_malformed_data_is_refused(entry: dict[str, Any]):
    with pytest.raises(ValueError, match="mask data"):
        decode_mask(base64.b64decode(entry["base64"]))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_any_mask_survives_the_round_trip(height: int, width: int, density: float, seed: int):
    mask = np.random.default_rng(seed).random((height, width)) < density**3
    assert np.array_equal(decode_mask(encode_mask(mask)), mask)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.binary(max_size=60), st.integers(0, 60), st.booleans())
def test_damaged_data_is_read_or_refused_but_never_breaks(noise: bytes, at: int, after_header: bool):
    good = encode_mask(np.eye(12, 20, dtype=bool))
    at = max(at, 28) if after_header else at
    data = good[:at] + noise + good[at + len(noise) :]
    try:
        mask = decode_mask(data, max_pixels=10_000)
    except ValueError:  # anything else would break the connection that carries the bytes
        return
    assert mask.size <= 10_000


def test_bytearray_and_memoryview_are_read():
    data = encode_mask(np.eye(5, dtype=bool))
    assert np.array_equal(decode_mask(bytearray(data)), decode_mask(memoryview(data)))


def test_a_looser_box_is_read():
    box = np.zeros((3, 9), dtype=bool)
    box[1, 8] = True
    payload = zlib.compress(np.packbits(box, axis=1).tobytes())
    mask = decode_mask(struct.pack("<4s6I", b"RDM1", 20, 10, 2, 4, 9, 3) + payload)
    assert np.argwhere(mask).tolist() == [[5, 10]]


def test_an_empty_mask_may_come_without_a_payload():
    assert not decode_mask(struct.pack("<4s6I", b"RDM1", 20, 10, 0, 0, 0, 0)).any()


def test_more_pixels_than_allowed_are_refused():
    data = encode_mask(np.ones((10, 10), dtype=bool))
    assert decode_mask(data, max_pixels=100).all()
    with pytest.raises(ValueError, match="announces 10x10 pixels: allowed are 1 to 99"):
        decode_mask(data, max_pixels=99)


def test_a_bomb_is_refused_before_it_is_unpacked():
    header = struct.pack("<4s6I", b"RDM1", 64, 64, 0, 0, 64, 64)
    data = header + zlib.compress(bytes(50_000_000))
    tracemalloc.start()
    with pytest.raises(ValueError, match="too long"):
        decode_mask(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_sparse_mask_of_a_large_picture_is_small():
    mask = np.zeros((3000, 4000), dtype=bool)
    mask[1000:1400, 2000:2500] = True
    assert len(encode_mask(mask)) < 500


def test_what_is_no_mask_is_not_encoded():
    with pytest.raises(ValueError, match="two dimensions"):
        encode_mask(np.zeros((2, 3, 4), dtype=bool))
