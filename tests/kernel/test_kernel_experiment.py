"""The experiment's notebook runs top to bottom, without a GPU, with the bundled model."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from nbformat import NotebookNode
from PIL import Image

from tests.kernel.notebooks import execute, outputs, read

pytestmark = [pytest.mark.kernel, pytest.mark.slow]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    return execute("experiment.ipynb", tmp_path_factory.mktemp("experiment"))


def printed(executed: NotebookNode, text: str) -> str:
    """What a cell printed."""
    return "".join(part.text for part in outputs(executed, text) if part.output_type == "stream")


def picture(cell: list[NotebookNode]) -> np.ndarray:
    """The PNG that a cell shows, as an array."""
    (shown,) = [output for output in cell if output.output_type in ("display_data", "execute_result")]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(shown.data["image/png"]))).convert("RGB"))


def test_it_has_ten_cells_and_is_kept_without_outputs():
    cells = read("experiment.ipynb").cells
    assert len(cells) == 10
    assert not any(cell.get("outputs") for cell in cells)


def test_its_rows_are_made_once(executed):
    assert printed(executed, "progress=tell").count(" done ") == 6
    assert printed(executed, "summary.kept") == "0 made 6 kept 0 failed\n"


def test_its_table_has_a_line_for_each_row(executed):
    (shown,) = outputs(executed, "Markdown")
    lines = shown.data["text/markdown"].splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["16", "16", "32", "32", "48", "48"]
    filled = [float(line.split("|")[3]) for line in lines[2:]]
    assert min(filled) > 5, "the place that the object left is another"


def test_its_plot_and_its_pictures_are_shown(executed):
    assert picture(outputs(executed, "plt.subplots")).std() > 5
    strip = picture(outputs(executed, "np.hstack"))
    side = strip.shape[1] // 3
    assert not np.array_equal(strip[:, :side], strip[:, side : 2 * side])
