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

import numpy as np

from regiondrag_widget.regions.limits import MAX_PIXELS
from regiondrag_widget.regions.mask import Mask, as_mask
from regiondrag_widget.regions.region import Region

MAGIC = b"RDM1"
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


def decode_mask(data: bytes | bytearray | memoryview, *, max_pixels: int = MAX_PIXELS) -> Mask:
    """Return the (H, W) bool mask, read-only.

    The sizes are checked before anything is allocated, and no more than they announce is decompressed.

    Raises
    ------
    ValueError
        The data is not in this format, is cut short or too long, has sizes that contradict each other, or
        announces more than ``max_pixels``.
    """
    data = bytes(data)
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
    mask = np.zeros((height, width), dtype=np.bool_)
    stride = (bw + 7) // 8
    packed = _decompress(data[_HEADER.size :], stride * bh)
    if bw:
        bits = np.unpackbits(packed.reshape(bh, stride), axis=1, count=bw, bitorder="big")
        mask[y0 : y0 + bh, x0 : x0 + bw] = bits.view(np.bool_)
    mask.flags.writeable = False
    return mask


def _decompress(payload: bytes, size: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Return exactly ``size`` bytes of a zlib stream; raise ``ValueError`` if it holds more or fewer."""
    if size == 0 and not payload:
        return np.zeros(0, dtype=np.uint8)
    stream = zlib.decompressobj()
    try:
        packed = stream.decompress(payload, size + 1)
    except zlib.error as error:
        raise ValueError("mask data is damaged: its payload is not a zlib stream") from error
    if len(packed) < size or (len(packed) == size and not stream.eof):
        raise ValueError(f"mask data is cut short: {len(packed)} of {size} bytes came out")
    if len(packed) > size or stream.unused_data:
        raise ValueError(f"mask data is too long: its box holds {size} bytes")
    return np.frombuffer(packed, dtype=np.uint8)
