"""Forks, process pools, asyncio, pickles, many threads at once, and pipelines that nobody holds any more."""

from __future__ import annotations

import asyncio
import copy
import gc
import multiprocessing
import os
import pickle
import random
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Coroutine
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import psutil
import pytest

import regiondrag_widget as rd
from regiondrag_widget.locks import OrderedLock, Rank
from regiondrag_widget.models.turns import turns_of
from tests.unit.engine_kit import box_pair, picture, processors_of, tiny_pipeline
from tests.unit.process_kit import SHAPE, edit_in_a_pool, forked, pixels_of

T = TypeVar("T")

can_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")


# ---- pickles and pools ----


@pytest.mark.parametrize("act", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_session_is_not_pickled_or_copied_and_says_why(act: Any):
    session = rd.ImageSession(tiny_pipeline(), picture(*SHAPE))
    with pytest.raises(TypeError, match=r"cannot be pickled or copied.*make the session where"):
        act(session)


@pytest.mark.slow
def test_edits_in_a_process_pool_are_the_serial_ones():
    """A new process for each worker; pairs and results travel, the model is made there."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        results = list(pool.map(edit_in_a_pool, [0, 1]))
    for seed, result in enumerate(results):
        assert np.array_equal(result.array, edit_in_a_pool(seed).array)
        assert result.seed == seed


# ---- fork ----


@can_fork
def test_a_forked_child_edits_while_another_thread_of_the_parent_is_in_a_call():
    """The parent's other threads are gone in the child, with the locks that they held."""
    code = """
        import threading, torch
        import regiondrag_widget as rd
        from tests.unit.engine_kit import tiny_pipeline
        from tests.unit.process_kit import forked, pixels_of
        torch.set_num_threads(2)
        pipe = tiny_pipeline()
        expected = pixels_of(pipe)
        inside, go_on = threading.Event(), threading.Event()

        def held(*_):
            if threading.current_thread().name == "other":
                inside.set()
                go_on.wait(60)

        hook = pipe.unet.register_forward_pre_hook(held)
        other = threading.Thread(target=pixels_of, args=(pipe,), name="other")
        other.start()
        assert inside.wait(60)
        assert forked(lambda: pixels_of(pipe)) == expected
        go_on.set()
        other.join(60)
        hook.remove()
        assert pixels_of(pipe) == expected, "the parent goes on"
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr


@can_fork
def test_locks_that_other_threads_hold_are_free_in_a_forked_child():
    mine, theirs = OrderedLock(Rank.DOCUMENT), OrderedLock(Rank.PIPELINES)
    network = tiny_pipeline().unet
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with theirs, turns_of(network):
            held.set()
            release.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(60)
    try:
        with mine:
            said = forked(
                lambda: bytes(
                    [
                        theirs.acquire(blocking=False),
                        not turns_of(network).__enter__(),
                        mine.held(),
                    ]
                )
            )
        assert said == bytes([1, 1, 1])
        assert not theirs.acquire(blocking=False), "and still held in the parent"
    finally:
        release.set()
        thread.join(60)


# ---- asyncio ----


def run_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread of its own: Playwright's loop may be running in this one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, main).result()


def test_edits_of_an_event_loop_are_the_serial_ones():
    pipe = tiny_pipeline()
    expected = [pixels_of(pipe, seed) for seed in range(4)]
    ticks: list[int] = []

    async def all_at_once() -> list[bytes]:
        async def tick() -> None:
            while True:
                ticks.append(1)
                await asyncio.sleep(0.001)

        ticking = asyncio.create_task(tick())
        edits = [asyncio.to_thread(pixels_of, pipe, seed) for seed in range(4)]
        try:
            return await asyncio.gather(*edits)
        finally:
            ticking.cancel()

    assert run_loop(all_at_once()) == expected
    assert len(ticks) > 2, "the loop ran on"


def test_a_task_that_is_cancelled_between_steps_leaves_the_network_as_it_was():
    pipe = tiny_pipeline()
    before = processors_of(pipe.unet)
    session = rd.ImageSession(pipe, picture(*SHAPE))

    async def step_by_step() -> None:
        for _ in session.edit([box_pair(SHAPE)]):
            await asyncio.sleep(0)

    async def cancelled() -> None:
        task = asyncio.create_task(step_by_step())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_loop(cancelled())
    assert session.result is None
    assert all(processors_of(pipe.unet)[name] is p for name, p in before.items())
    assert pixels_of(pipe) == pixels_of(tiny_pipeline())


# ---- many threads ----


def test_many_threads_edit_draft_and_cancel_at_random_and_every_picture_is_right():
    """Two pipelines on one network, and one of its own; nothing is left behind, and nothing grows."""
    first, alone = tiny_pipeline(), tiny_pipeline(seed=7)
    second = type(first).from_pipe(first)
    second.profile = first.profile
    pipes = (first, second, alone)
    before = [processors_of(pipe.unet) for pipe in pipes]
    pairs = [[box_pair(SHAPE, dx=8 * (i + 1))] for i in range(2)]

    def whole(pipe: Any, i: int, seed: int) -> bytes:
        session = rd.ImageSession(pipe, picture(*SHAPE, seed=i), seed=seed)
        list(session.edit(pairs[i]))
        return session.result.array.tobytes()

    expected = {
        (p, i, seed): whole(pipes[p], i, seed) for p in range(3) for i in range(2) for seed in range(2)
    }
    threads, memory = threading.active_count(), psutil.Process().memory_info().rss
    wrong: list[Any] = []
    finished: list[int] = []

    def work(number: int) -> None:
        rng = random.Random(number)
        for _ in range(4):
            p, i, seed = rng.randrange(3), rng.randrange(2), rng.randrange(2)
            kind = rng.choice(["whole", "draft", "cancel", "close"])
            if kind == "whole":
                finished.append(1)
                if whole(pipes[p], i, seed) != expected[p, i, seed]:
                    wrong.append((p, i, seed))
                continue
            session = rd.ImageSession(pipes[p], picture(*SHAPE, seed=i), seed=seed)
            steps = session.draft(pairs[i], calls=2) if kind == "draft" else session.edit(pairs[i])
            for taken, _ in enumerate(steps):
                if kind != "draft" and taken == rng.randrange(3):
                    break
            steps.close()
            if kind == "cancel":  # the session goes on after it
                list(session.edit(pairs[i]))
                if session.result.array.tobytes() != expected[p, i, seed]:
                    wrong.append((p, i, seed, kind))

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(work, range(10)))
    assert not wrong
    assert finished
    assert threading.active_count() <= threads
    gc.collect()
    assert psutil.Process().memory_info().rss - memory < 200e6
    for pipe, processors in zip(pipes, before, strict=True):
        assert all(processors_of(pipe.unet)[name] is p for name, p in processors.items())


# ---- what nobody holds is released ----


@pytest.mark.parametrize("keys_values", ["device", "recompute"])
def test_a_pipeline_that_nobody_holds_is_released(keys_values: str):
    pipe = tiny_pipeline()
    session = rd.ImageSession(pipe, picture(*SHAPE), keys_values=keys_values)
    list(session.edit([box_pair(SHAPE)]))
    list(session.draft([box_pair(SHAPE)], calls=2))
    session.edit([box_pair(SHAPE)])  # begun and never looked at
    result = session.result
    parts = [weakref.ref(part) for part in (pipe, pipe.unet, pipe.vae, session)]
    del pipe, session
    gc.collect()
    assert [part() for part in parts] == [None] * 4
    assert result.image.size == (SHAPE[1], SHAPE[0]), "the result needs none of them"


def test_an_edit_by_one_call_keeps_no_pipeline_of_the_users():
    pipe = tiny_pipeline()
    rd.edit(picture(*SHAPE), [box_pair(SHAPE)], pipe)
    unet = weakref.ref(pipe.unet)
    del pipe
    gc.collect()
    assert unet() is None
