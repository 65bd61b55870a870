"""A table is done once: what is finished is kept, what changed is done again, what fails does not stop it."""

from __future__ import annotations

import csv
import errno
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from regiondrag_widget.batch import Made, OutputError, ResultFolder, Row, iterate, run
from regiondrag_widget.batch.portions import in_portions
from tests.unit.batch.work_kit import Doubling, numbered, texts


@pytest.fixture
def work(tmp_path: Path) -> Doubling:
    return Doubling(tmp_path / "log")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_row_is_a_file_and_a_line_of_the_table(work: Doubling, out: Path):
    summary = run(numbered(3), out, work)
    assert (summary.done, summary.kept, summary.failed) == (3, 0, 0)
    assert texts(out) == {"r0": "0", "r1": "2", "r2": "4"}
    assert [(line["name"], line["file"], line["number"]) for line in table(out / "results.csv")] == [
        ("r0", "r0.txt", "0"),
        ("r1", "r1.txt", "1"),
        ("r2", "r2.txt", "2"),
    ]


def test_finished_rows_are_not_done_again(work: Doubling, out: Path):
    run(numbered(2), out, work)
    summary = run(numbered(4), out, work)
    assert (summary.done, summary.kept) == (2, 2)
    assert work.done() == ["r0", "r1", "r2", "r3"]


def test_a_run_that_is_closed_goes_on_where_it_was(work: Doubling, out: Path):
    outcomes = iterate(numbered(4), out, work)
    assert next(outcomes).row.name == "r0"
    outcomes.close()
    assert run(numbered(4), out, work).kept == 1
    assert work.done() == ["r0", "r1", "r2", "r3"]


def test_an_interrupt_leaves_finished_rows_and_the_reasons_of_failures(work: Doubling, out: Path):
    def interrupt(outcome: Any, summary: Any) -> None:
        if outcome.row.name == "r14":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(numbered(20), out, work, progress=interrupt)
    assert [line["name"] for line in table(out / "failed.csv")] == ["r13"]
    assert run(numbered(20), out, work).kept == 14


def test_a_changed_value_or_setting_is_done_again(work: Doubling, out: Path):
    run(numbered(2), out, work)
    changed = [Row("r0", {"number": 5}), Row("r1", {"number": 1})]
    assert run(changed, out, work).done == 1
    assert run(changed, out, Doubling(work.log, factor=3)).done == 2
    assert texts(out) == {"r0": "15", "r1": "3"}


def test_a_changed_input_is_done_again_and_a_touched_or_moved_one_is_not(
    work: Doubling, out: Path, tmp_path: Path
):
    given = tmp_path / "number"
    given.write_text("4")
    rows = [Row("a", {"file": str(given)})]
    run(rows, out, work)
    os.utime(given, (1, 1))
    assert run(rows, out, work).kept == 1
    moved = tmp_path / "elsewhere"
    given.rename(moved)
    assert run([Row("a", {"file": str(moved)})], out, work).kept == 1
    moved.write_text("7")
    assert run([Row("a", {"file": str(moved)})], out, work).done == 1
    assert texts(out) == {"a": "14"}


@pytest.mark.parametrize("harm", ["gone", "cut", "no record", "torn record"])
def test_a_result_that_is_not_whole_is_made_again(work: Doubling, out: Path, harm: str):
    run(numbered(8), out, work)
    result, record = out / "r7.txt", ResultFolder(out).record_path("r7")
    if harm == "gone":
        result.unlink()
    elif harm == "cut":
        result.write_text("1")
    elif harm == "no record":
        record.unlink()
    else:
        record.write_text(record.read_text("utf-8")[:40])
    assert run(numbered(8), out, work).done == 1
    assert result.read_text("utf-8") == "14"


