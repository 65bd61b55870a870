"""A cluster does what one process does, and a worker that dies takes nothing with it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from regiondrag_widget.batch import EditWork, Row, edit_dataset, read_rows, run
from tests.unit.batch.conftest import results
from tests.unit.batch.work_kit import Doubling, texts

ray = pytest.importorskip("ray", reason="Ray is installed for tests on Linux alone")
arrow_csv = pytest.importorskip("pyarrow.csv", reason="Ray brings it")
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
    rows = [Row(f"r{i}", {"number": i, "picture": str(i // 4), "sleep": 0.05}) for i in range(16)]
    rows[6] = Row("r6", {"number": 6, "picture": "1", "die": str(tmp_path / "died")})
    summary = run(rows, tmp_path / "out", work, ray="")
    assert (summary.done, summary.kept, summary.failed) == (15, 0, 1)
    assert sorted(work.done()) == sorted(f"r{i}" for i in range(16) if i != 13)
    assert len(work.processes()) >= 2
    assert texts(tmp_path / "out") == {f"r{i}": str(2 * i) for i in range(16) if i != 13}
    assert [failure.reason for failure in summary.failures] == ["13 is unlucky"]


def test_a_dataset_of_edits_is_the_table_of_one_process(cluster: Any, made: Path, tmp_path: Path):
    # one block, as it is read in a small file; a seed of a column with an empty cell comes as 1.0
    data = ray.data.from_arrow(arrow_csv.read_csv(made / "jobs.csv"))
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
