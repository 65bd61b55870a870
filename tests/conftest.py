"""What every test may ask for: pictures of known content, and where the browser is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

# a test that reaches for a model hub would pass or fail with the weather
os.environ.setdefault("HF_HUB_OFFLINE", "1")


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
