"""What a worker of a cluster tells, without a cluster and without Ray."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from regiondrag_widget.batch import OutputError, ResultFolder
from regiondrag_widget.batch.ray_worker import TRIES, RowsOnRay, raise_fatal
from tests.unit.batch.work_kit import Doubling, numbered


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
