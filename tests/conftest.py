"""What every test may ask for: pictures of known content, and where the browser is."""

from __future__ import annotations

import gc
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

# a test that reaches for a model hub would pass or fail with the weather
os.environ.setdefault("HF_HUB_OFFLINE", "1")


TOGETHER = {
    "browser and kernel": ("tests/browser/", "tests/kernel/test_kernel_"),
    "long": ("tests/fuzz/", "tests/unit/batch/", "tests/unit/training/"),
}
"""What one process runs, by how the files' names begin."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give a file to one process, and everything that needs a browser or a kernel to one alone.

    Two browsers or JupyterLabs at once would slow each other down until something times out. Files of few
    tests come last. Those that take long all the same are given out together: one of them at the end would
    leave the other processes idle.
    """
    from xdist.scheduler import LoadFileScheduling

    class Grouped(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = str(super()._split_scope(nodeid))
            return next((name for name, begins in TOGETHER.items() if file.startswith(begins)), file)

    return Grouped(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_finish() -> None:
    """Leave what is imported by now out of every later collection of garbage.

    It stays anyway, and the package collects wherever it lets go of something large: that took most of a
    second each time.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture
def rgb() -> np.ndarray:
    """A (96, 128, 3) uint8 picture with a different colour at every pixel."""
    y, x = np.mgrid[0:96, 0:128]
    return np.stack([x * 2, y * 2, (x + y) % 256], axis=-1).astype(np.uint8)


@pytest.fixture
def photo(tmp_path: Path, rgb: np.ndarray) -> Path:
    """That picture as a PNG file."""
    path = tmp_path / "photo.png"
    Image.fromarray(rgb).save(path)
    return path


@pytest.fixture(scope="session")
def chromium_executable() -> str:
    """The path of a Chromium to drive: $CHROMIUM, or the first one on the PATH."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.fail("no Chromium found: `make chromium` installs Debian's, or set CHROMIUM=/path/to/it")
    return found
