"""One inference thread for the process: latest request of an owner wins, cancelling is prompt, nothing
leaks.
"""

from __future__ import annotations

import threading

import pytest

from regiondrag_widget.widget.worker import InferenceWorker, Job

WAIT = 5.0


@pytest.fixture
def worker():
    worker = InferenceWorker("test-inference")
    yield worker
    worker.shutdown()


class Recorder:
    """Jobs that note their name, and can be held."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.threads: set[int] = set()
        self.dropped: list[str] = []
        self.go = threading.Event()
        self.entered = threading.Event()

    def job(self, owner: str, name: str, hold: bool = False) -> Job:
        def work(job: Job) -> None:
            self.began.append(name)
            self.threads.add(threading.get_ident())
            self.entered.set()
            while hold and not self.go.is_set() and not job.cancelled:
                self.go.wait(0.005)

        return Job(owner, work, lambda: self.dropped.append(name))


@pytest.fixture
def recorder():
    return Recorder()


def test_jobs_of_many_owners_run_one_after_the_other_on_one_thread(worker, recorder):
    jobs = [recorder.job(f"widget {i}", str(i)) for i in range(20)]
    for job in jobs:
        worker.submit(job)
    assert all(job.wait(WAIT) for job in jobs)
    assert recorder.began == [str(i) for i in range(20)]
    assert len(recorder.threads) == 1


def test_a_newer_job_cancels_the_running_one_of_the_same_owner(worker, recorder):
    old, new = recorder.job("w", "old", hold=True), recorder.job("w", "new")
    worker.submit(old)
    assert recorder.entered.wait(WAIT)
    worker.submit(new)
    assert new.wait(WAIT)
    assert old.cancelled
    assert recorder.began == ["old", "new"]


def test_of_several_waiting_jobs_of_an_owner_only_the_latest_runs(worker, recorder):
    first = recorder.job("other", "first", hold=True)
    worker.submit(first)
    assert recorder.entered.wait(WAIT)
    jobs = [recorder.job("w", name) for name in "abc"]
    for job in jobs:
        worker.submit(job)
    recorder.go.set()
    assert all(job.wait(WAIT) for job in jobs)
    assert recorder.began == ["first", "c"]
    assert recorder.dropped == ["a", "b"]


def test_a_newer_job_leaves_other_owners_running(worker, recorder):
    running = recorder.job("a", "a", hold=True)
    worker.submit(running)
    assert recorder.entered.wait(WAIT)
    worker.submit(recorder.job("b", "b"))
    assert not running.cancelled
    recorder.go.set()


def test_cancelling_drops_the_waiting_job_and_stops_the_running_one(worker, recorder):
    running, waiting = recorder.job("a", "running", hold=True), recorder.job("b", "waiting")
    worker.submit(running)
    assert recorder.entered.wait(WAIT)
    worker.submit(waiting)
    worker.cancel("b")
    assert waiting.finished
    assert recorder.dropped == ["waiting"]
    worker.cancel("a")
    assert running.wait(WAIT)
    assert recorder.began == ["running"]


def test_a_job_that_raises_does_not_end_the_thread(worker, recorder, caplog):
    def fail(job: Job) -> None:
        raise RuntimeError("boom")

    bad, good = Job("a", fail), recorder.job("b", "good")
    worker.submit(bad)
    worker.submit(good)
    assert bad.wait(WAIT)
    assert good.wait(WAIT)
    assert recorder.began == ["good"]
    assert "boom" in caplog.text


def test_two_hundred_jobs_leave_one_thread_and_nothing_waiting(worker, recorder):
    before = threading.active_count()
    for i in range(200):
        job = recorder.job("w", str(i))
        worker.submit(job)
        assert job.wait(WAIT)
    assert threading.active_count() <= before + 1
    assert not worker.busy


def test_shutting_down_ends_the_thread_and_refuses_new_jobs(worker, recorder):
    job = recorder.job("w", "held", hold=True)
    worker.submit(job)
    assert recorder.entered.wait(WAIT)
    worker.shutdown(WAIT)
    assert job.finished
    with pytest.raises(RuntimeError, match="restart the kernel"):
        worker.submit(recorder.job("w", "late"))


def test_the_thread_knows_itself(worker):
    seen = []
    job = Job("w", lambda job: seen.append(worker.is_current_thread()))
    worker.submit(job)
    assert job.wait(WAIT)
    assert seen == [True]
    assert not worker.is_current_thread()
