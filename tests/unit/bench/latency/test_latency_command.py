"""``regiondrag bench latency``: what it writes, what it refuses, what an interrupt leaves."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from regiondrag_widget.bench.latency import networks, peak_memory, pointer, rounds
from regiondrag_widget.bench.latency.bars import bars
from regiondrag_widget.bench.latency.plots import latency_plot
from regiondrag_widget.bench.latency.report import Measured, markdown
from regiondrag_widget.bench.latency.rounds import Result, Row
from regiondrag_widget.bench.latency.rows import COLD, DRAFT, POINT_DRAG, POINT_TRAINING, RELEASED, WARM
from regiondrag_widget.cli import main
from tests.unit.engine_kit import tiny_pipeline


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tiny network in place of the bundled one; no child processes."""
    monkeypatch.setattr(networks, "load_network", lambda **options: tiny_pipeline())
    monkeypatch.setattr(peak_memory, "peak_memory", lambda way, network, size: {"way": way, "bytes": 1 << 20})


def latency(*arguments: str) -> int:
    return main(["bench", "latency", *arguments])


SHORT = ("--size", "128", "--repetitions", "2", "--only")


def test_it_writes_a_table_figures_and_a_plot(tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tmp_path / "a" / "b"
    assert latency(*SHORT, "released", "warm edit", "memory", "-o", str(folder)) == 0
    assert {path.name for path in folder.iterdir()} == {
        f"latency-cpu.{kind}" for kind in ("md", "json", "png")
    }
    found = json.loads((folder / "latency-cpu.json").read_text())
    rows = {row["name"]: row for row in found["rows"]}
    assert set(rows) >= {RELEASED, WARM}
    assert DRAFT.format(2) not in rows
    for row in rows.values():
        assert len(row["seconds"]) == 2
        assert 0 < row["least"] <= row["median"] <= row["p95"]
    about = found["about"]
    assert about["dtype"] == "float32"
    assert about["threads"] >= 1
    assert {"cpu", "cores", "torch", "diffusers", "python"} <= set(about)
    assert found["noise"]["probes"] == 2 * len(rows)
    assert found["memory"][0] == {"way": "network loaded", "bytes": 1 << 20}
    printed = capsys.readouterr().out
    written = (folder / "latency-cpu.md").read_text()
    assert written.startswith(printed.rstrip())
    assert "](latency-cpu.png)" in written
    assert "| released schedule | 20 |" in printed


def test_the_figures_go_to_stdout_or_another_file(
    tiny: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert latency(*SHORT, "warm edit", "-o", str(tmp_path), "--json") == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["name"] == WARM
    assert latency(*SHORT, "warm edit", "-o", str(tmp_path), "--json", str(tmp_path / "x.json")) == 0
    assert json.loads((tmp_path / "x.json").read_text())["rows"]


def test_an_interrupt_writes_what_was_measured(
    tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def interrupted(results: list[Result], *_: Any) -> None:
        results[0].seconds.append(0.5)
        raise KeyboardInterrupt

    monkeypatch.setattr(rounds, "measure", interrupted)
    assert latency(*SHORT, "warm edit", "-o", str(tmp_path)) == 130
    assert "Interrupted" in capsys.readouterr().out
    found = json.loads((tmp_path / "latency-cpu.json").read_text())
    assert found["interrupted"]
    assert found["rows"][0]["seconds"] == [0.5]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "./no-such-model"], "no-such-model"),
        (["--device", "cuda:77"], "cuda"),
        (["--device", "abacus"], "abacus"),
        (["--dtype", "float8"], "float8"),
        (["--size", "63"], "--size is 63"),
        (["--size", "100"], "multiple of"),
        (["--repetitions", "0"], "--repetitions is 0"),
        (["--only", "nonsense"], "no row is called nonsense"),
        (["--json", "no/such/folder/x.json"], "no such folder"),
    ],
)
def test_wrong_input_is_one_sentence_and_code_2(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert latency(*arguments, "-o", str(tmp_path)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert len(captured.err.strip().splitlines()) == 1


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "file").write_text("mine")
    assert latency("-o", str(tmp_path / "file" / "below")) == 2
    assert "cannot write into" in capsys.readouterr().err


# ---- the report ----


def result(name: str, seconds: float | None, group: str = "edits", **row: Any) -> Result:
    made = Result(Row(name, group, lambda: lambda i: None, row.pop("what", name), **row))
    if seconds is None:
        made.problem = "out of memory"
    else:
        made.seconds = [seconds] * 3
    return made


def test_bars_of_a_cpu_are_judged_by_the_figures():
    results = [
        result(RELEASED, 1.0),
        result(WARM, 0.4),
        result(DRAFT.format(2), 0.3),
        result(POINT_DRAG, 45.0),
        result(POINT_TRAINING, 5.0),
        result("warm, 1 pair", 0.4, "number of pairs", what="warm", x=1),
        result("warm, 8 pairs", 0.6, "number of pairs", what="warm", x=8),
    ]
    pointer = {"draft": {"median": 300.0}, "preview": {"median": 20.0}}
    found = bars(results, pointer, model="mini", size=256, device="cpu")
    holds = {bar.what: bar.holds for bar in found}
    assert list(holds.values()) == [True, None, False, True, False, True, True, True, False]
    assert found[0].found == "2.5x"
    assert bars(results, None, model="mini", size=512, device="cpu") == []


def test_bars_of_a_gpu_are_others():
    results = [result(RELEASED, 0.5), result(WARM, 0.05), result(DRAFT.format(2), 0.02), result(COLD, 0.2)]
    found = bars(results, None, model="sd15", size=512, device="cuda")
    assert [bar.holds for bar in found[:4]] == [True, True, True, True]
    found = bars([result(WARM, 0.7)], None, model="sdxl", size=1024, device="cuda")
    assert found[0].holds is False


def test_a_row_that_failed_says_why_in_the_table():
    text = markdown(Measured({"model": "m"}, [result(RELEASED, 1.0), result(COLD, None)]))
    assert "| cold edit |  | out of memory |" in text
    assert "| released schedule |  | 1000 | 1000 | 1000 | 3 | 1.00x |" in text


def test_growth_and_levers_have_tables_and_the_plot_three_panels(tmp_path: Path):
    measured = Measured(
        {"model": "m"},
        [
            result(RELEASED, 1.0),
            result(WARM, 0.2),
            result("without bfloat16", 0.3, "levers", what="the UNet in float32", against=WARM),
            result("warm, 128 px", 0.1, "picture size", what="warm", x=128),
            result("warm, 256 px", 0.2, "picture size", what="warm", x=256),
            result("warm, 1 pair", 0.2, "number of pairs", what="warm", x=1),
        ],
    )
    text = markdown(measured)
    assert "| without bfloat16 | the UNet in float32 | 300 | 300 | 200 (warm edit) | 1.50x |" in text
    assert "| 128 | 100 |\n| 256 | 200 |" in text
    assert latency_plot(measured, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 1000
    assert not latency_plot(Measured({}), tmp_path / "none.png")


# ---- memory and pointer ----


def test_peak_memory_of_a_child_is_more_than_the_network_takes():
    found = peak_memory.peak_memory("network loaded", {"model": "mini", "device": "cpu"}, 128)
    assert found["bytes"] > 100 << 20


def test_a_child_that_fails_says_why(monkeypatch: pytest.MonkeyPatch):
    found = peak_memory.peak_memory("warm edit", {"model": "./no-such-model"}, 128)
    assert "no-such-model" in found["problem"]
    monkeypatch.setattr(
        peak_memory.subprocess, "run", lambda *a, **k: SimpleNamespace(returncode=-9, stderr="")
    )
    assert "out of memory" in peak_memory.peak_memory("warm edit", {}, 128)["problem"]


@pytest.mark.parametrize("missing", ["playwright", "jupyterlab"])
def test_without_a_browser_or_lab_the_row_says_what_to_install(missing: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == missing else "here")
    found = pointer.pointer_to_pixels({"model": "mini"}, 256, 5)
    assert missing in found["problem"]
    assert "pip install" in found["problem"]
    assert missing in markdown(Measured({}, pointer=found))


def test_a_browser_that_does_not_start_is_a_row_too(monkeypatch: pytest.MonkeyPatch):
    def fail(cell: str) -> Any:
        raise RuntimeError("JupyterLab did not start:\nlong log")

    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: "here")
    monkeypatch.setattr(pointer, "_page", fail)
    assert pointer.pointer_to_pixels({}, 256, 5) == {"problem": "RuntimeError: JupyterLab did not start:"}


def test_the_help_loads_no_torch():
    import subprocess

    code = (
        "import sys; from regiondrag_widget.cli import main;"
        "main(['bench', 'latency', '--help']); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip().endswith("False")
