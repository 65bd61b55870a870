"""What the repository shows of the benchmark: the example edits, their sheets, the published figures."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from regiondrag_widget.bench.methods.baselines import baselines
from regiondrag_widget.bench.truth.plots import quality_plot
from regiondrag_widget.bench.truth.report import write_report
from regiondrag_widget.bench.truth.run import run
from regiondrag_widget.bench.truth.scenes import build_scenes


def script(name: str, repository: Path) -> ModuleType:
    """A program of scripts/ as a module."""
    spec = importlib.util.spec_from_file_location(name, repository / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sheets(repository: Path) -> ModuleType:
    return script("example_sheets", repository)


@pytest.fixture(scope="module")
def publishing(repository: Path) -> ModuleType:
    return script("publish_truth", repository)


@pytest.fixture(scope="module")
def examples(sheets: ModuleType) -> list[Any]:
    return list(sheets.read_edits(sheets.EXAMPLES / "edits.json"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small finished run."""
    folder = tmp_path_factory.mktemp("report")
    report = run(build_scenes((), 3, 96), baselines(), about={"machine": "a machine", "size": 96})
    assert quality_plot(report, folder / "quality-time.png")
    write_report(report, folder, ["quality-time.png", "sheet-1.png", "sheet-2.png"])
    Image.new("RGB", (8, 8)).save(folder / "sheet-1.png")
    return folder


def test_at_least_six_photographs_are_edited_with_names_of_their_own(examples: list[Any]) -> None:
    assert len({edit.name for edit in examples}) == len(examples) >= 6
    assert len({edit.photo.tobytes() for edit in examples}) >= 6


def test_an_examples_regions_lie_in_the_photograph_and_something_moves(examples: list[Any]) -> None:
    for edit in examples:
        for pair in edit.pairs:
            assert pair.shape == edit.photo.size[::-1], edit.name
            assert 0.001 < pair.handle.mean() < 0.3, edit.name
            assert (pair.target & ~pair.handle).any(), edit.name


def test_every_example_is_credited(examples: list[Any], sheets: ModuleType) -> None:
    credits = (sheets.EXAMPLES / "CREDITS.md").read_text("utf-8")
    for photo in sheets.EXAMPLES.glob("*.jpg"):
        assert f"| {photo.name} |" in credits
        (author,) = {edit.credit for edit in examples if edit.name.startswith(photo.stem)}
        assert all(part in credits for part in author.split(", "))


def test_the_readme_shows_a_small_sheet_of_every_example(examples: list[Any], repository: Path) -> None:
    page = (repository / "README.md").read_text("utf-8")
    for edit in examples:
        path = f"docs/images/example-{edit.name}.jpg"
        assert f"({path})" in page
        assert (repository / path).stat().st_size < 150_000, path


def test_a_sheet_shows_regions_paste_and_edit(
    examples: list[Any], sheets: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit = next(edit for edit in examples if edit.name == "kitten")

    class Result:
        image = Image.new("RGB", edit.photo.size, (10, 200, 30))

    monkeypatch.setattr(sheets.rd, "edit", lambda *_, **__: Result())
    page = np.asarray(sheets.sheet(edit))
    step, top = sheets.SIDE + sheets.MARGIN, sheets.CAPTION
    tiles = [page[top : top + sheets.SIDE, x : x + sheets.SIDE] for x in (16, 16 + step, 16 + 2 * step)]
    assert (tiles[2] == (10, 200, 30)).all()
    before = np.asarray(edit.photo.resize((sheets.SIDE, sheets.SIDE), Image.Resampling.LANCZOS)).astype(int)
    for tile in tiles[:2]:
        # drawn over or pasted in places, the photograph elsewhere
        assert 0.002 < (np.abs(tile - before).max(-1) > 24).mean() < 0.2


def test_a_copy_leaves_the_original_in_the_pasted_picture(examples: list[Any], sheets: ModuleType) -> None:
    edit = next(edit for edit in examples if edit.settings.get("vacated") == "keep")
    pasted, before = np.asarray(sheets.pasted_by_hand(edit)), np.asarray(edit.photo)
    (pair,) = edit.pairs
    assert (pasted == before)[~pair.target].all()
    assert (pasted != before)[pair.target].any()


def test_publishing_writes_small_figures_and_the_readmes_table(
    finished: Path, publishing: ModuleType, tmp_path: Path
) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"before\n{publishing.BEGIN}\nold\n{publishing.END}\nafter\n", "utf-8")
    publishing.publish(finished, tmp_path / "docs", page)
    data = json.loads((tmp_path / "docs" / "truth.json").read_text("utf-8"))
    whole = json.loads((finished / "report.json").read_text("utf-8"))
    for name, method in whole["methods"].items():
        kept = data["methods"][name]["mean"]
        assert kept["psnr"] == pytest.approx(method["mean"]["psnr"], rel=1e-3)
    assert len(data["rows"]["rows"]) == len(whole["rows"])
    text = page.read_text("utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| paste + Telea |" in text
    assert "old" not in text
    for shown in ("truth.png", "truth-sheet.jpg"):
        assert f"({shown})" in (tmp_path / "docs" / "truth.md").read_text("utf-8")
        assert (tmp_path / "docs" / shown).is_file()
    assert "sheet-2" not in (tmp_path / "docs" / "truth.md").read_text("utf-8")
    publishing.publish(finished, tmp_path / "docs", page)
    assert page.read_text("utf-8") == text


def test_a_run_of_another_name_leaves_the_readme_alone(
    finished: Path, publishing: ModuleType, tmp_path: Path
) -> None:
    publishing.publish(finished, tmp_path / "docs", tmp_path / "README.md", "truth-flow")
    written = sorted(path.name for path in (tmp_path / "docs").iterdir())
    assert written == [f"truth-flow{ending}" for ending in ("-sheet.jpg", ".json", ".md", ".png")]
    assert "(truth-flow.png)" in (tmp_path / "docs" / "truth-flow.md").read_text("utf-8")
    assert not (tmp_path / "README.md").exists()


def test_a_page_without_markers_is_refused(publishing: ModuleType) -> None:
    with pytest.raises(ValueError, match="must hold"):
        publishing.with_table("no place for it", "table")


def test_the_readmes_figures_are_those_of_the_results_file(publishing: ModuleType) -> None:
    data = json.loads((publishing.BENCHMARKS / "truth.json").read_text("utf-8"))
    page = publishing.README.read_text("utf-8")
    assert publishing.with_table(page, publishing.readme_table(data)) == page


def test_the_published_files_stay_small(publishing: ModuleType) -> None:
    assert (publishing.BENCHMARKS / "truth.json").stat().st_size < 300_000
    assert (publishing.BENCHMARKS / "truth.png").stat().st_size < 200_000
