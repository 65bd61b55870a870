"""One inference thread for the process: latest request of an owner wins, cancelling is prompt, nothing
leaks.
"""

from __future__ import annotations

import ctypes
import threading

import pytest

from regiondrag_widget.widget import worker as worker_module
from regiondrag_widget.widget.worker import InferenceWorker, Job, Urgency

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

    def job(self, owner: str, name: str, hold: bool = False, **more: object) -> Job:
        def work(job: Job) -> None:
            self.began.append(name)
            self.threads.add(threading.get_ident())
            self.entered.set()
            while hold and not self.go.is_set() and not job.cancelled:
                self.go.wait(0.005)

        return Job(owner, work, lambda: self.dropped.append(name), **more)


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


def test_waiting_runs_are_told_how_many_go_before_them(worker, recorder):
    told: dict[str, list[int]] = {"b": [], "c": [], "d": []}
    running = recorder.job("a", "a", hold=True)
    waiting = {name: recorder.job(name, name, hold=True, moved=told[name].append) for name in told}
    for job in (running, *waiting.values()):
        worker.submit(job)
    recorder.entered.wait(WAIT)
    assert [worker.ahead_of(name) for name in "bcd"] == [1, 2, 3]
    assert worker.ahead_of("a") == 3, "a newer run of the one that runs goes on after those that wait"
    assert worker.ahead_of("e") == 4
    worker.cancel("c")
    assert worker.ahead_of("d") == 2
    recorder.go.set()
    assert waiting["d"].wait(WAIT)
    assert told == {"b": [], "c": [], "d": [1]}


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


# -- urgency -------------------------------------------------------------------------------------------------


def held(worker, recorder, urgency=Urgency.RUN, needs=None):
    """A job that runs until ``recorder.go``."""
    job = recorder.job("held", "held", hold=True, urgency=urgency, needs=needs)
    worker.submit(job)
    assert recorder.entered.wait(WAIT)
    return job


def test_runs_go_before_drafts_and_drafts_before_the_background(worker, recorder, monkeypatch):
    monkeypatch.setattr(worker_module, "QUIET", 0.0)
    held(worker, recorder)
    jobs = [
        recorder.job(name, name, urgency=urgency)
        for name, urgency in [
            ("background", Urgency.BACKGROUND),
            ("draft 1", Urgency.DRAFT),
            ("run 1", Urgency.RUN),
            ("draft 2", Urgency.DRAFT),
            ("run 2", Urgency.RUN),
        ]
    ]
    for job in jobs:
        worker.submit(job)
    recorder.go.set()
    assert all(job.wait(WAIT) for job in jobs)
    assert recorder.began == ["held", "run 1", "run 2", "draft 1", "draft 2", "background"]


def test_the_background_waits_until_nothing_has_been_asked_for_a_while(worker, recorder, monkeypatch):
    monkeypatch.setattr(worker_module, "QUIET", 0.3)
    asked = recorder.job("w", "run")
    worker.submit(asked)
    assert asked.wait(WAIT)
    background = recorder.job("b", "background", urgency=Urgency.BACKGROUND)
    worker.submit(background)
    assert not background.wait(0.1)
    worker.submit(recorder.job("w", "draft", urgency=Urgency.DRAFT))
    assert background.wait(WAIT)
    assert recorder.began == ["run", "draft", "background"]


def test_a_first_job_in_the_background_begins_at_once(worker, recorder, monkeypatch):
    monkeypatch.setattr(worker_module, "QUIET", 1000.0)
    background = recorder.job("b", "background", urgency=Urgency.BACKGROUND)
    worker.submit(background)
    assert background.wait(WAIT)


@pytest.mark.parametrize(
    ("running", "waiting", "stops"),
    [
        (Urgency.DRAFT, Urgency.RUN, True),
        (Urgency.BACKGROUND, Urgency.DRAFT, True),
        (Urgency.DRAFT, Urgency.DRAFT, False),
        (Urgency.DRAFT, Urgency.BACKGROUND, False),
        (Urgency.RUN, Urgency.RUN, False),
    ],
)
def test_what_is_less_urgent_than_what_waits_should_stop(worker, recorder, running, waiting, stops):
    job = held(worker, recorder, running)
    assert not worker.should_stop(job)
    worker.submit(recorder.job("other", "other", urgency=waiting))
    assert worker.should_stop(job) is stops
    recorder.go.set()


