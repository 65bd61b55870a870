"""``regiondrag bench dragbench``: the report, resuming, and what it says of broken samples."""

from __future__ import annotations

import csv
import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import regiondrag_widget as rd
from regiondrag_widget.bench.dragbench import drag_work
from regiondrag_widget.bench.dragbench.contenders import ABLATIONS, CONTENDERS
from regiondrag_widget.bench.dragbench.drag_work import edit_rows
from regiondrag_widget.bench.dragbench.published_rows import published_tables, tables_in_markdown
from regiondrag_widget.bench.dragbench.report import markdown
from regiondrag_widget.bench.dragbench.tally import Line, Tally
from regiondrag_widget.cli import main

SAMPLES = Path(__file__).resolve().parents[3] / "data" / "dragbench"
PLAIN = ("--method", "paste", "copy", "--features", "none", "--model", "none")


def command(*words: object) -> int:
    return main(["bench", "dragbench", *map(str, words)])


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of the bundled samples at 96 pixels."""
    folder = tmp_path_factory.mktemp("data") / "small"
    for sample in rd.datasets.load_dragbench(SAMPLES).only(["animals/wren", "other_objects/duck"]):
        half = Image.fromarray(sample.image).resize((96, 96), Image.Resampling.BOX)
        pairs = rd.RegionPairs(
            [
                rd.RegionPair(np.asarray(p.handle)[::2, ::2], np.asarray(p.target)[::2, ::2])
                for p in sample.pairs
            ]
        )
        small = rd.datasets.Sample(
            sample.name, np.asarray(half), sample.prompt, pairs, sample.points // 2, sample.editable[::2, ::2]
        )
        rd.datasets.write_dragbench(small, folder / sample.name)
    return folder


@pytest.fixture(scope="module")
def finished(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two methods with two seeds."""
    out = tmp_path_factory.mktemp("run") / "out"
    assert command(samples, "--method", "ours", "copy", "--seeds", 0, 1, "-o", out) == 0
    return out


def test_the_report_has_every_edit_and_every_variant(finished: Path):
    record = json.loads((finished / "dragbench.json").read_text())
    assert {name: method["edits"] for name, method in record["methods"].items()} == {
        "ours": 4,  # two samples, two seeds
        "copy": 2,
    }
    ours, copy = record["methods"]["ours"], record["methods"]["copy"]
    assert ours["md_px"] < 0.5 * copy["md_px"]
    assert ours["md_rd_sample"] < 0.5 * copy["md_rd_sample"]
    assert ours["spread_over_seeds"]["md_px"] is not None
    assert copy["spread_over_seeds"]["md_px"] is None
    assert set(record["missing"]) >= {"md_rd_none", "md_rd_empty", "mse"}
    text = (finished / "dragbench.md").read_text()
    assert "the sample's prompt (RegionDrag)" in text
    assert "DIFT of mini" in text
    assert "its MD must not be compared" in text
    assert "Not computed" in text
    with (finished / "dragbench.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 6
    for line in lines:
        with Image.open(finished / line["picture"]) as picture:
            assert picture.size == (96, 96)
    assert (finished / "sheet-1.jpg").is_file()


def test_nothing_finished_is_done_again(finished: Path, samples: Path, monkeypatch: pytest.MonkeyPatch):
    before = json.loads((finished / "dragbench.json").read_text())

    def never(*_: object) -> None:
        raise AssertionError("edited again")

    monkeypatch.setattr(drag_work.EditSamples, "open", never)
    monkeypatch.setattr(drag_work.MeasureSamples, "open", never)
    words = (samples, "--method", "ours", "copy", "--seeds", 0, 1, "-o", finished)
    assert command(*words) == 0
    assert json.loads((finished / "dragbench.json").read_text()) == before


def test_an_interrupted_run_goes_on_to_the_same_table(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert command(samples, *PLAIN, "-o", tmp_path / "whole") == 0
    real = drag_work.scene_of
    calls: list[str] = []

    def interrupt(sample: rd.datasets.Sample) -> object:
        calls.append(sample.name)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(sample)

    monkeypatch.setattr(drag_work, "scene_of", interrupt)
    assert command(samples, *PLAIN, "-o", tmp_path / "halved") == 130
    assert "interrupted: the same command goes on" in capsys.readouterr().err
    assert command(samples, *PLAIN, "-o", tmp_path / "halved") == 0
    assert len(calls) == 5  # two were finished; the third and fourth are done

    def edits(out: Path) -> list[dict[str, object]]:
        rows = json.loads((tmp_path / out / "dragbench.json").read_text())["edits"]
        return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]

    assert edits(Path("whole")) == edits(Path("halved"))


def test_skipped_samples_are_named_and_the_exit_code_is_one(
    samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    data = tmp_path / "data"
    shutil.copytree(samples, data)

    class Touch:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    (data / "animals" / "wren" / "meta_data.pkl").write_bytes(pickle.dumps({"points": Touch()}))
    assert command(data, *PLAIN, "-o", tmp_path / "out") == 1
    assert not (tmp_path / "made").exists()
    assert "animals/wren" in capsys.readouterr().err
    text = (tmp_path / "out" / "dragbench.md").read_text()
    assert "## Skipped samples\n\n- animals/wren: meta_data.pkl names" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("none-such",), "there is no folder"),
        (("{empty}",), "holds no samples"),
        (("{data}", "--method", "magic"), "no method is called magic"),
        (("{data}", "--kind", "photos"), "is no kind of data set"),
        (("{data}", "--samples", "unicorn"), "no sample"),
        (("{data}", "--model", "none", "--method", "ours"), "need a network"),
        (("{data}", "-o", "{data}/out"), "choose another place"),
        (("{data}", "--count", "0"), "give at least 1"),
        (("{data}", *PLAIN, "--workers", "0"), "workers is 0"),
    ],
)
def test_wrong_input_is_one_sentence(
    words: tuple[str, ...], says: str, samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "empty").mkdir()
    given = [word.format(data=samples, empty=tmp_path / "empty") for word in words]
    if "-o" not in given:
        given += ["-o", str(tmp_path / "out")]
    assert command(*given) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("regiondrag: error: ")
    assert says in error


