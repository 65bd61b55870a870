"""A contact sheet of selections: the true outline, the selected one, and the clicks."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from regiondrag_widget.bench.handles.objects import HandObject
from regiondrag_widget.bench.select.clicks import Trial

TILE, BANNER, ACROSS = 300, 16, 6
TRUE, SELECTED, TAKES, TAKES_AWAY = (0, 255, 0), (255, 0, 0), (255, 255, 0), (0, 128, 255)


def overlay_sheet(trials: Sequence[Trial], objects: Sequence[HandObject]) -> Image.Image:
    """Draw one tile for each trial: green the true outline, red the selection after the last click."""
    tiles = [_tile(trial, thing) for trial, thing in zip(trials, objects, strict=True)]
    while len(tiles) % ACROSS:
        tiles.append(np.full_like(tiles[0], 255))
    rows = [np.hstack(tiles[i : i + ACROSS]) for i in range(0, len(tiles), ACROSS)]
    return Image.fromarray(np.vstack(rows))


def _tile(trial: Trial, thing: HandObject) -> NDArray[np.uint8]:
    picture = np.array(thing.image())
    for mask, colour in ((thing.mask, TRUE), (trial.mask, SELECTED)):
        outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, outlines, -1, colour, 1)
    for (x, y), label in zip(trial.points, trial.labels, strict=True):
        cv2.circle(picture, (round(x), round(y)), 4, TAKES if label else TAKES_AWAY, -1)
    scale = TILE / max(picture.shape[:2])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    tile = np.full((TILE + BANNER, TILE, 3), 255, np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small[:TILE, :TILE]
    sheet = Image.fromarray(tile)
    text = f"{trial.name} {trial.overlaps[0]:.2f} to {trial.overlaps[-1]:.2f}"
    ImageDraw.Draw(sheet).text((2, TILE + 2), text, fill="black")
    return np.asarray(sheet)