def test_a_cancelled_job_should_stop(worker, recorder):
    job = held(worker, recorder)
    worker.cancel("held")
    assert worker.should_stop(job)
    assert worker.should_stop(job, preparing=True)


@pytest.mark.parametrize(
    ("needs", "more", "stops"),
    [
        ("picture", {}, False),
        ("another", {}, True),
        ("picture", {"third": "another"}, True),
        ("picture", {"third": "picture"}, False),
    ],
)
def test_a_preparation_goes_on_while_all_that_come_next_need_it(worker, recorder, needs, more, stops):
    job = held(worker, recorder, Urgency.DRAFT, "picture")
    worker.submit(recorder.job("run", "run", needs=needs))
    for owner, need in more.items():
        worker.submit(recorder.job(owner, owner, needs=need))
    worker.cancel("held")
    assert worker.should_stop(job)
    assert worker.should_stop(job, preparing=True) is stops
    recorder.go.set()


def test_a_preparation_that_none_can_share_stops(worker, recorder):
    job = held(worker, recorder, Urgency.BACKGROUND, None)
    worker.submit(recorder.job("run", "run", needs=None))
    assert worker.should_stop(job, preparing=True)
    recorder.go.set()


def test_a_newer_job_of_the_same_owner_inherits_the_preparation(worker, recorder):
    job = recorder.job("held", "old", hold=False, urgency=Urgency.DRAFT, needs="picture")
    began, seen = threading.Event(), []

    def work(job):
        began.set()
        recorder.go.wait(WAIT)
        seen.append((worker.should_stop(job), worker.should_stop(job, preparing=True)))

    job.work = work
    worker.submit(job)
    assert began.wait(WAIT)
    newer = recorder.job("held", "new", urgency=Urgency.DRAFT, needs="picture")
    worker.submit(newer)
    recorder.go.set()
    assert newer.wait(WAIT)
    assert seen == [(True, False)]


# -- failures and dead threads -------------------------------------------------------------------------------


def kill(thread):
    """Raise SystemExit in a thread, as soon as it next runs Python code."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))


@pytest.mark.parametrize("error", [RuntimeError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_a_job_that_raises_anything_is_told_so_and_the_thread_goes_on(worker, recorder, error):
    told = []

    def work(job):
        raise error("boom")

    failing = Job("a", work, crashed=told.append)
    worker.submit(failing)
    assert failing.wait(WAIT)
    assert [type(e) for e in told] == [error]
    after = recorder.job("b", "after")
    worker.submit(after)
    assert after.wait(WAIT)


def test_an_owner_whose_answer_to_a_failure_fails_does_no_harm(worker, recorder):
    def fail(*_):
        raise RuntimeError("boom")

    failing = Job("a", fail, crashed=fail)
    worker.submit(failing)
    assert failing.wait(WAIT)
    after = recorder.job("b", "after")
    worker.submit(after)
    assert after.wait(WAIT)


def test_a_thread_that_died_idle_is_replaced_for_the_next_job(worker, recorder):
    first = recorder.job("a", "first")
    worker.submit(first)
    assert first.wait(WAIT)
    dead = worker._thread
    kill(dead)
    second = recorder.job("a", "second")
    worker.submit(second)
    assert second.wait(WAIT)
    assert worker._thread is not dead


def test_a_thread_that_dies_with_jobs_is_replaced_and_they_are_done(worker, recorder):
    held = recorder.job("a", "held", hold=True)
    worker.submit(held)
    assert recorder.entered.wait(WAIT)
    waiting = [recorder.job(owner, owner) for owner in "bcd"]
    for job in waiting:
        worker.submit(job)
    kill(worker._thread)
    assert all(job.wait(WAIT) for job in [held, *waiting])
    assert recorder.began == ["held", "b", "c", "d"]


def test_a_thread_that_is_gone_without_a_trace_leaves_its_job_told_and_is_replaced(worker, recorder):
    told = []
    lost = Job("a", lambda job: None, crashed=told.append)
    worker._running = lost  # as in a forked child: the job ran on a thread of the parent
    worker._thread = threading.Thread(target=lambda: None)
    waiting = recorder.job("b", "waiting")
    worker._waiting["b"] = waiting
    worker.revive()
    assert waiting.wait(WAIT)
    assert lost.finished
    assert [type(e).__name__ for e in told] == ["WorkerDied"]


def test_a_worker_with_nothing_to_do_is_not_revived(worker):
    worker.revive()
    assert worker._thread is None
