"""The README's figures of speed are those of the results files in the repository."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def publishing(repository: Path) -> ModuleType:
    path = repository / "scripts" / "publish_latency.py"
    spec = importlib.util.spec_from_file_location("publish_latency", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readmes_tables_are_those_of_the_results_files(publishing: ModuleType):
    found = publishing.results(publishing.BENCHMARKS)
    assert "latency-cpu" in found
    page = publishing.README.read_text("utf-8")
    assert publishing.with_tables(page, found) == page


def test_every_result_has_its_report_and_its_plot(publishing: ModuleType):
    for name in publishing.results(publishing.BENCHMARKS):
        for kind in ("md", "png"):
            assert (publishing.BENCHMARKS / f"{name}.{kind}").stat().st_size > 1000


def test_a_row_that_could_not_be_measured_says_why(publishing: ModuleType):
    row = {"name": "cold edit", "calls": 20, "median": None, "problem": "out of memory"}
    assert publishing._row(row, 1.0) == "| cold edit | 20 | out of memory | | |"


def test_a_page_without_markers_is_refused(publishing: ModuleType):
    with pytest.raises(ValueError, match="must hold"):
        publishing.with_tables("no place for it", {})
