"""What the handles benchmark found, as Markdown, JSON and contact sheets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from regiondrag_widget.bench.handles.cases import Case
from regiondrag_widget.bench.handles.measure import (
    MOST_CARRIED,
    MOST_LEFT,
    MOST_LOST,
    MOST_SEAM,
    Measures,
)

Pixels = NDArray[np.uint8]

TILE, BANNER, ROWS = 220, 16, 8
LEGEND = """*Lost*: of the object's pixels, 4 px in from its edge, those that arrive off by more than 12 grey
levels. *Carried*: of the moved handle's pixels, those 6 px away from the object and outside the old handle
where the picture's own pixel changed by more than 12. *Seam*: how much of the moved handle's outline shows a
step more than 4 grey levels above the picture's own. *Left*: of the object's old pixels, those that still
show it."""
LIMITS = {"lost": MOST_LOST, "carried": MOST_CARRIED, "seam": MOST_SEAM, "left": MOST_LEFT}


@dataclass(frozen=True)
class Row:
    """One edit's figures: the case's name and groups, the method, its measures and its seconds."""

    case: str
    kind: str
    part: bool
    movement: str
    method: str
    measures: Measures
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        about = {name: getattr(self, name) for name in ("case", "kind", "part", "movement", "method")}
        return about | self.measures.as_dict() | {"clean": self.measures.clean, "seconds": self.seconds}


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """How many of these rows are clean, their means, and how many fail by each measure."""
    found: dict[str, Any] = {"cases": len(rows), "clean": sum(row.measures.clean for row in rows)}
    for name, limit in LIMITS.items():
        values = [getattr(row.measures, name) for row in rows]
        found[name] = float(np.mean(values))
        found[f"{name}_max"] = float(max(values))
        found[f"{name}_failed"] = sum(value >= limit for value in values)
    return found | {"seconds": float(np.median([row.seconds for row in rows]))}


def markdown(rows: Sequence[Row], split: str, pictures: Sequence[str] = ()) -> str:
    """The tables, and the cases that are not clean."""
    methods = list(dict.fromkeys(row.method for row in rows))
    lines = [
        "# Handles as people draw them",
        "",
        f"{len({row.case for row in rows})} cases of the {split} part, the composite alone. {LEGEND}"
        " Clean is less than "
        + ", ".join(f"{100 * limit:g} % {name}" for name, limit in LIMITS.items())
        + ".",
        "",
        "| method | clean | lost | most | carried | seam | left | failed by lost, carried, seam, left | s |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for method in methods:
        s = summary([row for row in rows if row.method == method])
        failed = ", ".join(str(s[f"{name}_failed"]) for name in LIMITS)
        lines.append(
            f"| {method} | {s['clean']} of {s['cases']} | {100 * s['lost']:.2f} % | "
            f"{100 * s['lost_max']:.1f} % | {100 * s['carried']:.2f} % | {100 * s['seam']:.1f} % | "
            f"{100 * s['left']:.2f} % | {failed} | {s['seconds']:.2f} |"
        )
    lines += ["", "## Clean, by handle", "", "| handle | " + " | ".join(methods) + " |"]
    lines.append("|---|" + "---:|" * len(methods))
    groups = dict.fromkeys((row.part, row.kind, row.movement) for row in rows)
    for part, kind, movement in groups:
        cells = []
        for method in methods:
            of = [r for r in rows if (r.part, r.kind, r.movement, r.method) == (part, kind, movement, method)]
            cells.append(f"{sum(r.measures.clean for r in of)} of {len(of)}")
        name = f"{'part' if part else 'object'}, {kind}" + ("" if movement == "move" else f", {movement}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    last = [row for row in rows if row.method == methods[-1] and not row.measures.clean]
    lines += ["", f"## What is not clean, {methods[-1]}", "", "| case | lost | carried | seam | left |"]
    lines.append("|---|---:|---:|---:|---:|")
    for row in last:
        m = row.measures
        lines.append(
            f"| {row.case} | {100 * m.lost:.1f} % | {100 * m.carried:.1f} % | {100 * m.seam:.0f} % | "
            f"{100 * m.left:.1f} % |"
        )
    for picture in pictures:
        lines += ["", f"![Contact sheet]({picture})"]
    return "\n".join(lines) + "\n"


class ContactSheets:
    """Collects a strip for each case and writes them, eight to a sheet."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._strips, self.names = folder, list[Pixels](), list[str]()

    def add(self, case: Case, results: Sequence[tuple[str, Pixels, Measures]]) -> None:
        """Add a case: the picture with handle, target and object outlined, then each method's."""
        around = _around(case)
        tiles = [_tile(_outlined(case)[around], case.name)]
        for method, after, m in results:
            figures = " ".join(
                f"{name[0].upper()}{100 * getattr(m, name):.1f}" for name in ("lost", "carried", "seam")
            )
            text = f"{method[:12]} {figures} B{100 * m.left:.1f}{'' if m.clean else ' !'}"
            tiles.append(_tile(after[around], text))
        self._strips.append(np.hstack(tiles))
        if len(self._strips) == ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what has been collected."""
        if self._strips:
            name = f"handles-{len(self.names) + 1}.jpg"
            Image.fromarray(np.vstack(self._strips)).save(self._folder / name, quality=88)
            self.names.append(name)
            self._strips = []


def _outlined(case: Case) -> Pixels:
    picture = case.rgb.copy()
    outlines = (
        (case.pair.handle, (255, 140, 0)),
        (case.pair.target, (0, 120, 255)),
        (case.mask, (255, 255, 255)),
    )
    for mask, colour in outlines:
        found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, found, -1, colour, 1)
    return picture


def _around(case: Case, pad: int = 20) -> tuple[slice, slice]:
    ys, xs = np.nonzero(case.pair.handle | case.pair.target)
    rows = slice(max(0, int(ys.min()) - pad), int(ys.max()) + pad)
    return rows, slice(max(0, int(xs.min()) - pad), int(xs.max()) + pad)


def _tile(picture: Pixels, caption: str) -> Pixels:
    scale = TILE / max(picture.shape[:2])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    tile = np.full((TILE + BANNER, TILE, 3), 255, np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small[:TILE, :TILE]
    image = Image.fromarray(tile)
    ImageDraw.Draw(image).text((2, TILE + 2), caption, fill="black")
    return np.asarray(image)
