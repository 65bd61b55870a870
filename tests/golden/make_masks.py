"""Writes masks.json, the masks that both languages must read alike: python tests/golden/make_masks.py."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from pathlib import Path

import numpy as np

from regiondrag_widget.regions.codec import encode_mask

REMARK = (
    "Each mask: size, its pixels row by row as run lengths beginning with zeros, and its encoded bytes in "
    "base64. Two zlib implementations need not give equal bytes, so the contract is decode(base64) == runs "
    "in both languages, and decode(encode(mask)) == mask. Each malformed entry must be refused."
)


def main() -> None:
    masks = [
        {
            "name": name,
            "width": m.shape[1],
            "height": m.shape[0],
            "runs": runs(m),
            "base64": b64(encode_mask(m)),
        }
        for name, m in samples().items()
    ]
    malformed = [{"name": name, "base64": b64(data)} for name, data in broken().items()]
    path = Path(__file__).with_name("masks.json")
    lists = {"masks": masks, "malformed": malformed}
    body = ",\n".join(
        f' "{key}": [\n' + ",\n".join("  " + json.dumps(entry) for entry in entries) + "\n ]"
        for key, entries in lists.items()
    )
    path.write_text(f'{{\n "remark": {json.dumps(REMARK)},\n{body}\n}}\n')


def samples() -> dict[str, np.ndarray]:
    y, x = np.mgrid[0:48, 0:64]
    corner = np.zeros((5, 9), bool)
    corner[-1, -1] = True
    column, row = np.zeros((2, 20, 33), bool)
    column[:, 17] = True
    row[19] = True
    two = np.zeros((16, 40), bool)
    two[2:6, 3:9] = two[9:15, 30:39] = True
    return {
        "empty": np.zeros((7, 10), bool),
        "one by one, set": np.ones((1, 1), bool),
        "one by one, clear": np.zeros((1, 1), bool),
        "full, width a multiple of 8": np.ones((4, 16), bool),
        "full, width no multiple of 8": np.ones((6, 13), bool),
        "one pixel in the last corner": corner,
        "one column": column,
        "last row": row,
        "checkerboard": (x + y)[:11, :21] % 2 == 0,
        "disc": (x - 30) ** 2 + (y - 22) ** 2 <= 15**2,
        "ring cut by the border": np.abs(np.hypot(x - 60, y - 5) - 18) < 4,
        "two blobs": two,
        "noise": np.random.default_rng(7).random((37, 51)) < 0.3,
        "large and sparse": np.isin(
            np.arange(2000 * 1500).reshape(1500, 2000), (2000 * 700 + 3, 2000 * 702 + 1990)
        ),
    }


def broken() -> dict[str, bytes]:
    def data(
        width: int, height: int, box: tuple[int, int, int, int], payload: bytes, magic: bytes = b"RDM1"
    ) -> bytes:
        return struct.pack("<4s6I", magic, width, height, *box) + zlib.compress(payload)

    good = data(10, 4, (1, 1, 8, 2), b"\xff\x81")
    return {
        "nothing": b"",
        "header cut short": good[:20],
        "payload missing": good[:28],
        "payload cut short": good[:-3],
        "bytes left over": good + b"\0",
        "another magic": data(10, 4, (1, 1, 8, 2), b"\xff\x81", magic=b"RDM2"),
        "payload no zlib": good[:28] + b"not compressed at all",
        "checksum wrong": good[:-1] + bytes([good[-1] ^ 1]),
        "no width": data(0, 4, (0, 0, 0, 0), b""),
        "no height": data(10, 0, (0, 0, 0, 0), b""),
        "box past the right edge": data(10, 4, (3, 1, 8, 2), b"\xff\x81"),
        "box past the lower edge": data(10, 4, (1, 3, 8, 2), b"\xff\x81"),
        "box offset near 2**32": data(10, 4, (2**32 - 4, 1, 8, 2), b"\xff\x81"),
        "box with width but no height": data(10, 4, (1, 1, 8, 0), b""),
        "too few rows": data(10, 4, (1, 1, 8, 2), b"\xff"),
        "too many rows": data(10, 4, (1, 1, 8, 2), b"\xff\x81\xff"),
        "huge size": data(2**32 - 1, 2**32 - 1, (0, 0, 0, 0), b""),
        "decompression bomb": data(8, 8, (0, 0, 8, 8), bytes(1_000_000)),
    }


def runs(mask: np.ndarray) -> list[int]:
    flat = mask.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return [0, *lengths] if flat[0] else lengths


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


if __name__ == "__main__":
    main()
