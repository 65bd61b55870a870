"""A table of edits and what one process makes of it, for the tests of all ways to run it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from regiondrag_widget import assets
from regiondrag_widget.cli import main
from regiondrag_widget.engine import session as sessions

JOBS = """name,picture,handle,move,seed
wren-near,wren.png,wren-handle.png,"12,0",1
duck,duck.png,duck-handle.png,"-8,4",
wren-far,wren.png,wren-handle.png,"30,0",1
wren-other,wren.png,wren-handle.png,"12,0",2
gone,gone.png,wren-handle.png,"12,0",2
"""


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with jobs.csv and what it names, in ``out`` the results of one process.

    ``sessions`` has the number of sessions that were made for them.
    """
    folder = tmp_path_factory.mktemp("batch")
    for name, short in (("canyon-wren", "wren"), ("rubber-duck", "duck")):
        example = assets.load(name)
        example.image.resize((128, 128), Image.Resampling.LANCZOS).save(folder / f"{short}.png")
        mask = Image.fromarray(example.handle).resize((128, 128), Image.Resampling.NEAREST)
        mask.save(folder / f"{short}-handle.png")
    (folder / "jobs.csv").write_text(JOBS)
    made_sessions: list[Any] = []
    original = sessions.ImageSession.__init__

    def counted(self: Any, *args: Any, **keywords: Any) -> None:
        made_sessions.append(self)
        original(self, *args, **keywords)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions.ImageSession, "__init__", counted)
        assert main(["batch", str(folder / "jobs.csv"), "-o", str(folder / "out"), "--quiet"]) == 1
    (folder / "sessions").write_text(str(len(made_sessions)))
    return folder


def results(folder: Path) -> dict[str, bytes]:
    """The results in a folder by their names."""
    return {path.stem: path.read_bytes() for path in folder.glob("*.png")}