def test_a_row_that_fails_is_told_and_the_others_go_on(work: Doubling, out: Path, tmp_path: Path):
    rows = [
        Row("a", {"number": 13}, "line 2"),
        Row("b", {"number": 1}),
        Row("c", {"number": "nonsense"}),
        Row("d", {"file": str(tmp_path / "gone")}),
    ]
    summary = run(rows, out, work)
    assert (summary.done, summary.failed) == (1, 3)
    reasons = {line["name"]: line["reason"] for line in table(out / "failed.csv")}
    assert reasons == {
        "a": "13 is unlucky",
        "c": "number must be a number",
        "d": f"there is no file {tmp_path / 'gone'}",
    }
    assert table(out / "failed.csv")[0]["row"] == "line 2"


def test_failed_rows_are_tried_again_and_the_list_of_failures_goes(work: Doubling, out: Path, tmp_path: Path):
    given = tmp_path / "number"
    rows = [Row("a", {"file": str(given)})]
    assert run(rows, out, work).failed == 1
    given.write_text("2")
    assert run(rows, out, work).failed == 0
    assert not (out / "failed.csv").exists()


def test_names_with_folders_are_files_in_folders(work: Doubling, out: Path):
    run([Row("ducks/left", {"number": 2})], out, work)
    assert (out / "ducks" / "left.txt").read_text("utf-8") == "4"
    assert run([Row("ducks/left", {"number": 2})], out, work).kept == 1


@pytest.mark.parametrize(
    "name", ["", "../up", "/root", "a//b", "a\\b", "nul\x00", "x" * 200, "a.", " a", "c:d"]
)
def test_a_name_that_is_no_files_is_refused(name: str):
    with pytest.raises(ValueError, match="cannot name a result"):
        Row(name)


def test_two_rows_of_one_name_are_refused(work: Doubling, out: Path):
    with pytest.raises(ValueError, match=r"two rows are called 'R0' \(line 2 and line 9\)"):
        run([*numbered(1), Row("R0", {"number": 2}, "line 9")], out, work)


def test_no_rows_are_refused(work: Doubling, out: Path):
    with pytest.raises(ValueError, match="no rows"):
        run([], out, work)
    with pytest.raises(ValueError, match="at least 1"):
        run(numbered(1), out, work, workers=0)


def test_a_result_never_overwrites_an_input(work: Doubling, out: Path):
    out.mkdir()
    (out / "a.txt").write_text("4")
    with pytest.raises(ValueError, match=r"would overwrite .*a\.txt, which is read"):
        run([Row("a", {"file": str(out / "a.txt")})], out, work)
    assert (out / "a.txt").read_text() == "4"


def test_work_that_cannot_be_opened_ends_the_run(tmp_path: Path, out: Path):
    with pytest.raises(FileNotFoundError, match="no model called gone"):
        run(numbered(2), out, Doubling(tmp_path / "log", broken="gone"))


def test_a_file_as_the_folder_is_refused(work: Doubling, out: Path):
    out.write_text("")
    with pytest.raises(OutputError, match="is a file: name a folder"):
        run(numbered(1), out, work)


def test_a_folder_that_cannot_be_made_is_told(work: Doubling, tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="nothing can be written to the folder"):
        run(numbered(1), tmp_path / "file" / "out", work)


def test_a_full_disk_ends_the_run_in_one_sentence(work: Doubling, out: Path, monkeypatch: pytest.MonkeyPatch):
    kept = ResultFolder.keep
    rows = numbered(4)

    def keep(self: ResultFolder, row: Row, depends: Any, inputs: Any, made: Any, seconds: float) -> Any:
        def full(path: Path) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

        made = made if row.name != "r2" else type(made)(made.about, {".txt": full})
        return kept(self, row, depends, inputs, made, seconds)

    monkeypatch.setattr(ResultFolder, "keep", keep)
    with pytest.raises(
        OutputError, match=r"No space left on device: no more results can be written.*same again"
    ):
        run(rows, out, work)
    monkeypatch.undo()
    assert run(rows, out, work).kept == 2


