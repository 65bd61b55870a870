"""An edit engine small enough to reason about: it fades from the picture to the handle pasted at its target.

Step k of n shows k/n of the way, so every preview differs from the one before and is known in advance.
Tests can hold it between steps, make it fail, and count how often a picture was prepared.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from regiondrag_widget.engine.result import EditResult
from regiondrag_widget.regions import RegionPair, RegionPairs, pixel_map
from regiondrag_widget.widget.settings import EditSettings


@dataclass(frozen=True)
class FakeStep:
    index: int
    total: int
    rgb: np.ndarray

    def preview(self, max_size: int = 384) -> np.ndarray:
        image = Image.fromarray(self.rgb)
        image.thumbnail((max_size, max_size))
        return np.asarray(image)


class FakeEngine:
    """The factory. ``seconds`` is the time of a step; clear ``go`` to hold every edit before its next
    step.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.go = threading.Event()
        self.go.set()
        self.prepared: list[tuple[tuple[int, int], EditSettings]] = []
        self.warmed: list[list[RegionPair]] = []
        self.edits: list[dict[str, Any]] = []
        self.threads: set[str] = set()
        self.error: BaseException | None = None  # raised before the third step
        self.prepare_error: BaseException | None = None
        self.stepping = threading.Semaphore(0)  # released after every step
        self.closed = 0  # generators that ended, by any way

    def __call__(self, image: Image.Image, settings: EditSettings) -> FakeEditor:
        self.threads.add(threading.current_thread().name)
        if self.prepare_error is not None:
            raise self.prepare_error
        self.prepared.append((image.size, settings))
        return FakeEditor(self, image, settings)


class FakeEditor:
    """One prepared picture."""

    def __init__(self, engine: FakeEngine, image: Image.Image, settings: EditSettings) -> None:
        self._engine = engine
        self._image = image
        self._settings = settings
        self.result: EditResult | None = None

    def prepare(self, pairs: Sequence[RegionPair]) -> None:
        self._engine.warmed.append(list(pairs))

    def edit(
        self,
        pairs: Sequence[RegionPair],
        *,
        stop: float,
        vacated: str,
        matte: str,
        editable: np.ndarray | None,
    ) -> Generator[FakeStep, None, None]:
        engine, total = self._engine, self._settings.steps
        asked = {"stop": stop, "vacated": vacated, "matte": matte, "editable": editable, "pairs": list(pairs)}
        engine.edits.append(asked)
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
