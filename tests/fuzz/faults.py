"""Faults at every step: an edit, a draft, a save or a load that fails anywhere leaves nothing behind.

A fault is raised at the k-th call of a function of the package. Afterwards the same is done without a fault,
and must give what it gives in a fresh process, bit for bit.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch

import regiondrag_widget as rd
from regiondrag_widget.widget.document import Document
from regiondrag_widget.widget.encode import ShownPicture
from regiondrag_widget.widget.readout import UNMEASURED
from regiondrag_widget.widget.session_file import load_session, save_session
from tests.fuzz.outcome import Outcome, held_memory
from tests.unit.engine_kit import tiny_pipeline

PACKAGE = str(Path(rd.__file__).parent)
# what puts things back as they were: a fault there has no one left to see to it
NOT_IN = ("locks.py", "turns.py", "processors.py", "kept.py", "stopwatch.py", "errors.py", "text.py")


class InjectedFault(Exception):
    """Raised on purpose."""


class Calls:
    """Counts the calls of the package's functions on this thread, and raises at one of them."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.count = 0
        self.where = ""

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        name = frame.f_code.co_filename
        if event != "call" or not name.startswith(PACKAGE) or name.endswith(NOT_IN):
            return
        called = frame.f_code.co_name
        if called == "<genexpr>" or (called.startswith("__") and called != "__init__"):
            return  # closing a generator, leaving a `with`, comparing, hashing
        self.count += 1
        if self.count == self.at:
            self.where = f"{Path(name).name}:{frame.f_code.co_name}"
            raise InjectedFault(f"at call {self.at}")


@contextmanager
def watched(calls: Calls) -> Any:
    """Let ``calls`` see every call made meanwhile."""
    sys.setprofile(calls)
    try:
        yield calls
    finally:
        sys.setprofile(None)


def fuzz_faults(count: int, seed: int = 0) -> Outcome:
    """Let ``count`` edits, drafts, saves and loads fail, each at another step."""
    outcome = Outcome("faults")
    began = time.perf_counter()
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        work = _Work(Path(folder))
        actions = [work.first_edit, work.edit, work.draft, work.save, work.load]
        wants = [action() for action in actions]
        steps = []
        for action, want in zip(actions, wants, strict=True):
            with watched(Calls()) as calls:
                action()
            each = min(count // len(actions), calls.count)
            steps += [(action, at, want) for at in rng.sample(range(1, calls.count + 1), each)]
        rng.shuffle(steps)
        for number, (action, at, want) in enumerate(steps):
            if number == len(steps) // 10:
                outcome.before = held_memory()
            _fail(outcome, action, at, want)
    outcome.after = held_memory()
    outcome.seconds = time.perf_counter() - began
    return outcome


def _fail(outcome: Outcome, action: Callable[[], bytes], at: int, want: bytes) -> None:
    outcome.done += 1
    calls = Calls(at)
    try:
        with watched(calls):
            action()
    except BaseException:  # an interrupted loader may wrap it
        outcome.refused += 1
    try:
        if action() != want:
            outcome.escaped(at, f"{action.__name__} after a fault in {calls.where} is another one")
    except Exception as error:
        outcome.escaped(at, f"{action.__name__} after a fault in {calls.where} fails: {error!r}")


class _Work:
    """What is done again and again; each returns bytes that are the same every time."""

    def __init__(self, folder: Path) -> None:
        torch.set_num_threads(1)
        y, x = np.mgrid[0:72, 0:96]
        self.image = np.stack([x * 2, y * 3, (x * y) % 256], -1).astype(np.uint8)
        self.handle = (x - 25) ** 2 + (y - 30) ** 2 < 12**2
        self.pair = rd.RegionPair.move(self.handle, 30, 8)
        self.pipe = tiny_pipeline()
        self.session = rd.ImageSession(self.pipe, self.image, steps=3)
        self.folder = folder / "session"
        self.document = Document(ShownPicture.of(self.image), _settings(), UNMEASURED.as_dict())
        self.document.set_pairs([self.pair])
        save_session(self.folder, self.document)
        self.saved = self._loaded()

    def first_edit(self) -> bytes:
        """An edit of a picture that is new to the pipeline: it is encoded and inverted first."""
        return self._edited(rd.ImageSession(self.pipe, self.image, steps=3))

    def edit(self) -> bytes:
        """Another edit of a picture that is prepared."""
        return self._edited(self.session)

    def _edited(self, session: rd.ImageSession) -> bytes:
        for _ in session.edit([self.pair], generator=torch.Generator().manual_seed(1)):
            pass
        assert session.result is not None
        return session.result.image.tobytes()

    def draft(self) -> bytes:
        """A draft of the same."""
        for _ in self.session.draft([self.pair], calls=2):
            pass
        assert self.session.drafted is not None
        return self.session.drafted.rgb.tobytes()

    def save(self) -> bytes:
        """Whether this fails or not, what lies there is whole."""
        try:
            save_session(self.folder, self.document)
        finally:
            profile = sys.getprofile()
            sys.setprofile(None)
            if self._loaded() != self.saved:
                raise AssertionError("the saved session is not whole")
            sys.setprofile(profile)
        return self.saved

    def load(self) -> bytes:
        """What was saved."""
        return self._loaded()

    def _loaded(self) -> bytes:
        session = load_session(self.folder)
        parts = [session.picture.image.tobytes()]
        parts += [part.tobytes() for pair in session.pairs for part in (pair.handle, pair.target)]
        return b"".join(parts)


def _settings() -> Any:
    from regiondrag_widget.engine.settings import EditSettings

    return EditSettings()