def test_rows_of_one_picture_are_done_together(tmp_path: Path):
    rows = [Row(f"r{i}", {"number": i, "picture": "ab"[i % 2]}) for i in range(6)]
    portions = in_portions(rows, Doubling(tmp_path / "log"), most=2)
    assert [[row.name for row in portion] for portion in portions] == [
        ["r0", "r2"],
        ["r4"],
        ["r1", "r3"],
        ["r5"],
    ]


def test_groups_within_a_picture_follow_each_other():
    class Nested(Doubling):
        def group(self, row: Row) -> tuple[str, ...]:
            return (row.name[0], row.name[1])

    rows = [Row(name) for name in ("a1", "b1", "a2", "a1x", "b0", "a2x")]
    portions = in_portions(rows, Nested(Path("log")))
    assert [[row.name for row in p] for p in portions] == [["a1", "a1x"], ["a2", "a2x"], ["b1"], ["b0"]]


def test_the_record_says_what_a_result_was_made_of(work: Doubling, out: Path, tmp_path: Path):
    given = tmp_path / "number"
    given.write_text("4")
    run([Row("a", {"file": str(given)})], out, work)
    record = json.loads(ResultFolder(out).record_path("a").read_text("utf-8"))
    assert record["files"] == {"a.txt": 1}
    assert record["about"] == {"number": 4, "list": [1]}
    assert record["inputs"][0]["bytes"] == 1


@dataclass(frozen=True)
class Letters(Doubling):
    """Results of one length, whatever the number: their size tells nothing."""

    def _do(self, row: Row) -> Made:
        letter = "abc"[row.values["number"]]

        def write(path: Path) -> None:
            path.write_text(letter, "utf-8")
            if row.values.get("stop"):
                raise KeyboardInterrupt

        return Made({"number": row.values["number"]}, {".txt": write})


def test_a_result_without_its_record_is_not_taken_for_an_earlier_one(out: Path, tmp_path: Path):
    """Row r is done, changed and stopped before its record, and changed back."""
    work = Letters(tmp_path / "log")
    run([Row("r", {"number": 0})], out, work)
    with pytest.raises(KeyboardInterrupt):
        run([Row("r", {"number": 1, "stop": True})], out, work)
    assert texts(out) == {"r": "b"}
    assert run([Row("r", {"number": 0})], out, work).done == 1
    assert texts(out) == {"r": "a"}


def test_a_row_that_fails_now_is_no_line_of_the_table(work: Doubling, out: Path):
    run(numbered(2), out, work)
    run([Row("r0", {"number": 0}), Row("r1", {"number": "nonsense"})], out, work)
    assert [line["name"] for line in table(out / "results.csv")] == ["r0"]


def test_columns_of_a_table_do_not_hide_where_the_result_is(work: Doubling, out: Path):
    run([Row("r", {"number": 2, "seconds": "long"})], out, work)
    (line,) = table(out / "results.csv")
    assert line["file"] == "r.txt"
    assert float(line["seconds"]) < 60


def test_a_result_does_not_overwrite_what_is_read_through_a_link(work: Doubling, tmp_path: Path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    (real / "r.txt").write_text("4")
    link.symlink_to(real, target_is_directory=True)
    with pytest.raises(ValueError, match="a result would overwrite"):
        run([Row("r", {"file": str(link / "r.txt")})], link, work)
    assert (real / "r.txt").read_text() == "4"


def test_names_that_are_no_text_are_escaped_in_tables(work: Doubling, out: Path):
    run([Row("r", {"number": 1, "note": "a\udcff"})], out, work)
    assert table(out / "results.csv")[0]["note"] == r"a\udcff"


def test_a_link_among_the_results_is_not_written_through(work: Doubling, out: Path, tmp_path: Path):
    out.mkdir()
    (tmp_path / "mine").write_text("4")
    (out / "r.txt").symlink_to(tmp_path / "mine")
    with pytest.raises(ValueError, match="a result would overwrite"):
        run([Row("r", {"file": str(out / "r.txt")})], out, work)
    assert (tmp_path / "mine").read_text() == "4"
