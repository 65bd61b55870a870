"""Writes bends.json, the maps that both languages must make alike: python tests/golden/make_bends.py."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np

from regiondrag_widget.regions import RegionPair, pixel_map
from regiondrag_widget.regions.codec import encode_mask
from regiondrag_widget.regions.lattice import lattice_of

SHAPE = (150, 200)
EVERY = 5  # a row of a hundred numbers says as much as a thousand
REMARK = (
    "Each pair: its handle and target as encoded masks in base64, its matrix, its pins as rows x, y, to x, "
    "to y (empty for none), the corners for a perspective, the lattice that the page is told (its sources in "
    "base64, float32), and rows x, y, source x, source y of some target pixels."
)


def main() -> None:
    Path(__file__).with_name("bends.json").write_text(text())


def text() -> str:
    """The file's content."""
    entries = ",\n".join("  " + json.dumps(described(name, *pair)) for name, pair in samples().items())
    return f'{{\n "remark": {json.dumps(REMARK)},\n "pairs": [\n{entries}\n ]\n}}\n'


def samples() -> dict[str, tuple[RegionPair, dict[str, Any]]]:
    """The pairs, and what the page makes them of."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    bar = (np.abs(y - 90) < 8) & (x > 30) & (x < 150)
    disc = (x - 90) ** 2 + (y - 70) ** 2 <= 34**2
    ring = disc & ((x - 90) ** 2 + (y - 70) ** 2 > 18**2)
    around = [(60, 70), (90, 42), (90, 98), (120, 70)]
    row = [(38, 90), (90, 90), (142, 90)]
    turned = RegionPair.move(bar, 20, -30, 0.9, 25).matrix
    assert turned is not None
    corners = [(60, 30), (130, 44), (122, 110), (52, 96)]
    perspective = RegionPair.perspective(disc, corners)
    return {
        "one pin": bent(disc, [(90, 70)], [(104.5, 61)]),
        "two pins": bent(bar, row[::2], [(38, 90), (120, 40)]),
        "an arch": bent(bar, row, [(46, 110), (90, 64), (134, 110)]),
        "a pull": bent(disc, around, [*around[:3], (150, 60)]),
        "five on a ring": bent(
            ring,
            [(64, 70), (116, 70), (90, 44), (90, 96), (108, 88)],
            [(58, 70), (122, 66), (90, 46), (88, 102), (112, 94)],
        ),
        "on top of a matrix": bent(bar, row, [(66, 84), (111, 72), (150, 24)], turned),
        "out of the picture": bent(disc, [(60, 70), (120, 70)], [(0, 20), (58, 14)]),
        "perspective": (perspective, {"corners": corners}),
        "a painted bend": painted(RegionPair(bar, crescent(60, 106, 76))),
        "a painted shift and stretch": painted(RegionPair(disc, (x - 120) ** 2 / 2 + (y - 80) ** 2 < 900)),
        "a dense map": painted(RegionPair.warp(bar, np.stack([x - 8 - y / 9, y - 6 * np.sin(x / 25)], -1))),
    }


def crescent(middle: int, base: int, reach: int) -> Any:
    """A bar bent along a parabola."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    along = middle + (x - 95) ** 2 * (base - middle) / reach**2
    return (np.abs(y - along) < 9) & (np.abs(x - 95) < reach - 6)


def painted(pair: RegionPair) -> tuple[RegionPair, dict[str, Any]]:
    """A pair whose map the page is told, and what it is told."""
    found = lattice_of(pair)
    rows, columns, _ = found.source.shape
    source = base64.b64encode(found.source.astype("<f4").tobytes()).decode()
    lattice = {"edges": found.edges, "columns": columns - 1, "rows": rows - 1, "source": source}
    return pair, {"matrix": None, "pins": [], "lattice": lattice}


def bent(handle: Any, pins: Any, goals: Any, matrix: Any = None) -> tuple[RegionPair, dict[str, Any]]:
    """A bent pair and its pins."""
    rows = np.hstack([pins, goals]).tolist()
    matrix = np.eye(3) if matrix is None else matrix
    given = {"pins": rows, "matrix": np.asarray(matrix).ravel().tolist()}
    return RegionPair.bend(handle, pins, goals, matrix=matrix), given


def described(name: str, pair: RegionPair, given: dict[str, Any]) -> dict[str, Any]:
    """A pair's entry."""
    if pair.matrix is not None:
        given = {**given, "matrix": pair.matrix.ravel().round(12).tolist(), "pins": []}
    found = pixel_map(pair).source_xy
    y, x = np.nonzero(pair.target)
    kept = (x % EVERY == 0) & (y % EVERY == 0)
    rows = np.column_stack([x[kept], y[kept], found[y[kept], x[kept]].round(2)])
    masks = {part: b64(getattr(pair, part)) for part in ("handle", "target")}
    return {"name": name, **masks, **given, "map": [[round(float(v), 2) for v in row] for row in rows]}


def b64(mask: Any) -> str:
    """A mask's bytes in base64."""
    return base64.b64encode(encode_mask(mask)).decode()


if __name__ == "__main__":
    main()
