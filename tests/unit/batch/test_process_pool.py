"""Several processes do what one does, and one that dies takes nothing with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest

from regiondrag_widget.batch import Row, iterate, run
from tests.unit.batch.work_kit import Doubling, numbered, texts


def test_two_processes_give_the_results_of_one(tmp_path: Path):
    rows = [Row(f"r{i}", {"number": i, "picture": str(i % 4), "sleep": 0.05}) for i in range(16)]
    one, two = Doubling(tmp_path / "one.log"), Doubling(tmp_path / "two.log")
    assert run(rows, tmp_path / "one", one).failed == 1
    assert run(rows, tmp_path / "two", two, workers=2).failed == 1
    assert texts(tmp_path / "one") == texts(tmp_path / "two")
    assert len(two.processes()) == 2
    assert str(os.getpid()) not in two.processes()
    assert run(rows, tmp_path / "two", two, workers=2).kept == 15


def test_the_row_of_a_process_that_dies_is_done_by_another(tmp_path: Path):
    """Of two rows one process dies once, the other every time: nothing is lost and nothing done twice."""
    work = Doubling(tmp_path / "log")
    rows = [
        *numbered(4),
        Row("once", {"number": 7, "die": str(tmp_path / "died")}),
        Row("ever", {"die": "always"}),
    ]
    summary = run(rows, tmp_path / "out", work, workers=2)
    assert sorted(work.done()) == ["once", "r0", "r1", "r2", "r3"]
    assert texts(tmp_path / "out")["once"] == "14"
    (failure,) = summary.failures
    assert failure.row.name == "ever"
    assert "died 2 times" in failure.reason


def test_what_cannot_be_opened_is_told_as_with_one_process(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match="no model called gone"):
        run(numbered(2), tmp_path / "out", Doubling(tmp_path / "log", broken="gone"), workers=2)


def test_closing_ends_the_processes_at_once(tmp_path: Path):
    rows = [Row("quick", {"number": 1}), Row("slow", {"number": 2, "sleep": 60, "picture": "other"})]
    before = set(psutil.Process().children())  # dead children of other tests cannot be asked
    outcomes = iterate(rows, tmp_path / "out", Doubling(tmp_path / "log"), workers=2)
    assert next(outcomes).row.name == "quick"
    started = set(psutil.Process().children()) - before
    workers = [child for child in started if "spawn_main" in " ".join(child.cmdline())]
    began = time.monotonic()
    outcomes.close()
    assert len(workers) == 2
    assert not psutil.wait_procs(workers, timeout=10)[1]
    assert time.monotonic() - began < 10


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_workers_end_when_the_process_that_started_them_is_killed(tmp_path: Path):
    code = f"""
        from pathlib import Path
        from regiondrag_widget.batch import Row, run
        from tests.unit.batch.work_kit import Doubling
        if __name__ == "__main__":
            rows = [Row(f"r{{i}}", {{"number": i, "sleep": 0.2, "picture": str(i)}}) for i in range(200)]
            run(rows, Path({str(tmp_path / "out")!r}), Doubling(Path({str(tmp_path / "log")!r})), workers=2)
    """
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(code))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    driver = subprocess.Popen([sys.executable, str(script)], env=environment)
    try:
        work = Doubling(tmp_path / "log")
        deadline = time.monotonic() + 60
        while len(work.processes()) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        workers = [psutil.Process(int(pid)) for pid in work.processes()]
    finally:
        driver.kill()
        driver.wait(30)
    assert not psutil.wait_procs(workers, timeout=20)[1]
    finished = set(texts(tmp_path / "out"))
    rows = [Row(f"r{i}", {"number": i, "picture": str(i)}) for i in range(200)]
    summary = run(rows, tmp_path / "out", work)
    assert summary.kept >= len(finished) - 2  # a result whose record was not written yet is made again
    assert summary.kept + summary.done + summary.failed == 200
    assert len(texts(tmp_path / "out")) == 199


@pytest.mark.skipif(sys.platform == "win32", reason="Windows waits for a queue without hearing Ctrl-C")
def test_an_interrupt_ends_processes_that_are_still_loading(tmp_path: Path):
    work = Doubling(tmp_path / "log", broken="slow")
    before = set(psutil.Process().children())
    # a shell's background jobs ignore the signal, and so would these tests in one
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(1.0, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    began = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            run(numbered(2), tmp_path / "out", work, workers=2)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert time.monotonic() - began < 30
    left = [child for child in set(psutil.Process().children()) - before if "spawn_main" in _command(child)]
    assert not psutil.wait_procs(left, timeout=10)[1]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has ended
        return ""
