"""Finished results on disk, one line each, so that an interrupted run loses nothing."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PILImage

from regiondrag_widget.bench.methods.method import Method
from regiondrag_widget.bench.truth.scene import Image, Scene
from regiondrag_widget.regions.writing import write_whole


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
    keep_picture
        Which scenes' pictures are kept, as PNG under ``images/``.

    Raises
    ------
    OSError
        When the folder cannot be written: at once, not after an hour's work.
    """

    def __init__(self, folder: Path, keep_picture: Callable[[Scene], bool] = lambda scene: False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._keep = folder, keep_picture
        self._path = folder / "results.jsonl"
        self._rows = _read(self._path)
        with self._path.open("a", encoding="utf-8") as lines:
            # a line that was cut short must not swallow the next one
            if self._path.stat().st_size and not self._path.read_bytes().endswith(b"\n"):
                lines.write("\n")

    def find(self, scene: Scene, method: Method) -> Row | None:
        """The finished row, if scene, settings, code and weights are the same (and the picture kept)."""
        row = self._rows.get(_key(scene, method))
        if row is None or (self._keep(scene) and not self.picture_path(scene.name, method.name).is_file()):
            return None
        # the scene may have another name or the method another group than when the result was made
        return Row(scene.name, scene.kind, scene.motion, method.name, method.group, row.figures)

    def add(self, scene: Scene, method: Method, row: Row, image: Image) -> None:
        """Keep a finished row at once, and its picture (H, W, 3) uint8 if the store keeps that scene's."""
        if self._keep(scene):
            path = self.picture_path(scene.name, method.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, lambda file: PILImage.fromarray(image).save(file, format="PNG"))
        key = _key(scene, method)
        with self._path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"key": key, **row.__dict__}) + "\n")
        self._rows[key] = row

    def image(self, scene: str, method: str) -> Image | None:
        """A kept picture (H, W, 3) uint8."""
        path = self.picture_path(scene, method)
        if not path.is_file():
            return None
        with PILImage.open(path) as picture:
            return np.asarray(picture.convert("RGB"))

    def picture_path(self, scene: str, method: str) -> Path:
        """Where the picture of a scene and a method is kept."""
        slug = re.sub(r"[^a-z0-9]+", "-", method.lower()).strip("-")
        return self._folder / "images" / scene / f"{slug}.png"


def _key(scene: Scene, method: Method) -> str:
    depends_on = [method.name, dict(method.settings), code_digest()]
    described = json.dumps(depends_on, sort_keys=True, default=str)
    return f"{scene.digest}-{hashlib.sha256(described.encode()).hexdigest()[:12]}"


# folders; a scene's pictures are in its own digest
NO_FIGURES = {
    "assets", "batch", "bench/dragbench", "bench/handles", "bench/latency", "bench/select", "check", "cli",
    "datasets", "select", "widget",
}  # fmt: skip
PRESENTATION = {
    f"bench/truth/{name}.py"
    for name in ("bars", "claims", "command", "decisions", "plots", "report", "result_store", "sheets")
}


@cache
def code_digest() -> str:
    """Changes with the code and the weights that figures come from: none is older than its program."""
    state = hashlib.sha256()
    for path in code_files():
        state.update(path.name.encode() + path.read_bytes())
    return state.hexdigest()[:12]


def code_files() -> list[Path]:
    """Return the package's files that can change a figure: all but the faces and what presents figures."""
    package = Path(__file__).resolve().parents[2]
    kept = [
        path
        for path in package.rglob("*")
        if path.suffix in (".py", ".json", ".safetensors")
        and not {part.as_posix() for part in path.relative_to(package).parents} & NO_FIGURES
        and path.relative_to(package).as_posix() not in PRESENTATION
    ]
    return sorted(kept)


def _read(path: Path) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            # the last line of an interrupted run may be cut short
            with contextlib.suppress(json.JSONDecodeError, KeyError, TypeError):
                data = json.loads(line)
                key = data.pop("key")
                rows[key] = Row(**data)
    return rows
