"""Run the repository's notebooks from top to bottom, without a GPU."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]


def read(name: str) -> nbformat.NotebookNode:
    """A notebook as the repository has it."""
    return nbformat.read(ROOT / "notebooks" / name, 4)


def execute(name: str, folder: Path) -> nbformat.NotebookNode:
    """Run every cell, in ``folder``; the notebook with its outputs and the widgets' state."""
    notebook = read(name)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    client = NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(folder)}})
    with client.setup_kernel(env=environment):
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
        client.set_widgets_metadata()
    return notebook


def outputs(notebook: nbformat.NotebookNode, text: str) -> list[nbformat.NotebookNode]:
    """The outputs of the first code cell that contains ``text``."""
    return next(cell.outputs for cell in notebook.cells if cell.cell_type == "code" and text in cell.source)
