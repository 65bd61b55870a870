"""Write the samples of tests/data/dragbench anew: our own photographs and handles in DragBench's layout."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np

from regiondrag_widget.bench.handles.handles import handle_of
from regiondrag_widget.bench.handles.objects import DATA, load_objects
from regiondrag_widget.bench.methods.points import point_pairs
from regiondrag_widget.datasets import Sample, write_dragbench
from regiondrag_widget.regions import RegionPair, RegionPairs

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "data" / "dragbench"
SIDE = 192  # pixels of the longer side
POINTS = 2
# object -> category, prompt, scale and degrees besides its own move
CHOSEN = {
    "capsule": ("other_objects", "a capsule above the coast", 1.0, 0.0),
    "duck": ("other_objects", "a toy duck on a rock by the sea", 1.0, 0.0),
    "exit-sign": ("buildings", "an exit sign on a red wall", 1.0, 0.0),
    "facet": ("buildings", "white facets of a building", 1.0, 0.0),
    "forget-me-not": ("landscape", "blue flowers", 1.2, 0.0),
    "lake-stone": ("landscape", "stones in a lake", 1.0, 0.0),
    "lighthouse": ("landscape", "a lighthouse at dusk", 1.0, 0.0),
    "monster": ("animals", "a toy monster on a car", 0.8, 0.0),
    "rc-car": ("other_objects", "a toy car on a road", 1.0, 0.0),
    "robot-head": ("animals", "a toy robot before a cloth", 1.0, 10.0),
    "shiny-sneaker": ("other_objects", "a shiny sneaker on a green bench", 1.0, -15.0),
    "wren": ("animals", "a wren on a rock", 1.0, 0.0),
}


def main() -> None:
    """Write all samples and their credits."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    objects = {thing.name: thing for thing in load_objects()}
    credited = (DATA / "CREDITS.md").read_text("utf-8").splitlines()
    credits = ["# The photographs of these samples", "", *credited[2:4]]
    for number, (name, (category, prompt, scale, turn)) in enumerate(CHOSEN.items()):
        thing = objects[name]
        drawn = handle_of(np.asarray(thing.mask), "loose 8" if thing.kind == "whole" else "as drawn")
        factor = SIDE / max(drawn.shape)
        width, height = (round(side * factor) for side in drawn.shape[::-1])
        image = cv2.resize(np.array(thing.image()), (width, height), interpolation=cv2.INTER_AREA)
        handle = cv2.resize(drawn.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) > 0.5
        dx, dy = (round(shift * factor) for shift in thing.move)
        pairs = RegionPairs([RegionPair.move(handle, dx, dy, scale=scale, rotate=turn)])
        points = np.stack(point_pairs(pairs, POINTS), axis=1)
        touched = (np.asarray(pairs.handle) | np.asarray(pairs.target)).astype(np.uint8)
        editable = cv2.dilate(touched, np.ones((13, 13), np.uint8)) > 0
        # every third region file lists every pixel
        sample = Sample(name, np.asarray(image, np.uint8), prompt, pairs, points, editable)
        write_dragbench(sample, FOLDER / category / name, spacing=8 if number % 3 else 1, jpeg=True)
        credits += [line for line in credited if line.startswith(f"| {thing.photo.name} ")]
    (FOLDER / "CREDITS.md").write_text("\n".join(credits) + "\n", "utf-8")


if __name__ == "__main__":
    main()
