"""Edits of one network from ten threads: cells, two widgets and the owner's own pipeline at once.

Some edits are cancelled between two steps, some are left to the collector. Every picture that is finished is
the one a single thread makes, and in the end the network's modules, the threads and the memory are as before.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionPipeline

import regiondrag_widget as rd
from tests.fuzz.outcome import Outcome, held_memory
from tests.unit.engine_kit import (
    box_pair,
    picture,
    processors_of,
    tiny_scheduler,
    tiny_text_encoder,
    tiny_tokenizer,
    tiny_unet,
    tiny_vae,
)

SHAPE = (96, 128)
CASES = 4
WIDGETS, OWNERS = 2, 1  # threads; the others edit as cells do
CANCELLED, LET_GO = 0.3, 0.1  # of the cells' edits
SECONDS = 300  # that one edit of a widget may take
IDLE = 2.0  # seconds after which a thread that has nothing to do is gone


def fuzz_threads(count: int, seed: int = 0, threads: int = 10) -> Outcome:
    """Make ``count`` pictures in all, in ``threads`` threads at once."""
    outcome = Outcome("threads")
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        work = _Work(Path(folder))
        roles: list[Callable[[random.Random], bool]] = [work.widget(i) for i in range(WIDGETS)]
        roles += [work.generate] * OWNERS
        roles += [work.cell] * (threads - len(roles))
        for role in roles:
            role(random.Random(0))
        _together(roles, max(1, count // threads // 10), seed + 1, Outcome("to warm up"))
        outcome.before, running = held_memory(), threading.active_count()
        _together(roles, count // threads, seed, outcome)
        outcome.after = held_memory()
        if not _settled(running):
            outcome.escaped(count, f"{threading.active_count()} threads run, {running} before")
        for name, processor in processors_of(work.users.unet).items():
            if processor is not work.processors[name]:
                outcome.escaped(count, f"another attention processor is left at {name}")
        work.close()
    outcome.seconds = time.perf_counter() - began
    return outcome


def _together(roles: list[Callable[[random.Random], bool]], each: int, seed: int, outcome: Outcome) -> None:
    """Let every role work ``each`` times in a thread of its own, begun together."""
    start, lock = threading.Barrier(len(roles)), threading.Lock()

    def work(i: int) -> None:
        rng = random.Random(1000 * seed + i)
        start.wait()
        for number in range(each):
            try:
                finished = roles[i](rng)
            except Exception as error:
                with lock:
                    outcome.escaped(number, error)
                continue
            with lock:
                outcome.done += 1
                outcome.refused += not finished

    with ThreadPoolExecutor(len(roles)) as pool:
        list(pool.map(work, range(len(roles))))


def _settled(running: int) -> bool:
    """Whether no more threads run than before, after those that wait for work have had their time."""
    until = time.monotonic() + IDLE
    while threading.active_count() > running and time.monotonic() < until:
        time.sleep(0.05)
    return threading.active_count() <= running


class _Work:
    """What the threads do; each returns whether it was carried to the end, and raises for a wrong picture."""

    def __init__(self, folder: Path) -> None:
        torch.set_num_threads(1)
        self.users = StableDiffusionPipeline(
            vae=tiny_vae(),
            text_encoder=tiny_text_encoder(),
            tokenizer=tiny_tokenizer(folder),
            unet=tiny_unet(),
            scheduler=tiny_scheduler(steps_offset=1),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
        self.users.set_progress_bar_config(disable=True)
        self.pipe = rd.RegionDragPipeline.from_pipe(self.users)
        self.processors = dict(processors_of(self.users.unet))
        self.images = [picture(*SHAPE, seed=i) for i in range(CASES)]
        self.pairs = [box_pair(SHAPE, dx=8 * (1 + i)) for i in range(CASES)]
        self.generated = self._generated()
        self.wanted = [self._finished(case) for case in range(CASES)]
        self.widgets: list[rd.RegionDragWidget] = []

    def cell(self, rng: random.Random) -> bool:
        """An edit as a cell makes it, cancelled or dropped at some step or finished."""
        case, fate = rng.randrange(CASES), rng.random()
        if fate > CANCELLED + LET_GO:
            _same(self._finished(case), self.wanted[case], "an edit of a cell")
            return True
        running = self._session(case).edit([self.pairs[case]])
        for _ in range(rng.randrange(1, 4)):
            next(running, None)
        if fate < CANCELLED:
            running.close()
        return False

    def generate(self, _: random.Random) -> bool:
        """A picture by the owner's own pipeline."""
        _same(self._generated(), self.generated, "a picture of the owner's pipeline")
        return True

    def widget(self, case: int) -> Callable[[random.Random], bool]:
        """What a thread with a widget of its own does."""
        w = rd.RegionDragWidget(
            self.images[case], model=self.pipe, live=False, steps=4, prompt="a dog", seed=0
        )
        w.pairs = [self.pairs[case]]
        self.widgets.append(w)

        def run(rng: random.Random) -> bool:
            if rng.random() < CANCELLED:
                w.run()
                time.sleep(rng.random() * 0.05)
                w.stop()
                w.wait(timeout=SECONDS)
                return False
            w.run()
            result = w.wait(timeout=SECONDS)
            assert result is not None, w.status
            _same(np.asarray(result.image), self.wanted[case], "an edit of a widget")
            return True

        return run

    def close(self) -> None:
        """Close the widgets."""
        for w in self.widgets:
            w.close()

    def _session(self, case: int) -> rd.ImageSession:
        return rd.ImageSession(self.pipe, self.images[case], steps=4, prompt="a dog", seed=0)

    def _finished(self, case: int) -> np.ndarray:
        session = self._session(case)
        for _ in session.edit([self.pairs[case]]):
            pass
        assert session.result is not None
        return np.asarray(session.result.image)

    def _generated(self) -> np.ndarray:
        made: Any = self.users(
            "a dog",
            num_inference_steps=3,
            height=64,
            width=64,
            output_type="np",
            generator=torch.Generator().manual_seed(0),
        )
        return np.asarray(made.images)


def _same(got: np.ndarray, wanted: np.ndarray, what: str) -> None:
    if not np.array_equal(got, wanted):
        worst = int(np.abs(got.astype(float) - wanted).max() * (1 if got.dtype == np.uint8 else 255))
        raise AssertionError(f"{what} is not the one a single thread makes, by up to {worst} grey levels")
