"""A cluster does what one process does, and a worker that dies takes nothing with it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from regiondrag_widget.batch import EditWork, OutputError, ResultFolder, Row, edit_dataset, read_rows, run
from regiondrag_widget.batch.ray_worker import TRIES, RowsOnRay, raise_fatal
from tests.unit.batch.conftest import results
from tests.unit.batch.work_kit import Doubling, numbered, texts

ray = pytest.importorskip("ray", reason="Ray is installed for tests on Linux alone")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster of this machine with room for two workers."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=2, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    yield ray
    ray.shutdown()


def test_a_worker_that_dies_in_the_middle_loses_nothing_and_does_nothing_twice(cluster: Any, tmp_path: Path):
    """One row kills its worker, after others of its portion were finished."""
    work = Doubling(tmp_path / "log")
    rows = [Row(f"r{i}", {"number": i, "picture": str(i // 4), "sleep": 0.2}) for i in range(16)]
    rows[6] = Row("r6", {"number": 6, "picture": "1", "die": str(tmp_path / "died")})
    summary = run(rows, tmp_path / "out", work, ray="")
    assert (summary.done, summary.kept, summary.failed) == (15, 0, 1)
    assert sorted(work.done()) == sorted(f"r{i}" for i in range(16) if i != 13)
    assert len(work.processes()) >= 2
    assert texts(tmp_path / "out") == {f"r{i}": str(2 * i) for i in range(16) if i != 13}
    assert [failure.reason for failure in summary.failures] == ["13 is unlucky"]


def test_a_dataset_of_edits_is_the_table_of_one_process(cluster: Any, made: Path, tmp_path: Path):
    data = ray.data.read_csv(str(made / "jobs.csv"))
    lines = edit_dataset(data, tmp_path, folder=made, workers=1).take_all()
    assert {line["name"]: line["status"] for line in lines} == {
        "wren-near": "done",
        "duck": "done",
        "wren-far": "done",
        "wren-other": "done",
        "gone": "failed",
    }
    assert {line["reason"] for line in lines} == {"", f"there is no file {made / 'gone.png'}"}
    assert results(tmp_path) == results(made / "out")
    # by the other way what the cluster finished is finished
    assert run(read_rows(made), tmp_path, EditWork()).kept == 4


def test_without_the_package_it_is_one_sentence(tmp_path: Path):
    code = (  # as if it were not installed
        "import sys; sys.modules['ray'] = None\n"
        "from regiondrag_widget.cli import main\n"
        "sys.exit(main(['batch', 'jobs.csv', '-o', 'out', '--ray', '--quiet']))"
    )
    (tmp_path / "jobs.csv").write_text("picture,handle,move\na.png,b.png,1 1\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install 'regiondrag-widget[ray]'" in done.stderr
    assert not (tmp_path / "out").exists()


# ---- what a worker tells, without a cluster ----


def told(work: Doubling, output: Path, token: str) -> dict[str, Any]:
    """The line that a worker tells of one row."""
    (line,) = list(RowsOnRay(work, str(output), token, lambda batch: numbered(1))({}))
    return {name: column[0] for name, column in line.items()}


def test_a_folder_that_a_worker_does_not_see_is_told(tmp_path: Path):
    line = told(Doubling(tmp_path / "log"), tmp_path / "elsewhere", "token")
    with pytest.raises(OutputError, match=r"does not see the folder .*elsewhere: name one that all machines"):
        raise_fatal(line)


def test_a_model_that_is_not_there_or_does_not_fit_ends_the_run(tmp_path: Path):
    folder = ResultFolder(tmp_path)
    folder.prepare()
    with pytest.raises(FileNotFoundError, match="no model called gone"):
        raise_fatal(told(Doubling(tmp_path / "log", broken="gone"), tmp_path, folder.token()))
    with pytest.raises(MemoryError, match="the model fits no worker: memory ran out on"):
        raise_fatal(told(Doubling(tmp_path / "log", broken="large"), tmp_path, folder.token()))


def test_a_row_that_kills_every_worker_fails(tmp_path: Path):
    """Ray Data tries for ever: the count is kept in the folder."""
    folder = ResultFolder(tmp_path)
    folder.prepare()
    for _ in range(TRIES):
        with pytest.raises(KeyboardInterrupt), folder.attempt("r0"):
            raise KeyboardInterrupt
    work = Doubling(tmp_path / "log")
    line = told(work, tmp_path, folder.token())
    assert (line["status"], work.done()) == ("failed", [])
    assert "died 2 times" in line["reason"]
    assert told(work, tmp_path, folder.token())["status"] == "done", "a later run tries again"