def test_an_output_that_is_a_file_ends_the_run_before_any_edit(
    samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "out").write_text("mine")
    assert command(samples, *PLAIN, "-o", tmp_path / "out") != 0
    assert "error" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "mine"


def test_rows_repeat_seeded_methods_alone():
    rows = edit_rows(["a"], ["ours", "copy"], [3, 4])
    assert [(row.values["method"], row.values["seed"]) for row in rows] == [
        ("ours", 3),
        ("ours", 4),
        ("copy", 3),
    ]


def test_samples_whose_names_no_file_can_have_get_names_apart():
    names = {row.name for row in edit_rows(["a:b", "a?b", "a/..b", "x" * 150], ["copy"], [0])}
    assert len(names) == 4


def test_md_px_is_a_mean_over_points_and_md_rd_one_over_pictures():
    lines = [
        Line("a", "ours", 0, 1.0, 3, 1, {"md_px": 10.0, "md_rd_sample": 0.1}, ""),
        Line("b", "ours", 0, 3.0, 3, 3, {"md_px": 2.0, "md_rd_sample": 0.3}, ""),
    ]
    tally = Tally(tuple(lines), {})
    assert tally.mean("ours", "md_px") == pytest.approx(4)
    assert tally.mean("ours", "md_rd_sample") == pytest.approx(0.2)
    assert tally.seconds("ours") == 2


def test_an_ablation_is_judged_sample_by_sample():
    def line(sample: str, method: str, px: float) -> Line:
        return Line(sample, method, 0, 1.0, 3, 1, {"md_px": px}, "")

    lines = [line(name, "ours", px) for name, px in (("a", 1), ("b", 9), ("c", 5))]
    lines += [line(name, "swap-none", px + 3) for name, px in (("a", 1.1), ("b", 9), ("c", 4.9))]
    lines += [line(name, "swap-up", px) for name, px in (("a", 9), ("b", 1), ("c", 5.3))]
    tally = Tally(tuple(lines), {"data": "d"})
    assert tally.gain("swap-none", "ours", "md_px") == (pytest.approx(3), pytest.approx(0.0577, abs=1e-3))
    text = markdown(tally, published=False)
    assert "- MD-px: **swap-none +3.00 ± 0.06**, swap-up +0.10 ±" in text


def test_every_ablation_of_the_paper_is_there():
    groups = {method.group for method in ABLATIONS.values()}
    assert groups == {
        "attention swap, ours",
        "attention swap, released",
        "region or points",
        "careless region",
    }
    assert {"swap-none", "swap-down", "swap-middle", "swap-up", "swap-all"} <= set(ABLATIONS)
    assert not set(ABLATIONS) & set(CONTENDERS)


def test_published_rows_have_a_source_and_a_figure_for_each_measure():
    for table in published_tables():
        assert table.source
        assert table.read
        assert all(len(row) == len(table.measures) for row in table.rows.values())
    text = "\n".join(tables_in_markdown("DragBench-SR"))
    assert "| Inpaint4Drag | 3.6 | 11.4 | 0.3 |" in text
    assert "PRDBench" not in text


def test_an_interrupted_run_tells_no_figures_of_an_earlier_one(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert command(samples, *PLAIN, "-o", tmp_path / "out") == 0
    capsys.readouterr()

    def interrupt(sample: rd.datasets.Sample) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(drag_work, "_digest_of", lambda files: "other code")
    monkeypatch.setattr(drag_work, "scene_of", interrupt)
    assert command(samples, *PLAIN, "-o", tmp_path / "out") == 130
    said = capsys.readouterr()
    assert "report in" not in said.err
    assert "| copy" not in said.out


def test_a_sample_whose_points_give_no_regions_is_named(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    data = tmp_path / "data"
    shutil.copytree(samples, data)
    for name in ("source_mask.png", "target_mask.png", "meta_data_region.pkl"):
        (data / "animals" / "wren" / name).unlink()

    def fails(sample: rd.datasets.Sample) -> rd.datasets.Sample:
        raise rd.datasets.SampleError("no such movement")

    monkeypatch.setattr(drag_work, "expand_sample", fails)
    assert command(data, *PLAIN, "-o", tmp_path / "out") == 1
    assert "1 samples were skipped" in capsys.readouterr().err
    assert "- animals/wren: no such movement" in (tmp_path / "out" / "dragbench.md").read_text()


def test_each_seed_that_fails_is_told():
    places = {row.place for row in edit_rows(["a"], ["ours", "copy"], [3, 4])}
    assert places == {"sample a, ours, seed 3", "sample a, ours, seed 4", "sample a, copy"}


@pytest.mark.parametrize("name", ["漢" * 90, "a\udcff", "x" * 100])
def test_a_sample_of_any_name_has_a_row(name: str):
    (row,) = edit_rows([name], ["released-swap-middle"], [2**32 - 1])
    assert len(row.name.encode()) < 240
