"""The quickstart notebook runs top to bottom, without a GPU, with the bundled model."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = [pytest.mark.kernel, pytest.mark.slow]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    root = Path(__file__).resolve().parents[2]
    notebook = nbformat.read(root / "notebooks" / "quickstart.ipynb", 4)
    environment = {**os.environ, "PYTHONPATH": str(root), "CUDA_VISIBLE_DEVICES": ""}
    client = NotebookClient(
        notebook, timeout=240, resources={"metadata": {"path": str(tmp_path_factory.mktemp("nb"))}}
    )
    with client.setup_kernel(env=environment):
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
        client.set_widgets_metadata()
    return notebook


def outputs(notebook: nbformat.NotebookNode, text: str) -> list[nbformat.NotebookNode]:
    """The outputs of the cell that contains ``text``."""
    return next(cell.outputs for cell in notebook.cells if cell.cell_type == "code" and text in cell.source)


def test_it_has_fewer_than_ten_cells(executed):
    assert len(executed.cells) < 10


def test_it_is_kept_without_outputs():
    path = Path(__file__).resolve().parents[2] / "notebooks" / "quickstart.ipynb"
    assert not any(cell.get("outputs") for cell in nbformat.read(path, 4).cells)


def test_it_shows_the_widget(executed):
    (shown,) = outputs(executed, "RegionDragWidget()")
    assert "application/vnd.jupyter.widget-view+json" in shown.data


def test_its_edit_gives_a_picture_before_and_after(executed):
    (shown,) = outputs(executed, "result = w.run(wait=True)")
    assert shown.data["text/html"].count("<img") == 2


def test_its_views_are_shown(executed):
    for text in ("views.correspondence", "views.replay"):
        (shown,) = outputs(executed, text)
        assert "application/vnd.jupyter.widget-view+json" in shown.data


def test_its_second_run_joins_the_history(executed):
    (printed,) = outputs(executed, "again")
    assert printed.text.startswith("done 2")


def test_it_writes_picture_and_regions(executed):
    (shown,) = outputs(executed, "mkdtemp")
    assert shown.data["text/plain"] == "['edit.zip', 'edited.png']"


def test_the_saved_notebook_carries_picture_regions_and_result(executed):
    state = executed.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]
    (model,) = [m for m in state.values() if "_regions_rev" in m["state"]]
    paths = {tuple(buffer["path"]) for buffer in model["buffers"]}
    assert {("_image",), ("_result",)} <= paths
    assert len(model["state"]["_pairs"]) == 1
    assert sum(path[0] == "_masks" for path in paths) == 2
    assert model["state"]["_result_info"]["seed"] == 1
