"""Contact sheets with one scene in a row: before, truth and every method."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PILImage
from PIL import ImageDraw, ImageFont

from regiondrag_widget.bench.truth.result_store import ResultStore
from regiondrag_widget.bench.truth.run import Report
from regiondrag_widget.bench.truth.scene import Image, Scene

TILE = 200
_BANNER = 20
_NOT_DONE = 230
_HANDLE, _TARGET = (255, 60, 60), (60, 255, 60)


def contact_sheets(
    scenes: Sequence[Scene],
    methods: Sequence[str],
    store: ResultStore,
    folder: Path,
    report: Report,
    rows: int = 6,
) -> list[Path]:
    """Write ``sheet-1.png`` and so on, ``rows`` scenes each, from the store's pictures; returns the files."""
    paths: list[Path] = []
    for first in range(0, len(scenes), rows):
        strips = [_strip(scene, methods, store, report) for scene in scenes[first : first + rows]]
        header = _header(["before (handle, target)", "truth", *methods])
        sheet = PILImage.fromarray(np.vstack([header, *strips]))
        path = folder / f"sheet-{first // rows + 1}.png"
        sheet.save(path)
        paths.append(path)
    return paths


def outlined(scene: Scene) -> Image:
    """The picture before with handles outlined in red and targets in green."""
    picture = scene.before.copy()
    for pair in scene.pairs:
        for mask, colour in ((pair.handle, _HANDLE), (pair.target, _TARGET)):
            contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(picture, contours, -1, colour, 1)
    return picture


def _strip(scene: Scene, methods: Sequence[str], store: ResultStore, report: Report) -> Image:
    tiles = [_tile(outlined(scene), scene.name), _tile(scene.after, scene.motion)]
    figures = {row.method: row.figures for row in report.rows if row.scene == scene.name}
    for method in methods:
        image = store.image(scene.name, method)
        if image is None or method not in figures:
            tiles.append(_tile(np.full_like(scene.before, _NOT_DONE), "not done"))
        else:
            found = figures[method]
            tiles.append(_tile(image, f"{found['psnr']:.1f} dB, FLIP {found['flip']:.2f}"))
    return np.hstack(tiles)


def _tile(image: Image, caption: str) -> Image:
    scale = TILE / max(image.shape[:2])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=how)
    canvas = np.full((TILE, TILE, 3), 255, np.uint8)
    canvas[: small.shape[0], : small.shape[1]] = small[:TILE, :TILE]
    return np.vstack([canvas, _label(caption)])


def _header(captions: Sequence[str]) -> Image:
    return np.hstack([_label(caption) for caption in captions])


def _label(text: str) -> Image:
    banner = PILImage.new("RGB", (TILE, _BANNER), "white")
    ImageDraw.Draw(banner).text((4, 4), text, fill="black", font=ImageFont.load_default(11))
    return np.asarray(banner)
