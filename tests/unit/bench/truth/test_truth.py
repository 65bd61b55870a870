"""Methods run over scenes: figures, resuming, reports and exit codes."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import regiondrag_widget
from regiondrag_widget.bench.methods.baselines import baselines, grabcut_matte
from regiondrag_widget.bench.methods.method import Method, MethodOutput
from regiondrag_widget.bench.truth.bars import bars
from regiondrag_widget.bench.truth.plots import label_points, quality_plot
from regiondrag_widget.bench.truth.report import as_json, markdown
from regiondrag_widget.bench.truth.result_store import ResultStore, code_files
from regiondrag_widget.bench.truth.run import run
from regiondrag_widget.bench.truth.scene import Scene, SceneError, write_scene
from regiondrag_widget.bench.truth.scenes import build_scenes
from regiondrag_widget.cli.bench import add_parser


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return list(build_scenes((), count=6, size=96))


class Counted:
    """A method that counts its calls."""

    def __init__(self, fail_on: int = -1) -> None:
        self.calls, self.fail_on = 0, fail_on

    def __call__(self, scene: Scene) -> MethodOutput:
        self.calls += 1
        if self.calls == self.fail_on:
            raise KeyboardInterrupt
        return MethodOutput(scene.before, 0.5, 3)


def command(*words: object) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(required=True))
    # without a network, unless told otherwise: those have tests of their own
    args = parser.parse_args(["bench", "truth", "--model", "none", *map(str, words)])
    return int(args.run(args))


def test_every_baseline_leaves_the_outside_alone(scenes: list[Scene]) -> None:
    assert all(row.figures["outside"] == 0 for row in run(scenes, baselines()).rows)


def test_pasting_finds_the_target_and_filling_the_vacated_place(scenes: list[Scene]) -> None:
    report = run(scenes, baselines())
    figure = {
        name: report.mean(name, "psnr") or 0
        for name in ("leave alone", "paste", "paste + Telea", "matte + Telea")
    }
    assert figure["leave alone"] < figure["paste"] < figure["paste + Telea"] < figure["matte + Telea"]


def test_a_matte_leaves_the_rim_of_background_behind(scenes: list[Scene]) -> None:
    scene = scenes[0]
    alpha = grabcut_matte(scene.before, scene.pairs[0].handle)
    assert alpha[~scene.handle].max() == 0
    assert 0.3 < alpha[scene.handle].mean() < 0.95


def test_a_failing_edit_is_a_problem_and_the_others_go_on(scenes: list[Scene]) -> None:
    def fails(scene: Scene) -> MethodOutput:
        raise RuntimeError("out of paint")

    report = run(scenes[:2], [Method("fails", fails), baselines()[0]])
    assert len(report.rows) == 2
    assert all("out of paint" in problem for problem in report.problems)


def test_an_unreadable_scene_is_a_problem_and_the_others_go_on(scenes: list[Scene]) -> None:
    report = run([SceneError("scene lake lacks after.png"), scenes[0]], baselines()[:1])
    assert report.problems == ("scene lake lacks after.png",)
    assert len(report.rows) == 1


def test_two_methods_of_one_name_are_refused(scenes: list[Scene]) -> None:
    with pytest.raises(ValueError, match="one name"):
        run(scenes, [baselines()[0], baselines()[0]])


def test_an_interrupted_run_goes_on_where_it_was(scenes: list[Scene], tmp_path: Path) -> None:
    first, second = Counted(fail_on=4), Counted()
    with pytest.raises(KeyboardInterrupt):
        run(scenes, [Method("counted", first)], store=ResultStore(tmp_path))
    report = run(scenes, [Method("counted", second)], store=ResultStore(tmp_path))
    assert second.calls == len(scenes) - 3
    assert len(report.rows) == len(scenes)


def test_a_line_cut_short_is_made_again(scenes: list[Scene], tmp_path: Path) -> None:
    run(scenes[:2], [Method("counted", Counted())], store=ResultStore(tmp_path))
    lines = tmp_path / "results.jsonl"
    lines.write_text(lines.read_text()[:-40])
    again = Counted()
    run(scenes[:2], [Method("counted", again)], store=ResultStore(tmp_path))
    assert again.calls == 1
    assert len(ResultStore(tmp_path)._rows) == 2


def test_changed_settings_are_measured_anew(scenes: list[Scene], tmp_path: Path) -> None:
    again = Counted()
    run(scenes[:1], [Method("counted", Counted(), settings={"steps": 4})], store=ResultStore(tmp_path))
    run(scenes[:1], [Method("counted", again, settings={"steps": 8})], store=ResultStore(tmp_path))
    assert again.calls == 1


def test_gains_are_paired_by_scene(scenes: list[Scene]) -> None:
    report = run(scenes, baselines())
    found = report.gain("paste + Telea", "leave alone", "psnr")
    assert found is not None
    better, worse = report.mean("paste + Telea", "psnr"), report.mean("leave alone", "psnr")
    assert found[0] == pytest.approx((better or 0) - (worse or 0))
    assert found[1] > 0


def test_texture_is_averaged_as_a_ratio(scenes: list[Scene]) -> None:
    report = run(scenes, baselines()[:1])
    values = [row.figures["texture"] for row in report.rows if row.figures["texture"] is not None]
    assert report.mean("leave alone", "texture") == pytest.approx(float(np.exp(np.mean(np.log(values)))))


def test_the_report_holds_every_method_and_says_that_the_outside_is_untouched(scenes: list[Scene]) -> None:
    report = run(scenes, baselines(), about={"seed": 0})
    text = markdown(report)
    assert all(f"| {method.name} |" in text for method in baselines())
    assert "the largest difference is 0" in text
    assert json.loads(json.dumps(as_json(report)))["scenes"] == len(scenes)


def test_the_report_names_methods_that_change_the_outside(scenes: list[Scene]) -> None:
    method = Method("inverted", lambda scene: MethodOutput(255 - scene.before, 0.0))
    assert "Changed pixels outside" in markdown(run(scenes[:1], [method]))


def test_the_bars_are_held_by_the_truth_and_missed_by_leaving_alone(scenes: list[Scene]) -> None:
    truth = Method("truth", lambda scene: MethodOutput(scene.after, 0.0), group="ours")
    report = run(scenes, [truth, *baselines()])
    assert all(bar.holds for bar in bars(report, "truth"))
    assert "| yes |" in markdown(report)
    assert sum(bar.holds for bar in bars(report, "leave alone")) < 4


def test_the_command_writes_a_report_with_sheets(tmp_path: Path) -> None:
    assert command("--count", 2, "--size", 96, "--methods", "paste", "-o", tmp_path) == 0
    data = json.loads((tmp_path / "report.json").read_text())
    assert data["scenes"] == 2
    assert (tmp_path / "sheet-1.png").is_file()
    assert "paste + Telea" in (tmp_path / "report.md").read_text()


def test_the_same_seed_gives_the_same_figures(tmp_path: Path) -> None:
    def figures(folder: Path) -> list[dict[str, object]]:
        assert command("--count", 2, "--size", 96, "-o", folder) == 0
        rows = json.loads((folder / "report.json").read_text())["rows"]
        return [{**row["figures"], "seconds": 0} for row in rows]

    assert figures(tmp_path / "a") == figures(tmp_path / "b")


def test_written_scenes_give_the_same_figures_as_built_ones(tmp_path: Path) -> None:
    common = ("--methods", "matte", "--sheet-scenes", 0)
    assert (
        command("--count", 3, "--size", 96, *common, "--write-scenes", tmp_path / "s", "-o", tmp_path / "a")
        == 0
    )
    assert command("--scenes", tmp_path / "s", *common, "-o", tmp_path / "b") == 0
    means = [json.loads((tmp_path / run / "report.json").read_text())["methods"] for run in ("a", "b")]
    assert means[0]["matte + Telea"]["mean"]["psnr"] == means[1]["matte + Telea"]["mean"]["psnr"]


def test_results_depend_on_every_room_that_can_change_a_figure():
    package = Path(regiondrag_widget.__file__).parent
    names = {path.relative_to(package).as_posix() for path in code_files()}
    rooms = {name.split("/")[0] for name in names if "/" in name}
    assert rooms == {"bench", "engine", "imaging", "mini", "models", "regions"}
    assert {"pipeline.py", "bench/truth/metrics.py", "bench/methods/baselines.py"} <= names
    assert not {"bench/truth/report.py", "cli/edit.py", "widget/widget.py"} & names
    assert any(name.endswith(".safetensors") for name in names)


def test_a_broken_scene_gives_exit_code_one_and_the_others_are_measured(
    scenes: list[Scene], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for scene in scenes[:2]:
        write_scene(scene, tmp_path / "s" / scene.name)
    (tmp_path / "s" / scenes[0].name / "target.png").unlink()
    assert command("--scenes", tmp_path / "s", "--methods", "leave", "-o", tmp_path / "out") == 1
    assert f"scene {scenes[0].name} lacks target.png" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "report.json").read_text())["scenes"] == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--photos", "/nowhere"), "not a folder"),
        (("--scenes", "/nowhere"), "not a folder"),
        (("--count", "0"), "at least one scene"),
        (("--methods", "magic"), "no method is called magic"),
        (("--ablations",), "ablations need a network"),
        (("--few-scenes", "0"), "give at least 1"),
        (("--model", "/nowhere/at/all"), "/nowhere/at/all"),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_two(
    words: tuple[str, ...], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(*words, "-o", tmp_path) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error


def test_an_unwritable_report_is_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert command("--count", 1, "--size", 96, "-o", tmp_path / "file" / "report") == 2
    assert "cannot write the report" in capsys.readouterr().err


def test_an_interrupted_command_keeps_what_was_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = Method("counted", Counted(fail_on=2))
    monkeypatch.setattr("regiondrag_widget.bench.methods.baselines.baselines", lambda: [method])
    assert command("--count", 3, "--size", 96, "-o", tmp_path) == 130
    assert json.loads((tmp_path / "report.json").read_text())["scenes"] == 1


@pytest.mark.timeout(1200)  # two whole processes, torch and all
def test_two_processes_find_the_same_figures_with_the_bundled_model(tmp_path: Path) -> None:
    def figures(hash_seed: str) -> list[dict[str, object]]:
        words = (
            "--count",
            "1",
            "--size",
            "96",
            "--methods",
            "ours",
            "Telea",
            "-o",
            str(tmp_path / hash_seed),
        )
        program = "import sys; from regiondrag_widget.cli import main; sys.exit(main())"
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        subprocess.run(
            [sys.executable, "-c", program, "bench", "truth", *words],
            env=environment,
            check=True,
            capture_output=True,
            timeout=600,
        )
        rows = json.loads((tmp_path / hash_seed / "report.json").read_text())["rows"]
        return [{**row["figures"], "method": row["method"], "seconds": 0} for row in rows]

    first, second = figures("1"), figures("2")
    assert {row["method"] for row in first} == {
        "ours",
        "paste + Telea",
        "matte + Telea",
        "matte + Telea, tight",
    }
    assert first == second


def test_scenes_that_cannot_be_read_are_none_of_the_first_few(scenes: list[Scene]) -> None:
    few = Method("few", lambda scene: MethodOutput(scene.before, 0.0), most_scenes=1)
    told: list[object] = []
    report = run([SceneError("scene lake lacks after.png"), *scenes[:2]], [few], progress=told.append)
    assert [row.scene for row in report.rows] == [scenes[0].name]
    assert told == ["scene lake lacks after.png", report.rows[0]]


def test_scenes_in_nested_folders_are_measured_and_shown(scenes: list[Scene], tmp_path: Path) -> None:
    for folder in ("near", "far/away"):
        write_scene(scenes[0], tmp_path / "s" / folder)
    assert command("--scenes", tmp_path / "s", "--methods", "leave", "-o", tmp_path / "out") == 0
    rows = json.loads((tmp_path / "out" / "report.json").read_text())["rows"]
    assert [row["scene"] for row in rows] == ["far/away", "near"]
    assert (tmp_path / "out" / "images" / "far" / "away" / "leave-alone.png").is_file()


def test_problems_are_told_as_they_come(
    scenes: list[Scene], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scene(scenes[0], tmp_path / "s" / "lake")
    write_scene(scenes[0], tmp_path / "s" / "pond")
    (tmp_path / "s" / "lake" / "before.png").unlink()
    assert command("--scenes", tmp_path / "s", "--methods", "leave", "-o", tmp_path / "out") == 1
    error = capsys.readouterr().err
    assert "scene lake lacks before.png" in error
    assert "1 problem" in error


def test_the_report_judges_in_json_too(scenes: list[Scene]) -> None:
    truth = Method("truth", lambda scene: MethodOutput(scene.after, 0.0), group="ours")
    data = as_json(run(scenes, [truth, *baselines()]))
    assert data["shown"]
    assert all(bar["holds"] for bar in data["shown"])


def test_every_measure_is_given_for_every_region(scenes: list[Scene]) -> None:
    table = markdown(run(scenes, baselines())).split("## Region by region")[1].split("##")[0]
    assert "| SSIM touched | target | vacated | seam | FLIP touched | target | vacated | seam |" in table


def test_labels_of_close_points_keep_out_of_each_others_way(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 5))
    axes = figure.subplots()
    points = [(f"method {i}", (1 + 0.01 * i, 20 + 0.02 * i)) for i in range(5)]
    for _, point in points:
        axes.plot(*point, "o")
    axes.margins(0.4)
    figure.draw_without_rendering()
    label_points(axes, points)
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == 5
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_what_takes_no_time_is_a_line_in_the_plot(scenes: list[Scene], tmp_path: Path) -> None:
    report = run(scenes[:1], [Method("leave alone", lambda scene: MethodOutput(scene.before, 0.0))])
    assert quality_plot(report, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 10_000
