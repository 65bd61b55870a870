"""Masks as bytes, as browser and kernel exchange them.

Layout, all integers little-endian unsigned 32-bit::

    "RDM1"  width  height  x0  y0  bw  bh  payload

``x0 y0 bw bh`` is the bounding box of the set pixels, all 0 for an empty mask. The payload is a zlib stream
of the box's pixels, one bit each, most significant bit first, every row padded to a whole byte. The browser
has a twin of this file in TypeScript; ``tests/golden/masks.json`` holds both to the same bytes.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from regiondrag_widget.regions.kept import KeptMask
from regiondrag_widget.regions.limits import MAX_PIXELS
from regiondrag_widget.regions.mask import Mask, as_mask
from regiondrag_widget.regions.region import Region

MAGIC = b"RDM1"
_CHUNK = 2**16  # bytes that a check unpacks at a time
_HEADER = struct.Struct("<4s6I")


def encode_mask(mask: Mask) -> bytes:
    """Return the bytes of an (H, W) mask; raises as `as_mask` does."""
    mask = as_mask(mask)
    height, width = mask.shape
    if not mask.any():
        return _HEADER.pack(MAGIC, width, height, 0, 0, 0, 0) + zlib.compress(b"")
    region = Region.of(mask)
    header = _HEADER.pack(MAGIC, width, height, region.x0, region.y0, region.width, region.height)
    return header + zlib.compress(np.packbits(region.mask, axis=1, bitorder="big").tobytes(), 6)


@dataclass(frozen=True)
class MaskHeader:
    """What encoded bytes say of a mask: ``shape`` is (H, W), ``place`` its box: x0, y0, width, height."""

    shape: tuple[int, int]
    place: tuple[int, int, int, int]

    @property
    def packed_shape(self) -> tuple[int, int]:
        """Rows and bytes a row of the box's packed bits."""
        return self.place[3], (self.place[2] + 7) // 8


def mask_header(data: bytes | bytearray | memoryview, *, max_pixels: int = MAX_PIXELS) -> MaskHeader:
    """Read the header of an encoded mask; nothing is allocated.

    Raises
    ------
    ValueError
        The data does not begin with a header, its sizes contradict each other, it announces more than
        ``max_pixels``, or more bytes follow than a box of that size can need.
    """
    if len(data) < _HEADER.size:
        raise ValueError(
            f"mask data is cut short: {len(data)} bytes are less than its header of {_HEADER.size}"
        )
    magic, width, height, x0, y0, bw, bh = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise ValueError("mask data does not begin with RDM1: it was not made by encode_mask")
    if width == 0 or height == 0 or width * height > max_pixels:
        raise ValueError(f"mask data announces {width}x{height} pixels: allowed are 1 to {max_pixels} in all")
    if (bw == 0) != (bh == 0) or x0 + bw > width or y0 + bh > height:
        raise ValueError(f"mask data has a box {bw}x{bh} at ({x0}, {y0}) outside its {width}x{height} pixels")
    header = MaskHeader((height, width), (x0, y0, bw, bh))
    rows, stride = header.packed_shape
    longest = rows * stride + rows * stride // 64 + 128  # what does not shrink is stored, in blocks
    if len(data) - _HEADER.size > longest:
        raise ValueError(
            f"mask data is too long: {len(data) - _HEADER.size} bytes for a box that needs at most {longest}"
        )
    return header


def check_mask(data: bytes | bytearray | memoryview, *, max_pixels: int = MAX_PIXELS) -> None:
    """Raise what `decode_mask` would; next to no memory is taken, and the pixels are not looked at."""
    header = mask_header(data, max_pixels=max_pixels)
    rows, stride = header.packed_shape
    size, seen = rows * stride, 0
    stream = zlib.decompressobj()
    rest = bytes(data[_HEADER.size :])
    if size == 0 and not rest:
        return
    try:
        while rest and seen <= size:
            seen += len(stream.decompress(rest, min(_CHUNK, size + 1 - seen)))
            rest = stream.unconsumed_tail
    except zlib.error as error:
        raise ValueError("mask data is damaged: its payload is not a zlib stream") from error
    _require_whole(seen, size, stream)


def unpack_mask(data: bytes | bytearray | memoryview, *, max_pixels: int = MAX_PIXELS) -> KeptMask:
    """Return the mask in little memory; raises as `decode_mask`."""
    header = mask_header(data, max_pixels=max_pixels)
    rows, stride = header.packed_shape
    bits = _decompress(bytes(data[_HEADER.size :]), rows * stride).reshape(rows, stride)
    return KeptMask.packed(header.shape, header.place, bits)


def decode_mask(data: bytes | bytearray | memoryview, *, max_pixels: int = MAX_PIXELS) -> Mask:
    """Return the (H, W) bool mask, read-only.

    The sizes are checked before anything is allocated, and no more than they announce is decompressed.

    Raises
    ------
    ValueError
        The data is not in this format, is cut short or too long, has sizes that contradict each other, or
        announces more than ``max_pixels``.
    """
    return unpack_mask(data, max_pixels=max_pixels).full


def _decompress(payload: bytes, size: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Return exactly ``size`` bytes of a zlib stream; raise ``ValueError`` if it holds more or fewer."""
    if size == 0 and not payload:
        return np.zeros(0, dtype=np.uint8)
    stream = zlib.decompressobj()
    try:
        packed = stream.decompress(payload, size + 1)
    except zlib.error as error:
        raise ValueError("mask data is damaged: its payload is not a zlib stream") from error
    _require_whole(len(packed), size, stream)
    return np.frombuffer(packed, dtype=np.uint8)


def _require_whole(seen: int, size: int, stream: Any) -> None:
    if seen < size or (seen == size and not stream.eof):
        raise ValueError(f"mask data is cut short: {seen} of {size} bytes came out")
    if seen > size or stream.unused_data:
        raise ValueError(f"mask data is too long: its box holds {size} bytes")
