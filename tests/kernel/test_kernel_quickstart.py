"""The quickstart notebook runs top to bottom, without a GPU, with the bundled model."""

from __future__ import annotations

import pytest
from nbformat import NotebookNode

from tests.kernel.notebooks import execute, outputs, read

pytestmark = [pytest.mark.kernel, pytest.mark.slow]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> NotebookNode:
    return execute("quickstart.ipynb", tmp_path_factory.mktemp("nb"))


def test_it_has_fewer_than_ten_cells(executed):
    assert len(executed.cells) < 10


def test_it_is_kept_without_outputs():
    assert not any(cell.get("outputs") for cell in read("quickstart.ipynb").cells)


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
