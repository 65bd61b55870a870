"""Masks held in little memory read as they were, and hundreds of them fit."""

from __future__ import annotations

import copy
import os
import pickle
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from regiondrag_widget.regions import kept
from regiondrag_widget.regions.codec import check_mask, decode_mask, encode_mask, unpack_mask
from regiondrag_widget.regions.kept import KeptMask
from regiondrag_widget.regions.pair import RegionPair
from regiondrag_widget.regions.region import Region

masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40))


@given(masks)
def test_a_mask_reads_as_it_was(mask: np.ndarray):
    held = KeptMask(mask)
    held._let_go()
    assert np.array_equal(held.full, mask)
    assert not held.full.flags.writeable
    assert held.any() == mask.any()


@given(masks, st.booleans())
def test_its_region_is_that_of_the_mask(mask: np.ndarray, packed: bool):
    if not mask.any():
        return
    held = KeptMask(mask)
    if packed:
        held._let_go()
    found, want = held.region(), Region.of(mask)
    assert (found.x0, found.y0) == (want.x0, want.y0)
    assert np.array_equal(found.mask, want.mask)


@given(masks, masks)
def test_it_adds_itself_to_a_union(mask: np.ndarray, other: np.ndarray):
    union = np.zeros(mask.shape, bool)
    union[: other.shape[0], : other.shape[1]] = other[: mask.shape[0], : mask.shape[1]]
    want = union | mask
    held = KeptMask(mask)
    held._let_go()
    held.add_to(union)
    assert np.array_equal(union, want)


@given(masks)
def test_encoded_bytes_become_a_mask_without_being_unpacked(mask: np.ndarray):
    held = unpack_mask(encode_mask(mask))
    assert held._full is None
    assert held.any() == mask.any()
    assert np.array_equal(held.full, mask)


def test_over_the_limit_the_oldest_are_packed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kept, "MAX_UNPACKED", 3 * 10_000)
    monkeypatch.setattr(kept, "_unpacked", kept._Unpacked())
    held = [KeptMask(np.eye(100, dtype=bool)) for _ in range(6)]
    assert [mask._full is not None for mask in held] == [False, False, False, True, True, True]
    assert all(np.array_equal(mask.full, np.eye(100, dtype=bool)) for mask in held)
    assert sum(mask._full is not None for mask in held) <= 3


def test_a_pair_survives_copying_and_pickling():
    handle = np.zeros((70, 90), bool)
    handle[10:30, 20:40] = True
    pair = RegionPair.move(handle, 7, 3, name="gull", carry=handle)
    for again in (copy.deepcopy(pair), pickle.loads(pickle.dumps(pair))):  # noqa: S301
        assert again == pair
        assert np.array_equal(again.target, pair.target)


def test_nothing_of_a_pair_can_be_assigned():
    handle = np.ones((70, 90), bool)
    pair = RegionPair(handle, handle)
    for name in ("handle", "target", "name", "matrix", "other"):
        with pytest.raises(AttributeError, match=f"{name} of a pair cannot be assigned"):
            setattr(pair, name, handle)


# ---- hostile bytes ----


def padded(mask: np.ndarray, blocks: int) -> bytes:
    """The mask's bytes with empty blocks in its zlib stream: they unpack to the same pixels."""
    height, width = mask.shape
    bits = np.packbits(mask, axis=1).tobytes()
    packer = zlib.compressobj()
    stream = packer.compress(bits) + packer.flush(zlib.Z_FULL_FLUSH)
    stream += b"\0\0\0\xff\xff" * blocks + packer.flush()
    return struct.pack("<4s6I", b"RDM1", width, height, 0, 0, width, height) + stream


def test_a_mask_padded_with_empty_blocks_is_refused_by_its_length():
    mask = np.ones((96, 128), bool)
    assert np.array_equal(decode_mask(padded(mask, 3)), mask)
    for read in (decode_mask, check_mask):
        with pytest.raises(ValueError, match=r"too long: .* for a box that needs at most"):
            read(padded(mask, 100_000))


@given(masks, st.integers(0, 60), st.integers(0, 255))
def test_a_check_says_what_decoding_says(mask: np.ndarray, at: int, byte: int):
    data = bytearray(encode_mask(mask))
    data[at % len(data)] = byte

    def words(read: object) -> str | None:
        try:
            read(bytes(data), max_pixels=5000)  # type: ignore[operator]
        except ValueError as error:
            return str(error)
        return None

    assert words(check_mask) == words(decode_mask)


# ---- how much ----

MEASURE = """
import os, resource, sys
import numpy as np
import regiondrag_widget as rd
from regiondrag_widget.regions.codec import encode_mask
from regiondrag_widget.widget.document import Document
from regiondrag_widget.widget.regions_state import PairEntry, Regions
from regiondrag_widget.widget.sent_regions import complete_pairs, require_masks

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)

shape, entries, masks = (3000, 4000), [], {}
for number in range(256):
    mask = np.zeros(shape, bool)
    y, x = divmod(number, 16)
    mask[y * 150 : y * 150 + 500, x * 200 : x * 200 + 600] = True
    entry = PairEntry(str(number), matrix=(1, 0, 30 + number % 7, 0, 1, 20, 0, 0, 1))
    entries.append(entry)
    masks[entry.handle_key] = encode_mask(mask)
regions = Regions(tuple(entries), masks)
before = peak()
require_masks(regions, shape)
pairs = complete_pairs(regions, shape)
assert len(pairs) == 256
assert all(pair.handle.sum() == 300_000 for pair in pairs)
union = pairs.handle | pairs.target
some = pairs[::16]
rd.save_regions(sys.argv[1], np.zeros((*shape, 3), np.uint8), some)
assert rd.load_regions(sys.argv[1])[1][9] == some[9]
print(int(before), int(peak()))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows does not say how much memory a process took")
def test_256_pairs_on_12_megapixels_take_under_500_mb(tmp_path):
    """Decoded, read one by one and united, and some saved and loaded, by a process of its own."""
    script = tmp_path / "measure.py"
    script.write_text(MEASURE)
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "edit.zip")], capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    before, after = map(int, done.stdout.split())
    print(f"{after - before} MB above {before} MB")
    assert after - before < 500


def test_bits_beyond_the_box_do_not_count():
    header = struct.pack("<4s6I", b"RDM1", 20, 10, 2, 3, 5, 4)
    data = header + zlib.compress(bytes([0b00000111] * 4))
    held = unpack_mask(data)
    assert not held.any()
    assert not held.full.any()
