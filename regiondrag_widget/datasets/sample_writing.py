"""Write samples: in DragBench's released format, and as folders of PNG and JSON."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as PILImage

from regiondrag_widget.datasets.densepoints import points_of_pairs
from regiondrag_widget.datasets.sample import Image, Points, Sample
from regiondrag_widget.regions import save_regions
from regiondrag_widget.regions.writing import write_whole, write_whole_bytes, write_whole_text

__all__ = ["SAMPLE_FILE", "write_dragbench", "write_folder"]

SAMPLE_FILE = "sample.json"
SPACINGS = (1, 8)
HANDLE_COLOUR, TARGET_COLOUR = (255, 0, 0), (0, 0, 255)  # as DragDiffusion draws them


def write_dragbench(sample: Sample, folder: Path, *, spacing: int = 1, jpeg: bool = False) -> Path:
    """Write one sample as DragBench has them; its parent folders are made.

    ``original_image.png``, ``user_drag.png``, ``meta_data.pkl`` (points) and, where there are regions,
    ``meta_data_region.pkl`` (a dense map), ``source_mask.png`` and ``target_mask.png``. The pickles hold
    lists, numbers, text and one numpy array.

    Parameters
    ----------
    sample
        What to write.
    folder
        The sample's own folder.
    spacing
        Of the dense map in pixels: 1 or 8.
    jpeg
        Write ``original_image.jpg`` instead of a PNG: a tenth of the size, for test data. No masks and no
        ``user_drag.png`` are written then.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ValueError
        The spacing is neither 1 nor 8.
    OSError
        The folder cannot be written.
    """
    if spacing not in SPACINGS:
        raise ValueError(f"spacing is {spacing}: a dense map lists every pixel (1) or every eighth (8)")
    folder.mkdir(parents=True, exist_ok=True)
    picture = PILImage.fromarray(sample.image)
    if jpeg:
        write_whole(folder / "original_image.jpg", lambda file: picture.save(file, "JPEG", quality=88))
    else:
        _save_png(folder / "original_image.png", sample.image)
        _save_png(folder / "user_drag.png", drawn_points(sample))
    editable = np.zeros(sample.shape, np.bool_) if sample.editable is None else sample.editable
    about: dict[str, Any] = {"prompt": sample.prompt, "mask": editable.astype(np.uint8)}
    _save_pickle(folder / "meta_data.pkl", about | {"points": _flat(sample.points)})
    if len(sample.pairs):
        handles, targets = points_of_pairs(sample.pairs, spacing)
        dense = np.stack([handles, targets], axis=1)
        _save_pickle(folder / "meta_data_region.pkl", about | {"points": _flat(dense)})
        if not jpeg:
            _save_png(folder / "source_mask.png", np.asarray(sample.pairs.handle, np.uint8) * 255)
            _save_png(folder / "target_mask.png", np.asarray(sample.pairs.target, np.uint8) * 255)
    return folder


def write_folder(sample: Sample, folder: Path) -> Path:
    """Write one sample as PNG and JSON, which `load_folders` reads; its parent folders are made.

    ``regions.json`` with ``image.png`` and the masks, as `save_regions` writes them; ``sample.json`` with
    prompt and points; ``editable.png`` and ``truth.png`` where there are such.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ValueError, OSError
        As `save_regions`.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    save_regions(folder, sample.image, sample.pairs)
    about = {"prompt": sample.prompt, "points": sample.points.tolist()}
    if sample.editable is not None:
        _save_png(folder / "editable.png", sample.editable.astype(np.uint8) * 255)
    if sample.truth is not None:
        _save_png(folder / "truth.png", sample.truth)
    write_whole_text(folder / SAMPLE_FILE, json.dumps(about, indent=1) + "\n")
    return folder


def drawn_points(sample: Sample) -> Image:
    """The picture with an arrow from each handle point to its target point, (H, W, 3) uint8."""
    shown = sample.image.copy()
    for handle, target in np.rint(sample.points).astype(int).tolist():
        cv2.arrowedLine(shown, handle, target, (255, 255, 255), 2, cv2.LINE_AA, tipLength=0.2)
        cv2.circle(shown, handle, 4, HANDLE_COLOUR, -1, cv2.LINE_AA)
        cv2.circle(shown, target, 4, TARGET_COLOUR, -1, cv2.LINE_AA)
    return shown


def _flat(points: Points) -> list[tuple[int, int]]:
    """Handle, target, handle, target ... as (x, y) of whole pixels, as DragBench has them."""
    return [(int(x), int(y)) for x, y in np.rint(points).reshape(-1, 2)]


def _save_png(path: Path, pixels: Any) -> None:
    write_whole(path, lambda file: PILImage.fromarray(pixels).save(file, "PNG"))


def _save_pickle(path: Path, entry: dict[str, Any]) -> None:
    write_whole_bytes(path, pickle.dumps(entry, protocol=4))
