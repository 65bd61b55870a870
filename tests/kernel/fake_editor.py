"""An edit engine small enough to reason about: it fades from the picture to the handle pasted at its target.

Step k of n shows k/n of the way, so every preview differs from the one before and is known in advance.
Tests can hold it between steps, make it fail, and count how often a picture was prepared.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from regiondrag_widget.engine.result import EditResult
from regiondrag_widget.engine.settings import EditSettings, names
from regiondrag_widget.models.profile import MINI_PROFILE
from regiondrag_widget.regions import RegionPair, RegionPairs, pixel_map
from regiondrag_widget.widget.editor import Report


@dataclass(frozen=True)
class FakeStep:
    index: int
    total: int
    rgb: np.ndarray

    def preview(self, max_size: int = 384) -> np.ndarray:
        image = Image.fromarray(self.rgb)
        image.thumbnail((max_size, max_size))
        return np.asarray(image)


@dataclass(frozen=True)
class FakeDraft:
    rgb: np.ndarray
    box: tuple[int, int, int, int]


class FakeEngine:
    """The factory.

    ``seconds`` is the time of an edit's step, ``draft_seconds`` of a draft's. Clear ``go`` to hold every edit
    before its next step, ``draft_go`` and ``stage_go`` to hold drafts and preparations, which take four
    stages.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.draft_seconds = 0.0
        self.go, self.draft_go, self.stage_go = (threading.Event() for _ in range(3))
        self.release()
        self.prepared: list[tuple[tuple[int, int], EditSettings]] = []
        self.preparing = 0  # preparations that began
        self.stages = 0  # of all preparations
        self.warmed: list[list[RegionPair]] = []  # one entry for every preparation that came to its end
        self.edits: list[dict[str, Any]] = []
        self.drafts: list[dict[str, Any]] = []
        self.began: list[str] = []  # "edit" and "draft" in the order in which they began
        self.threads: set[str] = set()
        self.error: BaseException | None = None  # raised before the third step
        self.prepare_error: BaseException | None = None
        self.draft_error: BaseException | None = None  # raised before a draft's second step
        self.stepping = threading.Semaphore(0)  # released after every step
        self.closed = 0  # generators of edits that ended, by any way
        self.drafts_closed = 0
        self.fail_draft: Callable[..., Any] | None = None  # in place of a draft's steps
        self.one_window = True
        self.budget = 1000
        self.note = ""
        self.own_settings: dict[str, Any] = dict(MINI_PROFILE.defaults)  # of the model, whichever it is

    def release(self) -> None:
        """Let everything that is held go on."""
        for gate in (self.go, self.draft_go, self.stage_go):
            gate.set()

    def __call__(self, image: Image.Image, settings: EditSettings) -> FakeEditor:
        self.threads.add(threading.current_thread().name)
        if self.prepare_error is not None:
            raise self.prepare_error
        self.prepared.append((image.size, settings))
        return FakeEditor(self, image, settings.with_own(self.own_settings))


class FakeEditor:
    """One prepared picture."""

    def __init__(self, engine: FakeEngine, image: Image.Image, settings: EditSettings) -> None:
        self._engine = engine
        self._image = image
        self._settings = settings
        self._ready = False
        self.result: EditResult | None = None
        self.drafted: FakeDraft | None = None

    @property
    def one_window(self) -> bool:
        return self._engine.one_window

    def report(self) -> Report:
        engine = self._engine
        return Report("cpu", "float32", 400 * self._ready, engine.budget, engine.note, engine.own_settings)

    def shrink(self) -> None:
        self._engine.budget //= 2

    def prepare(self, pairs: Sequence[RegionPair], cancelled: Callable[[], bool], **how: Any) -> bool:
        assert set(how) == {*names("widget", "edit"), "editable"}
        engine = self._engine
        if not self._ready:
            engine.preparing += 1
            for _ in range(4):
                while not engine.stage_go.wait(0.005) and not cancelled():
                    pass
                if cancelled():
                    return False
                engine.stages += 1
            self._ready = True
            engine.warmed.append(list(pairs))
        return True

    def draft(
        self,
        pairs: Sequence[RegionPair],
        *,
        calls: int,
        editable: np.ndarray | None,
        **settings: Any,
    ) -> Generator[FakeStep, None, None]:
        engine = self._engine
        assert set(settings) == set(names("widget", "edit"))
        asked = {**settings, "editable": editable, "pairs": list(pairs)}
        if engine.fail_draft is not None:
            yield from engine.fail_draft()
            return
        engine.drafts.append(asked)
        engine.began.append("draft")
        rgb = paste(np.asarray(self._image.convert("RGB")), pairs, editable)
        found = RegionPairs(pairs)
        rows, columns = (np.nonzero((found.handle | found.target).any(axis))[0] for axis in (1, 0))
        box = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
        crop = rgb[box[1] : box[3], box[0] : box[2]]
        try:
            for index in range(calls):
                while not engine.draft_go.wait(0.005):
                    pass
                time.sleep(engine.draft_seconds)
                if engine.draft_error is not None and index == 1:
                    raise engine.draft_error
                yield FakeStep(index + 1, calls, crop)
            self.drafted = FakeDraft(crop, box)
        finally:
            engine.drafts_closed += 1

    def edit(
        self,
        pairs: Sequence[RegionPair],
        *,
        editable: np.ndarray | None,
        **settings: Any,
    ) -> Generator[FakeStep, None, None]:
        engine, total = self._engine, self._settings.steps
        assert set(settings) == set(names("widget", "edit"))
        asked = {**settings, "editable": editable, "pairs": list(pairs)}
        engine.edits.append(asked)
        engine.began.append("edit")
        before = np.asarray(self._image.convert("RGB"))
        after = paste(before, pairs, editable)
        try:
            for index in range(total):
                while not engine.go.wait(0.005):
                    pass
                time.sleep(engine.seconds)
                if engine.error is not None and index == 2:
                    raise engine.error
                share = (index + 1) / total
                mixed = (before * (1 - share) + after * share).astype(np.uint8)
                engine.stepping.release()
                yield FakeStep(index + 1, total, mixed)
            self.result = EditResult(
                image=Image.fromarray(after),
                before=self._image,
                settings=self._settings.as_dict(),
                timings={"total": total * engine.seconds},
                seed=self._settings.seed,
                pairs=RegionPairs(pairs),
            )
        finally:
            engine.closed += 1


def paste(before: np.ndarray, pairs: Sequence[RegionPair], editable: np.ndarray | None = None) -> np.ndarray:
    """(H, W, 3) the handle's pixels at the target; the seed's influence left out."""
    found = pixel_map(list(pairs))
    x, y = np.rint(found.source_xy).astype(int).transpose(2, 0, 1)
    where = found.target if editable is None else found.target & editable
    after = before.copy()
    after[where] = before[y[where], x[where]]
    return after
