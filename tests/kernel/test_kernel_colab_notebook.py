"""The notebook for Colab runs top to bottom: with the bundled model where there is no GPU."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from nbformat import NotebookNode
from PIL import Image

from tests.kernel.notebooks import ROOT, execute, outputs, read

pytestmark = [pytest.mark.kernel, pytest.mark.slow]
WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("colab")


@pytest.fixture(scope="module")
def executed(folder: Path) -> NotebookNode:
    return execute("colab.ipynb", folder)


def test_it_is_kept_without_outputs():
    assert not any(cell.get("outputs") for cell in read("colab.ipynb").cells)


def test_its_badge_and_the_readmes_open_the_same_notebook():
    badge = next(line for line in read("colab.ipynb").cells[0].source.splitlines() if line.startswith("[!["))
    assert badge.endswith("/blob/main/notebooks/colab.ipynb)")
    assert badge in (ROOT / "README.md").read_text("utf-8")


def test_what_is_there_is_not_installed_again(executed):
    assert outputs(executed, "%pip install") == []


def test_it_says_which_gpu_there_is_and_takes_the_bundled_model_without_one(executed):
    (said,) = outputs(executed, "torch.cuda.get_device_properties")
    assert said.text.startswith("No GPU here.")
    (loaded,) = outputs(executed, "MODEL =")
    assert loaded.text == "mini on cpu\n"


def test_it_names_licence_and_memory_of_the_model_it_downloads():
    text = "".join(cell.source for cell in read("colab.ipynb").cells if cell.cell_type == "markdown")
    assert "OpenRAIL-M" in text
    assert "GB of the GPU's memory" in text


def test_the_widget_is_shown_with_its_still_picture(executed):
    (shown,) = outputs(executed, "RegionDragWidget(")
    assert {WIDGET, "image/png"} <= set(shown.data)


def test_what_was_drawn_is_read_as_bool_arrays(executed):
    (printed,) = outputs(executed, "w.pairs[0]")
    height, width, kind, handle, target, carried = printed.text.split()
    assert kind == "bool"
    assert int(height) * int(width) > int(handle)
    assert 0 < int(carried) <= int(handle)
    assert int(target) > 0


def test_every_seed_gives_a_picture_of_its_own(executed):
    (shown,) = outputs(executed, "SEEDS = range(4)")
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown.data["image/png"]))).convert("RGB"))
    pictures = np.split(sheet, 4, axis=1)
    assert all((a != b).any() for i, a in enumerate(pictures) for b in pictures[:i])


def test_results_and_regions_are_saved(executed, folder):
    names = ["edit.zip", *(f"edited-{seed}.png" for seed in range(4))]
    assert [(folder / name).stat().st_size > 0 for name in names] == [True] * 5
    (shown,) = outputs(executed, "w.save")
    assert shown.data["text/plain"] == repr(names)
