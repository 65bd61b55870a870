"""Writes enlarged.json, masks that both languages enlarge alike: python tests/golden/make_enlarged.py."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np

from regiondrag_widget.regions.codec import encode_mask
from regiondrag_widget.select.enlarging import enlarged

REMARK = (
    "Each mask: its encoded bytes in base64, and those of the same mask in a larger picture. The browser may "
    "be off by one pixel where linear interpolation gives about one half."
)


def main() -> None:
    entries = [
        {"name": name, "small": b64(small), "large": b64(enlarged(small, shape))}
        for name, (small, shape) in samples().items()
    ]
    body = ",\n".join("  " + json.dumps(entry) for entry in entries)
    path = Path(__file__).with_name("enlarged.json")
    path.write_text(f'{{\n "remark": {json.dumps(REMARK)},\n "masks": [\n{body}\n ]\n}}\n')


def samples() -> dict[str, tuple[np.ndarray, tuple[int, int]]]:
    y, x = np.mgrid[0:36, 0:48]
    disc = (x - 30) ** 2 + (y - 17) ** 2 <= 11**2
    pixel = np.zeros((36, 48), bool)
    pixel[20, 7] = True
    return {
        "disc": (disc, (360, 480)),
        "disc, no whole number of times": (disc, (271, 361)),
        "ring cut by the edges": (np.abs(np.hypot(x - 44, y - 3) - 18) < 4, (250, 333)),
        "one pixel": (pixel, (300, 400)),
        "noise": (np.random.default_rng(3).random((36, 48)) < 0.5, (307, 409)),
        "disc, a little larger": (disc, (37, 49)),
        "everything": (np.ones((36, 48), bool), (300, 400)),
        "nothing": (np.zeros((36, 48), bool), (300, 400)),
        "one row": (np.arange(48)[None] % 9 < 4, (3, 500)),
        "one pixel in all": (np.ones((1, 1), bool), (5, 7)),
    }


def b64(mask: np.ndarray) -> str:
    return base64.b64encode(encode_mask(mask)).decode()


if __name__ == "__main__":
    main()
