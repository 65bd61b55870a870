"""Finished results on disk, one line each, so that an interrupted run loses nothing."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PILImage

from regiondrag_widget._version import __version__
from regiondrag_widget.bench.methods import Method
from regiondrag_widget.bench.scene import Image, Scene


@dataclass(frozen=True)
class Row:
    """One method on one scene: the figures of :class:`~.metrics.Measures`, seconds and network calls."""

    scene: str
    kind: str
    motion: str
    method: str
    group: str
    figures: dict[str, Any]


class ResultStore:
    """A folder with ``results.jsonl`` and the edited pictures that contact sheets need.

    Parameters
    ----------
    folder
        Created when missing.
    keep_image
        Which scenes' pictures are kept, as PNG under ``images/``.

    Raises
    ------
    OSError
        When the folder cannot be written: at once, not after an hour's work.
    """

    def __init__(self, folder: Path, keep_image: Callable[[Scene], bool] = lambda scene: False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._keep = folder, keep_image
        self._path = folder / "results.jsonl"
        self._rows = _read(self._path)
        with self._path.open("a", encoding="utf-8") as lines:
            # a line that was cut short must not swallow the next one
            if self._path.stat().st_size and not self._path.read_bytes().endswith(b"\n"):
                lines.write("\n")

    def find(self, scene: Scene, method: Method) -> Row | None:
        """The finished row, if scene, settings and package version are the same (and its picture is kept)."""
        row = self._rows.get(_key(scene, method))
        if row is None or (self._keep(scene) and not self.image_path(scene.name, method.name).is_file()):
            return None
        # the scene may have another name or the method another group than when the result was made
        return Row(scene.name, scene.kind, scene.motion, method.name, method.group, row.figures)

    def add(self, scene: Scene, method: Method, row: Row, image: Image) -> None:
        if self._keep(scene):
            path = self.image_path(scene.name, method.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            aside = path.with_suffix(".part")
            PILImage.fromarray(image).save(aside, format="PNG")
            aside.replace(path)
        key = _key(scene, method)
        with self._path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"key": key, **row.__dict__}) + "\n")
        self._rows[key] = row

    def image(self, scene: str, method: str) -> Image | None:
        """A kept picture (H, W, 3) uint8."""
        path = self.image_path(scene, method)
        if not path.is_file():
            return None
        with PILImage.open(path) as picture:
            return np.asarray(picture.convert("RGB"))

    def image_path(self, scene: str, method: str) -> Path:
        slug = re.sub(r"[^a-z0-9]+", "-", method.lower()).strip("-")
        return self._folder / "images" / scene / f"{slug}.png"


def _key(scene: Scene, method: Method) -> str:
    described = json.dumps([method.name, dict(method.settings), __version__], sort_keys=True, default=str)
    return f"{scene.digest}-{hashlib.sha256(described.encode()).hexdigest()[:12]}"


def _read(path: Path) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            # the last line of an interrupted run may be cut short
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                data = json.loads(line)
                rows[data.pop("key")] = Row(**data)
    return rows
